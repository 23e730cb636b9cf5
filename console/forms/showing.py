"""A form as a page shows it: an offer, what was written before, and why it came back.

Owns the way from an offer to fields with options, limits and values; the template ``acts/_form.html`` draws them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

from console import output, words
from console.confirming import FIELD
from console.forms.fields import ActForm, Asked, Widget, form_of
from console.forms.models import bounds, field_of, is_required, longest
from console.forms.reading import ACTING_AS, PASSWORD, SEEN, VARIANT, Sent
from domain.errors import Refusal
from domain.limits import Limit, Unit, limit
from domain.offers import Choice, Offer
from domain.people import Actor
from domain.registry import Registry
from domain.zone import OFFICE_ZONE

_FEW = 6
"""As many choices as a thumb can overlook; more of them are a list."""

_UNITS = ((Unit.HOUR, "小时", "hours"), (Unit.DAY, "天", "days"), (Unit.WORKING_HOUR, "工作时", "working hours"),
          (Unit.WORKING_DAY, "工作日", "working days"))  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One thing that can be chosen."""

    code: str
    text: str
    under: str = ""
    group: str = ""


@dataclass(frozen=True)
class ShownField:
    """One field ready to be drawn."""

    name: str
    id: str
    widget: str
    label: str
    hint: str
    required: bool
    options: tuple[Option, ...] = ()
    values: tuple[str, ...] = ()
    maxlength: int | None = None
    least: str | None = None
    most: str | None = None
    unit: str = ""
    unit_code: str = ""
    units: tuple[Option, ...] = ()
    kept: tuple[str, ...] = ()
    refusal: Refusal | None = None

    @property
    def value(self) -> str:
        """The one value."""
        return self.values[-1] if self.values else ""

    @property
    def picks(self) -> list[tuple[str, str, str]]:
        """The options as cards show them."""
        return [(each.code, each.text, each.under) for each in self.options]


@dataclass(frozen=True)
class ShownForm:
    """One form ready to be drawn; ``refusal`` stands above it, and at a field where it names one."""

    name: str
    kind: str
    title: str
    button: str
    says: str
    tone: str
    action: str
    fields: tuple[ShownField, ...]
    hidden: tuple[tuple[str, str], ...]
    actors: tuple[Option, ...]
    acting_as: str
    as_role: str
    several_roles: bool
    is_due: bool
    command_id: str | None = None
    refusal: Refusal | None = None
    confirms: bool = False

    @property
    def actor_picks(self) -> list[tuple[str, str, str]]:
        """The roles to choose from as cards show them."""
        return [(each.code, each.text, each.under) for each in self.actors]

    @property
    def password_refusal(self) -> Refusal | None:
        """The refusal under the name of the field for the password, where it is about that."""
        about = self.refusal is not None and self.refusal.field == FIELD
        return self.refusal.model_copy(update={"field": PASSWORD}) if self.refusal is not None and about else None

    @property
    def has_files(self) -> bool:
        """Whether something can be uploaded."""
        return any(each.widget in (Widget.FILES, Widget.FILE) for each in self.fields)


def place_of(actor: Actor) -> str:
    """The role and its place as one word: ``grid_worker@G01``."""
    place = actor.grid or actor.organisation
    return f"{actor.role.value}@{place}" if place else actor.role.value


def role_words(actor: Actor, registry: Registry) -> str:
    """The role and its place for people: 网格员（东塘一网格）."""
    grid = registry.grid(actor.grid) if actor.grid else None
    unit = registry.organisation(actor.organisation) if actor.organisation else None
    place = grid.name if grid else unit.name if unit else actor.grid or actor.organisation
    name = words.role(actor.role.value)
    return output.say(f"{name}（{place}）", f"{name} ({place})") if place else name


