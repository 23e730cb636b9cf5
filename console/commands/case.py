"""``bihuan case``: residents' requests."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from console import doing, output, words
from console.acts import find_stream
from console.case_sheet import draw_case, sheet_json
from console.deadline_sheet import deadlines_json, draw_deadlines
from console.paging import show_next
from console.session import SHARED, ledger, run
from console.times import read_time
from domain.case import CASE
from domain.case.deadlines import ClockStory
from domain.case.explain import explain
from domain.case.state import Case
from domain.case.vocabulary import STAGE_NAMES, Stage
from domain.errors import Refused
from domain.ladder import CLOCK_NAMES
from domain.rules import Urgency
from ledger.acting import state_of
from ledger.calendars import read_calendars
from ledger.log import history
from ledger.queries import CaseFilter, Page, Sort, list_cases
from ledger.registry import read_registry
from ledger.rows import CaseRow

app = typer.Typer(help="诉求：列表、详情、流水、登记、办理 / residents' requests", epilog=SHARED, add_completion=False)


class Light(StrEnum):
    """The lights of a case."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


CaseName = Annotated[str, typer.Argument(metavar="编号", help="诉求编号，或其开头几位 / id or its beginning")]
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
    stage: Annotated[
        list[Stage] | None, typer.Option(metavar="阶段", help=f"阶段，可写多次 / stage, repeatable: {', '.join(Stage)}")
    ] = None,
    urgency: Annotated[
        Urgency | None, typer.Option(metavar="程度", help=f"紧急程度 / urgency: {', '.join(Urgency)}")
    ] = None,
    category: Annotated[str | None, typer.Option(help="事项类别编码 / category")] = None,
    light: Annotated[Light | None, typer.Option(help="灯：绿 黄 红 / light now")] = None,
    street: Annotated[str | None, typer.Option(help="街道编码 / street")] = None,
    community: Annotated[str | None, typer.Option(help="社区编码 / community")] = None,
    grid: Annotated[str | None, typer.Option(help="网格编码 / grid")] = None,
    department: Annotated[str | None, typer.Option(help="承办部门编码 / department")] = None,
    source: Annotated[str | None, typer.Option(help="来源 / source")] = None,
    overdue: Annotated[bool | None, typer.Option("--overdue/--never-overdue", help="是否曾超期 / ever overdue")] = None,
    finished: Annotated[bool | None, typer.Option("--finished/--open", help="已结束/未结束 / over or not")] = None,
    registered_from: Annotated[str | None, typer.Option("--from", metavar="时间", help="登记不早于 / from")] = None,
    registered_to: Annotated[str | None, typer.Option("--to", metavar="时间", help="登记早于 / before")] = None,
    sort: Annotated[Sort, typer.Option(help="排序：登记时间或到期时间 / order")] = Sort.REGISTERED,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几件 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """按条件列出诉求。

    List cases by any filters.
    """
    chosen = CaseFilter(
        stages=tuple(each.value for each in stage or ()),
        urgency=urgency.value if urgency else None,
        category=category,
        light=light.value if light else None,
        street=street,
        community=community,
        grid=grid,
        department=department,
        source=source,
        overdue=overdue,
        finished=finished,
        registered_from=read_time(registered_from, "--from"),
        registered_to=read_time(registered_to, "--to"),
    )
    run(_list(chosen, sort, limit, cursor))


async def _list(chosen: CaseFilter, sort: Sort, limit: int, cursor: str | None) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        page = await list_cases(conn, chosen, sort=sort, limit=limit, cursor=cursor)
    output.result({"items": page.items, "next": page.next}, lambda: _draw_list(page))


def _draw_list(page: Page[CaseRow]) -> None:
    if not page.items:
        output.line("没有符合条件的诉求。", "No case fits.")
        return
    columns = [
        ("编号", "id"),
        ("阶段", "stage"),
        ("灯", "light"),
        ("到期（北京时间）", "due (Beijing)"),
        ("主办", "lead"),
        ("网格", "grid"),
        ("标题", "title"),
    ]
    output.table(columns, (_list_row(row) for row in page.items))
    show_next(page.next)


def _stage(row: CaseRow) -> str:
    marks = [output.say("停表", "suspended")] if row.suspended else []
    marks += [output.say("挂账", "shelved")] if row.shelved else []
    return "·".join([output.say(*STAGE_NAMES[Stage(row.stage)]), *marks])


