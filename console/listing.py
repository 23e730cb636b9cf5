"""Lists of cases as people ask for them: a form's fields become a filter, codes become names.

Owns the fields of the form and the choices it offers. Must not know HTTP or templates, and never widens what the caller
reaches: the reach is applied by the query, and only narrows the choices here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from console import words
from console.output import language, say
from console.times import read_time
from domain.errors import Refused
from domain.process import World
from domain.registry import OrganisationKind, Registry
from domain.rights import Reach
from ledger.queries import WORDS_LIMIT, CaseFilter, Sort
from ledger.rows import CaseRow

CHOICES = 300
"""Most choices a field of the form offers; whoever needs another one searches by words."""

Pairs = list[tuple[str, str]]


def _text(value: object) -> object:
    return "" if value is None else value


Word = Annotated[str, BeforeValidator(_text), StringConstraints(strip_whitespace=True, max_length=64)]
Day = Annotated[str, BeforeValidator(_text), StringConstraints(strip_whitespace=True, max_length=32)]


class State(StrEnum):
    """Whether a case is still worked on."""

    OPEN = "open"
    CLOSED = "closed"


class Standing(StrEnum):
    """Why a case stands still."""

    SUSPENDED = "suspended"
    SHELVED = "shelved"
    BACKLOG = "backlog"


class Supervised(StrEnum):
    """What a supervisor has done with a case."""

    EITHER = "yes"
    UNANSWERED = "unanswered"
    RAISED = "raised"


Rungs = Mapping[str, tuple[str, ...]]
"""The codes of the rungs by what they do."""


def rungs_by_action(world: World) -> Rungs:
    """The rungs of all rule books by action: a case lives by the book of its day, whose codes may be others."""
    found: dict[str, dict[str, None]] = {}
    for book in world.rule_books.values():
        for rung in book.ladder:
            found.setdefault(rung.action.value, {})[rung.code] = None
    return {action: tuple(codes) for action, codes in found.items()}


class Asked(BaseModel):
    """The fields of the form as they come in an address; what is empty asks for nothing, unknown fields neither."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    q: Annotated[str, BeforeValidator(_text), StringConstraints(max_length=1000)] = ""
    stage: Word = ""
    mode: Word = ""
    urgency: Word = ""
    category: Word = ""
    light: Word = ""
    street: Word = ""
    community: Word = ""
    grid: Word = ""
    department: Word = ""
    handler: Word = ""
    state: Word = ""
    overdue: Word = ""
    supervised: Word = ""
    rung: Word = ""
    standing: Word = ""
    since: Day = Field(default="", alias="from")
    until: Day = Field(default="", alias="to")
    sort: Word = ""
    cursor: Annotated[str, BeforeValidator(_text), StringConstraints(max_length=400)] = ""

    @property
    def order(self) -> Sort:
        """The order asked for; the youngest first where nothing else is."""
        return Sort.DUE if self.sort == Sort.DUE else Sort.REGISTERED

    @property
    def narrowed(self) -> int:
        """How many fields beside the words are filled in."""
        return len(self.fields().keys() - {"q", "sort"})

    def fields(self) -> dict[str, str]:
        """What was filled in, without the place in the list."""
        given = ((alias, getattr(self, name).strip()) for name, alias in _ALIASES)
        return {alias: value for alias, value in given if value}

    def address(self, path: str, **changes: str | None) -> str:
        """``path`` with what was filled in and ``changes`` to it, as part of an address."""
        fields = {name: value for name, value in {**self.fields(), **changes}.items() if value}
        return f"{path}?{urlencode(fields)}" if fields else path

    def filter(self, rungs: Rungs) -> CaseFilter:
        """The filter these fields mean; ``rungs`` as ``rungs_by_action`` gives them.

        Raises ``Refused``: ``search.too_long``, ``field.invalid`` for a day that is none.
        """
        if len(self.q.strip()) > WORDS_LIMIT:
            raise Refused("search.too_long", field="q", limit=WORDS_LIMIT)
        return CaseFilter(
            q=self.q.strip() or None,
            stages=(self.stage,) if self.stage else (),
            **{name: getattr(self, name) or None for name in _SAME},
            overdue=True if self.overdue == "yes" else None,
            supervised=True if self.supervised == Supervised.EITHER else None,
            unanswered=True if self.supervised == Supervised.UNANSWERED else None,
            raised=True if self.supervised == Supervised.RAISED else None,
            rungs=rungs.get(self.rung, ()) if self.rung else None,
            suspended=True if self.standing == Standing.SUSPENDED else None,
            shelved=True if self.standing == Standing.SHELVED else None,
            backlog=True if self.standing == Standing.BACKLOG else None,
            finished=None if not self.state else self.state == State.CLOSED,
            registered_from=_day(self.since, "from"),
            registered_to=_day(self.until, "to", after=True),
        )

    def sentence(self, registry: Registry) -> str:
        """What was asked for in words, for the head of an export."""
        shown = [f"{name}：{_shown(field, value, registry)}" for field, name, value in self._named() if value]
        return "；".join(shown) or say("全部", "all")

    def _named(self) -> Iterable[tuple[str, str, str]]:
        given = self.fields()
        return ((field, say(*names), given.get(field, "")) for field, names in _FIELDS.items())


