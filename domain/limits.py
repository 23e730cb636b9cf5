"""Limits as text: ``30m``, ``2h``, ``7d`` natural; ``4wh`` working hours; ``5wd`` and ``5wd/min`` working days.

Owns the one notation in which rule books, events and pages write a length of time, and what it means in natural
time; also how offices write limits in tables that are imported. Working units are written and kept here; counting them
needs a calendar and is done by ``domain.calendar``.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.base import Frozen
from domain.errors import Refused
from domain.text import normalise


class Unit(StrEnum):
    """Units that are never mixed: natural, working hours of 60 working minutes, working days in two lawful modes."""

    SECOND = "s"
    MINUTE = "m"
    HOUR = "h"
    DAY = "d"
    WORKING_HOUR = "wh"
    WORKING_DAY = "wd"
    WORKING_DAY_BY_MINUTES = "wd/min"


_NATURAL = {
    Unit.SECOND: timedelta(seconds=1),
    Unit.MINUTE: timedelta(minutes=1),
    Unit.HOUR: timedelta(hours=1),
    Unit.DAY: timedelta(days=1),
}
_LONGEST = 99_999
_FORM = re.compile(r"([0-9]{1,5})(s|m|h|d|wh|wd/min|wd)")
_CHINESE = {
    Unit.SECOND: "秒",
    Unit.MINUTE: "分钟",
    Unit.HOUR: "小时",
    Unit.DAY: "天",
    Unit.WORKING_HOUR: "工作时",
    Unit.WORKING_DAY: "个工作日",
    Unit.WORKING_DAY_BY_MINUTES: "个工作日（按分钟）",
}


def _as_text(schema: dict[str, Any]) -> None:
    """What programs are told: a limit is written as text, whatever it is made of here."""
    schema.clear()
    schema.update(
        type="string", pattern="^[0-9]{1,5}(s|m|h|d|wh|wd/min|wd)$", title="Limit", examples=["2h", "4wh", "5wd"]
    )


class Limit(Frozen):
    """A length of time in one unit; written as text everywhere outside this module."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=lambda schema: _as_text(schema))

    amount: int = Field(ge=1, le=_LONGEST)
    unit: Unit

    @model_validator(mode="wrap")
    @classmethod
    def _from_text(cls, value: Any, build: ModelWrapValidatorHandler["Limit"]) -> "Limit":
        # The same few texts stand in every fact; the value they stand for cannot change.
        return _read(value.strip()) if isinstance(value, str) else build(value)

    @model_serializer
    def _to_text(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.amount}{self.unit.value}"

    @property
    def chinese(self) -> str:
        """The limit as people say it, for instance ``2小时`` or ``5个工作日``."""
        return f"{self.amount}{_CHINESE[self.unit]}"

    @property
    def is_natural(self) -> bool:
        """Whether the limit runs through nights and holidays."""
        return self.unit in _NATURAL

    def natural(self) -> timedelta:
        """The length in natural time. Raises ``Refused`` ``limit.needs_calendar`` for working units."""
        if not self.is_natural:
            raise Refused("limit.needs_calendar", value=self)
        return _NATURAL[self.unit] * self.amount

    def extended(self, *others: "Limit") -> "Limit":
        """All limits in a row, in the unit they share.

        Raises ``Refused`` ``limit.other_unit`` when the units differ: no unit can be turned into another without a
        calendar and a start. Raises ``limit.unreadable`` when the sum is longer than a limit can be.
        """
        if not others:
            return self
        for other in others:
            if other.unit is not self.unit:
                raise Refused("limit.other_unit", value=other, expected=self)
        amount = self.amount + sum(other.amount for other in others)
        if amount > _LONGEST:
            raise Refused("limit.unreadable", value=f"{amount}{self.unit.value}")
        return Limit(amount=amount, unit=self.unit)


@lru_cache(maxsize=1024)
def _read(text: str) -> Limit:
    match = _FORM.fullmatch(text)
    if not match or int(match.group(1)) == 0:
        raise PydanticCustomError("limit.unreadable", "{value}", {"value": text[:40]})
    return Limit(amount=int(match.group(1)), unit=Unit(match.group(2)))


def limit(text: str) -> Limit:
    """The limit written as ``text``. Raises ``pydantic.ValidationError`` when it cannot be read."""
    return Limit.model_validate(text)


class ReadLimit(NamedTuple):
    """A limit as a table of an office writes it: ``remark`` is what stood behind it, empty when nothing did."""

    limit: Limit
    remark: str


