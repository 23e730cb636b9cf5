"""``bihuan wish``: small wishes of residents."""

from enum import StrEnum
from typing import Annotated

import typer

from console import doing, output, words
from console.acts import find_stream
from console.paging import show_next
from console.session import SHARED, ledger, run
from console.times import read_time
from domain.errors import Refused
from domain.process import World
from domain.wish import STAGE_NAMES, WISH, Stage, Wish
from ledger.acting import state_of
from ledger.log import history
from ledger.queries import Page, list_wishes
from ledger.rows import WishRow

app = typer.Typer(help="微心愿：列表、详情、发布、办理 / small wishes", epilog=SHARED, add_completion=False)

WishName = Annotated[str, typer.Argument(metavar="编号", help="心愿编号，或其开头几位 / id or its beginning")]
Source = Annotated[str, typer.Argument(metavar="文件|-", help="JSON 文件，- 为标准输入 / JSON file or standard input")]
Person = Annotated[str, typer.Option("--as", metavar="人员编号", help="以谁的身份 / who acts")]
RoleName = Annotated[
    str | None, typer.Option("--role", help="以哪个角色，可写 角色@网格或单位 / role, or role@grid or unit")
]
CommandId = Annotated[
    str | None, typer.Option("--command-id", metavar="UUID", help="重试时写上次的命令编号 / repeat an earlier command")
]


@app.command("list", epilog=SHARED)
def list_(
    stage: Annotated[Stage | None, typer.Option(help="阶段 / stage")] = None,
    community: Annotated[str | None, typer.Option(help="社区编码 / community")] = None,
    finished: Annotated[bool | None, typer.Option("--finished/--open", help="已结束/未结束 / over or not")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几个 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """列出微心愿，最新的在前。

    List wishes, the youngest first.
    """
    run(_list(stage, community, finished, limit, cursor))


async def _list(
    stage: StrEnum | None, community: str | None, finished: bool | None, limit: int, cursor: str | None
) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        chosen = stage.value if stage else None
        page = await list_wishes(conn, stage=chosen, community=community, finished=finished, limit=limit, cursor=cursor)
    output.result({"items": page.items, "next": page.next}, lambda: _draw_list(page))


def _draw_list(page: Page[WishRow]) -> None:
    if not page.items:
        output.line("没有符合条件的微心愿。", "No wish fits.")
        return
    columns = [
        ("编号", "id"),
        ("阶段", "stage"),
        ("到期", "lapses"),
        ("网格", "grid"),
        ("认领人", "by"),
        ("标题", "title"),
    ]
    rows = [
        (
            row.id[:13],
            output.say(*STAGE_NAMES[Stage(row.stage)]),
            None if row.finished else row.lapses_at,
            row.grid,
            row.claimed_by,
            (row.title or "")[:40],
        )
        for row in page.items
    ]
    output.table(columns, rows)
    show_next(page.next)


@app.command(epilog=SHARED)
def show(
    name: WishName,
    at: Annotated[str | None, typer.Option("--at", metavar="时间", help="当时的样子 / as of this moment")] = None,
) -> None:
    """一个微心愿的现状；--at 看当时。

    One wish as it stands, or as it stood at a moment.
    """
    run(_show(name, at))


async def _show(name: str, at: str | None) -> None:
    until = read_time(at, "--at")
    async with ledger() as pool, pool.acquire() as conn:
        stream = await find_stream(conn, "wish", name)
        state: Wish | None = await state_of(conn, stream, until=until)
        if state is None:
            raise Refused("wish.unknown")
        seq = len(await history(conn, stream, until=until))
    plan = WISH.plan(state, World())
    value = {
        "id": stream,
        "seq": seq,
        "at": until,
        "stage": state.stage,
        "finished": plan.finished,
        "tasks": [task.model_dump(mode="json", exclude={"queue", "pick_up_within"}) for task in plan.tasks],
        "wish": state,
    }
    output.result(value, lambda: _draw(stream, state))


def _draw(stream: str, state: Wish) -> None:
    output.console().print(output.styled(state.title, "bold"), soft_wrap=True)
    output.fields(
        [
            ("编号", "id", stream),
            ("阶段", "stage", output.say(*STAGE_NAMES[state.stage])),
            ("网格", "grid", state.grid),
            ("发布", "published", f"{output.local(state.published_at)}  {words.person(state.published_by)}"),
            ("内容", "text", state.text),
            ("认领", "claimed by", words.person(state.claimed_by) if state.claimed_by else None),
            ("实现", "done", output.local(state.done_at) if state.done_at else None),
            ("致谢", "thanked", output.local(state.thanked_at) if state.thanked_at else None),
            ("到期", "lapses", None if state.closed else output.local(state.lapses_at)),
        ]
    )


@app.command("history", epilog=SHARED)
def history_(name: WishName) -> None:
    """一个微心愿的全部流水。

    Every fact of a wish in order.
    """
    run(doing.show_history("wish", name))


@app.command(epilog=SHARED)
def do(name: WishName, source: Source, person: Person, role: RoleName = None, command_id: CommandId = None) -> None:
    """认领、实现或致谢（JSON），例如 {"kind": "claim_wish"}。

    Submit a command to a wish.
    """
    run(doing.do("wish", name, source, person=person, role=role, command_id=command_id))


@app.command(epilog=SHARED)
def new(source: Source, person: Person, role: RoleName = None, command_id: CommandId = None) -> None:
    """发布一个微心愿（JSON：title、text、grid）。

    Publish a wish. The original wording goes to the vault.
    """
    run(doing.new("wish", "publish_wish", source, person=person, role=role, command_id=command_id))
