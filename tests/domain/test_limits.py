"""Limits as text, instants in UTC, days of the office."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.errors import Refused
from domain.limits import Instant, Limit, Unit, limit, office_day

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@pytest.mark.parametrize(
    ("text", "span", "chinese"),
    [
        ("30s", timedelta(seconds=30), "30秒"),
        ("30m", timedelta(minutes=30), "30分钟"),
        ("24h", timedelta(hours=24), "24小时"),
        (" 7d ", timedelta(days=7), "7天"),
        ("99999d", timedelta(days=99_999), "99999天"),
    ],
)
def test_natural_limits(text: str, span: timedelta, chinese: str) -> None:
    parsed = limit(text)
    assert (parsed.natural(), parsed.chinese, parsed.is_natural) == (span, chinese, True)
    assert str(parsed) == text.strip()


@pytest.mark.parametrize(
    ("text", "chinese"), [("4wh", "4工作时"), ("5wd", "5个工作日"), ("5wd/min", "5个工作日（按分钟）")]
)
def test_limits_in_working_time_are_kept_and_not_counted(text: str, chinese: str) -> None:
    parsed = limit(text)
    assert (str(parsed), parsed.chinese, parsed.is_natural) == (text, chinese, False)
    with pytest.raises(Refused) as caught:
        parsed.natural()
    assert (caught.value.code, caught.value.refusal.params) == ("limit.needs_calendar", {"value": text})


@pytest.mark.parametrize(
    "text", ["", "0h", "h", "5", "-1h", "1.5h", "1 h", "5w", "5D", "5wd/hour", "100000d", "\uff15h", "1h30m", "5wd\n6"]
)
def test_unreadable_limits(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        limit(text)
    assert caught.value.errors()[0]["type"] == "limit.unreadable"


@pytest.mark.parametrize("value", [{"amount": 0, "unit": "h"}, {"amount": -3, "unit": "d"}, {"amount": 5}, 5, None])
def test_no_other_way_to_write_a_limit_is_a_way_around_the_text(value: Any) -> None:
    with pytest.raises(ValidationError):
        Limit.model_validate(value)


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 99_999), st.sampled_from(list(Unit)))
def test_a_limit_is_written_as_it_is_read(amount: int, unit: Unit) -> None:
    parsed = limit(f"{amount}{unit.value}")
    assert (parsed.amount, parsed.unit) == (amount, unit)
    assert Limit.model_validate_json(parsed.model_dump_json()) == parsed
    assert parsed.model_dump_json() == f'"{amount}{unit.value}"'


def test_instants_are_kept_in_utc() -> None:
    shanghai = INSTANT.validate_python("2025-09-30T17:00:00+08:00")
    assert shanghai == datetime(2025, 9, 30, 9, 0, tzinfo=UTC)
    assert shanghai.tzinfo == UTC


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        INSTANT.validate_python("2025-09-30T17:00:00")
    assert caught.value.errors()[0]["type"] == "timezone_aware"


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2025, 9, 30, 15, 59, tzinfo=UTC), date(2025, 9, 30)),
        (datetime(2025, 9, 30, 16, 0, tzinfo=UTC), date(2025, 10, 1)),
        (datetime(2025, 9, 30, 23, 0, tzinfo=timezone(timedelta(hours=-5))), date(2025, 10, 1)),
    ],
)
def test_the_day_of_the_office(at: datetime, day: date) -> None:
    assert office_day(at) == day
