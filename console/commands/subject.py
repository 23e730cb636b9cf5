"""``bihuan subject``: what is kept about one resident, for that resident."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from console import output
from console.acts import role_holder
from console.session import SHARED, ledger, run, settings
from domain.errors import Refused
from domain.rights import Permission

app = typer.Typer(help="本人查询：导出所存的全部个人资料 / what is kept about one", epilog=SHARED, add_completion=False)


@app.callback()
def subjects() -> None:
    """本人查询：导出所存的全部个人资料。

    What is kept about one resident.
    """


@app.command(epilog=SHARED)
def export(
    out: Annotated[
        Path, typer.Option("--out", metavar="文件", help="写入的 zip 文件，不覆盖已有的 / the zip to write")
    ],
    person: Annotated[str, typer.Option("--as", metavar="人员编号", help="以谁的身份，记入查看记录 / who exports")],
    said: Annotated[str, typer.Option("--words", metavar="文字", help="依据，如申请日期 / on what request")],
    phone: Annotated[
        str | None, typer.Option("--phone", metavar="号码", help="留下的电话；不写则另行询问 / the number left")
    ] = None,
) -> None:
    """把某位居民（按电话）的全部资料导出为一个 zip，交给本人；每件都记入查看记录，整次记入安全日志。

    Export all that is kept about whoever left this number; recorded as shown, and in the security log.
    """
    if out.exists():
        raise Refused("file.exists", field="--out", path=out)
    number = phone or str(typer.prompt(output.say("电话", "Number"), hide_input=True))
    run(_export(out, person, said, number))


@contextmanager
def _new(out: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner reads; nothing is left of it where something fails. Raises ``Refused``."""
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                yield file
            except BaseException:
                out.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise Refused("file.exists", field="--out", path=out) from None
    except OSError as error:
        raise Refused("file.unwritable", path=out, reason=error.strerror or type(error).__name__) from error


async def _export(out: Path, person: str, said: str, phone: str) -> None:
    from console.files.keeping import Files
    from console.personal import export_subject
    from ledger.keys import MasterKey
    from ledger.registry import read_registry
    from ledger.vault import Vault

    chosen = settings()
    vault = Vault(MasterKey.load(chosen.key_file))
    async with ledger() as pool, pool.acquire() as conn:
        actor = await role_holder(conn, person, Permission.PERSONAL_EXPORT)
        registry = await read_registry(conn)
        store = Files.of(chosen).store
        with _new(out) as file:
            streams = await export_subject(conn, vault, store, phone, file, actor=actor, registry=registry, words=said)
            size = file.tell()
    value = {"file": str(out), "bytes": size, "requests": list(streams)}
    output.result(
        value,
        lambda: output.line(
            f"已把 {len(streams)} 件诉求的资料写入 {out}（仅本用户可读），请交给本人后删除。",
            f"{len(streams)} requests written to {out}, readable by you alone. Hand it over, then delete it.",
        ),
    )
