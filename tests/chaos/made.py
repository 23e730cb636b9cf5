"""A small run made by hand: a true history and the ledger it leads to, for judges that are judged themselves."""

import copy
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.diary import History
from domain.parsing import parse_command
from domain.people import SYSTEM, Actor
from domain.process import Event, Start, TimePasses
from domain.processes import PROCESSES
from ledger.log import Recorded, canonical, chain_hash
from tests.chaos.dump import Ledger
from tests.chaos.town import world
from tests.neighbourhood import ACTORS, AFTER, GRID, LEAD, NOON, ORDINARY
from tests.workflows.accounts import Folded
from tests.workflows.office import WORKLOAD

CASE = PROCESSES["case"]
STREAM = "case-" + "1" * 32
Json = dict[str, Any]


@dataclass
class Made:
    """A run in the making; every act takes one second."""

    world: Any = field(default_factory=world)
    at: datetime = NOON
    events: list[Json] = field(default_factory=list)
    commands: list[Json] = field(default_factory=list)
    lines: list[Json] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    _state: Any = None

    def act(self, name: str, who: str, mark: str = "", **command: Any) -> None:
        """One command that is accepted and acknowledged."""
        self.at += timedelta(seconds=1)
        parsed = parse_command(CASE, command)
        key = self._key(name)
        facts = self._record(CASE.decide(self._state, parsed, ACTORS[who], self.at, self.world), key)
        self.tell(key, command["kind"], mark, "ok", stream=STREAM, facts=facts)

    def time(self, name: str, after: timedelta) -> None:
        """Time itself acts."""
        self.at += after
        self._record(CASE.decide(self._state, TimePasses(), SYSTEM, self.at, self.world), self._key(name))

    def tell(self, key: str, do: str, mark: str, end: str, **more: Any) -> None:
        """One attempt and its end in the history."""
        number, t = len(self.lines), (self.at - NOON).total_seconds()
        self.lines += [
            {"type": "invoke", "t": t, "n": number, "key": key, "do": do, "content": do + mark, "mark": mark},
            {"type": end, "t": t + 0.5, "n": number, **more},
        ]

    def _key(self, name: str) -> str:
        return self.keys.setdefault(name, str(uuid.uuid5(uuid.NAMESPACE_URL, name)))

    def _record(self, new: tuple[Event, ...], key: str) -> list[list[Any]]:
        first = len(self.events) + 1
        for event in new:
            self._state = CASE.evolve(self._state, event)
            body = event.model_dump(mode="json", exclude_none=True)
            prev, seq = (self.events[-1]["hash"] if self.events else ""), len(self.events) + 1
            identity = uuid.uuid5(uuid.NAMESPACE_URL, f"event {seq}")
            row = {
                "seq": seq,
                "id": str(identity),
                "kind": body["kind"],
                "at": event.at.isoformat(),
                "actor": event.by.person,
                "command_id": key,
                "body": body,
                "prev": prev,
                "tx": 1000 + seq,
            }
            row["hash"] = hash_of(row)
            self.events.append(row)
        last = len(self.events)
        self.commands.append({"id": key, "seq_from": first, "seq_to": last, "at": self.at.isoformat()})
        return [[row["seq"], row["id"], row["hash"]] for row in self.events[first - 1 :]]

    def history(self) -> History:
        """The history so far, a copy."""
        return History(copy.deepcopy(self.lines))

    def ledger(self) -> Ledger:
        """The ledger, read models and workflow that agree with what was recorded, a copy."""
        found: Json = {
            "looked_at": self.at.isoformat(),
            "events": copy.deepcopy(self.events),
            "commands": copy.deepcopy(self.commands),
            "differences": [],
            "was_behind": None,
        }
        ledger = Ledger({"streams": {STREAM: found}, "chain": [], "outbox": dict.fromkeys(_OUTBOX, 0)})
        times = {row["id"]: datetime.fromisoformat(row["at"]) for row in self.commands}
        folded = Folded(STREAM, ledger.events(STREAM), times, self.world)
        found["rows"] = {name: json.loads(json.dumps(list(rows.values()))) for name, rows in folded.tables.items()}
        assert folded.plan is not None
        held = Start(stream=STREAM, state=folded.state_json, seq=folded.seq, hash=folded.hash, plan=folded.plan)
        found["workflow"] = {
            "status": "RUNNING",
            "seq": folded.seq,
            "held": held.model_dump(mode="json"),
            "timers": [folded.plan.alarm.isoformat()] if folded.plan.alarm else [],
        }
        return ledger


_OUTBOX = ("unrouted", "waiting", "unknown", "delivered")


def hash_of(row: Json) -> str:
    """The hash of an event as it should be."""
    return chain_hash(
        row["prev"],
        STREAM,
        row["seq"],
        uuid.UUID(row["id"]),
        row["kind"],
        datetime.fromisoformat(row["at"]),
        row["actor"],
        uuid.UUID(row["command_id"]),
        canonical(row["body"]),
    )


def made() -> Made:
    """A request that reaches its department and falls due; one act is refused, of one nobody knows."""
    run = Made()
    run.act(
        "register",
        "worker",
        "sign-r",
        kind="register",
        title="路面破损",
        text="有坑 sign-r",
        grid=GRID,
        category=ORDINARY,
    )
    run.act("whistle", "community", kind="whistle", reason="reflected", departments=[LEAD], approver="approver")
    run.tell(run._key("refused"), "comment", "sign-f", "fail", status=409, code="case.wrong_stage")
    run.act("dispatch", "dispatcher", "sign-d", kind="dispatch", lead=LEAD, instruction="请看 sign-d")
    run.act("accept", "handler", kind="accept")
    run.tell(run._key("unknown"), "comment", "sign-u", "info", why="ReadTimeout")
    run.act("comment", "community", "sign-c", kind="comment", text="已联系 sign-c")
    run.time("time", timedelta(seconds=36))
    run.act(
        "strike_off",
        "handler",
        "sign-s",
        kind="strike_off",
        measures="已补 sign-s",
        workload=WORKLOAD,
        evidence=[AFTER],
    )
    run.lines.append({"type": "recovered", "t": 60.0, "at": run.at.isoformat()})
    return run


def actor(name: str) -> Actor:
    """Somebody of the neighbourhood."""
    return ACTORS[name]


__all__ = ["STREAM", "Made", "Recorded", "hash_of", "made"]
