"""``bihuan dossier``: a case that is over as one file, which can be judged anywhere.

Owns reading and writing the file; ``ledger.dossier`` owns what is in it. ``verify`` opens no connection and reads no
setting: it runs on a machine that has nothing of this installation.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import output, words
from console.acts import find_stream
from console.session import SHARED, ledger, run, settings
from domain.errors import Refused, unreadable
from ledger.dossier import Verified, create_dossier, verify_dossier
from ledger.packing import MOST_BYTES
from ledger.security import Kind, record
from ledger.signing import SigningKey, is_public_key
from runtime.settings import find_endpoints

if TYPE_CHECKING:
    from runtime.codec import EncryptingCodec

app = typer.Typer(help="卷宗：一件一个文件，可离线核验 / dossiers of closed cases", epilog=SHARED, add_completion=False)

_PATIENCE = timedelta(seconds=5)
_MOST_TEMPORAL = 64 * 1024 * 1024
"""Bytes of Temporal's history; a larger one is left out."""

File = Annotated[Path, typer.Argument(metavar="文件", help="卷宗文件 / the dossier")]


@app.command(epilog=SHARED)
def create(
    name: Annotated[str, typer.Argument(metavar="编号", help="诉求编号，或其开头几位 / id or its beginning")],
    file: File,
    without_temporal: Annotated[
        bool, typer.Option("--without-temporal", help="不附流程引擎的历史 / leave Temporal's history out")
    ] = False,
    by: Annotated[
        str, typer.Option("--by", metavar="人员编号", help="由谁操作，记入安全日志 / who does it")
    ] = "administrator",
) -> None:
    """把一件办结的诉求出具为一个文件：流水、摘要、签名、时限表、规则和日历；记入安全日志。

    Write a closed case into one file: events, digests, signatures, deadline sheet, rules and calendar. On record.
    """
    # Before anything else: nobody should wait for a dossier that has no place.
    if file.exists():
        raise Refused("file.exists", path=file)
    data, told = run(_create(name, by, with_temporal=not without_temporal))
    _write(file, data)
    output.result(
        {"file": str(file), "bytes": len(data), **_as_json(told)}, lambda: _draw(told, f"{file}（{len(data)} B）")
    )


@app.command(epilog=SHARED)
def verify(
    file: File,
    key: Annotated[
        str | None, typer.Option(metavar="公钥", help="出具单位公布的公钥 / the public key the office has published")
    ] = None,
) -> None:
    """核验一份卷宗：任何一个字节被改动都会指出；不需要数据库，也不需要联网。

    Judge a dossier; any changed byte is told. Needs neither database nor network.
    """
    if key is not None and not is_public_key(key):
        raise Refused("audit.bad_key", field="--key", key=key[:80])
    told = verify_dossier(_read(file), key=key)
    output.result({"sound": True, **_as_json(told)}, lambda: _draw(told, str(file), compared=key is not None))


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise unreadable(file, error) from error


def _write(file: Path, data: bytes) -> None:
    try:
        place = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(place, "wb") as opened:
            opened.write(data)
    except FileExistsError:
        raise Refused("file.exists", path=file) from None
    except OSError as error:
        raise Refused("file.unwritable", path=file, reason=error.strerror) from error


async def _create(name: str, by: str, *, with_temporal: bool) -> tuple[bytes, Verified]:
    key = SigningKey.load(settings().signing_file)
    async with ledger() as pool, pool.acquire() as conn:
        stream = await find_stream(conn, "case", name)
        temporal = await _history(stream) if with_temporal else None
        data = await create_dossier(conn, stream, key, temporal)
        await record(conn, Kind.EXPORTED, actor=by, subject=stream, detail={"what": "dossier"})
    # What is handed out has been judged as the receiver will judge it.
    return data, verify_dossier(data, key=key.public)


async def _history(stream: str) -> str | None:
    """What Temporal still has of the case, readable; None when it is away, has forgotten it, or the key is not here."""
    from temporalio.service import RPCError

    from ledger.keys import MasterKey
    from runtime.codec import EncryptingCodec, PayloadKeys
    from runtime.temporal import connect
    from workflows.ids import workflow_id

    endpoints = find_endpoints(settings())
    try:
        keys = PayloadKeys(MasterKey.load(settings().key_file).payload_keys)
        client = await connect(
            endpoints.temporal, endpoints.namespace, keys=keys, tls=endpoints.tls, patience=_PATIENCE
        )
        found = await client.get_workflow_handle(workflow_id(stream)).fetch_history()
        for event in found.events:
            await _open(event, EncryptingCodec(keys))
    except (Refused, RPCError):
        return None
    text = found.to_json()
    return text if len(text.encode()) <= _MOST_TEMPORAL else None


async def _open(message: Any, codec: "EncryptingCodec") -> None:
    """Decrypt every payload within a message of Temporal's, however deep: the receiver has no key of ours."""
    from google.protobuf.message import Message
    from temporalio.api.common.v1 import Payload

    if isinstance(message, Payload):
        message.CopyFrom((await codec.decode([message]))[0])
        return
    for _field, value in message.ListFields():
        inside = value.values() if isinstance(value, Mapping) else [value] if isinstance(value, Message) else value
        if isinstance(inside, str | bytes | int | float):
            continue
        for each in inside:
            if isinstance(each, Message):
                await _open(each, codec)


def _as_json(told: Verified) -> dict[str, object]:
    return {
        "stream": told.stream,
        "events": told.events,
        "head": told.head,
        "ended_at": told.ended_at,
        "checkpoint": {"number": told.checkpoint, "at": told.checkpoint_at},
        "key": told.key,
        "rules": told.rules,
        "calendars": told.calendars,
        "temporal": told.has_temporal,
        "deadlines_agree": told.deadlines_agree,
        "signatures": [each._asdict() for each in told.signatures],
    }


def _draw(told: Verified, title: str, *, compared: bool = True) -> None:
    output.line(f"卷宗完好：{title}", f"The dossier is sound: {title}")
    yes_no = output.say("有", "yes"), output.say("无", "no")
    output.fields(
        [
            ("诉求", "case", told.stream),
            ("流水", "events", told.events),
            ("最后一条的哈希", "hash of the last", told.head),
            ("办结于", "ended at", told.ended_at),
            (
                "检查点",
                "checkpoint",
                output.say(f"第 {told.checkpoint} 号，", f"number {told.checkpoint}, ")
                + output.local(told.checkpoint_at),
            ),
            ("规则", "rules", "、".join(told.rules)),
            ("日历", "calendars", "、".join(told.calendars)),
            ("流程引擎历史", "Temporal's history", yes_no[0 if told.has_temporal else 1]),
            ("签名公钥", "public key", told.key),
            *(
                (
                    "双签字",
                    "signature",
                    f"{words.role(each.role)} {each.person}：{words.word(words.STANDING, each.standing)}",
                )
                for each in told.signatures
            ),
        ]
    )
    if not told.deadlines_agree:
        output.line(
            "本版本程序算出的时限表与卷宗中的不同（卷宗由另一版本出具）；以卷宗中签名的为准。",
            "This release reckons another deadline sheet (the dossier is of another one); the signed one counts.",
        )
    if not compared:
        output.line(
            "请把上面的公钥与出具单位公布的核对，或加 --key 公钥。",
            "Compare this public key with the one the office has published, or add --key KEY.",
        )
