"""The world a decision may look at, as it stands in the database.

Owns a small cache: registry and rule books are immutable under their revision and version, so what has been read
once stays true for ever.
"""

from domain.process import World
from ledger.log import Connection
from ledger.registry import read_registry, read_rule_books


class Worlds:
    """The worlds this process has read, by registry revision and rule book version; keeps the latest only."""

    def __init__(self) -> None:
        self._key: tuple[int, str | None] | None = None
        self._world = World()

    async def get(self, conn: Connection, revision: int, rules: str | None) -> World:
        """The world of this registry revision and current rule book, read at most once."""
        if self._key != (revision, rules):
            registry, books = await read_registry(conn, revision), await read_rule_books(conn)
            self._world = World(registry=registry, rule_books=books.books, current_rules=rules)
            self._key = (revision, rules)
        return self._world
