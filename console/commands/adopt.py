"""``bihuan rules adopt``: open cases live by the rules and the calendar in force from now on.

Owns options and summary. ``console.adopting`` does the work; what moves is decided case by case.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import output, session
from console.failing import INTERRUPTED
from console.problems import draw_explained
from console.progress import progress
from console.stopping import Stop
from domain.errors import Refused

if TYPE_CHECKING:
    import asyncpg

    from console.adopting import Adoption, Settings, Tally
    from domain.process import World

_SHOWN = 50


@dataclass(frozen=True)
class _Wanted:
    """The options of one call."""

    reason: str
    rules: str | None
    calendar: str | None
    person: str | None
    street: str | None
    rate: int
    limit: int | None
    dry_run: bool


def command(
    reason: Annotated[
        str, typer.Option("--reason", metavar="文字", help="为什么，记入每件诉求 / why, on every record")
    ] = "改按现行规则和日历计时",
    rules: Annotated[
        str | None,
        typer.Option("--rules", metavar="版本", help="规则版本，默认现行 / the rule book, in force by default"),
    ] = None,
    calendar: Annotated[
        str | None,
        typer.Option("--calendar", metavar="版本", help="日历版本，默认现行 / the calendar, in force by default"),
    ] = None,
    person: Annotated[
        str | None, typer.Option("--as", metavar="人员编号", help="以哪位管理员的身份 / the administrator who does it")
    ] = None,
    street: Annotated[
        str | None, typer.Option("--street", metavar="编码", help="只办这个街道的 / of this street only")
    ] = None,
    rate: Annotated[int, typer.Option("--rate", min=1, max=1000, help="每秒最多几件 / cases a second")] = 20,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="最多几件 / at most so many cases")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只试算，不改动 / reckon only, change nothing")] = False,
) -> None:
    """让未办结的诉求改按现行规则和日历计时；可随时中断，再次执行即接着办，不会重复。

    Let open cases live by the rules in force; may be interrupted and run again, nothing changes twice.
    """
    code = session.run(_run(_Wanted(_line(reason), rules, calendar, person, street, rate, limit, dry_run)))
    if code:
        raise typer.Exit(code)


def _line(reason: str) -> str:
    """The reason as it is recorded. Raises ``Refused`` as every text does that nobody has redacted."""
    from pydantic import TypeAdapter

    from domain.parsing import parse
    from domain.text import Line

    return str(parse(TypeAdapter(dict[str, Line]), {"--reason": reason})["--reason"])


async def _run(wanted: _Wanted) -> int:
    from console.adopting import PARALLEL

    async with session.ledger(size=PARALLEL + 2) as pool:
        settings, world = await _settings(wanted, pool)
        stop = await _carry(pool, world, settings, dry_run=wanted.dry_run)
    if stop.work is not None:
        tally = stop.work.tally
        value = summary(tally, settings, dry_run=wanted.dry_run)
        output.result(value, lambda: _draw(tally, settings, dry_run=wanted.dry_run))
    if stop.asked:
        output.note("已中断；再次执行同一命令即可接着办。", "Interrupted; run the same command again to go on.")
        return INTERRUPTED
    return 1 if stop.work is not None and stop.work.tally.refused else 0


async def follow_calendar(version: str, reason: str, *, rate: int = 20) -> dict[str, Any]:
    """Let open cases live by this calendar, each by its own rules as before; the outcome for programs.

    Raises ``Refused`` when Temporal cannot be reached, before anything is sent, and ``Pending`` as an adoption does.
    """
    from console.adopting import PARALLEL, Settings, Tally, adopter
    from ledger.adoptions import Wanted
    from ledger.world import read_world

    async with session.ledger(size=PARALLEL + 2) as pool:
        async with pool.acquire() as conn:
            world = await read_world(conn)
        assert world.registry is not None
        settings = Settings(Wanted(None, version), reason=reason, actor=adopter(world.registry, None), rate=rate)
        stop = await _carry(pool, world, settings, dry_run=False)
    tally = stop.work.tally if stop.work is not None else Tally()
    return {**summary(tally, settings, dry_run=False), "interrupted": stop.asked}


async def _carry(pool: "asyncpg.Pool", world: "World", settings: "Settings", *, dry_run: bool) -> "Stop[Adoption]":
    """Run one adoption with its progress, broken off by Ctrl-C; ``work`` of the answer is None before it began."""
    from console.adopting import TURN, Adoption
    from console.pacing import turn
    from ledger.administration import record_adoption

    desk = None if dry_run else await session.open_desk(pool)
    stop: Stop[Adoption] = Stop()
    with stop, progress(("采用", "adopting"), ("件", "cases")) as told:
        work = Adoption(desk, pool, world, settings, tell=lambda tally: told(tally.seen, tally.total))
        async with turn(pool, TURN, _say_waiting):
            stop.work = work
            if not dry_run:
                wanted = settings.wanted
                async with pool.acquire() as conn:
                    await record_adoption(conn, settings.actor.person, rules=wanted.rules, calendar=wanted.calendar)
            await work.run()
    return stop


async def _settings(wanted: _Wanted, pool: "asyncpg.Pool") -> "tuple[Settings, World]":
    """What is wanted, by what the ledger knows.

    Raises ``Refused``: ``rules.none``, ``rules.unknown``, ``calendar.unknown``, ``organisation.unknown`` and those of
    ``adopter``.
    """
    from console.adopting import Settings, adopter
    from ledger.adoptions import Wanted
    from ledger.world import read_world

    async with pool.acquire() as conn:
        world = await read_world(conn)
    assert world.registry is not None
    rules, calendar = wanted.rules or world.current_rules, wanted.calendar or world.current_calendar
    if rules is None:
        raise Refused("rules.none")
    if rules not in world.rule_books:
        raise Refused("rules.unknown", field="--rules", version=rules)
    if calendar is not None and calendar not in world.calendars:
        raise Refused("calendar.unknown", field="--calendar", version=calendar)
    if wanted.street is not None and wanted.street not in {each.code for each in world.registry.streets()}:
        raise Refused("organisation.unknown", field="--street", organisation=wanted.street)
    settings = Settings(
        wanted=Wanted(rules, calendar, wanted.street),
        reason=wanted.reason,
        actor=adopter(world.registry, wanted.person),
        rate=wanted.rate,
        limit=wanted.limit,
    )
    return settings, world


def _say_waiting() -> None:
    output.note("另一次采用正在进行，等它结束…", "Another run is under way; waiting for it to end …")


def summary(tally: "Tally", settings: "Settings", *, dry_run: bool) -> dict[str, Any]:
    """The outcome for programs."""
    value: dict[str, Any] = {
        "rules": settings.wanted.rules,
        "calendar": settings.wanted.calendar,
        "seen": tally.seen,
        "adopted": tally.adopted,
        "already": tally.already,
        "refused": len(tally.refused),
        "left": tally.left,
        "clocks": {"earlier": tally.earlier, "later": tally.later, "same_due": tally.same_due},
        "made_final": tally.made_final,
        "kept": {"in_the_past": tally.kept_in_the_past, "other_unit": tally.kept_other_unit},
        "refusals": [{"case": each.case, **each.refusal.model_dump(mode="json")} for each in tally.refused],
    }
    if dry_run:
        value |= {"dry_run": True, "changes": tally.changes}
    return value


def _draw(tally: "Tally", settings: "Settings", *, dry_run: bool) -> None:
    wanted = settings.wanted
    zh, en = ("将采用", "would adopt") if dry_run else ("已采用", "have adopted")
    calendar = wanted.calendar or "-"
    output.line(
        f"规则 {wanted.rules}、日历 {calendar}：共 {tally.seen} 件，{zh} {tally.adopted} 件，"
        f"无需改动 {tally.already} 件，被拒 {len(tally.refused)} 件，剩余 {tally.left} 件。",
        f"Rule book {wanted.rules}, calendar {calendar}: {tally.seen} cases, {tally.adopted} {en} them, "
        f"{tally.already} needed nothing, {len(tally.refused)} refused, {tally.left} left.",
    )
    output.fields(
        [
            ("到期提前", "due earlier", tally.earlier),
            ("到期推后", "due later", tally.later),
            ("到期不变，时限或督办有变", "same due, other limit or rungs", tally.same_due),
            ("暂定转为确定", "provisional made final", tally.made_final),
            ("保持原到期：按新规则已过期", "kept: would be past at once", tally.kept_in_the_past),
            ("保持原到期：延期单位不同", "kept: extended in another unit", tally.kept_other_unit),
        ]
    )
    if dry_run and tally.changes:
        _draw_changes(tally)
    if tally.refused:
        _draw_refused(tally)


def _draw_changes(tally: "Tally") -> None:
    all_of_them = tally.earlier + tally.later + tally.same_due
    output.line(f"\n前 {len(tally.changes)} 处变化（共 {all_of_them} 处）", f"\nThe first of {all_of_them} changes")
    columns = [
        ("编号", "case"),
        ("时限", "clock"),
        ("原时限", "limit"),
        ("新时限", "now"),
        ("原到期", "due"),
        ("新到期", "now"),
    ]
    rows = [
        (
            each.case,
            each.clock,
            each.old_limit,
            each.limit,
            _due(each.old_due_at, provisional=each.old_provisional),
            _due(each.due_at, provisional=each.provisional),
        )
        for each in tally.changes
    ]
    output.table(columns, rows)


def _due(at: Any, *, provisional: bool) -> str:
    return output.local(at) + (output.say(" 暂定", " provisional") if provisional else "")


def _draw_refused(tally: "Tally") -> None:
    output.line("\n被拒的诉求", "\nCases that refused")
    rows = [((each.case, each.refusal.code), each.refusal) for each in tally.refused[:_SHOWN]]
    draw_explained([("编号", "case"), ("代码", "code")], rows, what=("原因", "why"))
    if len(tally.refused) > _SHOWN:
        more = len(tally.refused) - _SHOWN
        output.line(f"另有 {more} 件；全部见 --json。", f"{more} more: see --json.")