_DIGITS = "一二三四五六七八九"
_WRITTEN_UNITS = {
    "秒": Unit.SECOND,
    "秒钟": Unit.SECOND,
    "分钟": Unit.MINUTE,
    "小时": Unit.HOUR,
    "自然时": Unit.HOUR,
    "自然小时": Unit.HOUR,
    "天": Unit.DAY,
    "日": Unit.DAY,
    "自然日": Unit.DAY,
    "日历日": Unit.DAY,
    "工作时": Unit.WORKING_HOUR,
    "工作小时": Unit.WORKING_HOUR,
    "工作日": Unit.WORKING_DAY,
    "工作天": Unit.WORKING_DAY,
}
_URGENT_UNITS = {Unit.WORKING_HOUR: Unit.HOUR, Unit.WORKING_DAY: Unit.DAY}
# What may follow a limit without changing it: what is to be done by then. Anything else (起, 后, 以上, 除外, a second
# number) could change the limit and is left to a person.
_REMARK = (
    r"(?:现场|隐患|消除|安全|制止|劝阻|清理|清除|清运|处置|处理|办结|办理|完成|完毕|恢复|修复|维修|抢修|更换|补种|拆除|整改|整治|取缔|"
    r"纠正|解决|围护|回复|答复|反馈|响应|到场|到达|到位|赶到|移交|核查|核实|签收|派单|联系|[并及和、。,;]|\s)*"
)
_NUMBER = rf"(?:(?P<digits>[0-9]{{1,5}})|(?P<words>[{_DIGITS}]?十[{_DIGITS}]?|[{_DIGITS}两半]))"
_UNIT = "|".join(sorted(_WRITTEN_UNITS, key=len, reverse=True))
# Read after compatibility normalisation, so that brackets, commas and digits have their narrow forms.
_WRITTEN = re.compile(
    rf"(?P<urgent>紧急)?\s*{_NUMBER}\s*个?\s*(?P<urgent_unit>紧急)?\s*(?P<unit>{_UNIT})\s*(?:以内|之内|内)?\s*"
    rf"(?P<minutes>\(\s*按分钟\s*\))?(?P<from_next_day>\(次日起算?\))?(?P<remark>{_REMARK}|\({_REMARK}\))"
)


def parse_limit(text: str) -> ReadLimit:
    """The limit in a cell of an office's table, and the remark behind it. For import only; stored text is ``limit``.

    Reads the canonical notation and the Chinese forms with digits of any width or numerals up to 九十九, with blanks
    and line ends anywhere between the words. ``紧急`` makes working units natural: urgent matters do not wait for the
    office to open. Raises ``Refused`` ``limit.unreadable`` for everything that could mean two things.
    """
    written = unicodedata.normalize("NFKC", normalise(text)).strip()
    canonical = _FORM.fullmatch(written)
    if canonical and int(canonical.group(1)):
        return ReadLimit(Limit(amount=int(canonical.group(1)), unit=Unit(canonical.group(2))), "")
    match = _WRITTEN.fullmatch(written)
    read = _written_limit(match) if match else None
    if match is None or read is None:
        raise Refused("limit.unreadable", value=" ".join(text.split())[:40])
    return ReadLimit(read, " ".join(match["remark"].strip(" ()。、,;\n").split()))


def _written_limit(match: re.Match[str]) -> Limit | None:
    unit = _WRITTEN_UNITS[match["unit"]]
    if match["words"] == "半":
        # Half an hour is thirty minutes; half a day, working or not, has no length everybody agrees on.
        plain = unit is Unit.HOUR and not match["urgent"] and not match["urgent_unit"] and not match["minutes"]
        return Limit(amount=30, unit=Unit.MINUTE) if plain else None
    if match["urgent"] and match["urgent_unit"]:
        return None
    if match["urgent"] or match["urgent_unit"]:
        unit = _URGENT_UNITS.get(unit, unit)
    if match["minutes"]:
        if unit is not Unit.WORKING_DAY:
            return None
        unit = Unit.WORKING_DAY_BY_MINUTES
    if match["from_next_day"] and unit is not Unit.WORKING_DAY:
        return None  # the one unit that always counts from the next day
    amount = int(match["digits"]) if match["digits"] else _numeral(match["words"])
    return Limit(amount=amount, unit=unit) if amount else None


def _numeral(words: str) -> int:
    """The number that one to three numerals say, 一 to 九十九; 两 is two."""
    tens, ten, ones = words.replace("两", "二").rpartition("十")
    value = _DIGITS.find(ones) + 1 if ones else 0
    return value + 10 * (_DIGITS.find(tens) + 1 if tens else 1) if ten else value


def _to_utc(value: datetime) -> datetime:
    return value if value.tzinfo is UTC else value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment in UTC; other zones are converted, moments without a zone are refused."""
