"""``bihuan rehydrate``: the workflows of all open processes again, from the ledger.

Owns options and summary; ``console.rehydrating`` does the work.
"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import output, session
from console.acts import find_stream
from console.failing import INTERRUPTED
from console.problems import draw_explained
from console.progress import progress
from console.stopping import Stop
from domain.errors import Refused

if TYPE_CHECKING:
    from console.rehydrating import Tally

_SHOWN = 50


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="编号", help="只办这一件，默认全部未办结的 / this one only, all by default")
    ] = None,
    rate: Annotated[int, typer.Option("--rate", min=1, max=1000, help="每秒最多启动几个 / starts a second")] = 100,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只看，不启动 / look only, begin nothing")] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="结束与账本矛盾的流程，按账本重新开始；须写明编号 / end a workflow that contradicts the ledger",
        ),
    ] = False,
) -> None:
    """流程引擎的数据丢失或陈旧时，用账本恢复所有未办结的流程；可在办理的同时进行，再次执行不会重复。

    Bring the workflows of all open processes back from the ledger; running it again does nothing.
    """
    if replace and name is None:
        raise Refused("rehydrate.name_one", field="--replace")
    code = session.run(_run(name, rate=rate, dry_run=dry_run, replace=replace))
    if code:
        raise typer.Exit(code)


async def _run(name: str | None, *, rate: int, dry_run: bool, replace: bool) -> int:
    from console.pacing import turn
    from console.rehydrating import PARALLEL, TURN, Rehydration

    stop: Stop[Rehydration] = Stop()
    async with session.ledger(size=PARALLEL + 2) as pool:
        only = None
        if name is not None:
            process = name.partition("-")[0] if name.startswith(("case-", "wish-")) else "case"
            async with pool.acquire() as conn:
                only = [await find_stream(conn, process, name)]
        reviver = await session.open_reviver(pool)
        with stop, progress(("恢复", "bringing back"), ("个流程", "workflows")) as told:
            work = Rehydration(
                reviver,
                pool,
                rate=rate,
                only=only,
                dry_run=dry_run,
                replacing=replace,
                tell=lambda tally: told(tally.seen, tally.total),
            )
            async with turn(pool, TURN, _say_waiting):
                stop.work = work
                await work.run()
    if stop.work is not None:
        tally = stop.work.tally
        output.result(summary(tally, dry_run=dry_run), lambda: draw(tally, dry_run=dry_run))
    if stop.asked:
        output.note("已中断；再次执行同一命令即可接着办。", "Interrupted; run the same command again to go on.")
        return INTERRUPTED
    return 1 if stop.work is not None and stop.work.tally.failed else 0


def _say_waiting() -> None:
    output.note("另一次恢复正在进行，等它结束…", "Another run is under way; waiting for it to end …")


def summary(tally: "Tally", *, dry_run: bool) -> dict[str, Any]:
    """The outcome for programs."""
    return {
        "open": tally.total,
        "seen": tally.seen,
        "running": tally.running,
        "begun": tally.begun,
        "needless": tally.needless,
        "failed": tally.failed,
        "failures": [{"stream": each.stream, **each.refusal.model_dump(mode="json")} for each in tally.failures],
        "dry_run": dry_run,
    }


def draw(tally: "Tally", *, dry_run: bool) -> None:
    """The outcome for people."""
    zh, en = ("将恢复", "would begin") if dry_run else ("已恢复", "begun")
    output.line(
        f"未办结 {tally.seen} 件：{zh} {tally.begun} 件，本来就在运行 {tally.running} 件，"
        f"无需恢复 {tally.needless} 件，失败 {tally.failed} 件。",
        f"{tally.seen} open: {tally.begun} {en}, {tally.running} were running, {tally.needless} needed nothing, "
        f"{tally.failed} failed.",
    )
    if tally.failed:
        rows = [((each.stream, each.refusal.code), each.refusal) for each in tally.failures[:_SHOWN]]
        draw_explained([("编号", "id"), ("代码", "code")], rows, what=("原因", "why"))
