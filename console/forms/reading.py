"""From a sent form to a command as a program would send it.

Owns the way from fields to values. Decides nothing: what is missing or wrong the command's model and the rules
say; only what cannot be turned into a value at all is refused here, at its field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from starlette.datastructures import FormData

from console.files.keeping import keep_uploads, kept_before
from console.forms.fields import Asked, Widget, form_of
from console.forms.models import is_truth
from console.http.rendering import COMMAND_ID_FIELD
from domain.errors import Refused
from domain.limits import Unit
from domain.zone import OFFICE_ZONE

VARIANT, ACTING_AS, SEEN, NEXT = "_variant", "_as", "_seen", "_next"
"""Names of fields every form carries: the way, the role, the last event that was seen, and where to go afterwards."""
PASSWORD = "_password"
"""The field in which a signer gives the password again; it is never shown, kept or sent on."""

_OFFICE_OPENS = time(9)
_MOST_DAYS = 24


class Sender(Protocol):
    """Who sent the form."""

    @property
    def person(self) -> str: ...  # noqa: D102
    @property
    def office(self) -> Any: ...  # noqa: D102


@dataclass
class Sent:
    """A form as it was sent: ``written`` by field, for showing it again; ``kept`` the files that were uploaded."""

    kind: str
    variant: str
    written: Mapping[str, list[str]]
    command_id: str | None
    acting_as: str | None
    seen: int | None
    onward: str | None
    password: str = field(default="", repr=False)
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the way: kind and variant."""
        return f"{self.kind}:{self.variant}" if self.variant else self.kind


def sent(form: FormData, kind: str) -> Sent:
    """What was sent, before anything in it is looked at."""
    written = {name: [each for each in form.getlist(name) if isinstance(each, str)] for name in form}
    password = (written.pop(PASSWORD, None) or [""])[-1]
    last = {name: values[-1].strip() for name, values in written.items() if values and values[-1].strip()}
    seen = last.get(SEEN, "")
    onward = last.get(NEXT, "")
    return Sent(
        kind=kind,
        variant=last.get(VARIANT, ""),
        written=written,
        command_id=last.get(COMMAND_ID_FIELD),
        acting_as=last.get(ACTING_AS),
        seen=int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else None,
        onward=onward if onward.startswith("/") and not onward.startswith(("//", "/\\")) else None,
        password=password[:1024],
    )


async def read(form: FormData, given: Sent, sender: Sender) -> dict[str, Any]:
    """The command in a sent form, with its photographs kept. ``given.kept`` is filled on the way, also when it fails.

    Raises ``Refused``: ``request.not_found`` for an act there is not, ``field.invalid``, and what is wrong with a file.
    """
    try:
        asked = form_of(given.name).asked
    except KeyError:
        raise Refused("request.not_found") from None
    raw: dict[str, Any] = {"kind": given.kind}
    _settled(given, asked, raw)
    for each in asked:
        if each.widget in (Widget.FILES, Widget.FILE):
            await _files(form, given, sender, each, raw)
            continue
        value = value_of(each, given.written)
        if value is not None:
            _put(raw, each.name, value)
    return raw


def _settled(given: Sent, asked: Sequence[Asked], raw: dict[str, Any]) -> None:
    """What the offer had settled comes back in fields with ``=`` before their name."""
    for name, values in given.written.items():
        path = name.removeprefix("=")
        if path == name or path in {each.name for each in asked} or not values:
            continue
        try:
            truth = is_truth(given.kind, path)
        except KeyError:
            raise Refused("field.unknown", field=path[:64]) from None
        raw[path] = values[-1] == "true" if truth else values[-1]


def _put(raw: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        raw = raw.setdefault(name, {})
    raw[last] = value


def value_of(asked: Asked, written: Mapping[str, list[str]]) -> Any:
    """The value of one field as the command takes it; None for what was left empty. Raises ``Refused``."""
    values = [each.strip() for each in written.get(asked.key, []) if each.strip()]
    match asked.widget:
        case Widget.CHOICES:
            return list(dict.fromkeys(values)) or None
        case Widget.DAYS:
            return [_day(asked, each) for each in values[:_MOST_DAYS]] or None
        case Widget.LENGTH:
            return _length(asked, values, written)
    if not values:
        return None
    one = values[-1]
    match asked.widget:
        case Widget.FLAG:
            return True
        case Widget.TRUTH:
            return one == "true"
        case Widget.NUMBER:
            return _number(asked, one)
        case Widget.MONEY:
            return _fen(asked, one)
        case Widget.MOMENT:
            return _moment(asked, one)
    return int(one) if asked.name == "order" and one.isascii() and one.isdigit() else one


def _wrong(asked: Asked, zh: str, en: str) -> Refused:
    return Refused("field.invalid", field=asked.key, reason=zh, reason_en=en)


def _number(asked: Asked, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise _wrong(asked, "应为整数", "should be a whole number")
    return int(text)


def _fen(asked: Asked, text: str) -> int:
    try:
        fen = Decimal(text) * 100
    except InvalidOperation:
        raise _wrong(asked, "应为金额，如 120 或 120.50", "should be an amount such as 120 or 120.50") from None
    if not fen.is_finite() or fen != fen.to_integral_value() or not 0 <= fen <= 10**13:
        raise _wrong(asked, "应为金额，如 120 或 120.50", "should be an amount such as 120 or 120.50")
    return int(fen)


def _length(asked: Asked, values: Sequence[str], written: Mapping[str, list[str]]) -> str | None:
    if not values:
        return None
    unit = (written.get(f"{asked.key}.unit") or [""])[-1]
    number = _number(asked, values[-1])
    if unit not in set(Unit) or not 1 <= number <= 99_999:
        raise _wrong(asked, "应为不小于 1 的整数", "should be a whole number of at least 1")
    return f"{number}{unit}"


def _moment(asked: Asked, text: str) -> str:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(asked, "应为时间，如 2026-11-25T10:00", "should be a time such as 2026-11-25T10:00") from None
    # A clerk's clock is the office's, whatever the machine in front of them is set to.
    return (found if found.tzinfo else found.replace(tzinfo=OFFICE_ZONE)).isoformat()


def _day(asked: Asked, text: str) -> str:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise _wrong(asked, "应为日期，如 2026-11-25", "should be a day such as 2026-11-25") from None
    return datetime.combine(found, _OFFICE_OPENS, OFFICE_ZONE).isoformat()


async def _files(form: FormData, given: Sent, sender: Sender, asked: Asked, raw: dict[str, Any]) -> None:
    office, key = sender.office, asked.key
    shows = asked.shows or (given.written.get(f"{asked.name}.kind") or ["document"])[-1]
    kept, chosen = given.written.get(f"{key}.kept", []), form.getlist(key)
    try:
        before = await kept_before(office, sender, kept, shows, field=key) if kept else ()
        uploads = await keep_uploads(office, sender, chosen, shows, field=key) if chosen else ()
    except ValueError:
        raise _wrong(asked, "请选择照片是什么", "say what the photo shows") from None
    found = {each.digest: each for each in (*before, *uploads)}
    given.kept[key] = tuple(found)
    if found and len(found) > office.files.most:
        raise Refused("file.too_many", field=key, limit=office.files.most)
    if asked.widget is Widget.FILE:
        if not found:
            raise Refused("evidence.missing", field=key, what=asked.label[0], what_en=asked.label[1])
        for each in found.values():
            raw[asked.name] = {**each.model_dump(mode="json", exclude_none=True), **raw.get(asked.name, {})}
        return
    for each in found.values():
        raw.setdefault(asked.name, []).append(each.model_dump(mode="json", exclude_none=True))
