"""Values of the log without a database: one text for one value, one form for one moment."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from ledger.log import NewEvent, canonical, instant_text
from tests.ledger.facts import NOON


def test_canonical_text_is_one_text() -> None:
    assert canonical({"b": [1, None, True], "a": "楼“道”\n"}) == '{"a":"楼“道”\\n","b":[1,null,true]}'
    assert canonical({"a": 1, "b": 2}) == canonical({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [1.5, {"a": [0.0]}, {1: "a"}, {"a": datetime.now(UTC)}, b"", float("nan")])
def test_canonical_text_takes_no_floats_and_nothing_foreign(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", ["a\0b", {"a\0": 1}, {"a": ["\ud800"]}])
def test_canonical_text_takes_no_text_the_database_cannot_hold(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - UnicodeEncodeError is one of them
        canonical(value)


def test_a_new_event_takes_its_columns_from_its_body() -> None:
    event = NewEvent.of(
        uuid4(), {"kind": "noted", "at": "2026-03-02T12:00:00+08:00", "by": {"person": "p-1", "role": "hotline"}}
    )

    assert (event.kind, event.at, event.actor) == ("noted", NOON, "p-1")


def test_moments_are_written_in_one_form() -> None:
    assert instant_text(NOON) == "2026-03-02T04:00:00.000000Z"
    with pytest.raises(ValueError, match="time zone"):
        instant_text(NOON.replace(tzinfo=None))
