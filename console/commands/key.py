"""``bihuan key``: the master key of the vault: which one it is, whether it opens everything, a new one."""

import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import output
from console.progress import progress
from console.session import SHARED, ledger, run, settings
from domain.errors import Refused, unreadable

if TYPE_CHECKING:
    from ledger.rotation import Rotated

app = typer.Typer(help="保密库主密钥：查看、检查、轮换 / the master key", epilog=SHARED, add_completion=False)


@app.callback()
def keys() -> None:
    """保密库主密钥：查看、检查、轮换。

    The master key of the vault: show, check, rotate.
    """


@app.command(epilog=SHARED)
def create() -> None:
    """没有时生成主密钥和签名密钥（权限 0600）；已有的不动。用外部服务部署时执行一次，bihuan up 会自己生成。

    Make the master key and the signing key where there are none; what is there stays.
    """
    from console.instance import make_keys

    chosen = settings()
    files = (chosen.key_file, chosen.signing_file)
    made = [str(path) for path in files if not path.exists()]
    make_keys(chosen)
    value = {"files": [str(path) for path in files], "made": made}
    output.result(
        value,
        lambda: output.line(
            f"已生成：{'、'.join(made) or '无，原有密钥不动'}。请立即另行备份：丢失主密钥就打不开保密库。",
            f"Made: {', '.join(made) or 'none, what was there stays'}. Back them up elsewhere now.",
        ),
    )


@app.command(epilog=SHARED)
def show() -> None:
    """密钥文件、编号、权限；不显示密钥本身。

    The file, the id and the mode of the key; never the key.
    """
    from ledger.keys import MasterKey

    path = settings().key_file
    key = MasterKey.load(path)
    status = path.stat()
    value = {
        "file": str(path),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "id": key.id,
        "changed_at": datetime.fromtimestamp(status.st_mtime, UTC),
        "payload_keys": len(key.payload_keys()),
        "coming": key.coming.id if key.coming else None,
    }
    output.result(value, lambda: _draw_shown(value))


def _draw_shown(value: dict[str, Any]) -> None:
    output.fields(
        [
            ("密钥文件", "file", value["file"]),
            ("权限", "mode", value["mode"]),
            ("编号", "id", value["id"]),
            ("启用", "in force since", value["changed_at"]),
            ("流程数据密钥数", "keys of workflow data", value["payload_keys"]),
        ]
    )
    if value["coming"]:
        output.line(
            f"轮换尚未完成，新密钥 {value['coming']}；请执行 bihuan key rotate 继续。",
            f"A rotation to {value['coming']} has not ended: bihuan key rotate goes on.",
        )


@app.command(epilog=SHARED)
def check() -> None:
    """用主密钥逐个打开全部数据密钥，并补建按电话查找的索引。

    Open every data key with the master key, and make findable by phone what is not yet.
    """
    run(_check())


async def _check() -> None:
    from ledger.keys import MasterKey
    from ledger.rotation import check as check_keys
    from ledger.rotation import count_other, current_master
    from ledger.vault import PHONE, Vault

    key = MasterKey.load(settings().key_file)
    vault, indexed, after = Vault(key), 0, ""
    async with ledger() as pool, pool.acquire() as conn:
        with progress(("检查", "checking"), ("个密钥", "keys")) as told:
            number = await check_keys(conn, key, lambda done: told(done, 0))
        while found := await vault.unindexed(conn, after, 500):
            for stream in found:
                await vault.index(conn, stream, await vault.read(conn, stream, PHONE) or "")
            indexed, after = indexed + len(found), found[-1]
        master = await current_master(conn)
        other = await count_other(conn, key.id)
    value = {"keys": number, "id": key.id, "of_another_id": other, "in_force": master, "indexed": indexed}
    output.result(
        value,
        lambda: output.line(
            f"主密钥 {key.id} 打开了全部 {number} 个数据密钥；补建电话索引 {indexed} 件。",
            f"The master key {key.id} opens all {number} data keys; {indexed} made findable by phone.",
        ),
    )


@app.command(epilog=SHARED)
def rotate(
    prepare: Annotated[
        bool, typer.Option("--prepare", help="只生成新密钥，供复制到各台机器 / only make the key to come")
    ] = False,
) -> None:
    """换一把主密钥：逐页重新包裹全部数据密钥，可中断后再次执行；旧密钥保留到最后。

    A new master key: all data keys are wrapped anew; may be interrupted and run again.
    """
    run(_rotate(settings().key_file, only_prepare=prepare))


async def _rotate(path: Path, *, only_prepare: bool) -> None:
    from ledger import rotation
    from ledger.keys import next_file

    if only_prepare:
        key = rotation.prepare(path)
        coming = key.coming.id if key.coming else None
        output.result(
            {"old": key.id, "coming": coming, "file": str(next_file(path))},
            lambda: output.line(
                f"新密钥 {coming} 在 {next_file(path)}。多台机器请先复制过去，再执行 bihuan key rotate。",
                f"The key to come, {coming}, is at {next_file(path)}. Copy it to all machines, then rotate.",
            ),
        )
        return
    async with ledger(owner=True) as pool, pool.acquire() as conn:
        with progress(("轮换", "rotating"), ("个密钥", "keys")) as told:
            done = await rotation.rotate(conn, path, lambda number: told(number, 0))
    output.result(vars(done), lambda: _draw_rotated(done, path))


def _draw_rotated(done: "Rotated", path: Path) -> None:
    output.line(
        f"已轮换：{done.old} → {done.new}，重新包裹 {done.wrapped} 个数据密钥。",
        f"Rotated {done.old} → {done.new}; {done.wrapped} data keys wrapped anew.",
    )
    output.note(
        f"请备份 {path}（与数据库分开存放）。此前的数据库备份仍须用当时的密钥打开。",
        f"Back up {path} apart from the database. Older backups of the database still need the key of their day.",
    )


@app.command(epilog=SHARED)
def payload(
    out: Annotated[
        Path, typer.Option("--out", metavar="文件", help="写入的密钥文件，不覆盖已有的 / the file to write")
    ],
) -> None:
    """为部门对接程序写一个只含任务数据密钥的文件：能读它的任务，打不开保密库。轮换主密钥后请重新生成。

    Write a file for a connector that reads its tasks and cannot open the vault; write it anew after a rotation.
    """
    from ledger.key_file import write_private
    from ledger.keys import MasterKey

    if out.exists():
        raise Refused("file.exists", field="--out", path=out)
    keys = MasterKey.load(settings().key_file).payload_keys()
    try:
        write_private(out, b"".join(keys))
    except OSError as error:
        raise unreadable(out, error) from error
    output.result(
        {"file": str(out), "keys": len(keys)},
        lambda: output.line(
            f"已写入 {out}（{len(keys)} 把密钥）；在对接程序上设置 BIHUAN_PAYLOAD_KEY_FILE。",
            f"{len(keys)} keys written to {out}; set BIHUAN_PAYLOAD_KEY_FILE for the connector.",
        ),
    )
