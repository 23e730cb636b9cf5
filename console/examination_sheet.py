"""What an examination has found, for programs and for people: every kind of difference with its remedy.

Owns the words. Must not look at anything.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from console import output
from console.examining import HEALING, Found, Kind, Report


class Words(NamedTuple):
    """A kind of difference and what to do about it, Chinese and English."""

    zh: str
    en: str
    remedy_zh: str
    remedy_en: str


_REBUILD = ("自动改正，或执行 bihuan rebuild --stream 编号", "healed by --fix, or bihuan rebuild --stream ID")
_REPLACE = (
    "核实原因后执行 bihuan rehydrate 编号 --replace（以账本为准）",
    "find out why, then bihuan rehydrate ID --replace (the ledger counts)",
)

WORDS: Mapping[Kind, Words] = {
    Kind.ROW_MISSING: Words("查询表缺行", "row missing", *_REBUILD),
    Kind.ROW_SURPLUS: Words("查询表多行", "row too many", *_REBUILD),
    Kind.ROW_DIFFERS: Words("查询表与账本不符", "row differs", *_REBUILD),
    Kind.MISSING: Words(
        "未办结，但没有运行的流程", "open, and no workflow runs", "自动恢复，或执行 bihuan rehydrate",
        "healed by --fix, or bihuan rehydrate",
    ),
    Kind.BEHIND: Words(
        "流程落后于账本", "the workflow is behind the ledger", "自动追上；下一次办理时也会追上",
        "healed by --fix; the next act makes it catch up too",
    ),
    Kind.PLAN: Words(
        "流程的安排不是最新", "the workflow follows an old plan", "自动更新；下一次办理时也会更新",
        "healed by --fix; the next act renews it too",
    ),
    Kind.STATE: Words("流程的状态与账本不符", "the workflow's state is not what its events say", *_REPLACE),
    Kind.AHEAD: Words(
        "账本缺少流程已知的事实", "the ledger lacks facts the workflow knows",
        "账本可能是旧备份：先恢复较新的备份；确认无法找回后再执行 bihuan rehydrate 编号 --replace",
        "the ledger may be an old copy: restore a newer one, else bihuan rehydrate ID --replace",
    ),
    Kind.FORKED: Words("流程与账本分叉，办理一律被拒", "the workflow has forked; all its acts are refused", *_REPLACE),
    Kind.UNKNOWN: Words(
        "流程在运行，账本没有这一件", "a workflow runs that the ledger does not know",
        "账本可能是旧备份：先恢复较新的备份", "the ledger may be an old copy: restore a newer one",
    ),
    Kind.SILENT: Words(
        "流程没有应答", "the workflow does not answer",
        "请检查办理进程（日志 worker.log）", "check the worker (worker.log)",
    ),
}  # fmt: skip

_SHOWN = 50


def as_json(report: Report) -> dict[str, Any]:
    """The report for programs; ``differences`` are the first thousand."""
    return {
        "streams": report.streams,
        "workflows_asked": report.asked,
        "agrees": report.agrees,
        "fixed": report.fixed,
        "remaining": {kind.value: count for kind, count in sorted(report.remaining.items()) if count},
        "differences": [_difference(each) for each in report.found],
    }


def _difference(found: Found) -> dict[str, Any]:
    words = WORDS[found.kind]
    return {
        **found.model_dump(mode="json", exclude_defaults=True),
        "what": words.en,
        "what_zh": words.zh,
        "remedy": words.remedy_en,
        "remedy_zh": words.remedy_zh,
        "heals": found.kind in HEALING,
    }


def sentence(report: Report) -> tuple[str, str]:
    """The outcome in one line, Chinese and English."""
    zh = f"核对 {report.streams} 件，问过 {report.asked} 个流程"
    en = f"{report.streams} streams, {report.asked} workflows asked"
    if report.fixed:
        zh, en = f"{zh}，已改正 {report.fixed} 处", f"{en}, {report.fixed} mended"
    if report.agrees:
        return f"{zh}，三方一致", f"{en}, all agree"
    left = report.remaining
    zh += "，尚有不符：" + "、".join(f"{WORDS[kind].zh} {left[kind]}" for kind in sorted(left) if left[kind])
    en += ", still differing: " + ", ".join(f"{WORDS[kind].en} {left[kind]}" for kind in sorted(left) if left[kind])
    return zh, en


def draw(report: Report) -> None:
    """The differences as a table; nothing where there are none."""
    if not report.found:
        return
    columns = [("编号", "id"), ("不符", "difference"), ("在哪里", "where"), ("处理", "remedy")]
    rows = [(each.stream, _what(each), _where(each), _remedy(each)) for each in report.found[:_SHOWN]]
    output.table(columns, rows)
    more = len(report.found) - _SHOWN
    if more > 0:
        output.line(f"另有 {more} 处；见 --json。", f"{more} more: see --json.")


def _what(found: Found) -> str:
    words = WORDS[found.kind]
    reset = output.say("（流程被重置过）", " (the workflow was reset)") if found.reset else ""
    return output.say(words.zh, words.en) + reset


def _remedy(found: Found) -> str:
    words = WORDS[found.kind]
    return output.say("已改正", "mended") if found.fixed else output.say(words.remedy_zh, words.remedy_en)


def _where(found: Found) -> str:
    if found.table:
        columns = f" ({', '.join(found.columns)})" if found.columns else ""
        return f"{found.table} {' '.join(found.key[1:])}{columns}".strip()
    ledger, workflow = found.ledger_seq, found.workflow_seq
    where = output.say(f"账本第 {ledger} 条", f"ledger at {ledger}")
    if workflow is not None:
        where += output.say(f"，流程第 {workflow} 条", f", workflow at {workflow}")
    return where + (f" ({', '.join(found.parts)})" if found.parts else "")
