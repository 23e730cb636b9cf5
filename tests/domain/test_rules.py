"""Rule books: complete, without two answers to one question, and pinned by row."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from domain.errors import Refused
from domain.ladder import ClockKind, Rung
from domain.parsing import parse
from domain.rules import Pinned, RuleBook, SuspendReason, Urgency
from tests.neighbourhood import EXAMPLE_BOOK

BOOK: TypeAdapter[RuleBook] = TypeAdapter(RuleBook)
RUNG = {"code": "late", "name": "逾期", "at": "due", "action": "red"}


def written(**changes: Any) -> dict[str, Any]:
    return {**EXAMPLE_BOOK.model_dump(mode="json"), **changes}


def row(urgency: str, category: str | None = None, condition: str | None = None, **limits: str) -> dict[str, Any]:
    return {"urgency": urgency, "category": category, "condition": condition, "limits": limits, "reopen_window": "3d"}


ROWS = [row(urgency.value, handle="5d") for urgency in Urgency]


def refusal(**changes: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(BOOK, written(**changes))
    return caught.value


# --- rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", list(Urgency))
def test_every_urgency_needs_a_row(missing: Urgency) -> None:
    refused = refusal(rows=[each for each in ROWS if each["urgency"] != missing.value])
    assert (refused.code, refused.refusal.params) == ("rules.row_missing", {"urgency": missing.value})


def test_a_row_of_a_category_is_not_the_row_of_its_urgency() -> None:
    assert refusal(rows=[*ROWS[1:], row("emergency", "K01", handle="1h")]).code == "rules.row_missing"


@pytest.mark.parametrize(
    ("category", "condition", "shown"),
    [(None, None, "general"), ("K01", None, "general K01"), ("K01", "夜间", "general K01 夜间")],
)
def test_no_question_has_two_answers(category: str | None, condition: str | None, shown: str) -> None:
    twice = [row("general", category, condition, handle=length) for length in ("1d", "2d")]
    refused = refusal(rows=[*ROWS, *twice])
    assert (refused.code, refused.refusal.params["row"]) == ("rules.row_twice", shown)


def test_a_condition_is_of_a_category() -> None:
    refused = refusal(rows=[*ROWS, row("general", None, "夜间", handle="1d")])
    assert (refused.code, refused.refusal.params["condition"]) == ("rules.condition_alone", "夜间")


def test_steps_are_no_column_and_have_codes_of_their_own() -> None:
    assert refusal(rows=[*ROWS, row("general", "K01", step="1d")]).code == "rules.step_column"
    steps = [{"code": "stop", "name": name, "limit": "4wh"} for name in ("制止", "劝阻")]
    refused = refusal(rows=[*ROWS, {**row("general", "K01", handle="1d"), "steps": steps}])
    assert (refused.code, refused.refusal.params["step"]) == ("rules.step_twice", "stop")


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"rework_most": -1}, "field.invalid", "rework_most"),
        ({"visit_attempts": 0}, "field.invalid", "visit_attempts"),
        ({"visit_gap": "soon"}, "limit.unreadable", "visit_gap"),
        ({"visit_gap": "4wh"}, "rules.natural_only", "kind"),
        ({"backlog_after": "60wd"}, "rules.natural_only", "kind"),
        ({"suspensions": [{"reason": "force_majeure", "longest": "5wd"}]}, "rules.natural_only", "suspensions.0"),
        ({"version": "the first"}, "code.malformed", "version"),
        ({"rows": [row("general", handle="long")]}, "limit.unreadable", "rows.0.limits.handle"),
        ({"holidays": []}, "field.unknown", "holidays"),
    ],
)
def test_a_book_that_cannot_be_read_names_the_place(changes: dict[str, Any], code: str, field: str) -> None:
    refused = refusal(**changes)
    assert (refused.code, refused.refusal.field) == (code, field)


def test_the_row_of_the_condition_comes_before_that_of_the_category_and_that_of_the_urgency() -> None:
    rows = [*ROWS, row("general", "K01", handle="4h"), row("general", "K01", "夜间", handle="1h")]
    book = RuleBook.model_validate(written(rows=rows))

    def handled(urgency: Urgency, category: str | None, condition: str | None = None) -> str:
        return str(book.pin(urgency, category, condition).row.limits[ClockKind.HANDLE])

    assert handled(Urgency.GENERAL, "K01", "夜间") == "1h"
    assert handled(Urgency.GENERAL, "K01", "白天") == "4h"
    assert handled(Urgency.GENERAL, "K01") == "4h"
    assert handled(Urgency.GENERAL, "K02", "夜间") == "5d"
    assert handled(Urgency.GENERAL, None) == "5d"
    assert book.pin(Urgency.EMERGENCY, "K01", "夜间").row.category is None


# --- other parts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"ladder": [RUNG, RUNG]}, "late"),
        ({"channels": [{"channel": "chat_group", "limits": {}}] * 2}, "chat_group"),
        ({"suspensions": [{"reason": "force_majeure", "longest": "5d"}] * 2}, "force_majeure"),
    ],
)
def test_nothing_is_said_twice(changes: dict[str, Any], shown: str) -> None:
    refused = refusal(**changes)
    assert refused.code == "rules.twice"
    assert shown in refused.refusal.message


@pytest.mark.parametrize("at", ["later", "0%", "100%", "due+", "50", "-5%"])
def test_a_rung_stands_at_a_share_at_the_due_or_after_it(at: str) -> None:
    refused = refusal(ladder=[{**RUNG, "action": "remind", "at": at}])
    assert (refused.code, refused.refusal.field) == ("ladder.unreadable", "ladder.0.at")


def test_a_rung_after_the_due_has_a_readable_limit() -> None:
    assert refusal(ladder=[{**RUNG, "action": "remind", "at": "due+soon"}]).code == "limit.unreadable"
    assert str(Rung.model_validate({**RUNG, "action": "remind", "at": " due+5wd "}).after_due) == "5wd"


@pytest.mark.parametrize(("action", "at"), [("yellow", "due"), ("yellow", "due+1d"), ("red", "80%"), ("red", "due+1d")])
def test_lights_stand_where_they_shine(action: str, at: str) -> None:
    assert refusal(ladder=[{**RUNG, "action": action, "at": at}]).code == "ladder.misplaced"


def test_a_reason_that_is_not_named_allows_no_suspension() -> None:
    book = RuleBook.model_validate(written(suspensions=[{"reason": "force_majeure", "longest": "5d"}]))
    assert str(book.longest_suspension(SuspendReason.FORCE_MAJEURE)) == "5d"
    assert book.longest_suspension(SuspendReason.AWAITING_PARTY) is None


def test_a_channel_has_the_limits_of_its_rule() -> None:
    rule = EXAMPLE_BOOK.channel("chat_group")
    assert rule is not None
    assert {kind: str(each) for kind, each in rule.limits.items()} == {ClockKind.PUBLISH: "1h"}
    assert EXAMPLE_BOOK.channel("hotline") is None


def test_a_book_of_the_first_release_keeps_its_lights() -> None:
    body = written(warn_percent=70)
    del body["ladder"]
    book = RuleBook.model_validate(body)
    assert [(rung.at, rung.action.value) for rung in book.ladder] == [("70%", "yellow"), ("due", "red")]


# --- what is pinned ---------------------------------------------------------------------------------------------


def test_what_is_pinned_carries_the_versions_and_the_counts() -> None:
    pinned = EXAMPLE_BOOK.pin(Urgency.COMPLEX, None, calendar="cn-2026")
    counts = (pinned.version, pinned.calendar, pinned.rework_most, pinned.visit_attempts, str(pinned.visit_gap))
    assert counts == ("example-2", "cn-2026", 2, 3, "2h")
    assert Pinned.model_validate_json(pinned.model_dump_json()) == pinned


def test_a_book_survives_the_journey_through_json() -> None:
    assert RuleBook.model_validate_json(EXAMPLE_BOOK.model_dump_json()) == EXAMPLE_BOOK


@pytest.mark.parametrize("urgency", list(Urgency))
def test_the_extension_is_in_the_unit_of_the_budget(urgency: Urgency) -> None:
    pinned = EXAMPLE_BOOK.pin(urgency, None).row
    assert pinned.extension is not None
    assert pinned.extension.unit is pinned.limits[ClockKind.HANDLE].unit

    other = {**pinned.model_dump(mode="json"), "extension": "10m"}
    rows = [other, *(each for each in ROWS if each["urgency"] != urgency.value)]
    refused = refusal(rows=rows)
    assert refused.code == "limit.other_unit"
