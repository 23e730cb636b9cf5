"""``bihuan audit``: whether the ledger is still what was written.

Owns what people and programs are told; ``ledger.audit`` looks, ``ledger.checkpoints`` states.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from console import output, words
from console.progress import progress
from console.session import SHARED, ledger, run, settings
from domain.errors import Refused
from ledger.anchors import AnchorFile, catch_up
from ledger.audit import CHECKPOINTS, Audited, audit
from ledger.chain import Finding
from ledger.checkpoints import SECURITY, make_all
from ledger.signing import SigningKey, is_public_key

app = typer.Typer(
    help="账本核验：篡改检查、检查点 / is the ledger what was written", epilog=SHARED, add_completion=False
)

_MOST_SHOWN = 1_000
"""Findings that are told; all are counted."""


@dataclass
class Report:
    """What an audit has found; the findings of a wrecked ledger are counted and the first told."""

    done: Audited = field(default_factory=Audited)
    findings: list[Finding] = field(default_factory=list)
    number: int = 0

    def take(self, finding: Finding) -> None:
        """Count it, and keep it if there is room."""
        self.number += 1
        if len(self.findings) < _MOST_SHOWN:
            self.findings.append(finding)


@app.command(epilog=SHARED)
def verify(
    anchor: Annotated[
        Path | None,
        typer.Option(metavar="文件", help="另处保存的检查点文件；默认为设置中的 / checkpoints kept elsewhere"),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="公钥", help="签名的公钥，可写多次；默认为本机密钥的 / public key, repeatable"),
    ] = None,
) -> None:
    """逐条核验账本：被改、被删、被插入、调换的记录，以及检查点之后被重写的流水；有发现则以 1 退出。

    Find changed, removed, inserted or reordered events and rewritten streams; exit 1 when anything is found.
    """
    chosen = settings()
    if anchor is not None and not anchor.is_file():
        raise Refused("audit.anchors_missing", field="--anchor", path=anchor)
    keys = [_public(each) for each in key or ()]
    if not keys and chosen.signing_file.exists():
        keys = [SigningKey.load(chosen.signing_file).public]
    report = run(_verify(AnchorFile(anchor or chosen.anchors), keys))
    output.result(_as_json(report), lambda: _draw(report))
    if report.number:
        raise typer.Exit(1)


@app.command(epilog=SHARED)
def checkpoint() -> None:
    """现在就做一次检查点，写入检查点文件。

    Make a checkpoint now and write it into the file.
    """
    numbers, changed = run(_checkpoint())
    output.result({"checkpoints": numbers, "changed": changed}, lambda: _draw_checkpoint(numbers, changed))
    if changed:
        raise typer.Exit(1)


@app.command(epilog=SHARED)
def key() -> None:
    """显示签名公钥：抄录或公布出去，供别人核对卷宗和检查点。

    Show the public key: publish it, so that others can check dossiers and checkpoints.
    """
    public = SigningKey.load(settings().signing_file).public
    output.result({"public_key": public}, lambda: output.line(public, public))


def _public(text: str) -> str:
    if not is_public_key(text):
        raise Refused("audit.bad_key", field="--key", key=text[:80])
    return text


async def _verify(file: AnchorFile, keys: list[str]) -> Report:
    report = Report()
    async with ledger() as pool, pool.acquire() as conn:
        with progress(("核验", "checking"), ("条", "entries")) as told:
            async for finding in audit(conn, file, keys=keys, done=report.done, told=told):
                report.take(finding)
    return report


async def _checkpoint() -> tuple[list[int], list[str]]:
    chosen = settings()
    signing = SigningKey.load(chosen.signing_file)
    numbers: list[int] = []
    changed: list[str] = []
    async with ledger() as pool, pool.acquire() as conn:
        async for made in make_all(conn, signing, everything=True):
            changed += made.changed[: _MOST_SHOWN - len(changed)]
            if made.checkpoint is not None:
                numbers.append(made.checkpoint.number)
        await catch_up(conn, AnchorFile(chosen.anchors))
    return numbers, changed


def _as_json(report: Report) -> dict[str, Any]:
    done = report.done
    return {
        "sound": report.number == 0,
        "events": done.events,
        "streams": done.streams,
        "checkpoints": done.checkpoints,
        "checkpoints_in_file": done.in_file,
        "heads": done.heads,
        "security_lines": done.lines,
        "last_checkpoint": {"number": done.last.number, "at": done.last.at} if done.last else None,
        "keys": done.keys,
        "findings": report.number,
        "first_findings": report.findings,
    }


def _draw(report: Report) -> None:
    done = report.done
    output.line(
        f"已核验 {done.streams} 个流程、{done.events} 条记录，安全日志 {done.lines} 行；"
        f"{done.checkpoints} 个检查点（其中 {done.in_file} 个在文件里）。",
        f"Checked {done.events} events of {done.streams} streams, {done.lines} lines of the security log; "
        f"{done.checkpoints} checkpoints, {done.in_file} of them in the file.",
    )
    if done.last is not None:
        number, at = done.last.number, output.local(done.last.at)
        output.line(f"最近的检查点：第 {number} 号，{at}。", f"Last checkpoint: number {number}, {at}.")
    if not done.in_file:
        output.line(
            "没有数据库以外的检查点可对照：整体重写无法发现。",
            "No checkpoint outside the database to compare with: a complete rewriting would not be found.",
        )
    if not report.number:
        output.line("没有发现改动。", "Nothing was found.")
        return
    columns = [
        ("流水", "stream"),
        ("第几条", "event"),
        ("发现", "found"),
        ("栏", "field"),
        ("应为", "expected"),
        ("现为", "is"),
    ]
    rows = (
        (
            _stream(each.stream),
            each.seq,
            words.word(words.FINDING, each.code),
            each.field,
            each.expected[:40],
            each.actual[:40],
        )
        for each in report.findings
    )
    output.table(columns, rows)
    output.line(
        f"共 {report.number} 处不符。请停用并保留现场，联系管理员。",
        f"{report.number} findings. Stop, keep everything as it is, ask the administrator.",
    )


def _stream(name: str) -> str:
    if name == CHECKPOINTS:
        return output.say("检查点", "checkpoint")
    return output.say("安全日志", "security log") if name == SECURITY else name


def _draw_checkpoint(numbers: list[int], changed: list[str]) -> None:
    if numbers:
        shown = "、".join(map(str, numbers))
        output.line(f"已做检查点：第 {shown} 号。", f"Made checkpoint {shown}.")
    else:
        output.line("没有新的变化。", "Nothing has changed since the last one.")
    for each in changed:
        output.line(
            f"未列入：{_stream(each)} 与以前的检查点不符。",
            f"Left out: {_stream(each)} is not what an earlier checkpoint states.",
        )