def show(
    offers: Sequence[Offer],
    registry: Registry,
    *,
    action: str,
    seen: int | None = None,
    given: Sent | None = None,
    refusal: Refusal | None = None,
    held: int = 1,
    onward: str | None = None,
    confirms: bool = False,
) -> ShownForm:
    """The form of one way to act; ``offers`` are those of this way, one for each role that has it.

    ``action`` is where it is sent, ``seen`` the last event its reader knows of, ``held`` how many roles the person
    has in all, ``confirms`` whether the password is asked for again. With ``given`` it shows again what was written,
    with ``refusal`` why.
    """
    offer = _chosen(offers, given)
    form = form_of(offer.name)
    hidden = [("=" + name, _text(value)) for name, value in offer.settled.items()]
    if offer.variant:
        hidden.append((VARIANT, offer.variant))
    if seen is not None:
        hidden.append((SEEN, str(seen)))
    if onward:
        hidden.append(("_next", onward))
    several = len(offers) > 1
    if not several:
        hidden.append((ACTING_AS, place_of(offer.actor)))
    fields = tuple(
        _field(offer, each, given, refusal) for each in form.asked if each.name.partition(".")[0] not in offer.shut
    )
    return ShownForm(
        name=offer.name,
        kind=offer.kind,
        title=output.say(*form.title),
        button=output.say(*form.button),
        says=output.say(*form.says) if form.says else "",
        tone=form.tone,
        action=action,
        fields=tuple(each for each in fields if each is not None),
        hidden=tuple(hidden),
        actors=tuple(Option(place_of(each.actor), role_words(each.actor, registry)) for each in offers)
        if several
        else (),
        acting_as=place_of(offer.actor),
        as_role=role_words(offer.actor, registry),
        several_roles=held > 1,
        is_due=any(each.task is not None for each in offers),
        command_id=given.command_id if given else None,
        refusal=refusal,
        confirms=confirms,
    )


def _chosen(offers: Sequence[Offer], given: Sent | None) -> Offer:
    if given is not None and given.acting_as:
        return next((each for each in offers if place_of(each.actor) == given.acting_as), offers[0])
    return offers[0]


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _field(offer: Offer, asked: Asked, given: Sent | None, refusal: Refusal | None) -> ShownField | None:
    choices = offer.choices.get(asked.name)
    needed = asked.name in offer.needed or is_required(offer.kind, asked.name)
    if choices == () and not needed:
        return None  # nothing to choose from, and nothing is missing without it
    widget, options = _options(asked, choices)
    begins = asked.name in offer.suggested and asked.widget in (Widget.CHOICE, Widget.CARDS)
    if widget == "cards" and not needed and not begins:
        # One of several cards cannot be given back otherwise.
        options = (Option("", output.say("不选", "none")), *options)
    least, most = _bounds(offer, asked)
    unit, code = _unit(offer, asked)
    return ShownField(
        name=asked.key,
        id=f"{offer.name}-{asked.key}".replace(":", "-").replace(".", "-").replace("_", "-"),
        widget=widget,
        label=output.say(*asked.label),
        hint=_hint(offer, asked),
        required=(needed or begins) and asked.widget is not Widget.FLAG,
        options=options,
        values=_values(offer, asked, given, options, needed),
        maxlength=_maxlength(offer, asked),
        least=least,
        most=most,
        unit=unit,
        unit_code=code or _last(given, f"{asked.key}.unit"),
        units=units() if asked.widget is Widget.LENGTH and not code else (),
        kept=given.kept.get(asked.key, ()) if given else (),
        refusal=_at_field(form_of(offer.name), asked, refusal),
    )


def _last(given: Sent | None, key: str) -> str:
    values = given.written.get(key, ()) if given else ()
    return values[-1] if values else ""


def _at_field(form: ActForm, asked: Asked, refusal: Refusal | None) -> Refusal | None:
    """The refusal under the name the field has in the form, where it is about this field."""
    about = refusal.field if refusal is not None else None
    if refusal is None or about is None:
        return None
    if any(about == each.key for each in form.asked):
        mine = about == asked.key
    else:
        mine = about == asked.name or about.startswith(f"{asked.name}.")
    return refusal.model_copy(update={"field": asked.key}) if mine else None


def _options(asked: Asked, choices: tuple[Choice, ...] | None) -> tuple[str, tuple[Option, ...]]:
    if asked.widget is Widget.TRUTH and asked.truth is not None:
        yes, no = asked.truth
        return "cards", (Option("true", output.say(*yes)), Option("false", output.say(*no)))
    if asked.widget not in (Widget.CHOICE, Widget.CARDS, Widget.CHOICES):
        return asked.widget.value, ()
    found = tuple(_option(asked, each) for each in choices) if choices is not None else ()
    found = _told_apart(found)
    if choices is None:
        found = tuple(Option(code, output.say(*names)) for code, names in asked.names.items())
    if asked.widget is Widget.CHOICE and len(found) <= _FEW and not any(each.group for each in found):
        return "cards", found
    return asked.widget.value, found


