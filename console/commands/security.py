"""``bihuan security``: the log of who came in, who was refused, what was taken out and who changed rights."""

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from console import output, words
from console.session import SHARED, ledger, run, settings
from domain.errors import Refused
from domain.zone import OFFICE_ZONE

if TYPE_CHECKING:
    from ledger.security import LineFilter, Verified

app = typer.Typer(help="安全日志：查看、校验、清理到期记录 / the security log", epilog=SHARED, add_completion=False)

_BY = "administrator"


@app.callback()
def security() -> None:
    """安全日志：登录、越权、导出、权限与规则变更。

    Who came in, who was refused, what was taken out, who changed rights and rules.
    """


@app.command(epilog=SHARED)
def log(
    since: Annotated[str | None, typer.Option(metavar="日期", help="从哪天起 / from this day on, YYYY-MM-DD")] = None,
    until: Annotated[str | None, typer.Option(metavar="日期", help="到哪天止（含当天）/ up to this day")] = None,
    kind: Annotated[list[str] | None, typer.Option(metavar="事项", help="可重复，如 sign_in / may be repeated")] = None,
    actor: Annotated[str | None, typer.Option(metavar="人员编号", help="谁做的 / whose acts")] = None,
    about: Annotated[str | None, typer.Option(metavar="对象", help="登录名、版本等 / login name, version …")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="只看被拒的 / refusals only")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几条 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """分页查看，最新的在前。

    The lines in pages, the youngest first.
    """
    from ledger.security import LineFilter

    wanted = LineFilter(
        since=_midnight(since, "--since"),
        until=_midnight(until, "--until", after=1),
        kinds=_kinds(kind or []),
        actor=actor,
        subject=about,
        outcome="refused" if refused else None,
    )
    run(_log(wanted, limit, cursor))


def _midnight(text: str | None, name: str, *, after: int = 0) -> datetime | None:
    """The beginning of a day of the office, ``after`` so many days. Raises ``Refused`` ``cli.bad_value``."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=after)
        return datetime.combine(day, time(), OFFICE_ZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("cli.bad_value", field=name, name=name, reason="YYYY-MM-DD") from None


def _kinds(given: list[str]) -> tuple[str, ...]:
    for each in given:
        if each not in words.SECURITY:
            raise Refused("cli.bad_value", field="--kind", name="--kind", reason=" | ".join(words.SECURITY))
    return tuple(given)


async def _log(wanted: "LineFilter", limit: int, cursor: str | None) -> None:
    from console.security_sheet import draw_lines
    from ledger.security import list_lines

    async with ledger() as pool, pool.acquire() as conn:
        found = await list_lines(conn, wanted, limit=limit, cursor=cursor)
    output.result({"items": found.items, "next": found.next}, lambda: draw_lines(found))


@app.command(epilog=SHARED)
def verify(
    anchor: Annotated[
        str | None, typer.Option(metavar="序号:摘要", help="以前记下的末行 / the last line as noted earlier")
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="人员编号", help="由谁操作 / who does it")] = _BY,
) -> None:
    """校验日志的链：有无改动、缺行、换序；给出末行供另行保存。

    Check the chain: changed, missing or reordered lines; tells the last line, to be kept elsewhere.
    """
    run(_verify(anchor, by))


async def _verify(anchor: str | None, by: str) -> None:
    from ledger.security import Anchor, Kind, record
    from ledger.security import verify as verified

    kept = Anchor.parse(anchor) if anchor is not None else None
    async with ledger() as pool, pool.acquire() as conn:
        found = await verified(conn, kept)
        detail = {"lines": found.lines, "findings": len(found.findings)}
        await record(conn, Kind.LOG_VERIFIED, actor=by, outcome="refused" if found.findings else "ok", detail=detail)
    value = {
        "lines": found.lines,
        "first": found.first,
        "anchor": str(found.head) if found.head else None,
        "findings": found.findings,
    }
    output.result(value, lambda: _draw(found))
    if found.findings:
        raise typer.Exit(1)


def _draw(found: "Verified") -> None:
    if not found.findings:
        output.line(f"已校验 {found.lines} 行，未发现问题。", f"{found.lines} lines checked, nothing found.")
    else:
        output.line(f"已校验 {found.lines} 行，发现 {len(found.findings)} 处问题：", f"{found.lines} lines checked:")
        columns = [("序号", "number"), ("问题", "what"), ("字段", "field"), ("应为", "expected"), ("实为", "found")]
        rows = [(each.seq, each.code.value, each.field, each.expected, each.actual) for each in found.findings[:50]]
        output.table(columns, rows)
    if found.head is not None:
        output.note(
            f"末行 {found.head}；请抄存在别处，下次用 --anchor 校验，可发现末尾被截去或整本重写。",
            f"Last line {found.head}: keep it elsewhere and give it to --anchor; only that shows a cut-off end.",
        )


@app.command(epilog=SHARED)
def cut(
    by: Annotated[str, typer.Option("--by", metavar="人员编号", help="由谁操作 / who does it")] = _BY,
) -> None:
    """清理超过保留期的记录（BIHUAN_SECURITY_LOG_DAYS，至少 200 天）；控制台每小时也会自动清理。

    Let go of lines past their time; the console does the same every hour.
    """
    run(_cut(by))


async def _cut(by: str) -> None:
    from ledger.security import cut as let_go

    days = settings().security_log_days
    async with ledger() as pool, pool.acquire() as conn:
        gone = await let_go(conn, timedelta(days=days), actor=by)
    output.result(
        {"lines": gone, "days": days},
        lambda: output.line(f"已清理 {gone} 行（保留 {days} 天）。", f"{gone} lines let go; {days} days are kept."),
    )