_ALIASES = tuple((name, each.alias or name) for name, each in Asked.model_fields.items() if name != "cursor")

_SAME = ("mode", "urgency", "category", "light", "street", "community", "grid", "department", "handler")

_FIELDS: Mapping[str, tuple[str, str]] = {
    "q": ("关键词", "words"),
    "stage": ("阶段", "stage"),
    "mode": ("办理方式", "mode"),
    "urgency": ("紧急程度", "urgency"),
    "category": ("类别", "category"),
    "light": ("灯", "light"),
    "street": ("街道", "street"),
    "community": ("社区", "community"),
    "grid": ("网格", "grid"),
    "department": ("部门", "department"),
    "handler": ("经办人", "handler"),
    "state": ("状态", "state"),
    "overdue": ("曾经超期", "was overdue"),
    "supervised": ("督办", "supervised"),
    "rung": ("督办阶梯已到", "rung reached"),
    "standing": ("停表与挂账", "standing still"),
    "from": ("登记起", "from"),
    "to": ("登记止", "to"),
}
_STATES: words.Words = {"open": ("在办", "open"), "closed": ("已办结归档", "closed")}
_STANDINGS: words.Words = {
    "suspended": ("停表", "suspended"),
    "shelved": ("挂账", "shelved"),
    "backlog": ("积存", "backlog"),
}
_SUPERVISED: words.Words = {
    "yes": ("督办未复或已提级", "order unanswered or level raised"),
    "unanswered": ("督办未复", "order unanswered"),
    "raised": ("已提级", "level raised"),
}
_RUNGS: words.Words = {
    "urge": ("催办通知书", "written urging"),
    "circular": ("通报", "circular"),
    "interview": ("约谈", "interview"),
}
_WORDS: Mapping[str, words.Words] = {
    "stage": words.STAGE,
    "mode": words.MODE,
    "urgency": words.URGENCY,
    "light": words.LIGHT,
    "state": _STATES,
    "standing": _STANDINGS,
    "supervised": _SUPERVISED,
    "rung": _RUNGS,
}


def _shown(field: str, value: str, registry: Registry) -> str:
    if field in _WORDS:
        return words.word(_WORDS[field], value)
    if field == "overdue":
        return say("是", "yes")
    names = {"category": category_name, "grid": grid_name}
    if field in ("street", "community", "department"):
        return organisation_name(registry, value) or value
    return (names[field](registry, value) or value) if field in names else value


