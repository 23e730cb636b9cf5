"""The world a decision may look at, as it stands in the database.

Owns two small caches. Registry and rule books are immutable under their revision and version, and a state is under
the hash of its last event, so what has been read once stays true for ever.
"""

from collections import OrderedDict
from typing import Any

from domain.process import Plan, World
from ledger.log import Connection
from ledger.registry import read_registry, read_rule_books


class Worlds:
    """The worlds this process has read, by registry revision and rule book version; keeps the latest only."""

    def __init__(self) -> None:
        self._key: tuple[int, str | None] | None = None
        self._world = World()

    @property
    def latest(self) -> tuple[int, str | None, World] | None:
        """The world read last with its registry revision and rule book version; None before the first reading."""
        return None if self._key is None else (*self._key, self._world)

    async def get(self, conn: Connection, revision: int, rules: str | None) -> World:
        """The world of this registry revision and current rule book, read at most once."""
        if self._key != (revision, rules):
            registry, books = await read_registry(conn, revision), await read_rule_books(conn)
            self._world = World(registry=registry, rule_books=books.books, current_rules=rules)
            self._key = (revision, rules)
        return self._world


class States:
    """The states this process has seen last, with their plans, by stream; at most ``most`` of them.

    A state is given out only for the very event it was kept for, so a stale one is never used.
    """

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._known: OrderedDict[str, tuple[int, str, Any, Plan]] = OrderedDict()

    def get(self, stream: str, seq: int, hash: str) -> tuple[Any, Plan] | None:  # noqa: A002 - the column's name
        """State and plan of ``stream`` after its event ``seq`` with this hash; None when they are not known here."""
        known = self._known.get(stream)
        return known[2:] if known is not None and known[:2] == (seq, hash) else None

    def keep(self, stream: str, seq: int, hash: str, state: Any, plan: Plan) -> None:  # noqa: A002 - as above
        """Remember state and plan of ``stream`` after its event ``seq`` with this hash, in place of earlier ones."""
        self._known[stream] = (seq, hash, state, plan)
        self._known.move_to_end(stream)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
