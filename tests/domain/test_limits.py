"""Limits as text, instants in UTC, days of the office."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.errors import Refused
from domain.limits import Instant, Limit, Unit, limit, parse_limit
from domain.zone import office_day

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


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("30m", "30m"),
        (" 5wd/min ", "5wd/min"),
        ("\uff14\uff57\uff48", "4wh"),
        ("4工作时", "4wh"),
        ("4个工作小时", "4wh"),
        ("5工作日", "5wd"),
        ("5个工作日", "5wd"),
        ("5个工作日内", "5wd"),
        ("5 个工作日 之内", "5wd"),
        ("5个工作日\uff08按分钟\uff09", "5wd/min"),
        ("5个工作日以内(按分钟)", "5wd/min"),
        ("5个工作日\uff08次日起算\uff09", "5wd"),
        ("45秒", "45s"),
        ("30分钟", "30m"),
        ("24小时", "24h"),
        ("24个小时", "24h"),
        ("12自然时", "12h"),
        ("2天", "2d"),
        ("7日", "7d"),
        ("3个自然日", "3d"),
        ("紧急2工作时", "2h"),
        ("2紧急工作时", "2h"),
        ("2个紧急工作小时", "2h"),
        ("1紧急工作日", "1d"),
        ("紧急2小时", "2h"),
        ("\uff14小时", "4h"),
        ("4\u00a0小\u200b时", "4h"),
        ("\t3紧急工作时\n", "3h"),
        ("3\r\n天", "3d"),
        ("_x000D_\n6天", "6d"),
        ("一天", "1d"),
        ("两天", "2d"),
        ("五个工作日", "5wd"),
        ("十日", "10d"),
        ("十五天", "15d"),
        ("二十四小时", "24h"),
        ("六十天", "60d"),
        ("九十九天", "99d"),
        ("半小时", "30m"),
        ("半个小时内", "30m"),
        ("2小时。", "2h"),
    ],
)
def test_cells_of_an_offices_table(cell: str, read: str) -> None:
    assert parse_limit(cell) == (limit(read), "")


@pytest.mark.parametrize(
    ("cell", "read", "remark"),
    [
        ("1紧急工作时制止", "1h", "制止"),
        ("2小时内赶到现场", "2h", "赶到现场"),
        ("3天内 清理、\n恢复", "3d", "清理、 恢复"),
        ("5个工作日\uff08办结\uff09", "5wd", "办结"),
    ],
)
def test_what_is_to_be_done_by_then_is_a_remark(cell: str, read: str, remark: str) -> None:
    assert parse_limit(cell) == (limit(read), remark)


@pytest.mark.parametrize(
    "cell",
    [
        "", " \n", "0天", "00小时", "\uff10天", "尽快", "立即", "当日", "及时处置", "天", "个工作日", "5",
        "工作日5", "-3天", "2-3天", "2~3天", "2至3天", "两三天", "1.5小时", "1\uff0e5小时", "1,000天",
        "1小时30分钟", "1h30m", "1天半", "一个半小时", "半天", "半个工作日", "半工作时", "紧急半小时", "30分",
        "4时", "1周", "1个月", "一百天", "十十天", "两十天", "〇天", "100000天", "5WD", "5M", "5wd制止",
        "2小时以上", "2天后", "5个工作日起", "约3天", "不超过3天", "3天左右", "2小时(夜间除外)",
        "1天清理3天恢复", "2天或5个工作日", "每2小时", "2天一次", "紧急2紧急工作时", "4工作时(按分钟)",
        "2天(按分钟)", "5天(次日起算)", "5个工作日(按分钟)(次日起算)", "2小时\n4小时", "2 3天",
    ],
)  # fmt: skip
def test_what_could_mean_two_things_is_not_guessed(cell: str) -> None:
    with pytest.raises(Refused) as caught:
        parse_limit(cell)
    assert caught.value.code == "limit.unreadable"


def test_a_refused_cell_is_shown_on_one_line_and_not_in_full() -> None:
    with pytest.raises(Refused) as caught:
        parse_limit("视情况\n而定" + "\u554a" * 100)
    value = caught.value.refusal.params["value"]
    assert value.startswith("视情况 而定")
    assert len(value) == 40


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 99_999), st.sampled_from(list(Unit)))
def test_an_import_reads_what_the_product_writes(amount: int, unit: Unit) -> None:
    written = Limit(amount=amount, unit=unit)
    assert parse_limit(str(written)) == parse_limit(written.chinese) == (written, "")


@settings(deadline=None, derandomize=True, max_examples=500)
@given(st.text(alphabet="0159一五十两半个紧急工作自然日天小时分钟秒内()按-~.起后以上制止hdwm/\n ", max_size=12))
def test_any_cell_is_read_or_refused(cell: str) -> None:
    try:
        read = parse_limit(cell)
    except Refused:
        return
    assert parse_limit(str(read.limit)) == (read.limit, "")
    assert parse_limit(f"\n{cell} ") == read
    # What was read has one number, said at the beginning.
    assert re.fullmatch(r"\s*(紧急)?\s*([0-9]+|[一五十两半]+)[^0-9一五十两半]*", cell)


def test_limits_are_extended_in_their_own_unit() -> None:
    assert limit("5wd").extended(limit("10wd")) == limit("15wd")
    assert limit("30m").extended(limit("90m")) == limit("120m")


@pytest.mark.parametrize(("one", "other"), [("5wd", "5wd/min"), ("5wd", "10d"), ("24h", "1d"), ("4wh", "4h")])
def test_units_are_never_mixed(one: str, other: str) -> None:
    with pytest.raises(Refused) as caught:
        limit(one).extended(limit(other))
    assert (caught.value.code, caught.value.refusal.params) == ("limit.other_unit", {"value": other, "expected": one})


def test_an_extension_cannot_be_longer_than_a_limit() -> None:
    with pytest.raises(Refused) as caught:
        limit("99999d").extended(limit("1d"))
    assert caught.value.code == "limit.unreadable"


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
