"""A rule book as a person looks at it: limits, categories, ladder, channels, constants; problems and changes.

Owns the layout. Must not read files or the ledger.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from console import output, words
from console.problems import draw_explained
from domain.ladder import CLOCK_NAMES, ClockKind, Rung
from domain.limits import Limit, limit
from domain.rule_changes import RuleChange
from domain.rule_problem import RuleProblem
from domain.rules import SUSPEND_REASON_NAMES, RuleBook, RuleRow, Urgency

_ACTIONS: words.Words = {
    "remind": ("提醒", "remind"),
    "yellow": ("黄灯", "yellow light"),
    "red": ("红灯", "red light"),
    "urge": ("催办通知书", "written urging"),
    "circular": ("通报", "circular"),
    "interview": ("约谈", "interview"),
}
_AUDIENCES: words.Words = {
    "handler": ("承办人", "handler"),
    "head": ("负责人", "head"),
    "leader": ("分管领导", "leader in charge"),
    "supervisor": ("督办员", "supervisor"),
}
_FIELDS: words.Words = {
    "extension": ("最长延期", "longest extension"),
    "reopen_window": ("重开期限", "reopening within"),
    "rework_most": ("返工次数上限", "reworks at most"),
    "visit_attempts": ("未接通回访次数", "visits unanswered"),
    "visit_gap": ("回访间隔", "between visits"),
    "extension_most": ("延期次数上限", "extensions at most"),
    "return_within": ("退单期限", "return within"),
    "returns_per_unit": ("每单位退单次数", "returns of a unit"),
    "returns_per_case": ("每件退单次数", "returns of a case"),
    "ask_within": ("居民答复期限", "resident answers within"),
    "ask_most": ("询问居民停表次数", "questions that stop the contact clock"),
    "shelf_review_within": ("挂账复核期限", "shelf reviewed within"),
    "backlog_after": ("积存期限", "backlog after"),
    "wish.claim_within": ("心愿认领期限", "wish claimed within"),
    "wish.fulfil_within": ("心愿实现期限", "wish fulfilled within"),
    "wish.thank_within": ("心愿致谢期限", "wish thanked within"),
    "name": ("名称", "name"),
}
_PARTS: words.Words = {
    "rows": ("时限", "limits"),
    "ladder": ("督办阶梯", "ladder"),
    "channels": ("渠道", "channels"),
    "suspensions": ("停表", "suspensions"),
    "settings": ("常量", "settings"),
}
_MARKS: words.Words = {"unless_replied": ("已回复则不", "unless replied"), "level_up": ("升级", "level up")}
_LIMIT = re.compile(r"[1-9][0-9]{0,3}(?:m|h|d|wh|wd|wd/min)")
_CHANGES: words.Words = {"added": ("新增", "added"), "changed": ("变更", "changed"), "removed": ("删去", "removed")}


def limit_text(limit: Limit | None) -> str:
    """A limit as the reader says it; ``-`` for none."""
    return "-" if limit is None else output.say(limit.chinese, str(limit))


def clock(kind: ClockKind) -> str:
    """What a clock is called."""
    return output.say(*CLOCK_NAMES[kind])


def category_rows(book: RuleBook) -> tuple[RuleRow, ...]:
    """The rows of categories, in their order."""
    return tuple(row for row in book.rows if row.category is not None)


def draw_book(
    book: RuleBook, shown: Sequence[RuleRow], names: Mapping[str, str], *, current: bool, first: bool
) -> None:
    """The book with the category rows ``shown``; on any but the ``first`` page only these."""
    if first:
        mark = output.say("（现行）", " (in force)") if current else ""
        output.line(f"规则 {book.version} {book.name}{mark}", f"Rule book {book.version} {book.name}{mark}")
        _draw_urgencies(book)
    if shown:
        output.line("\n类别（只列与通用时限不同的）", "\nCategories (what differs from their urgency)")
        columns = [("类别", "category"), ("条件", "condition"), ("紧急程度", "urgency"), ("时限", "limits")]
        output.table(columns, [_category(book, row, names) for row in shown])
    if first:
        _draw_ladder(book.ladder)
        _draw_rest(book)


def _draw_urgencies(book: RuleBook) -> None:
    rows = [book.row(urgency, None) for urgency in Urgency]
    columns = [("时限", "limit"), *(words.URGENCY[urgency.value] for urgency in Urgency)]
    kinds = [kind for kind in ClockKind if any(kind in row.limits for row in rows)]
    cells: list[tuple[object, ...]] = [
        (clock(kind), *(limit_text(row.limits.get(kind)) for row in rows)) for kind in kinds
    ]
    cells.append((output.say("分步", "steps"), *(_steps(row) or "-" for row in rows)))
    cells.append((words.word(_FIELDS, "extension"), *(limit_text(row.extension) for row in rows)))
    cells.append((words.word(_FIELDS, "reopen_window"), *(limit_text(row.reopen_window) for row in rows)))
    output.table(columns, cells)


def _listed(parts: Iterable[str]) -> str:
    return output.say("、", ", ").join(parts)


def _apart(parts: Iterable[str]) -> str:
    return output.say("；", "; ").join(parts)


def _steps(row: RuleRow) -> str:
    return _listed(f"{step.name} {limit_text(step.limit)}" for step in row.steps)


def _category(book: RuleBook, row: RuleRow, names: Mapping[str, str]) -> tuple[object, ...]:
    default = book.row(row.urgency, None)
    parts = [
        f"{clock(kind)} {limit_text(row.limits.get(kind))}"
        for kind in ClockKind
        if row.limits.get(kind) != default.limits.get(kind)
    ]
    if row.steps != default.steps:
        parts.append(f"{output.say('分步', 'steps')} {_steps(row) or '-'}")
    for name in ("extension", "reopen_window"):
        if getattr(row, name) != getattr(default, name):
            parts.append(f"{words.word(_FIELDS, name)} {limit_text(getattr(row, name))}")
    shown = f"{row.category} {names.get(row.category or '', '')}".strip()
    return shown, row.condition or "", words.word(words.URGENCY, row.urgency.value), _apart(parts)


def _draw_ladder(ladder: Iterable[Rung]) -> None:
    output.line("\n督办阶梯", "\nSupervision ladder")
    columns = [("名称", "name"), ("时点", "at"), ("动作", "action"), ("告知", "to"), ("适用", "clocks"), ("", "")]
    output.table(columns, [_rung(rung) for rung in ladder])


def _rung(rung: Rung) -> tuple[object, ...]:
    after = rung.after_due
    at = rung.at
    if rung.percent is None:
        later = output.say(f"后{after.chinese}", f" + {after}") if after else ""
        at = output.say("到期", "due") + later
    marks = []
    if rung.unless_replied:
        marks.append(words.word(_MARKS, "unless_replied"))
    if rung.level_up:
        marks.append(words.word(_MARKS, "level_up"))
    return (
        rung.name,
        at,
        words.word(_ACTIONS, rung.action.value),
        _listed(words.word(_AUDIENCES, each.value) for each in rung.to),
        _clocks(rung),
        _listed(marks),
    )


def _clocks(rung: Rung) -> str:
    """The clocks of a rung; where it has most of them, those it has not."""
    others = [kind for kind in ClockKind if not rung.stands_on(kind)]
    if not others:
        return output.say("全部", "all")
    if len(others) < len(rung.clocks):
        return output.say("除", "all but ") + _listed(map(clock, others)) + output.say("外全部", "")
    return _listed(map(clock, rung.clocks))


def _draw_rest(book: RuleBook) -> None:
    if book.channels:
        output.line("\n渠道", "\nChannels")
        rows = [
            (rule.channel, _apart(f"{clock(kind)} {limit_text(limit)}" for kind, limit in rule.limits.items()))
            for rule in book.channels
        ]
        output.table([("渠道", "channel"), ("时限", "limits")], rows)
    output.line("\n停表事由与最长时间", "\nReasons to stand still, and for how long at most")
    output.fields((*SUSPEND_REASON_NAMES[rule.reason], limit_text(rule.longest)) for rule in book.suspensions)
    output.line("\n常量", "\nSettings")
    output.fields((*_FIELDS[name], _setting(book, name)) for name in _FIELDS if _setting(book, name) is not None)


def _setting(book: RuleBook, name: str) -> object:
    if name == "name":
        return None
    holder, _, field = name.rpartition(".")
    value = getattr(getattr(book, holder) if holder else book, field, None)
    return limit_text(value) if isinstance(value, Limit) else None if value is None else str(value)


def draw_problems(problems: Iterable[RuleProblem]) -> None:
    """Problems or notes with their places."""
    columns = [
        ("文件", "file"),
        ("工作表", "sheet"),
        ("行", "row"),
        ("列", "column"),
        ("栏", "field"),
        ("值", "value"),
    ]
    rows = [
        ((each.where.file, each.where.sheet, each.where.row, each.where.column, each.field, each.value), each)
        for each in problems
    ]
    draw_explained(columns, rows, what=("说明", "what"))


def draw_changes(found: Sequence[RuleChange], most: int = 60) -> None:
    """The first differences between two books, and how many more there are; a whole row that came or went is one."""
    columns = [("", ""), ("部分", "part"), ("哪一条", "which"), ("内容", "what"), ("原", "before"), ("新", "after")]
    rows = [
        (words.word(_CHANGES, each[0].change), words.word(_PARTS, each[0].part), _key(each[0]), *_told(each))
        for each in _together(found)
    ]
    output.table(columns, rows[:most])
    if len(rows) > most:
        output.line(f"另有 {len(rows) - most} 处；全部见 --json。", f"{len(rows) - most} more: see --json.")


def _together(found: Iterable[RuleChange]) -> Iterator[tuple[RuleChange, ...]]:
    for (change, _, _), same in groupby(found, lambda each: (each.change, each.part, each.key)):
        together = tuple(same)
        yield from ((each,) for each in together) if change == "changed" else (together,)


def _told(changes: Sequence[RuleChange]) -> tuple[str, str, str]:
    """What changed, and its text before and after; several together in one cell."""
    if len(changes) == 1:
        return _what(changes[0].field), _said(changes[0].before), _said(changes[0].after)
    before, after = (
        _apart(
            f"{_what('step' if each.field.startswith('step.') else each.field)} {_said(text)}"
            for each in changes
            if (text := getattr(each, side)) is not None
        )
        for side in ("before", "after")
    )
    return "", before or "-", after or "-"


def _key(change: RuleChange) -> str:
    """Which row, rung or reason: codes that have a word are told by it."""
    if change.part == "suspensions":
        return words.word(words.SUSPEND, change.key)
    first, _, rest = change.key.partition(" ")
    return f"{words.word(words.URGENCY, first)} {rest}".strip() if change.part == "rows" else change.key


def _what(field: str) -> str:
    if field in list(ClockKind):
        return clock(ClockKind(field))
    kind, _, code = field.partition(".")
    return f"{output.say('分步', 'step')} {code}".strip() if kind == "step" else words.word(_FIELDS, field)


def _said(text: str | None) -> str:
    """A value of a book in the reader's words; names and what has no word stay as they are."""
    if text is None:
        return "-"
    return " ".join(_listed(map(_word, each.split(","))) for each in text.split(" "))


def _word(code: str) -> str:
    if code.startswith("due"):
        after = code.removeprefix("due").removeprefix("+")
        return output.say("到期", "due") + (output.say(f"后{_word(after)}", f" + {after}") if after else "")
    if _LIMIT.fullmatch(code):
        return limit_text(limit(code))
    if code in list(ClockKind):
        return clock(ClockKind(code))
    known = next((each for each in (_ACTIONS, _AUDIENCES, _MARKS) if code in each), None)
    return words.word(known, code) if known else code
