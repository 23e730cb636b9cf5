"""``bihuan reveal``: who was shown what residents told, for auditors."""

from typing import Annotated

import typer

from console import output, words
from console.acts import find_stream
from console.paging import show_next
from console.session import ledger, run
from ledger.paging import PAGE_LIMIT
from ledger.reveals import Reveal, list_reveals


def command(
    case: Annotated[str | None, typer.Option("--case", metavar="编号", help="只看这一件 / of this request")] = None,
    person: Annotated[str | None, typer.Option("--by", metavar="人员编号", help="只看此人 / of this person")] = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_LIMIT, help="每页几条 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """谁在何时以何理由查看过反映人资料；内容从不在此。

    Who was shown what residents told, when and why; never what it was.
    """
    run(_list(case, person, limit, cursor))


async def _list(case: str | None, person: str | None, limit: int, cursor: str | None) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        stream = await find_stream(conn, "case", case) if case else None
        page = await list_reveals(conn, stream=stream, person=person, limit=limit, cursor=cursor)
    value = {"items": [each.model_dump(mode="json") for each in page.items], "next": page.next}
    output.result(value, lambda: _draw(page.items, page.next))


def _draw(items: tuple[Reveal, ...], after: str | None) -> None:
    if not items:
        output.line("没有查看记录。", "Nobody was shown anything.")
        return
    columns = [("时间", "when"), ("何人", "who"), ("入口", "door"), ("诉求", "request"), ("理由", "why")]
    output.table(
        columns,
        [
            (
                each.at,
                f"{each.person} {words.role(each.role)}",
                words.word(words.DOOR, each.door),
                each.stream,
                f"{words.word(words.REVEAL, each.reason)} {each.words}".strip(),
            )
            for each in items
        ],
    )
    show_next(after)
