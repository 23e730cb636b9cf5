"""A rehearsal on one sheet, for people and for programs.

Owns the layout. Must not read anything: totals and names are given.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from console import output
from console.problems import draw_explained
from console.rehearsal_table import TableRead
from console.rule_sheet import clock
from domain.rehearsal import DEEMED, OTHER_UNIT, RUNNING, TOO_FAR, CaseChange, Tally, Totals

_UNKNOWN = {
    RUNNING: ("仍在计时", "still running"),
    DEEMED: ("到期视为签收，不知延长后会怎样", "deemed received at the old due"),
    OTHER_UNIT: ("延期的单位与新时限不同", "extended in another unit"),
    TOO_FAR: ("超出日历可推算的年份", "beyond the years of the calendar"),
}
_PROBLEMS = 50


def rehearsal_json(
    totals: Totals, rules: str, calendar: str, names: Mapping[str, str], read: TableRead | None
) -> dict[str, Any]:
    """Everything the rehearsal found; ``read`` says what became of the rows of a table."""
    value: dict[str, Any] = {
        "rules": rules,
        "calendar": calendar,
        "cases": totals.cases,
        "cases_late_before": totals.late_before,
        "cases_late_after": totals.late_after,
        "cases_changed": totals.changed,
        "totals": _tally_json(totals.whole),
        "departments": [
            {"department": code, "name": names.get(code or ""), **_tally_json(tally)}
            for code, tally in totals.by_responsible().items()
        ],
        "clocks": [{"kind": kind.value, **_tally_json(tally)} for kind, tally in totals.by_kind().items()],
        "groups": [
            {"department": code, "kind": kind.value, **_tally_json(tally)}
            for (code, kind), tally in sorted(totals.groups.items(), key=lambda each: (each[0][0] or "", each[0][1]))
        ],
        "worst": [each._asdict() for each in totals.most_changed()],
    }
    if read is not None:
        value |= {
            "rows": read.rows,
            "open_rows": read.open,
            "problems": [
                {"row": each.row, "column": each.refusal.field, **each.refusal.model_dump(mode="json")}
                for each in read.problems
            ],
        }
    return value


def _tally_json(tally: Tally) -> dict[str, Any]:
    return {
        "count": tally.clocks,
        "unknown": dict(sorted(tally.unknown.items())),
        "without_limit": tally.unlimited,
        "provisional": tally.provisional,
        "recorded": tally.recorded,
        "late_before": tally.late_before,
        "late_after": tally.late_after,
        "newly_late": tally.newly_late,
        "no_longer_late": tally.no_longer_late,
        "warned_before": tally.warned_before,
        "warned_after": tally.warned_after,
        "rungs_before": dict(sorted(tally.rungs_before.items())),
        "rungs_after": dict(sorted(tally.rungs_after.items())),
        "level_ups_before": tally.level_ups_before,
        "level_ups_after": tally.level_ups_after,
        "used_percent_median": tally.share(50),
        "used_percent_95": tally.share(95),
    }


def draw_rehearsal(totals: Totals, rules: str, calendar: str, names: Mapping[str, str], read: TableRead | None) -> None:
    """Print the figures by department and by clock, then what could not be judged, then the cases changed most."""
    whole = totals.whole
    output.line(
        f"规则 {rules}、日历 {calendar}：{totals.cases} 件已办结的诉求，{whole.clocks} 个计时。",
        f"Rule book {rules}, calendar {calendar}: {totals.cases} closed cases, {whole.clocks} clocks.",
    )
    if not totals.cases:
        output.line("没有符合条件的已办结诉求。", "There is no closed case of this kind.")
    else:
        _draw_tallies(totals, names)
        _draw_unknown(whole)
        _draw_worst(totals.most_changed())
    if read is not None:
        _draw_read(read)


def _draw_tallies(totals: Totals, names: Mapping[str, str]) -> None:
    whole = totals.whole
    if whole.recorded:
        then, now, changed = totals.late_before, totals.late_after, totals.changed
        output.line(
            f"至少一项超期的诉求：原 {then} 件，试算 {now} 件；有变化的 {changed} 件。",
            f"Cases late at least once: {then} then, {now} now; {changed} would change.",
        )
    else:
        output.line(
            f"至少一项超期的诉求：试算 {totals.late_after} 件；表格没有写明原来是否超期。",
            f"Cases late at least once: {totals.late_after} now; the table does not say which were late then.",
        )
    departments = [
        (f"{names.get(code or '', '')} {code or '-'}".strip(), tally) for code, tally in totals.by_responsible().items()
    ]
    _draw(("单位", "unit"), [*departments, (output.say("合计", "all"), whole)])
    output.line("", "")
    _draw(("时限", "clock"), [(clock(kind), tally) for kind, tally in totals.by_kind().items()])


def _draw(first: tuple[str, str], rows: Iterable[tuple[str, Tally]]) -> None:
    columns = [
        first,
        ("计时", "clocks"),
        ("超期 原→试算", "late then→now"),
        ("新增", "newly"),
        ("不再", "no longer"),
        ("预警", "warned"),
        ("督办", "rungs"),
        ("提级", "level-ups"),
        ("用时中位", "used median"),
        ("用时95%", "used 95%"),
        ("无法判断", "unknown"),
    ]
    output.table(columns, [(name, *_figures(tally)) for name, tally in rows])


def _figures(tally: Tally) -> tuple[object, ...]:
    def pair(before: int, after: int) -> str:
        return f"{before if tally.recorded else '-'}→{after}"

    return (
        tally.clocks,
        pair(tally.late_before, tally.late_after),
        tally.newly_late if tally.recorded else "-",
        tally.no_longer_late if tally.recorded else "-",
        pair(tally.warned_before, tally.warned_after),
        pair(tally.rungs_before.total(), tally.rungs_after.total()),
        pair(tally.level_ups_before, tally.level_ups_after),
        _percent(tally.share(50)),
        _percent(tally.share(95)),
        tally.unknown.total() or "",
    )


def _percent(share: int | None) -> str:
    return "-" if share is None else f"{share}%"


def _draw_unknown(whole: Tally) -> None:
    for reason, count in sorted(whole.unknown.items()):
        zh, en = _UNKNOWN[reason]
        output.line(f"无法判断 {count} 个：{zh}。", f"{count} cannot be judged: {en}.")
    if whole.unlimited:
        output.line(
            f"{whole.unlimited} 个计时在试算的规则中没有时限，按不超期计。",
            f"{whole.unlimited} clocks have no limit in the rules on trial and count as in time.",
        )
    if whole.provisional:
        output.line(
            f"{whole.provisional} 个到期时间超出已公布的放假安排，为暂定。",
            f"{whole.provisional} due times lie beyond the published days and are provisional.",
        )


def _draw_worst(worst: list[CaseChange]) -> None:
    if not worst:
        return
    output.line("\n变化最大的诉求", "\nCases that would change most")
    columns = [
        ("编号", "id"),
        ("超期 原→试算", "late then→now"),
        ("督办", "rungs"),
        ("提级", "level-ups"),
        ("超出分钟", "minutes over"),
    ]
    rows = [
        (
            each.id,
            f"{each.late_before}→{each.late_after}",
            f"{each.rungs_before}→{each.rungs_after}",
            f"{each.level_ups_before}→{each.level_ups_after}",
            each.overtime_minutes,
        )
        for each in worst
    ]
    output.table(columns, rows)


def _draw_read(read: TableRead) -> None:
    if read.open:
        output.line(f"{read.open} 行尚未办结，未计入。", f"{read.open} rows are not closed yet and were left out.")
    if not read.problems:
        return
    output.line(
        f"\n{len(read.problems)} 行有问题，未计入：", f"\n{len(read.problems)} rows have problems and were left out:"
    )
    rows = [((each.row, each.refusal.field), each.refusal) for each in read.problems[:_PROBLEMS]]
    draw_explained([("行", "row"), ("列", "column")], rows)
    if len(read.problems) > _PROBLEMS:
        more = len(read.problems) - _PROBLEMS
        output.line(f"另有 {more} 行；全部见 --json。", f"{more} more: see --json.")
