"""``bihuan backup``: making a backup, proving it, putting it back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from console import output, session
from console.backup.archive import Manifest, Reader
from console.backup.checking import Proof, prove
from console.backup.keys import read_keys, write_keys
from console.backup.making import Made, make
from console.backup.recording import record_backup
from console.backup.restoring import Restored, restore
from console.progress import Told, progress
from domain.errors import Refused
from ledger.security import Kind
from runtime.logging import set_up_logging
from runtime.settings import find_endpoints

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="备份：制作、验证、恢复 / make, prove, restore",
    epilog=session.SHARED,
)

File = Annotated[Path, typer.Argument(metavar="备份文件", help="备份文件 / the backup")]
Keys = Annotated[
    Path | None, typer.Option("--keys", metavar="密钥文件", help="单独保存的密钥文件 / the file with the keys")
]
By = Annotated[str, typer.Option("--by", metavar="人员编号", help="由谁操作，记入安全日志 / who does it")]
_BY = "administrator"

_NO_LEDGER = frozenset({"instance.not_running", "postgres.unreachable", "ledger.schema_older", "ledger.schema_newer"})
"""How it is told that this machine has no ledger in which something could be written down."""


@app.command(epilog=session.SHARED)
def create(
    target: Annotated[Path, typer.Argument(metavar="目录或文件", help="放到哪里 / where to put it")],
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="密钥文件", help="同时把密钥另存为此文件 / put the keys into this file"),
    ] = None,
    by: By = _BY,
) -> None:
    """制作备份；可在办理的同时进行。数据与密钥分开保存，缺一不可。

    Back up ledger and files while others work; keys go into a file of their own.
    """
    settings = session.settings()
    if keys is not None:
        write_keys(settings, keys)
    dsn = find_endpoints(settings).postgres
    with progress(("备份", "backing up"), ("行和文件", "rows and files")) as told:
        try:
            made = session.run(make(dsn, settings, target, told, by=by))
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError) as error:
            raise Refused("postgres.unreachable") from error
    output.result(_made_json(made, keys), lambda: _draw_made(made, keys))
    if made.manifest.files.lost:
        raise typer.Exit(1)


@app.command(epilog=session.SHARED)
def verify(
    file: File,
    keys: Keys = None,
    no_keys: Annotated[
        bool, typer.Option("--no-keys", help="不验证能否打开保密库 / do not prove that the vault opens")
    ] = False,
    scratch: Annotated[
        Path | None, typer.Option(metavar="目录", help="临时数据库放在哪里 / where the scratch server lies")
    ] = None,
    by: By = _BY,
) -> None:
    """验证备份：恢复到临时数据库，核对账本、查询表、文件和密钥。有问题以 1 退出。

    Prove a backup by restoring it into a scratch server and checking everything there.
    """
    settings = session.settings()
    # What the scratch server says of itself is no part of the answer.
    set_up_logging("error", settings.log_format)
    with Reader.of(file) as reader, progress(("验证", "proving"), ("行和流程", "rows and streams")) as told:
        # Only now: whether it is a backup at all must not depend on a key.
        found = None if no_keys else read_keys(keys or settings.key_file)
        proof, recorded = session.run(_prove(reader, found, scratch, told, by))
    output.result({**_proof_json(proof), "recorded": recorded}, lambda: _draw_proof(proof, recorded=recorded))
    if proof.wrong:
        raise typer.Exit(1)


async def _prove(
    reader: Reader, keys: Mapping[str, bytes] | None, scratch: Path | None, told: Told, by: str
) -> tuple[Proof, bool]:
    """What was found, and whether it is written down; what is refused is written down too."""
    try:
        proof = await prove(reader, keys, scratch, told)
    except Refused as refused:
        await _record_proof(reader, by, code=refused.code)
        raise
    return proof, await _record_proof(reader, by, findings=len(proof.wrong))


async def _record_proof(reader: Reader, by: str, *, code: str | None = None, findings: int = 0) -> bool:
    """Write it down in the ledger of the settings; False on a machine without one, where a backup is proved as well."""
    try:
        async with session.ledger() as pool, pool.acquire() as conn:
            await record_backup(
                conn,
                Kind.BACKUP_VERIFIED,
                reader.path.name,
                reader.manifest,
                reader.sha256(),
                by=by,
                code=code,
                findings=findings,
            )
    except Refused as refused:
        if refused.code not in _NO_LEDGER:
            raise
        return False
    return True


@app.command("restore", epilog=session.SHARED)
def restore_(
    file: File,
    keys: Keys = None,
    into: Annotated[
        Path | None, typer.Option(metavar="目录", help="恢复到这个新的数据目录 / restore into this new data folder")
    ] = None,
    by: By = _BY,
) -> None:
    """恢复备份到空的数据目录（或设置中的空数据库）；已有内容绝不覆盖。

    Put a backup back into an empty data folder, or into the empty database of the settings.
    """
    settings = session.settings()
    set_up_logging("error", settings.log_format)
    with Reader.of(file) as reader, progress(("恢复", "restoring"), ("行", "rows")) as told:
        found = read_keys(keys) if keys is not None else None
        done = session.run(restore(reader, settings, found, into.absolute() if into else None, told, by=by))
    output.result(_restored_json(done), lambda: _draw_restored(done))


def _manifest_json(manifest: Manifest) -> dict[str, object]:
    return {
        "made_at": manifest.made_at,
        "program": manifest.program,
        "schema": len(manifest.migrations),
        "key_id": manifest.key_id,
        "streams": manifest.heads.streams,
        "events": manifest.heads.events,
        "heads": manifest.heads.digest,
        "rows": manifest.rows,
        "files": manifest.files.model_dump(mode="json"),
    }


def _made_json(made: Made, keys: Path | None) -> dict[str, object]:
    return {
        "file": made.path,
        "bytes": made.bytes,
        "sha256": made.sha256,
        "keys": keys,
        **_manifest_json(made.manifest),
    }


def _draw_made(made: Made, keys: Path | None) -> None:
    manifest = made.manifest
    output.fields(
        [
            ("备份文件", "file", str(made.path)),
            ("大小", "size", f"{made.bytes / 1024**2:.1f} MiB"),
            ("摘要", "SHA-256", made.sha256),
            ("时间", "made at", manifest.made_at),
            ("流程和事件", "streams and events", f"{manifest.heads.streams} / {manifest.heads.events}"),
            ("文件", "files", str(manifest.files.kept)),
            ("打开它的密钥", "key that opens it", manifest.key_id),
        ]
    )
    if manifest.files.store == "s3":
        output.line("照片在 S3，不在备份里。", "Photographs lie in S3 and are not in the backup.")
    if lost := manifest.files.lost:
        first = manifest.files.first_lost[0][:12]
        output.line(
            f"备份已完成，但有 {lost} 个文件在备份前已丢失或损坏，例如 {first}。",
            f"The backup is whole, but {lost} files were missing or spoilt before it, for instance {first}.",
        )
    if keys is None:
        output.line(
            "密钥不在备份里：请用 --keys 另存一份，与备份分开保管。",
            "The keys are not in it: keep them apart, by --keys.",
        )


def _proof_json(proof: Proof) -> dict[str, object]:
    return {
        "verdict": "FAIL" if proof.wrong else "OK",
        "restored_seconds": round(proof.restored_in.total_seconds(), 1),
        "checked_seconds": round(proof.checked_in.total_seconds(), 1),
        "checked_streams": proof.streams,
        "checked_files": proof.files,
        "opened_entries": proof.opened,
        "wrong": [{"code": each.code, "where": each.where, "count": each.count} for each in proof.wrong],
        **_manifest_json(proof.manifest),
    }


def _draw_proof(proof: Proof, *, recorded: bool) -> None:
    output.fields(
        [
            ("备份时间", "made at", proof.manifest.made_at),
            ("恢复用时", "restored in", f"{proof.restored_in.total_seconds():.1f} s"),
            ("核对用时", "checked in", f"{proof.checked_in.total_seconds():.1f} s"),
            ("流程和事件", "streams and events", f"{proof.streams} / {proof.manifest.heads.events}"),
            ("文件", "files", str(proof.files)),
            ("打开的保密条目", "vault entries opened", None if proof.opened is None else str(proof.opened)),
            ("密钥", "key", proof.manifest.key_id),
        ]
    )
    if proof.opened is None:
        output.line("没有验证密钥。", "Whether the key opens it was not looked at.")
    if not recorded:
        output.line(
            "本机没有账本，这次验证没有记入安全日志。", "No ledger on this machine: the security log has no line of it."
        )
    for each in proof.wrong[:20]:
        output.line(f"  {each.code} {each.where} × {each.count}", f"  {each.code} {each.where} × {each.count}")
    if proof.wrong:
        output.line(f"有 {len(proof.wrong)} 处不符。", f"{len(proof.wrong)} things are wrong.")
    else:
        output.line("备份完好，可以恢复。", "The backup is good.")


def _restored_json(done: Restored) -> dict[str, object]:
    return {
        "place": done.place,
        "seconds": round(done.took.total_seconds(), 1),
        "with_keys": done.with_keys,
        **_manifest_json(done.manifest),
    }


def _draw_restored(done: Restored) -> None:
    seconds = f"{done.took.total_seconds():.1f}"
    output.line(f"已恢复到 {done.place}，用时 {seconds} 秒。", f"Restored into {done.place} in {seconds} s.")
    if not done.with_keys:
        output.line(
            f"没有放回密钥：请把密钥 {done.manifest.key_id} 放到位后再启动。",
            f"No keys were put back: put key {done.manifest.key_id} in its place before starting.",
        )
    output.line(
        "下一步：bihuan up 启动，bihuan rehydrate 让在办诉求继续计时，bihuan doctor 体检。",
        "Next: bihuan up, then bihuan rehydrate for the open requests, then bihuan doctor.",
    )
