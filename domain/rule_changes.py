"""What a new rule book says that the old one did not, for people to look at before or after."""

from collections.abc import Iterable, Mapping

from domain.base import Frozen
from domain.ladder import Rung
from domain.rules import RuleBook, RuleRow


class RuleChange(Frozen):
    """One difference. ``part``: rows, ladder, channels, suspensions or settings; ``key``: which of them, empty for
    settings; ``field``: what of it; ``before`` and ``after`` as text, None where there is nothing."""

    part: str
    key: str
    field: str
    before: str | None
    after: str | None

    @property
    def change(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def rule_changes(before: RuleBook | None, after: RuleBook) -> tuple[RuleChange, ...]:
    """Every difference between two books but their versions; against None everything is new."""
    old, new = {} if before is None else _said(before), _said(after)
    keys = [*new, *(key for key in old if key not in new)]
    return tuple(
        RuleChange(
            part=part, key=key, field=field, before=old.get((part, key, field)), after=new.get((part, key, field))
        )
        for part, key, field in keys
        if old.get((part, key, field)) != new.get((part, key, field))
    )


_Said = dict[tuple[str, str, str], str]


def _said(book: RuleBook) -> _Said:
    """Everything a book says, one text for each field."""
    found: _Said = {}
    for row in book.rows:
        key = " ".join(part for part in (row.urgency.value, row.category, row.condition) if part)
        found |= {("rows", key, name): text for name, text in _row(row)}
    for rung in book.ladder:
        found["ladder", rung.code, ""] = _rung(rung)
    for rule in book.channels:
        found |= {("channels", rule.channel, kind.value): str(limit) for kind, limit in rule.limits.items()}
    for suspension in book.suspensions:
        found["suspensions", suspension.reason.value, ""] = str(suspension.longest)
    settings = book.model_dump(mode="json", exclude={"version", "rows", "ladder", "channels", "suspensions"})
    for name, value in settings.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        found |= {("settings", "", f"{name}.{part}" if part else name): str(each) for part, each in inner.items()}
    return found


def _row(row: RuleRow) -> Iterable[tuple[str, str]]:
    yield from ((kind.value, str(limit)) for kind, limit in row.limits.items())
    yield from ((f"step.{step.code}", f"{step.name} {step.limit}") for step in row.steps)
    if row.extension is not None:
        yield "extension", str(row.extension)
    yield "reopen_window", str(row.reopen_window)


def _rung(rung: Rung) -> str:
    marks = [name for name in ("unless_replied", "level_up") if getattr(rung, name)]
    parts = [rung.at, rung.action.value, ",".join(rung.to), ",".join(rung.clocks), *marks]
    return " ".join(part for part in parts if part)
