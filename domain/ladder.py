"""The supervision ladder: what happens to a clock that nobody answers, rung by rung, as data.

Owns the shape of a rung and the place of a rung on a clock. A rung is reached once in the life of a clock, also across
crash, replay and a change of rules (DOMAIN §5; practice: reminder before expiry, written urging on it, circular five
working days later).
"""

import re
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base import Frozen
from domain.limits import Limit
from domain.text import Code, Line


class ClockKind(StrEnum):
    """What a clock times. Each kind is a column of the rule book; ``step`` clocks have a column for each step."""

    PLACE = "place"
    DISPATCH = "dispatch"
    SIGN_FOR = "sign_for"
    CONTACT = "contact"
    HANDLE = "handle"
    STEP = "step"
    VERIFY = "verify"
    SIGN = "sign"
    FEED_BACK = "feed_back"
    VISIT = "visit"
    APPRAISE = "appraise"
    PUBLISH = "publish"
    REPLY = "reply"


CLOCK_NAMES: dict[ClockKind, tuple[str, str]] = {
    ClockKind.PLACE: ("分拨", "placing"),
    ClockKind.DISPATCH: ("派单", "dispatch"),
    ClockKind.SIGN_FOR: ("签收", "sign for"),
    ClockKind.CONTACT: ("联系诉求人", "contact"),
    ClockKind.HANDLE: ("处置", "handling"),
    ClockKind.STEP: ("分步", "step"),
    ClockKind.VERIFY: ("核查", "verification"),
    ClockKind.SIGN: ("双签字", "signing"),
    ClockKind.FEED_BACK: ("反馈", "feedback"),
    ClockKind.VISIT: ("回访", "visit"),
    ClockKind.APPRAISE: ("考评", "appraisal"),
    ClockKind.PUBLISH: ("公开答复", "public answer"),
    ClockKind.REPLY: ("督办回复", "reply to supervision"),
}


class RungAction(StrEnum):
    """What a rung does besides telling people."""

    REMIND = "remind"
    YELLOW = "yellow"
    RED = "red"
    URGE = "urge"
    CIRCULAR = "circular"
    INTERVIEW = "interview"


class RungAudience(StrEnum):
    """Who is told: whoever the clock waits for, their head, the leader in charge one level up, the supervisor."""

    HANDLER = "handler"
    HEAD = "head"
    LEADER = "leader"
    SUPERVISOR = "supervisor"


_PERCENT = re.compile(r"([1-9][0-9]?)%")
_AFTER = re.compile(r"due(?:\+(.+))?")


def _check_point(value: str) -> str:
    value = value.strip()
    if _PERCENT.fullmatch(value):
        return value
    after = _AFTER.fullmatch(value)
    if not after:
        raise PydanticCustomError("ladder.unreadable", "{value}", {"value": value[:40]})
    if after.group(1):
        Limit.model_validate(after.group(1))
    return value


Point = Annotated[str, AfterValidator(_check_point)]
"""Where on a clock a rung stands: ``50%`` of the time used, ``due``, or ``due+5wd`` after it (any unit)."""


# Every clock that starts asks each rung where it stands; there are a handful of texts.
@lru_cache(maxsize=256)
def _share(at: str) -> int | None:
    found = _PERCENT.fullmatch(at)
    return int(found.group(1)) if found else None


@lru_cache(maxsize=256)
def _length(at: str) -> Limit | None:
    found = _AFTER.fullmatch(at)
    return Limit.model_validate(found.group(1)) if found and found.group(1) else None


class Rung(Frozen):
    """One rung. ``clocks`` empty: every clock has it. ``unless_replied``: not when the urging has been answered.

    ``level_up``: one level up answers for the case from then on. Yellow and red rungs stand before and at the due.
    """

    code: Code
    name: Line
    at: Point
    action: RungAction
    clocks: tuple[ClockKind, ...] = ()
    to: tuple[RungAudience, ...] = Field(default=(RungAudience.HANDLER,), min_length=1)
    unless_replied: bool = False
    level_up: bool = False

    @model_validator(mode="after")
    def _lights_stand_where_they_shine(self) -> "Rung":
        if self.action == RungAction.YELLOW and self.percent is None:
            raise PydanticCustomError("ladder.misplaced", "{name}", {"name": self.code})
        if self.action == RungAction.RED and self.at != "due":
            raise PydanticCustomError("ladder.misplaced", "{name}", {"name": self.code})
        return self

    @property
    def percent(self) -> int | None:
        """The share of the clock's time after which the rung is reached; None for rungs at or after the due."""
        return _share(self.at)

    @property
    def after_due(self) -> Limit | None:
        """How long after the due the rung is reached; None for rungs before or at it."""
        return _length(self.at)

    def stands_on(self, kind: ClockKind) -> bool:
        """Whether a clock of this kind has the rung."""
        return not self.clocks or kind in self.clocks


def lights(warn_percent: int) -> tuple[dict[str, Any], ...]:
    """The two rungs every clock has at least: yellow after ``warn_percent`` of its time, red at its end."""
    return (
        {"code": "yellow", "name": "黄灯", "at": f"{warn_percent}%", "action": "yellow"},
        {"code": "red", "name": "红灯", "at": "due", "action": "red"},
    )
