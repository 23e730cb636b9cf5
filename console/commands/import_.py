"""``bihuan import``: requests out of a file, one workflow each.

Owns options and summary. What a file says and what becomes of it is the business of ``console.importing``.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import output, session
from console.failing import INTERRUPTED
from console.progress import progress
from console.stopping import Stop
from domain.errors import Refused

if TYPE_CHECKING:
    import asyncpg

    from console.importing.running import Import, Tally, Tell


@dataclass(frozen=True)
class _Wanted:
    """The options of one call."""

    file: Path
    source: str | None
    street: str | None
    person: str | None
    rate: int
    parallel: int
    report: Path | None
    dry_run: bool


def command(
    file: Annotated[Path, typer.Argument(help="文件：.jsonl、.csv 或 .xlsx / the file", show_default=False)],
    source: Annotated[
        str | None, typer.Option("--source", help="来源，用于没有来源列的行，默认取文件名 / source of rows without one")
    ] = None,
    street: Annotated[
        str | None, typer.Option("--street", help="街道编码，用于没有网格的行 / street of rows without a grid")
    ] = None,
    person: Annotated[
        str | None, typer.Option("--as", help="以哪位热线人员的身份导入 / the hotline person who imports")
    ] = None,
    rate: Annotated[int, typer.Option("--rate", min=1, max=1000, help="每秒最多登记几件 / openings a second")] = 25,
    parallel: Annotated[int, typer.Option("--parallel", min=1, max=64, help="同时登记几件 / openings at once")] = 8,
    report: Annotated[
        Path | None, typer.Option("--report", help="问题报告，默认 <文件>.report.csv / where the report goes")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只检查，不登记 / check only, open nothing")] = False,
) -> None:
    """从文件批量导入诉求：一行一件，重复导入不会重复登记 / import requests; running it again opens nothing twice."""
    wanted = _Wanted(file, source, street, person, rate, parallel, report, dry_run)
    code = session.run(_import(wanted))
    if code:
        raise typer.Exit(code)


async def _import(wanted: _Wanted) -> int:
    from console.importing.columns import check_header
    from console.importing.readers import read_rows
    from console.importing.report import place_of_report, write_report
    from console.importing.running import TURN
    from console.pacing import turn

    report = place_of_report(wanted.file, wanted.report)
    rows = await asyncio.to_thread(read_rows, wanted.file, check_header)
    stop: Stop[Import] = Stop()
    async with session.ledger(size=wanted.parallel + 2) as pool:
        with stop, progress(("导入", "importing"), ("行", "rows")) as told:
            try:
                work = await _prepare(wanted, pool, lambda tally: told(tally.rows, tally.total))
                async with turn(pool, TURN, _say_waiting):
                    stop.work = work
                    await work.run(rows)
            finally:
                # Also when servers stay away: what was wrong with the rows is known by then.
                written = write_report(report, stop.work.tally.rejections if stop.work is not None else [])
    if stop.work is not None:
        _summary(stop.work.tally, written, dry_run=wanted.dry_run)
    if stop.asked:
        output.note("已中断；再次执行同一命令即可接着导入。", "Interrupted; run the same command again to go on.")
        return INTERRUPTED
    return 1 if stop.work is not None and stop.work.tally.rejected else 0


async def _prepare(wanted: _Wanted, pool: "asyncpg.Pool", tell: "Tell") -> "Import":
    from console.importing.columns import source_of_file
    from console.importing.running import Import, Settings, importer, world_of

    world = await world_of(pool)
    assert world.registry is not None
    if wanted.street is not None and wanted.street not in {each.code for each in world.registry.streets()}:
        raise Refused("organisation.unknown", field="--street", organisation=wanted.street)
    actor = importer(world.registry, wanted.person)
    settings = Settings(
        source=wanted.source or source_of_file(wanted.file.stem),
        street=wanted.street,
        rate=wanted.rate,
        parallel=wanted.parallel,
    )
    desk = None if wanted.dry_run else await session.open_desk(pool)
    return Import(desk, pool, world, actor, settings, tell=tell)


def _say_waiting() -> None:
    output.note("另一个导入正在进行，等它结束…", "Another import is running; waiting for it to end …")


def _summary(tally: "Tally", report: Path | None, *, dry_run: bool) -> None:
    value: dict[str, Any] = {
        "rows": tally.rows,
        "opened": tally.opened,
        "already": tally.already,
        "rejected": tally.rejected,
        "report": str(report) if report else None,
    }
    if dry_run:
        value["dry_run"] = True
    output.result(value, lambda: _draw(tally, report, dry_run=dry_run))


def _draw(tally: "Tally", report: Path | None, *, dry_run: bool) -> None:
    zh, en = ("可登记", "would open") if dry_run else ("新登记", "opened")
    output.line(
        f"共 {tally.rows} 行：{zh} {tally.opened}，此前已登记 {tally.already}，未导入 {tally.rejected}。",
        f"{tally.rows} rows: {en} {tally.opened}, registered before {tally.already}, rejected {tally.rejected}.",
    )
    if not dry_run and not tally.opened and not tally.rejected:
        output.line("没有新的诉求。", "Nothing new.")
    if report is not None:
        output.line(f"未导入的行及原因见 {report}", f"The rejected rows and why: {report}")
