"""Limits as text: ``30m``, ``2h``, ``7d`` natural; ``4wh`` working hours; ``5wd`` and ``5wd/min`` working days.

Owns the one notation in which rule books, events and pages write a length of time, and what it means in natural
time. Working units are written and kept here; counting them needs a calendar and is not done by this module.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from domain.base import Frozen
from domain.errors import Refused


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


class Limit(Frozen):
    """A length of time in one unit; written as text everywhere outside this module."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: int = Field(ge=1, le=99_999)
    unit: Unit

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        match = _FORM.fullmatch(value.strip())
        if not match or int(match.group(1)) == 0:
            raise PydanticCustomError("limit.unreadable", "{value}", {"value": value[:40]})
        return {"amount": int(match.group(1)), "unit": match.group(2)}

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


def limit(text: str) -> Limit:
    """The limit written as ``text``. Raises ``pydantic.ValidationError`` when it cannot be read."""
    return Limit.model_validate(text)


def _to_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment in UTC; other zones are converted, moments without a zone are refused."""


_OFFICE_ZONE = timezone(timedelta(hours=8))


def office_day(at: datetime) -> date:
    """The day of the office (Asia/Shanghai, which knows no summer time) at the moment ``at``."""
    return at.astimezone(_OFFICE_ZONE).date()
