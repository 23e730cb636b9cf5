"""``bihuan rebuild``: the read models anew from the log."""

from typing import Annotated

import typer

from console import output
from console.acts import find_stream
from console.progress import progress
from console.rebuilding import rebuild_all
from console.session import ledger, run, settings
from domain.errors import Refused
from ledger.rebuild import Rebuilt, rebuild
from runtime.settings import find_endpoints


def command(
    stream: Annotated[str | None, typer.Option(metavar="编号", help="只重建这一件 / only this process")] = None,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="全部清空、一次写成，期间不能办理 / empty and fill them at once; acts wait"),
    ] = False,
) -> None:
    """用账本重建查询表；可在办理的同时进行。

    Rebuild the read models from the log; others may work meanwhile.
    """
    if stream is not None and anew:
        raise Refused("rebuild.one_or_anew", field="--anew")
    run(_rebuild(stream, anew=anew))


async def _rebuild(name: str | None, *, anew: bool) -> None:
    with progress(("重建", "rebuilding"), ("个流程", "streams")) as told:
        async with ledger(owner=True) as pool:
            if name is None:
                done = await rebuild_all(find_endpoints(settings()).postgres, anew=anew, told=told)
            else:
                process = name.partition("-")[0] if name.startswith(("case-", "wish-")) else "case"
                async with pool.acquire() as conn:
                    done = await rebuild(conn, stream=await find_stream(conn, process, name), told=told)
    output.result(_as_json(done), lambda: _draw(done))


def _as_json(done: Rebuilt) -> dict[str, object]:
    return {
        "streams": done.streams,
        "rows": done.rows,
        "anew": done.anew,
        "differing": done.differing,
        "differences": done.differences,
        "strays": done.strays,
    }


def _draw(done: Rebuilt) -> None:
    if done.anew:
        output.line(
            f"已写成 {done.streams} 个流程、{done.rows} 行。", f"{done.streams} streams, {done.rows} rows written anew."
        )
        return
    wrong = done.differing + done.strays
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
