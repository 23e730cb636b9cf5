"""What a new rule book says that the old one did not."""

from domain.rule_changes import rule_changes
from domain.rules import RuleBook
from tests.neighbourhood import EXAMPLE_BOOK as EXAMPLE


def test_the_differences_of_two_books_name_field_and_values() -> None:
    body = EXAMPLE.model_dump(mode="json")
    general = next(row for row in body["rows"] if row["urgency"] == "general" and row["category"] is None)
    general["limits"]["handle"] = "6wd"
    del general["limits"]["visit"]
    body |= {"rework_most": 3, "version": "other", "ladder": body["ladder"][:-1]}
    body["wish"]["claim_within"] = "10d"
    body["rows"].append({"urgency": "general", "category": "K01", "limits": {"handle": "1d"}})
    other = RuleBook.model_validate(body)

    told = {(each.part, each.key, each.field, each.before, each.after) for each in rule_changes(EXAMPLE, other)}

    assert told == {
        ("rows", "general", "handle", "5wd", "6wd"),
        ("rows", "general", "visit", "1wd", None),
        ("rows", "general K01", "handle", None, "1d"),
        ("rows", "general K01", "reopen_window", None, "7d"),
        ("ladder", "interview", "", told_rung("interview"), None),
        ("settings", "", "rework_most", "2", "3"),
        ("settings", "", "wish.claim_within", "14d", "10d"),
    }
    assert rule_changes(EXAMPLE, EXAMPLE) == ()
    assert {each.change for each in rule_changes(None, EXAMPLE)} == {"added"}


def told_rung(code: str) -> str:
    return next(each.after or "" for each in rule_changes(None, EXAMPLE) if (each.part, each.key) == ("ladder", code))
