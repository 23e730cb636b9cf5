"""What a request needs: connections, desk, vault, settings, the world as it stands.

Owns one object per process, made when the application starts. Must not know routes or pages.
"""

from dataclasses import dataclass, field
from functools import cached_property

import asyncpg
from starlette.requests import HTTPConnection

from console.access.door import Access
from console.board.news import News
from console.desk import Desk
from console.files.keeping import Files
from console.http.openings import Openings
from domain.process import World
from domain.rights import MATRIX, Matrix
from ledger.log import Connection
from ledger.signing import SigningKey
from ledger.vault import MasterKey, Vault
from ledger.world import Worlds
from runtime.settings import Settings


@dataclass
class Office:
    """Everything the doors share."""

    pool: asyncpg.Pool
    desk: Desk
    vault: Vault
    key: MasterKey
    settings: Settings
    matrix: Matrix = MATRIX
    leaving: bool = False
    """Whether this console has been told to stop: it answers what comes, and says that it is not ready."""
    _worlds: Worlds = field(default_factory=Worlds)

    @cached_property
    def access(self) -> Access:
        """Accounts, sessions and tokens of this ledger."""
        return Access.open(self.pool, self.settings)

    @cached_property
    def signing(self) -> SigningKey:
        """The key by which the office states what signers have confirmed. Raises ``Refused`` ``audit.key_missing``."""
        return SigningKey.load(self.settings.signing_file)

    @cached_property
    def files(self) -> Files:
        """Where photographs lie. Raises ``Refused`` ``file.extra_missing``."""
        return Files.of(self.settings)

    @cached_property
    def news(self) -> News:
        """What the ledger records, for those who wait for it."""
        return News(self.pool)

    @cached_property
    def openings(self) -> Openings:
        """Whose turn it is to open a process at this console."""
        return Openings(self.settings.opening_rate)

    async def world(self, conn: Connection) -> World:
        """Registry, rule books and calendars in force, kept between requests."""
        return await self._worlds.current(conn)


def office_of(request: HTTPConnection) -> Office:
    """The office this request came to."""
    office: Office = request.app.state.office
    return office
