"""The world a decision may look at, as it stands in the database.

Owns two small caches. Registry, rule books and calendars are immutable under their revision or version, and a state
is under the hash of its last event, so what has been read once stays true for ever.
"""

from collections import OrderedDict
from datetime import datetime
from typing import Any

from domain.process import Plan, World
from ledger.calendars import read_calendars
from ledger.log import Connection
from ledger.registry import read_registry, read_rule_books


async def read_world(conn: Connection) -> World:
    """Registry, rule books and calendars as they stand now, for those who ask once."""
    registry, books, calendars = await read_registry(conn), await read_rule_books(conn), await read_calendars(conn)
    return World(
        registry=registry,
        rule_books=books.books,
        current_rules=books.current,
        calendars=calendars.calendars,
        current_calendar=calendars.current,
    )


_IN_FORCE = """
    select
        (select coalesce(max(number), 0) from registry_revision) as revision,
        (select version from rule_book_choice order by number desc limit 1) as rules,
        (select version from calendar_choice order by number desc limit 1) as calendar
"""


class Worlds:
    """The worlds this process has read, by registry revision, rule book and calendar; keeps the latest only.

    Calendars are kept as long as the process lives: what they have worked out about their days stays with them.
    """

    def __init__(self) -> None:
        self._key: tuple[int, str | None, str | None] | None = None
        self._world = World()

    @property
    def latest(self) -> tuple[int, str | None, str | None, World] | None:
        """The world read last with its registry revision, rule book and calendar; None before the first reading."""
        return None if self._key is None else (*self._key, self._world)

    async def current(self, conn: Connection) -> World:
        """The world as it stands now; one small question when nothing has changed since the last call."""
        row = await conn.fetchrow(_IN_FORCE)
        assert row is not None, "a query without a table returns one row"
        return await self.get(conn, row["revision"], row["rules"], row["calendar"])

    def forget(self) -> None:
        """Read the world anew next time: versions that are kept without being chosen move no key."""
        self._key = None

    async def get(self, conn: Connection, revision: int, rules: str | None, calendar: str | None) -> World:
        """The world of this registry revision, current rule book and current calendar, read at most once."""
        if self._key != (revision, rules, calendar):
            registry, books = await read_registry(conn, revision), await read_rule_books(conn)
            calendars = await read_calendars(conn, self._world.calendars)
            self._world = World(
                registry=registry,
                rule_books=books.books,
                current_rules=rules,
                calendars=calendars.calendars,
                current_calendar=calendar,
            )
            self._key = (revision, rules, calendar)
        return self._world


class States:
    """The states this process has seen last, with their plans, by stream; at most ``most`` of them.

    A state is given out only for the very event it was kept for, so a stale one is never used.
    """

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._known: OrderedDict[str, tuple[int, str, Any, Plan]] = OrderedDict()
        self._at: dict[str, datetime] = {}

    def get(self, stream: str, seq: int, hash: str) -> tuple[Any, Plan] | None:  # noqa: A002 - the column's name
        """State and plan of ``stream`` after its event ``seq`` with this hash; None when they are not known here."""
        known = self._known.get(stream)
        return known[2:] if known is not None and known[:2] == (seq, hash) else None

    def at(self, stream: str, seq: int, hash: str) -> datetime | None:  # noqa: A002 - as above
        """When the event ``seq`` of ``stream`` with this hash happened; None when that is not known here."""
        return self._at.get(stream) if self.get(stream, seq, hash) is not None else None

    def keep(
        self,
        stream: str,
        seq: int,
        hash: str,  # noqa: A002 - as above
        state: Any,
        plan: Plan,
        *,
        at: datetime | None = None,
    ) -> None:
        """Remember state and plan of ``stream`` after its event ``seq`` with this hash, in place of earlier ones.

        A process that is over is forgotten: nothing is decided on it any more.
        """
        if plan.finished:
            self._known.pop(stream, None)
            self._at.pop(stream, None)
            return
        self._known[stream] = (seq, hash, state, plan)
        self._known.move_to_end(stream)
        if at is None:
            self._at.pop(stream, None)
        else:
            self._at[stream] = at
        if len(self._known) > self._most:
            self._at.pop(self._known.popitem(last=False)[0], None)
