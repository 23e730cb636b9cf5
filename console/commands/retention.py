"""``bihuan retention``: what has been kept long enough is destroyed, with a report."""

from typing import TYPE_CHECKING, Annotated

import typer

from console import output
from console.progress import progress
from console.session import ledger, run, settings

if TYPE_CHECKING:
    from console.personal import RetentionReport


def command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只列出，不销毁 / list only, destroy nothing")] = False,
    most: Annotated[int | None, typer.Option("--limit", min=1, help="最多几件 / at most so many")] = None,
) -> None:
    """销毁办结已满保存期的个人资料和照片（BIHUAN_RETENTION_DAYS）；可中断后再次执行。控制台每小时也会自动执行。

    Destroy what was kept of residents in requests finished long enough ago; may be interrupted and run again.
    """
    run(_retain(dry_run=dry_run, most=most))


async def _retain(*, dry_run: bool, most: int | None) -> None:
    from console.files.keeping import Files
    from console.personal import retain

    chosen = settings()
    async with ledger() as pool:
        with progress(("销毁", "erasing"), ("件", "requests")) as told:
            report = await retain(
                pool, Files.of(chosen).store, days=chosen.retention_days, dry_run=dry_run, most=most, told=told
            )
    value = {"days": chosen.retention_days, **report.as_json()}
    output.result(value, lambda: _draw(report, chosen.retention_days))
    if report.failed:
        raise typer.Exit(1)


def _draw(report: "RetentionReport", days: int) -> None:
    output.line(
        f"保存期 {days} 天，办结早于 {output.local(report.before)} 的到期 {report.due} 件。",
        f"Kept for {days} days; {report.due} requests finished before {output.local(report.before)} are due.",
    )
    if not report.dry_run:
        output.line(
            f"已销毁 {report.erased} 件、照片 {report.files} 张，未能销毁 {len(report.failed)} 件。",
            f"{report.erased} erased with {report.files} photographs, {len(report.failed)} could not be.",
        )
    for stream in report.streams[:20]:
        output.line(f"  {stream}", f"  {stream}")
    for stream, code in list(report.failed.items())[:20]:
        output.line(f"  {stream}：{code}", f"  {stream}: {code}")
