"""The rule books as an office looks at them: one version, the one in force, and who put it there.

``ledger.registry`` keeps the books and reads them for the rules, ``ledger.versions`` lists them.
"""

from domain.errors import Refused
from domain.rules import RuleBook
from ledger.log import Connection
from ledger.registry import store_rule_book
from ledger.versions import RULE_BOOKS

_CURRENT = RULE_BOOKS.current


async def choose_rule_book(conn: Connection, book: RuleBook, by: str, *, choose: bool = True) -> str | None:
    """Keep the book for ever and, unless ``choose`` is false, let new cases pin it; ``by`` is the code of a person.

    Returns the version in force before. All or nothing; storing the same content again is fine, choosing the version in
    force changes nothing. Raises ``Refused`` ``rules.version_exists`` when the version stands for other content.
    """
    return await store_rule_book(conn, book.version, book.model_dump(mode="json"), choose=choose, by=by)


async def read_rule_book(conn: Connection, version: str | None = None) -> RuleBook:
    """The book of a version, of the one in force by default.

    Raises ``Refused`` ``rules.unknown`` for a version there is not, ``rules.none`` before the first book.
    """
    body = await conn.fetchval(f"select body::text from rule_book where version = coalesce($1, ({_CURRENT}))", version)
    if body is None:
        raise Refused("rules.none") if version is None else Refused("rules.unknown", field="version", version=version)
    return RuleBook.model_validate_json(body, extra="ignore")


async def current_version(conn: Connection) -> str | None:
    """The version new cases pin; None before the first book."""
    version: str | None = await conn.fetchval(_CURRENT)
    return version