def _told_apart(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """The options, with their codes where two are called the same."""
    texts = [each.text for each in options]
    return tuple(
        replace(each, under=each.under or each.code) if texts.count(each.text) > 1 else each for each in options
    )


def _option(asked: Asked, choice: Choice) -> Option:
    under = ""
    if choice.until is not None:
        until = output.local(choice.until)
        under = output.say(f"最晚到 {until}", f"until {until} at the latest")
    if asked.name == "order":
        name = output.say(f"第 {choice.code} 号 {choice.name or ''}", f"No. {choice.code} {choice.name or ''}").strip()
        under = output.say(f"回复截止 {output.local(choice.until)}", f"reply by {output.local(choice.until)}")
        return Option(choice.code, name, under if choice.until else "")
    name = choice.name or words.word(asked.names, choice.code)
    return Option(choice.code, name, under, choice.group or "")


def _hint(offer: Offer, asked: Asked) -> str:
    said = output.say(*asked.hint) if asked.hint else ""
    if asked.widget is Widget.LENGTH and offer.longest is not None:
        most = output.say(offer.longest.chinese, str(offer.longest))
        return output.say(f"最长 {most}。{said}", f"{most} at most. {said}").strip()
    if asked.widget is Widget.DAYS and offer.latest is not None:
        latest = output.local(offer.latest)
        return output.say(f"{said}相邻两次间隔不能太久，第一次最晚 {latest}。", f"{said} The first by {latest}.")
    return said


def _maxlength(offer: Offer, asked: Asked) -> int | None:
    if asked.widget not in (Widget.TEXT, Widget.LINE):
        return None
    return longest(offer.kind, asked.name)


def _bounds(offer: Offer, asked: Asked) -> tuple[str | None, str | None]:
    match asked.widget:
        case Widget.NUMBER:
            least, most = bounds(offer.kind, asked.name)
            return (None if least is None else str(least)), (None if most is None else str(most))
        case Widget.MONEY:
            return "0", None
        case Widget.LENGTH:
            return "1", str(offer.longest.amount) if offer.longest else None
        case Widget.MOMENT if offer.latest is not None:
            return None, f"{offer.latest.astimezone(OFFICE_ZONE):%Y-%m-%dT%H:%M}"
        case Widget.DAYS if offer.latest is not None:
            last = offer.latest.astimezone(OFFICE_ZONE)
            return None, f"{(last if last.time() >= time(9) else last - timedelta(days=1)):%Y-%m-%d}"
    return None, None


def _unit(offer: Offer, asked: Asked) -> tuple[str, str]:
    if asked.widget is Widget.LENGTH and offer.longest is not None:
        return _unit_words(offer.longest), offer.longest.unit.value
    return (output.say(*asked.unit), "") if asked.unit else ("", "")


def _unit_words(length: Limit) -> str:
    return output.say(length.chinese.removeprefix(str(length.amount)), length.unit.value)


def units() -> tuple[Option, ...]:
    """The units in which a length may be written where no rule says which."""
    return tuple(Option(unit.value, output.say(zh, en)) for unit, zh, en in _UNITS)


def _values(
    offer: Offer, asked: Asked, given: Sent | None, options: tuple[Option, ...], needed: bool
) -> tuple[str, ...]:
    if given is not None:
        written = tuple(given.written.get(asked.key, ()))
        return written if asked.widget is not Widget.LENGTH else (*written[-1:],)
    suggested = offer.suggested.get(asked.name)
    if suggested is not None:
        text = _text(suggested)
        return (str(limit(text).amount),) if asked.widget is Widget.LENGTH else (text,)
    if needed and len(options) == 1:
        return (options[0].code,)
    if options and options[0].code == "":
        return ("",)
    # What a model has a default for begins with it, for instance no vehicles.
    default = field_of(offer.kind, asked.name).default if asked.widget in (Widget.NUMBER, Widget.MONEY) else None
    return (str(default),) if isinstance(default, int) else ()


def only_changes(offer: Offer, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The command without what it would leave as it is, for forms that begin with what is recorded."""
    if not form_of(offer.name).only_changes:
        return dict(raw)
    return {name: value for name, value in raw.items() if offer.suggested.get(name) != value or name == "kind"}


def moment_field(at: datetime) -> str:
    """An instant as a field for date and time takes it, in office time."""
    return f"{at.astimezone(OFFICE_ZONE):%Y-%m-%dT%H:%M}"
