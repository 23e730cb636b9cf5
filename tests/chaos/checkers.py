"""The judges of a run: pure functions from a history and a dump of the ledger to what is wrong.

Owns the claims of the chaos suite, each in a function of its own. An empty answer means that nothing was found; the
codes are stable, so that a kept run can be judged again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from bench.diary import History
from bench.judging import Finding, acknowledged
from domain.process import Plan, Start
from domain.processes import process_of
from ledger.log import Recorded, canonical, chain_hash
from tests.chaos.dump import Ledger
from tests.chaos.town import world
from tests.domain.spec import check_journey
from tests.domain.test_chart import CHART
from tests.workflows.accounts import KEYS, Folded

Json = dict[str, Any]

GRACE = timedelta(minutes=5)
"""After an outage everything that fell due meanwhile is said within this time of the recovery."""

_ROUNDING = timedelta(seconds=2)

_TASK = timedelta(seconds=15)
"""A timer runs from the end of the task that armed it, by the length reckoned at its beginning: later by what that task
took, ten seconds at most, and more only for a worker that stood still."""


Checker = Callable[[History, Ledger], Iterator[Finding]]


# --- what the clients were told ----------------------------------------------------------------------------------


def order(history: History, ledger: Ledger) -> Iterator[Finding]:
    """What began after another act on the same case was acknowledged stands behind it in the log."""
    first: dict[str, float] = {}
    acts: dict[str, list[tuple[float, float, int, str]]] = defaultdict(list)
    done: set[str] = set()
    for attempt in history.attempts():
        first.setdefault(attempt.key, attempt.invoked["t"])
    for attempt in history.attempts():
        if attempt.end == "ok" and attempt.key not in done:
            done.add(attempt.key)
            seq = attempt.ended["facts"][0][0]
            acts[attempt.ended["stream"]].append((attempt.ended["t"], first[attempt.key], seq, attempt.key))
    for stream, found in acts.items():
        for acknowledged_at, _, seq, _ in found:
            for _, begun_at, other, key in found:
                if begun_at > acknowledged_at and other < seq:
                    yield Finding("out_of_order", stream, f"{key} began after event {seq} was told, and is {other}")


# --- the log -----------------------------------------------------------------------------------------------------


def chains(_history: History, ledger: Ledger) -> Iterator[Finding]:
    """Each stream counts from one without a gap, every hash follows from the event and the one before it."""
    for what in ledger.content["chain"]:
        yield Finding("chain", "-", f"found by the product's own check: {what}")
    for stream in ledger.streams:
        before = ""
        for seq, event in enumerate(ledger.events(stream), 1):
            if event.seq != seq:
                yield Finding("chain", stream, f"event {event.seq} stands where {seq} should")
                break
            if event.prev != before:
                yield Finding("chain", stream, f"event {seq} does not follow the one before it")
            if event.hash != _hash(event):
                yield Finding("chain", stream, f"event {seq} is not what was hashed")
            before = event.hash
        yield from _commands_cover(stream, ledger)


def _hash(event: Recorded) -> str:
    return chain_hash(
        event.prev,
        event.stream,
        event.seq,
        event.id,
        event.kind,
        event.at,
        event.actor,
        event.command_id,
        canonical(event.body),
    )


def _commands_cover(stream: str, ledger: Ledger) -> Iterator[Finding]:
    """Every event belongs to exactly one command of its stream."""
    found = ledger.streams[stream]
    owner = {seq: row["id"] for row in found["commands"] for seq in range(row["seq_from"], row["seq_to"] + 1)}
    covered = sum(row["seq_to"] - row["seq_from"] + 1 for row in found["commands"])
    if covered != len(owner) or owner != {row["seq"]: row["command_id"] for row in found["events"]}:
        yield Finding("commands", stream, "commands and events do not match")


def legal(_history: History, ledger: Ledger) -> Iterator[Finding]:
    """Every case went only ways that the chart of the trade knows."""
    known = world()
    for stream in ledger.streams:
        process = process_of(stream)
        events = tuple(process.event.validate_python(event.body) for event in ledger.events(stream))
        state, before = None, None
        for event in events:
            state = process.evolve(state, event)
            stage = str(state.stage)
            if stage != before and stage not in CHART.get(before, set()):
                yield Finding("illegal", stream, f"{before} -> {stage} by {event.model_dump()['kind']}")
            before = stage
        check_journey(process, known, events)


# --- time --------------------------------------------------------------------------------------------------------


def deadlines(_history: History, ledger: Ledger) -> Iterator[Finding]:
    """Every open case waits for exactly its next due point; none is past, and each that is past was said once."""
    for stream, found in ledger.streams.items():
        folded = _fold(ledger, stream)
        assert folded.plan is not None
        yield from _said_once(stream, ledger.events(stream))
        if folded.plan.finished:
            continue
        alarm, workflow = folded.plan.alarm, found["workflow"]
        if alarm is not None and found.get("was_behind") is not None and not _would_be_woken(found, alarm):
            yield Finding("unwatched", stream, f"behind the log, and nobody would have come for {alarm.isoformat()}")
        if workflow is None or workflow["held"] is None:
            yield Finding("no_workflow", stream, "the case is open and nothing waits for it")
            continue
        held = Start.model_validate(workflow["held"]).plan
        if held is None or held.alarm != alarm:
            yield Finding("other_alarm", stream, f"waits for {held.alarm if held else None} instead of {alarm}")
        if alarm is None:
            continue
        if alarm < datetime.fromisoformat(found["looked_at"]) - _TASK:
            yield Finding("forgotten", stream, f"{alarm.isoformat()} has passed and nothing was said")
        timers = [datetime.fromisoformat(each) for each in workflow["timers"]]
        if not any(each <= alarm + _TASK for each in timers):
            yield Finding("no_timer", stream, f"no timer for {alarm.isoformat()}")


def _would_be_woken(found: Json, alarm: datetime) -> bool:
    """Whether a workflow that was never told of an act looks by itself in time, or is told by the waker."""
    own = [datetime.fromisoformat(each) for each in found["was_behind"]]
    # Runs that were kept before the ledger had this table were watched by nobody.
    watched = [datetime.fromisoformat(row["at"]) for row in found["rows"].get("awaited", ()) if row["at"]]
    return any(each <= alarm + _TASK for each in (*own, *watched))


def _said_once(stream: str, events: list[Recorded]) -> Iterator[Finding]:
    said: Counter[tuple[str, str, str]] = Counter()
    for event in events:
        if event.kind not in ("clock_warned", "clock_expired", "rung_reached"):
            continue
        clock, rung = str(event.body["clock_id"]), str(event.body.get("rung", ""))
        said[event.kind, clock, rung] += 1
        due = point_of(event)
        if due is not None and event.at < due - _ROUNDING:
            yield Finding("too_early", stream, f"{event.kind} {clock} {rung} at {event.at}, due {due}")
    for name, times in said.items():
        if times > 1:
            yield Finding("said_again", stream, f"{' '.join(name)}: {times} times")


def point_of(event: Recorded) -> datetime | None:
    """When what this event says fell due; None for a warning, whose point the event does not tell."""
    if event.kind == "clock_expired":
        return datetime.fromisoformat(str(event.body["due_at"]))
    if event.kind == "rung_reached":
        return datetime.fromisoformat(str(event.body["stood_at"]))
    return None


def punctual(history: History, ledger: Ledger) -> Iterator[Finding]:
    """Nothing was said later than five minutes after it was due or after everything was well again."""
    ends = [datetime.fromisoformat(line["at"]) for line in history.of("recovered")]
    for stream in ledger.streams:
        for event in ledger.events(stream):
            due = point_of(event)
            latest = max(due, *ends) + GRACE if due and ends else due and due + GRACE
            if latest and event.at > latest:
                yield Finding("late", stream, f"{event.kind} due {due} was said {event.at}")


# --- the books ---------------------------------------------------------------------------------------------------


def books(_history: History, ledger: Ledger) -> Iterator[Finding]:
    """Read models, workflow and the fold of the log say the same of every case."""
    for stream, found in ledger.streams.items():
        folded = _fold(ledger, stream)
        for name, rows in found["rows"].items():
            stored = {tuple(str(row[column]) for column in KEYS[name]): row for row in rows}
            if stored != folded.tables[name]:
                yield Finding("read_model", stream, name)
        for each in found["differences"]:
            yield Finding("read_model", stream, f"found by the product's own check: {each}")
        yield from _workflow_agrees(stream, found["workflow"], folded)


def _workflow_agrees(stream: str, workflow: Json | None, folded: Folded) -> Iterator[Finding]:
    assert folded.plan is not None
    status = workflow["status"] if workflow else "busy"
    wanted = "COMPLETED" if folded.plan.finished else "RUNNING"
    if status != wanted:
        yield Finding("workflow", stream, f"the workflow is {status}, the log says {wanted}")
        return
    if workflow and workflow["held"] is not None:
        held = Start.model_validate(workflow["held"])
        same: dict[str, tuple[Any, Any]] = {
            "seq": (held.seq, folded.seq),
            "hash": (held.hash, folded.hash),
            "state": (held.state, folded.state_json),
            "plan": (_dumped(held.plan), _dumped(folded.plan)),
        }
        for name, (has, should) in same.items():
            if has != should:
                yield Finding("workflow", stream, f"its {name} is another than the log's")


def _dumped(plan: Plan | None) -> Json | None:
    return plan.model_dump(mode="json") if plan else None


def _fold(ledger: Ledger, stream: str) -> Folded:
    times = {row["id"]: datetime.fromisoformat(row["at"]) for row in ledger.streams[stream]["commands"]}
    return Folded(stream, ledger.events(stream), times, world())


def outbox(_history: History, ledger: Ledger) -> Iterator[Finding]:
    """Everything there was to say has been delivered."""
    found = ledger.content["outbox"]
    for name in ("unrouted", "waiting", "unknown"):
        if found[name]:
            yield Finding("outbox", "-", f"{found[name]} notices {name}")


def mistakes(history: History, _ledger: Ledger) -> Iterator[Finding]:
    """No failure of a server showed as a mistake of ours."""
    for line in history.lines:
        if line["type"] in ("info", "fail") and (line.get("status") == 500 or line.get("why") == "request.mistake"):
            yield Finding("mistake", str(line["n"]), str(line.get("why") or line.get("code")))


CHECKERS: tuple[Checker, ...] = (
    acknowledged, order, chains, legal, deadlines, punctual, books, outbox, mistakes,
)  # fmt: skip


def judge(history: History, ledger: Ledger) -> list[Finding]:
    """Everything that is wrong with a run. A stream that cannot even be folded is a finding too."""
    found: list[Finding] = []
    for checker in CHECKERS:
        try:
            found.extend(checker(history, ledger))
        except (AssertionError, KeyError, IndexError, TypeError, ValueError) as error:
            found.append(Finding("unreadable", checker.__name__, f"{type(error).__name__}: {error}"[:300]))
    return found