def _list_row(row: CaseRow) -> tuple[object, ...]:
    due = "-" if row.finished or row.due_at is None else f"{output.local(row.due_at)} {output.remaining(row.due_at)}"
    return (
        row.id[:13],
        _stage(row),
        "-" if row.finished else words.light(row.light),
        due,
        row.lead or "-",
        row.grid or output.say("待落格", "to be placed"),
        (row.title or "")[:40],
    )


@app.command(epilog=SHARED)
def show(
    name: CaseName,
    at: Annotated[str | None, typer.Option("--at", metavar="时间", help="当时的样子 / as of this moment")] = None,
) -> None:
    """一件诉求的现状：阶段、待办、时限、部门、待签摘要；--at 看当时。

    One case as it stands, or as it stood at a moment.
    """
    run(_show(name, at))


async def _show(name: str, at: str | None) -> None:
    until = read_time(at, "--at")
    async with ledger() as pool, pool.acquire() as conn:
        stream = await find_stream(conn, "case", name)
        state: Case | None = await state_of(conn, stream, until=until)
        if state is None:
            raise Refused("case.unknown")
        registry = await read_registry(conn)
        seq = len(await history(conn, stream, until=until))
    output.result(sheet_json(stream, state, seq, until), lambda: draw_case(stream, state, registry, until))


@app.command(epilog=SHARED)
def deadlines(
    name: CaseName,
    at: Annotated[str | None, typer.Option("--at", metavar="时间", help="截至何时 / as of this moment")] = None,
    clock: Annotated[
        str | None,
        typer.Option("--clock", metavar="时限", help="只看这个，如 处置、handle、sign_for:D01 / only this one"),
    ] = None,
    steps: Annotated[bool, typer.Option("--steps", help="逐日列出如何计到到期 / day by day to each due")] = False,
) -> None:
    """一件诉求的每个时限：起算、停表、延期、督办、到期，以及依据。

    Why each deadline of a case is what it is.
    """
    run(_deadlines(name, at, clock, with_steps=steps))


def _is_named(story: ClockStory, name: str) -> bool:
    """By its id, by its kind, or by what its kind is called: ``sign_for:D01``, ``sign_for``, 签收."""
    return name in (story.id, story.kind.value, *CLOCK_NAMES[story.kind], words.word(words.CLOCK, story.kind))


async def _deadlines(name: str, at: str | None, clock: str | None, *, with_steps: bool) -> None:
    until = read_time(at, "--at")
    async with ledger() as pool, pool.acquire() as conn:
        stream = await find_stream(conn, "case", name)
        facts = [CASE.read_event(each.body) for each in await history(conn, stream, until=until)]
        calendars = (await read_calendars(conn)).calendars
        registry = await read_registry(conn)
    # The clocks of two machines may differ; what is on record has happened.
    seen = until or max([datetime.now(UTC), *(each.at for each in facts[-1:])])
    sheet = explain(facts, at=seen, calendars=calendars)
    chosen = [each for each in sheet.clocks if clock is None or _is_named(each, clock)]
    if clock is not None and not chosen:
        raise Refused(
            "clock.unknown", field="--clock", clock=clock, known="、".join(each.id for each in sheet.clocks) or "-"
        )
    output.result(
        deadlines_json(stream, sheet, chosen, calendars),
        lambda: draw_deadlines(
            sheet, chosen, calendars, registry, title=f"{facts[0].title}  {stream}", with_steps=with_steps
        ),
    )


@app.command("history", epilog=SHARED)
def history_(name: CaseName) -> None:
    """一件诉求的全部流水。

    Every fact of a case in order.
    """
    run(doing.show_history("case", name))


@app.command(epilog=SHARED)
def do(
    name: CaseName,
    source: Source,
    person: Person,
    role: RoleName = None,
    command_id: CommandId = None,
    password_file: Annotated[
        str | None,
        typer.Option(metavar="文件", help="签字人的登录密码所在文件，用来确认签字 / file with the signer's password"),
    ] = None,
) -> None:
    """提交任何一步操作（JSON），例如 {"kind": "accept"}。

    Submit any command to a case. Free text is normalised, personal data in it is masked.
    """
    run(doing.do("case", name, source, person=person, role=role, command_id=command_id, password_file=password_file))


@app.command(epilog=SHARED)
def new(source: Source, person: Person, role: RoleName = None, command_id: CommandId = None) -> None:
    """登记一件新诉求（JSON：title、text、grid、category、reporter…）。

    Register a case. The original wording and the reporter go to the vault.
    """
    run(doing.new("case", "register", source, person=person, role=role, command_id=command_id))
