"""A case as its page needs it: facts, state, the instants at which stages were reached.

Owns the reading. Everything on the page is told from one reading of the facts, so that no two parts of it can differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.http.acting import row_of
from console.http.caller import Caller
from domain.case import CASE
from domain.case import events as e
from domain.case.state import Case
from domain.case.vocabulary import Evidence, Stage
from domain.errors import Refused
from domain.process import Event, World
from domain.registry import Registry
from domain.rights import Permission
from ledger.files import BoundFile, files_of_stream
from ledger.log import Connection, Recorded, history
from ledger.rows import CaseRow


@dataclass(frozen=True)
class Photo:
    """A file on the record: what it shows, when it came in and with which fact."""

    evidence: Evidence
    at: datetime
    kind: str


@dataclass(frozen=True)
class Opened:
    """A case at a moment.

    ``at`` is that moment, ``is_past`` whether it is not now, ``states`` are those after each fact.
    """

    stream: str
    row: CaseRow
    recorded: Sequence[Recorded]
    facts: tuple[Any, ...]
    states: tuple[Case, ...]
    reached: tuple[tuple[Stage, datetime], ...]
    at: datetime
    is_past: bool
    world: World
    registry: Registry
    files: frozenset[str]

    @property
    def state(self) -> Case:
        """The case after the last fact."""
        return self.states[-1]

    @property
    def seq(self) -> int:
        """The last fact."""
        return self.recorded[-1].seq

    @property
    def number(self) -> str:
        """What people call the case by."""
        return number_of(self.stream)

    @property
    def photos(self) -> list[Photo]:
        """Every file on the record, once, in the order they came in."""
        found: dict[str, Photo] = {}
        for fact in self.facts:
            given = fact.evidence if "evidence" in type(fact).model_fields else ()
            for each in (given,) if isinstance(given, Evidence) else given:
                found.setdefault(each.digest, Photo(each, fact.at, fact.kind))
        return list(found.values())

    @property
    def registered(self) -> e.Registered:
        """The first fact."""
        first = self.facts[0]
        assert isinstance(first, e.Registered), "a case begins with its registration"
        return first


def number_of(stream: str) -> str:
    """The short number of a case, enough to find it by: the first letters of its id."""
    return stream.partition("-")[2][:8].upper()


async def open_case(caller: Caller, conn: Connection, stream: str, now: datetime, at: datetime | None) -> Opened:
    """The case as it stands ``now``, or stood ``at``.

    Raises ``Refused``: ``case.unknown``, also for a moment before its beginning, and ``access.out_of_reach``.
    """
    if not stream.startswith("case-"):
        raise Refused("case.unknown")
    row = await row_of(conn, stream)
    assert isinstance(row, CaseRow)
    caller.authorize(Permission.CASE_READ, row)
    recorded = await history(conn, stream, until=at)
    if not recorded:
        raise Refused("case.unknown")
    world = caller.world
    files = await files_of_stream(conn, stream) if _has_files(recorded) else list[BoundFile]()
    facts = tuple(CASE.read_event(each.body) for each in recorded)
    states, reached = _folded(facts)
    return Opened(
        stream=stream,
        row=row,
        recorded=recorded,
        facts=facts,
        states=states,
        reached=reached,
        at=at or now,
        is_past=at is not None,
        world=world,
        registry=caller.registry,
        files=frozenset(each.digest for each in files),
    )


def _has_files(recorded: Sequence[Recorded]) -> bool:
    return any(each.body.get("evidence") for each in recorded)


def _folded(facts: Sequence[Event]) -> tuple[tuple[Case, ...], tuple[tuple[Stage, datetime], ...]]:
    """The state after each fact, and when each stage was reached."""
    states: list[Case] = []
    reached: list[tuple[Stage, datetime]] = []
    for fact in facts:
        before = states[-1] if states else None
        state = CASE.evolve(before, fact)
        if before is None or state.stage != before.stage:
            reached.append((state.stage, fact.at))
        states.append(state)
    return tuple(states), tuple(reached)
