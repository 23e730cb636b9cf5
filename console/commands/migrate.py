"""``bihuan migrate``: the schema of this release."""

from typing import Annotated

import asyncpg
import typer

from console import output
from console.instance import prepare_ledger
from console.session import run, settings
from domain.errors import Refused
from ledger.migrate import Migration, pending
from runtime.settings import find_endpoints


def command(
    check: Annotated[bool, typer.Option("--check", help="只看，不执行；有未执行的以 1 退出 / only look")] = False,
) -> None:
    """升级数据库结构；新库同时放入示例规则。

    Bring the database up to date; a new one gets the example rule book.
    """
    dsn = find_endpoints(settings()).postgres
    try:
        found = run(pending(dsn) if check else prepare_ledger(dsn))
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise Refused("postgres.unreachable") from error
    names = [f"{each.number:04}_{each.name}" for each in found]
    output.result({"pending" if check else "applied": names}, lambda: _draw(found, names, check=check))
    if check and found:
        raise typer.Exit(1)


def _draw(found: list[Migration], names: list[str], *, check: bool) -> None:
    if not found:
        output.line("数据库已是最新。", "The database is up to date.")
        return
    shown = "、".join(names)
    if check:
        output.line(f"尚未执行：{shown}", f"To be applied: {shown}")
    else:
        output.line(f"已执行：{shown}", f"Applied: {shown}")
