"""The plain loop: twelve acts by eight people, from the registration of a request to its appraisal.

Owns who acts, what they send and the neighbourhood they act in. All sides of the measurement play this one script.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from console.desk import new_stream
from domain.people import Actor, Role

GRID, COMMUNITY, STREET, DEPARTMENT = "G01", "C01", "S01", "D01"

WORKER = Actor(person="p-worker", role=Role.GRID_WORKER, grid=GRID)
CAPTAIN = Actor(person="p-captain", role=Role.VANGUARD_CAPTAIN, grid=GRID)
HEAD = Actor(person="p-head", role=Role.GRID_HEAD, grid=GRID)
SECRETARY = Actor(person="p-community", role=Role.COMMUNITY, organisation=COMMUNITY)
APPROVER = Actor(person="p-approver", role=Role.COMMUNITY, organisation=COMMUNITY)
DISPATCHER = Actor(person="p-dispatcher", role=Role.STREET_DISPATCHER, organisation=STREET)
HANDLER = Actor(person="p-handler", role=Role.DEPARTMENT_HANDLER, organisation=DEPARTMENT)
STAFF = (WORKER, CAPTAIN, HEAD, SECRETARY, APPROVER, DISPATCHER, HANDLER)

NEIGHBOURHOOD: dict[str, list[dict[str, Any]]] = {
    "organisations": [
        {"code": "Q01", "name": "榆山区", "kind": "district"},
        {"code": STREET, "name": "柳堤街道", "kind": "street", "parent": "Q01"},
        {"code": COMMUNITY, "name": "南埠社区", "kind": "community", "parent": STREET},
        {"code": DEPARTMENT, "name": "市政养护", "kind": "department", "parent": STREET},
    ],
    "grids": [{"code": GRID, "name": "南埠一网格", "community": COMMUNITY, "households": 410, "people": 1150}],
    "categories": [{"code": "K01", "name": "路灯", "on_the_spot": False, "urgency": "general"}],
    "people": [{"id": actor.person, "name": actor.person} for actor in STAFF],
    "assignments": [
        {
            "person": actor.person,
            "role": actor.role.value,
            **({"organisation": actor.organisation} if actor.organisation else {}),
            **({"grid": actor.grid} if actor.grid else {}),
        }
        for actor in STAFF
    ],
}

WORDING = "东门公交站旁的三盏路灯从上周起不亮,老人孩子晚上走路看不清台阶,已经有人绊倒,请尽快派人来修。"
"""What the resident says; it goes to the vault."""

_PHOTO = {"ref": "photo-0001", "digest": "5" * 64}
_AFTER = [{"kind": "after", **_PHOTO}]


@dataclass(frozen=True)
class Act:
    """One act of the loop: its label in the tables, who does it, and the command but for what each case adds."""

    label: str
    actor: Actor
    command: dict[str, Any]

    def for_case(self, stream: str, digest: str) -> dict[str, Any]:
        """The command for one case; signatures name the ``digest`` of what they sign."""
        match self.command["kind"]:
            case "register":
                return {**self.command, "wording": f"{stream}/wording"}
            case "sign":
                return {**self.command, "digest": digest}
            case _:
                return self.command


def _act(label: str, actor: Actor, kind: str, **fields: Any) -> Act:
    return Act(label, actor, {"kind": kind, **fields})


PLAIN_LOOP: tuple[Act, ...] = (
    _act("register", WORKER, "register", title="路灯不亮", text="东门公交站旁三盏路灯不亮", grid=GRID, category="K01"),
    _act("whistle", SECRETARY, "whistle", reason="reflected", departments=[DEPARTMENT], approver=APPROVER.person),
    _act("dispatch", DISPATCHER, "dispatch", lead=DEPARTMENT, instruction="请今天内到场"),
    _act("accept", HANDLER, "accept"),
    _act(
        "strike_off",
        HANDLER,
        "strike_off",
        measures="更换灯头三个、控制器一个,已试灯",
        workload={"people": 2, "minutes": 45, "vehicles": 1},
        evidence=_AFTER,
    ),
    _act("verify", WORKER, "verify", passed=True, note="现场查看,三盏都亮", evidence=_AFTER),
    _act("sign 1", CAPTAIN, "sign"),
    _act("sign 2", HEAD, "sign"),
    _act("feed_back 1", WORKER, "feed_back", to="department", text="验收通过"),
    _act("feed_back 2", WORKER, "feed_back", to="resident", text="路灯已修好"),
    _act("visit", WORKER, "visit", answered=True, satisfaction="satisfied", solved=True),
    _act(
        "appraise",
        SECRETARY,
        "appraise",
        department=DEPARTMENT,
        scores={"speed": 92, "quality": 90, "attitude": 95},
    ),
)


class Side(Protocol):
    """One way of doing the loop durably."""

    name: str

    async def act(self, stream: str, number: int, digest: str) -> None:
        """Do act ``number`` of the loop and return when its answer is durable."""

    async def digest(self, stream: str) -> str:
        """The digest the signers put their names to, once the result is verified."""


Note = Callable[[str, timedelta], None]
"""Told the label of each act and how long its answer took."""


async def play(side: Side, note: Note = lambda _label, _took: None, pauses: Sequence[timedelta] = ()) -> str:
    """Play the whole loop for one new case and return its stream; ``pauses`` are taken in turn before the acts."""
    stream, digest = new_stream("case"), ""
    for number, act in enumerate(PLAIN_LOOP):
        if pauses:
            await asyncio.sleep(pauses[number % len(pauses)].total_seconds())
        if act.command["kind"] == "sign" and not digest:
            digest = await side.digest(stream)
        began = time.perf_counter_ns()
        await side.act(stream, number, digest)
        note(act.label, timedelta(microseconds=(time.perf_counter_ns() - began) // 1000))
    return stream
