"""``bihuan rebuild``: the read models anew from the log."""

from typing import Annotated

import typer

from console import output
from console.acts import find_stream
from console.progress import progress
from console.session import ledger, run
from ledger.rebuild import Rebuilt, rebuild


def command(
    stream: Annotated[str | None, typer.Option(metavar="编号", help="只重建这一件 / only this process")] = None,
) -> None:
    """用账本重建查询表；可在办理的同时进行。

    Drop and rebuild the read models from the log; others may work meanwhile.
    """
    run(_rebuild(stream))


async def _rebuild(name: str | None) -> None:
    async with ledger(owner=True) as pool, pool.acquire() as conn:
        stream = None
        if name is not None:
            process = name.partition("-")[0] if name.startswith(("case-", "wish-")) else "case"
            stream = await find_stream(conn, process, name)
        with progress(("重建", "rebuilding"), ("个流程", "streams")) as told:
            done = await rebuild(conn, stream=stream, told=told)
    output.result(_as_json(done), lambda: _draw(done))


def _as_json(done: Rebuilt) -> dict[str, object]:
    return {
        "streams": done.streams,
        "rows": done.rows,
        "differences": done.differences,
        "strays": done.strays,
    }


def _draw(done: Rebuilt) -> None:
    wrong = len(done.differences) + done.strays
    output.line(
        f"已重建 {done.streams} 个流程、{done.rows} 行；" + (f"改正 {wrong} 行。" if wrong else "与账本完全一致。"),
        f"Rebuilt {done.streams} streams, {done.rows} rows; "
        + (f"{wrong} rows mended." if wrong else "nothing differed."),
    )
    for each in done.differences[:20]:
        output.line(
            f"  {each.table} {' '.join(each.key)}：{each.what} {', '.join(each.columns)}",
            f"  {each.table} {' '.join(each.key)}: {each.what} {', '.join(each.columns)}",
        )
