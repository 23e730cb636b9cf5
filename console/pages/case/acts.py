"""The acts a person is offered on a case, as its page shows them.

Owns which roles may act here and the order on the page; what is possible the rules say (``domain.case.offers``), what
a form looks like ``console.forms``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from console import output
from console.confirming import is_asked
from console.forms.fields import form_of, names_of
from console.forms.reading import Sent
from console.forms.showing import ShownForm, show
from console.http.caller import Caller
from console.pages.case.opened import Opened
from domain.case.offers import menu
from domain.errors import Refusal
from domain.offers import Offer, Withheld
from domain.people import Actor
from domain.rights import ACTS, act, granted, reach_of

_ANYTIME = ("comment", "attach", "correct", "withdraw", "decline", "adopt_rules", "shelve", "suspend")
"""What stands behind a disclosure: possible at most times and seldom what somebody came for."""


class Way(NamedTuple):
    """A way to act that has a page of its own."""

    name: str
    title: str
    says: str
    address: str
    tone: str


class Reason(NamedTuple):
    """An act that is not possible now, and why."""

    title: str
    refusal: Refusal


@dataclass(frozen=True)
class Acts:
    """What a page offers: the likeliest act as a form, further likely ones, the rest, and why others are not there."""

    first: ShownForm | None
    likely: list[Way]
    rest: list[Way]
    reasons: list[Reason]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is offered."""
        return self.first is None and not self.likely and not self.rest


def roles_here(caller: Caller, case: Opened) -> tuple[Actor, ...]:
    """The roles of the caller that reach the case."""
    return tuple(each for each in caller.holds if reach_of(each, case.registry).covers(case.row))


def offered(caller: Caller, case: Opened, now: datetime, kinds: Iterable[str] = ACTS) -> tuple[Offer, ...]:
    """The offers to the caller: what the matrix grants a role that reaches the case, and the rules accept."""
    return _menu(caller, case, now, kinds)[0]


def _menu(
    caller: Caller, case: Opened, now: datetime, kinds: Iterable[str]
) -> tuple[tuple[Offer, ...], tuple[Withheld, ...]]:
    held, matrix = roles_here(caller, case), caller.office.matrix
    roles = {kind: granted(caller.subject, act(kind), matrix) for kind in kinds}
    wanted = {kind for kind, some in roles.items() if any(each in some for each in held)}
    found = menu(case.state, held, now, case.world, wanted)
    offers = tuple(each for each in found.offers if each.actor in roles[each.kind])
    withheld = tuple(each for each in found.withheld if each.actor in roles[each.kind])
    return offers, withheld


def acts_of(caller: Caller, case: Opened, now: datetime) -> Acts:
    """Everything the caller may do on the page, and why not what else belongs to their roles."""
    given, withheld = _menu(caller, case, now, ACTS)
    by_name: dict[str, list[Offer]] = {}
    for each in given:
        by_name.setdefault(each.name, []).append(each)
    due = [name for name, offers in by_name.items() if any(each.task for each in offers)]
    first = _form(caller, case, by_name[due[0]]) if due else None
    others = [name for name in by_name if not due or name != due[0]]
    likely = [_way(case, name) for name in others if name.partition(":")[0] not in _ANYTIME or name in due]
    rest = [_way(case, name) for name in others if name.partition(":")[0] in _ANYTIME and name not in due]
    return Acts(first, likely, rest, _reasons(withheld))


def _reasons(withheld: Sequence[Withheld]) -> list[Reason]:
    found = []
    for kind, some in groupby(sorted(withheld, key=lambda each: each.kind), key=lambda each: each.kind):
        names = names_of(kind)
        if kind == "adopt_rules" or not names:
            continue  # rules reach cases by their own page
        found.append(Reason(output.say(*_title(kind)), next(some).refusal))
    return found


def _title(kind: str) -> tuple[str, str]:
    titles = {
        "arbitrate": ("仲裁退单", "Arbitrate"), "decide_extension": ("审批延期", "Decide on more time"),
        "verify": ("核查", "Check"), "feed_back": ("反馈", "Tell the result"), "visit": ("回访", "Visit"),
    }  # fmt: skip
    return titles.get(kind) or form_of(names_of(kind)[0]).title


def address_of(stream: str, name: str) -> str:
    """Where the form of a way to act has its own page."""
    kind, _, variant = name.partition(":")
    return f"/cases/{stream}/acts/{kind}" + (f"?variant={variant}" if variant else "")


def _way(case: Opened, name: str) -> Way:
    form = form_of(name)
    return Way(
        name=name,
        title=output.say(*form.title),
        says=output.say(*form.says) if form.says else "",
        address=address_of(case.stream, name),
        tone=form.tone,
    )


def _form(
    caller: Caller, case: Opened, offers: Sequence[Offer], given: Sent | None = None, refusal: Refusal | None = None
) -> ShownForm:
    return show(
        offers,
        case.registry,
        action=f"/cases/{case.stream}/acts/{offers[0].kind}",
        seen=case.seq,
        given=given,
        refusal=refusal,
        held=len(caller.holds),
        onward=given.onward if given else None,
        confirms=is_asked(caller.office.settings, offers[0].kind),
    )


def form_for(
    caller: Caller,
    case: Opened,
    name: str,
    now: datetime,
    *,
    given: Sent | None = None,
    refusal: Refusal | None = None,
) -> ShownForm | None:
    """The form of one way to act; None when it is not offered to the caller now."""
    found = [each for each in offered(caller, case, now, (name.partition(":")[0],)) if each.name == name]
    return _form(caller, case, found, given, refusal) if found else None


def why_not(caller: Caller, case: Opened, kind: str, now: datetime) -> Refusal | None:
    """Why an act is not offered to the caller now; None when it is, or when no role of theirs knows the act."""
    _, withheld = _menu(caller, case, now, (kind,))
    return withheld[0].refusal if withheld else None
