"""``bihuan upgrade``: would the open processes go on under this release, and let them."""

from typing import TYPE_CHECKING, Annotated

import asyncpg
import typer

from console import output, words
from console.progress import progress
from console.session import open_ledger, open_temporal, run, settings
from domain.errors import Refused
from runtime.settings import find_endpoints

if TYPE_CHECKING:
    from console.upgrading import Checked

_TROUBLES: words.Words = {
    "other_commands": ("新版流程与历史记录的步骤不一致", "the shell would not do what the history says"),
    "not_replayed": ("新版流程读不懂历史记录", "the shell fails at the history"),
    "not_folded": ("新版规则读不懂账本中的事实", "the rules do not understand the facts"),
    "no_process": ("账本中未结，Temporal 中没有在办流程", "open in the ledger, not running in Temporal"),
}


def command(
    check: Annotated[
        bool, typer.Option("--check", help="只检查：回放全部未结诉求；有问题以 1 退出 / replay all that is open")
    ] = False,
    switch: Annotated[
        bool, typer.Option("--switch", help="把新任务和未结诉求交给本版办理进程 / make this release current")
    ] = False,
) -> None:
    """升级前用本版程序回放全部未结诉求；区分版本时切换到本版。

    Replay everything that is open with this release before it takes over; switch to it where releases are told apart.
    """
    if check == switch:
        raise Refused("upgrade.say_what")
    run(_check() if check else _switch())


async def _check() -> None:
    # Temporal and the workflows only where they are used: the help of all commands must stay quick.
    from console.upgrading import check_open
    from ledger.migrate import pending

    endpoints = find_endpoints(settings())
    try:
        missing = await pending(endpoints.postgres)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refused("postgres.unreachable") from error
    pool = await open_ledger(endpoints, size=4, older=True)
    try:
        client = await open_temporal()
        with progress(("回放", "replaying"), ("个流程", "processes")) as told:
            checked = await check_open(pool, client, told)
    finally:
        await pool.close()
    checked.pending = missing
    output.result(_as_json(checked), lambda: _draw(checked))
    if checked.troubles:
        raise typer.Exit(1)


def _as_json(checked: "Checked") -> dict[str, object]:
    return {
        "ready": not checked.troubles,
        "pending": [f"{each.number:04}_{each.name}" for each in checked.pending],
        "stop_first": [f"{each.number:04}_{each.name}" for each in checked.contracts],
        "open": checked.open,
        "replayed": checked.replayed,
        "folded": checked.folded,
        "troubles": checked.troubles,
        "findings": checked.findings,
    }


def _draw(checked: "Checked") -> None:
    for each in checked.pending:
        output.line(f"尚未执行的迁移：{each.number:04}_{each.name}", f"To be applied: {each.number:04}_{each.name}")
    if checked.contracts:
        names = "、".join(f"{each.number:04}" for each in checked.contracts)
        output.line(
            f"迁移 {names} 会去掉旧版仍在使用的内容：请先停止旧版全部进程，再执行。",
            f"Migrations {names} take away what the release before uses: stop all of it before applying them.",
        )
    output.line(
        f"未结 {checked.open} 件：账本重算 {checked.folded} 件，流程回放 {checked.replayed} 件。",
        f"{checked.open} open: {checked.folded} folded from the ledger, {checked.replayed} histories replayed.",
    )
    if not checked.troubles:
        output.line("可以升级。", "Ready to upgrade.")
        return
    for finding in checked.findings[:20]:
        line, line_en = _TROUBLES[finding.trouble]
        shown = f"（{finding.detail}）" if finding.detail else ""
        output.line(f"  {finding.stream}：{line}{shown}", f"  {finding.stream}: {line_en} {finding.detail}".rstrip())
    output.line(
        f"共 {checked.troubles} 处问题：请继续使用旧版，并把以上内容交给开发者。",
        f"{checked.troubles} would not go on: stay with the release before and send this to the developers.",
    )


async def _switch() -> None:
    from runtime.versioning import build_of, make_current

    chosen = settings()
    before = await make_current(await open_temporal(), chosen)
    name, build = chosen.worker_deployment, build_of(chosen)
    output.result(
        {"deployment": name, "current": build, "before": before},
        lambda: output.line(
            f"部署 {name} 现由 {build} 办理（原为 {before or '未指定'}）。",
            f"Deployment {name} is now served by {build} (before: {before or 'none'}).",
        ),
    )