def _day(text: str, field: str, *, after: bool = False) -> Any:
    """The beginning of a day of the office; the end of it with ``after``."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return read_time((day + timedelta(days=1) if after else day).isoformat(), field)
    except (ValueError, OverflowError):
        raise Refused(
            "field.invalid", field=field, reason="日期写作 2026-11-27", reason_en="a day is written 2026-11-27"
        ) from None


# --- choices ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Choices:
    """What the form offers for each field that chooses: pairs of a code and its name. Each is equal to itself alone."""

    stage: Pairs
    mode: Pairs
    urgency: Pairs
    light: Pairs
    state: Pairs
    standing: Pairs
    supervised: Pairs
    rung: Pairs
    street: Pairs
    community: Pairs
    grid: Pairs
    department: Pairs
    category: Pairs


def choices(registry: Registry, reach: Reach, today: date) -> Choices:
    """What the form offers, the same object as long as registry, reach, day and language are the same.

    Places that the reach does not touch are left out; whoever reaches by departments only sees all places, for their
    cases may lie anywhere.
    """
    key = (reach, today, language())
    known = _kept.of(registry)
    if key not in known:
        known[key] = _choices(registry, reach, today)
    return known[key]


class _Kept:
    """Choices worked out for the registry in force; another registry begins anew. A few hundred reaches at most."""

    def __init__(self) -> None:
        self._registry: Registry | None = None
        self._found: dict[tuple[Reach, date, str], Choices] = {}

    def of(self, registry: Registry) -> dict[tuple[Reach, date, str], Choices]:
        """What was worked out for this very registry."""
        if self._registry is not registry or len(self._found) > _REACHES_KEPT:
            self._registry, self._found = registry, {}
        return self._found


_REACHES_KEPT = 500
_kept = _Kept()


def _choices(registry: Registry, reach: Reach, today: date) -> Choices:
    everywhere = reach.everything or bool(reach.departments)
    found: dict[str, Pairs] = {
        field: [(code, say(*names)) for code, names in table.items()] for field, table in _WORDS.items()
    }
    kinds = {
        "street": (OrganisationKind.STREET,),
        "community": (OrganisationKind.COMMUNITY,),
        "department": (OrganisationKind.DEPARTMENT, OrganisationKind.PARTNER),
    }
    for field, wanted in kinds.items():
        found[field] = [
            (each.code, each.name)
            for each in registry.organisations
            if each.kind in wanted
            and each.valid(today)
            and (everywhere or field == "department" or _touches(reach, each.code, registry, today))
        ][:CHOICES]
    found["grid"] = [
        (each.code, each.name)
        for each in registry.grids
        if each.valid(today)
        and (everywhere or each.code in reach.grids or _touches(reach, each.community, registry, today))
    ][:CHOICES]
    found["category"] = [(each.code, each.name) for each in registry.categories if each.valid(today)][:CHOICES]
    return Choices(**found)


def _touches(reach: Reach, code: str, registry: Registry, today: date) -> bool:
    """Whether the organisation lies in the reach, or a place of the reach in it."""
    above = {code, *(each.code for each in registry.ancestors(code, today))}
    if above & (reach.streets | reach.communities):
        return True
    places = (registry.place_of(grid, today) or () for grid in reach.grids)
    inside = {place for each in places for place in each}
    inside |= {each.code for community in reach.communities for each in registry.ancestors(community, today)}
    return code in inside


# --- names --------------------------------------------------------------------------------------------------------


def organisation_name(registry: Registry, code: str | None) -> str:
    """What an organisation is called; its code where the registry does not know it, nothing for none."""
    known = registry.organisation(code) if code else None
    return known.name if known else code or ""


def grid_name(registry: Registry, code: str | None) -> str:
    """What a grid is called."""
    known = registry.grid(code) if code else None
    return known.name if known else code or ""


def category_name(registry: Registry, code: str | None) -> str:
    """What a category is called."""
    known = registry.category(code) if code else None
    return known.name if known else code or ""


def person_name(registry: Registry, code: str | None) -> str:
    """What a member of staff is called."""
    known = registry.person(code) if code else None
    return known.name if known else code or ""


class Named:
    """A row of a list with everything on it called by its name."""

    def __init__(self, row: CaseRow, registry: Registry) -> None:
        self.row = row
        self.title = row.title or say("（无标题）", "(untitled)")
        self.number = row.id.removeprefix("case-")[:8]
        self.place = grid_name(registry, row.grid) or organisation_name(registry, row.community)
        self.community = organisation_name(registry, row.community)
        self.street = organisation_name(registry, row.street)
        self.category = category_name(registry, row.category)
        self.lead = organisation_name(registry, row.lead)
        self.helpers = [organisation_name(registry, code) for code in row.departments if code != row.lead]


def named(rows: Iterable[CaseRow], registry: Registry) -> list[Named]:
    """The rows called by name, in their order."""
    return [Named(row, registry) for row in rows]
