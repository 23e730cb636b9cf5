"""``bihuan namespace``: makes the Temporal namespace what the program needs, on a server of one's own."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from console import output, session
from runtime.settings import find_temporal

if TYPE_CHECKING:
    from runtime.namespace import Namespace

_PATIENCE = timedelta(seconds=60)


def command(
    check: Annotated[bool, typer.Option("--check", help="只看，不改动；有欠缺以 1 退出 / only look")] = False,
) -> None:
    """建立 Temporal 命名空间、保留天数和检索字段；可反复执行。

    Make the Temporal namespace with its retention and search attributes; running it again changes nothing.
    """
    chosen = session.settings()
    retention = timedelta(days=chosen.temporal_retention_days)
    found = session.run(_do(retention, check=check))
    ready = found.is_ready(retention)
    value = {
        "namespace": found.name,
        "existed": found.exists,
        "retention_days": chosen.temporal_retention_days,
        "retention_before": None if found.retention is None else found.retention // timedelta(days=1),
        "lacking" if check else "added": list(found.lacking),
        "ready": ready or not check,
    }
    output.result(value, lambda: _draw(found, chosen.temporal_retention_days, check=check, ready=ready))
    if check and not ready:
        raise typer.Exit(1)


async def _do(retention: timedelta, *, check: bool) -> "Namespace":
    from runtime.namespace import look, prepare
    from runtime.temporal import connect_plainly

    address, namespace, tls = find_temporal(session.settings())
    client = await connect_plainly(address, namespace, tls=tls, patience=_PATIENCE)
    return await (look(client) if check else prepare(client, retention))


def _draw(found: "Namespace", days: int, *, check: bool, ready: bool) -> None:
    if ready:
        output.line(f"命名空间 {found.name} 已就绪。", f"The namespace {found.name} is ready.")
        return
    lacking = "、".join(found.lacking) or "-"
    if check:
        output.line(
            f"命名空间 {found.name} 尚未就绪：{'已有' if found.exists else '未建'}，缺检索字段 {lacking}。",
            f"The namespace {found.name} is not ready: {'there' if found.exists else 'missing'}, lacks {lacking}.",
        )
    else:
        output.line(
            f"命名空间 {found.name} 已就绪：保留 {days} 天，新增检索字段 {lacking}。",
            f"The namespace {found.name} is ready: kept for {days} days, attributes added: {lacking}.",
        )
