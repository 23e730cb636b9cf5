"""Rule books: complete, without two answers to one question, and pinned by row."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from domain.errors import Refused
from domain.parsing import parse
from domain.rules import EXAMPLE_BOOK, ClockKind, Pinned, RuleBook, Urgency

BOOK: TypeAdapter[RuleBook] = TypeAdapter(RuleBook)


def written(**changes: Any) -> dict[str, Any]:
    return {**EXAMPLE_BOOK.model_dump(mode="json"), **changes}


def row(urgency: str, category: str | None = None, **limits: str) -> dict[str, Any]:
    return {"urgency": urgency, "category": category, "limits": limits, "reopen_window": "3d"}


ROWS = [row(urgency.value, handle="5d") for urgency in Urgency]


@pytest.mark.parametrize("missing", list(Urgency))
def test_every_urgency_needs_a_row(missing: Urgency) -> None:
    rows = [each for each in ROWS if each["urgency"] != missing.value]
    with pytest.raises(Refused) as caught:
        parse(BOOK, written(rows=rows))
    assert (caught.value.code, caught.value.refusal.params) == ("rules.row_missing", {"urgency": missing.value})


def test_a_row_of_a_category_is_not_the_row_of_its_urgency() -> None:
    rows = [*ROWS[1:], row("emergency", "K01", handle="1h")]
    with pytest.raises(Refused) as caught:
        parse(BOOK, written(rows=rows))
    assert caught.value.code == "rules.row_missing"


@pytest.mark.parametrize("category", [None, "K01"])
def test_no_question_has_two_answers(category: str | None) -> None:
    rows = [*ROWS, row("general", category, handle="1d"), row("general", category, handle="2d")]
    with pytest.raises(Refused) as caught:
        parse(BOOK, written(rows=rows))
    assert (caught.value.code, caught.value.refusal.params["category"]) == ("rules.row_twice", category or "-")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"warn_percent": 100}, "field.invalid", "warn_percent"),
        ({"warn_percent": 0}, "field.invalid", "warn_percent"),
        ({"rework_most": -1}, "field.invalid", "rework_most"),
        ({"visit_attempts": 0}, "field.invalid", "visit_attempts"),
        ({"visit_gap": "soon"}, "limit.unreadable", "visit_gap"),
        ({"version": "the first"}, "code.malformed", "version"),
        ({"rows": [row("general", handle="long")]}, "limit.unreadable", "rows.0.limits.handle"),
        ({"holidays": []}, "field.unknown", "holidays"),
    ],
)
def test_a_book_that_cannot_be_read_names_the_place(changes: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(BOOK, written(**changes))
    assert (caught.value.code, caught.value.refusal.field) == (code, field)


def test_the_category_s_own_row_comes_before_the_row_of_the_urgency() -> None:
    book = RuleBook.model_validate(written(rows=[*ROWS, row("general", "K01", handle="4h")]))
    assert book.pin(Urgency.GENERAL, "K01").row.limits[ClockKind.HANDLE].chinese == "4小时"
    assert book.pin(Urgency.GENERAL, "K02").row.limits[ClockKind.HANDLE].chinese == "5天"
    assert book.pin(Urgency.GENERAL, None).row.category is None
    assert book.pin(Urgency.EMERGENCY, "K01").row.category is None


def test_what_is_pinned_carries_the_version_and_the_counts() -> None:
    pinned = EXAMPLE_BOOK.pin(Urgency.COMPLEX, None)
    counts = (pinned.version, pinned.warn_percent, pinned.rework_most, pinned.visit_attempts, str(pinned.visit_gap))
    assert counts == ("example-1", 80, 2, 3, "2h")
    assert Pinned.model_validate_json(pinned.model_dump_json()) == pinned


def test_a_book_survives_the_journey_through_json() -> None:
    assert RuleBook.model_validate_json(EXAMPLE_BOOK.model_dump_json()) == EXAMPLE_BOOK


@pytest.mark.parametrize("urgency", list(Urgency))
def test_the_example_has_a_limit_for_every_clock_and_needs_no_calendar(urgency: Urgency) -> None:
    limits = EXAMPLE_BOOK.pin(urgency, None).row.limits
    assert set(limits) == set(ClockKind)
    assert all(each.is_natural for each in limits.values())
