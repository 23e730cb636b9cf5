"""``bihuan task``: what waits to be done."""

from typing import Annotated

import typer

from console import output, words
from console.paging import show_next
from console.session import SHARED, ledger, run
from domain.errors import Refused
from domain.people import Role
from ledger.queries import Page, inbox, titles_of
from ledger.rows import TaskRow

app = typer.Typer(help="待办事项 / what waits to be done", epilog=SHARED, add_completion=False)


@app.callback()
def tasks() -> None:
    """待办事项。

    What waits to be done.
    """


@app.command("list", epilog=SHARED)
def list_(
    organisation: Annotated[str | None, typer.Option(help="单位编码 / unit")] = None,
    person: Annotated[str | None, typer.Option(help="人员编号 / person")] = None,
    grid: Annotated[str | None, typer.Option(help="网格编码 / grid")] = None,
    role: Annotated[Role | None, typer.Option(help="只看某个角色 / only this role")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几条 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """某单位、某人或某网格的待办，最急的在前。

    Open tasks of a unit, a person or a grid, the most urgent first.
    """
    if organisation is person is grid is None:
        raise Refused("cli.whose_tasks", field="--organisation")
    run(_list(organisation, person, grid, role.value if role else None, limit, cursor))


async def _list(
    organisation: str | None, person: str | None, grid: str | None, role: str | None, limit: int, cursor: str | None
) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        page = await inbox(
            conn, organisation=organisation, person=person, grid=grid, role=role, limit=limit, cursor=cursor
        )
        titles = await titles_of(conn, [row.stream for row in page.items])
    output.result(
        {
            "items": [{**row.model_dump(mode="json"), "title": titles.get(row.stream)} for row in page.items],
            "next": page.next,
        },
        lambda: _draw(page, titles),
    )


def _draw(page: Page[TaskRow], titles: dict[str, str]) -> None:
    if not page.items:
        output.line("没有待办。", "Nothing to do.")
        return
    columns = [
        ("要做", "what"),
        ("角色", "role"),
        ("单位/网格/人员", "unit, grid, person"),
        ("截止（北京时间）", "due (Beijing)"),
        ("", ""),
        ("编号", "id"),
        ("标题", "title"),
    ]
    output.table(columns, (_row(row, titles) for row in page.items))
    show_next(page.next)


def _row(row: TaskRow, titles: dict[str, str]) -> tuple[object, ...]:
    return (
        words.word(words.TASK, row.kind),
        words.role(row.role) if row.role else "-",
        row.person or row.organisation or row.grid or "-",
        row.due_at,
        output.remaining(row.due_at),
        row.stream[:13],
        titles.get(row.stream, "")[:40],
    )
