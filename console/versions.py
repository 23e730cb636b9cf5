"""What the commands for rule books and calendars share: the list of versions, and who puts one in force.

Owns the options and the layout of that list. The versions are read by ``ledger.versions``.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from console import output
from console.paging import show_next
from console.session import ledger

if TYPE_CHECKING:
    from ledger.versions import Kept, VersionPage

By = Annotated[str, typer.Option("--by", metavar="人员编号", help="由谁导入 / who imports it")]
Rows = Annotated[int, typer.Option(min=1, max=200, help="每页几版 / rows of a page")]
Cursor = Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")]


def person_code(by: str) -> str:
    """The code of a person as it may be recorded. Raises ``Refused`` ``code.malformed``."""
    from pydantic import TypeAdapter

    from domain.parsing import parse
    from domain.text import Code

    return str(parse(TypeAdapter(dict[str, Code]), {"--by": by})["--by"])


async def show_versions(kept: "Kept", limit: int, cursor: str | None, *, added: bool = False) -> None:
    """Print a page of the versions of ``kept``, people are told when each was ``added`` too.

    Raises ``Refused`` ``feed.bad_cursor``.
    """
    from ledger.versions import list_versions

    async with ledger() as pool, pool.acquire() as conn:
        page = await list_versions(conn, kept, limit=limit, cursor=cursor)
    output.result({"items": page.items, "next": page.next}, lambda: _draw(page, added=added))


def _draw(page: "VersionPage", *, added: bool) -> None:
    columns = [("版本", "version"), ("名称", "name"), ("启用", "chosen"), ("经手", "by"), ("", "")]
    rows: list[list[object]] = [
        [
            each.version,
            each.name,
            each.chosen_at,
            each.chosen_by,
            output.say("现行", "in force") if each.current else "",
        ]
        for each in page.items
    ]
    if added:
        columns.insert(2, ("导入", "imported"))
        for row, each in zip(rows, page.items, strict=True):
            row.insert(2, each.added_at)
    output.table(columns, rows)
    show_next(page.next)
