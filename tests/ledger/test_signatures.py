"""The two signatures of 双签字: what the office states of them, and what is found when somebody changes a letter."""

from typing import Any

import pytest

from domain.case.signing import statement
from domain.case.vocabulary import ConfirmedBy
from domain.people import Actor, Role
from ledger.signatures import Standing, confirm, standing_of
from ledger.signing import SigningKey, is_signed

KEY, ANOTHER = SigningKey(bytes(range(32))), SigningKey(bytes(range(1, 33)))
STREAM, ACT, RESULT = "case-1", "0b6f5f36-3d1e-4d1a-9d0c-5a3f0f6f2a11", "ab" * 32
CAPTAIN = Actor(person="captain", role=Role.VANGUARD_CAPTAIN, organisation="C01", grid="G01")


def fact(key: SigningKey = KEY, **changes: Any) -> dict[str, Any]:
    """The fact of a signature the captain has confirmed, as it stands in the log."""
    given = confirm(key, STREAM, ACT, RESULT, CAPTAIN, ConfirmedBy.PASSWORD)
    body = {
        "kind": "signed",
        "at": "2026-11-25T02:00:00Z",
        "by": CAPTAIN.model_dump(mode="json", exclude_none=True),
        "digest": RESULT,
        "confirmation": given.model_dump(mode="json"),
    }
    return body | changes


def test_a_confirmed_signature_holds_with_the_key_of_the_office_only() -> None:
    assert standing_of(STREAM, ACT, fact(), {KEY.public}) is Standing.CONFIRMED
    assert standing_of(STREAM, ACT, fact(), {ANOTHER.public}) is Standing.OTHER_KEY
    assert standing_of(STREAM, ACT, fact(ANOTHER), {KEY.public, ANOTHER.public}) is Standing.CONFIRMED


def test_a_signature_nobody_confirmed_says_so() -> None:
    body = fact()
    del body["confirmation"]

    assert standing_of(STREAM, ACT, body, {KEY.public}) is Standing.UNCONFIRMED


BY = CAPTAIN.model_dump(mode="json")


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": "cd" * 32},
        {"by": BY | {"person": "head"}},
        {"by": BY | {"role": "grid_head"}},
        {"by": BY | {"grid": "G02"}},
        {"by": BY | {"organisation": "C02"}},
        {"confirmation": fact()["confirmation"] | {"signature": "00" * 64}},
        {"confirmation": fact()["confirmation"] | {"signature": "zz"}},
        {"confirmation": fact()["confirmation"] | {"key": ANOTHER.public}},
        {"confirmation": fact()["confirmation"] | {"key": "00" * 32}},
        {"confirmation": fact()["confirmation"] | {"method": "guess"}},
        {"at": "never"},
    ],
)
def test_one_changed_letter_is_found(changes: dict[str, Any]) -> None:
    assert standing_of(STREAM, ACT, fact(**changes), {KEY.public, ANOTHER.public, "00" * 32}) is Standing.FORGED


def test_a_signature_cannot_be_moved_to_another_case_or_act() -> None:
    assert standing_of("case-2", ACT, fact(), {KEY.public}) is Standing.FORGED
    assert standing_of(STREAM, ACT.replace("0", "1"), fact(), {KEY.public}) is Standing.FORGED


def test_fields_of_a_newer_release_do_not_matter() -> None:
    body = fact(learned_later=1)
    body["confirmation"] |= {"learned_later": 1}

    assert standing_of(STREAM, ACT, body, {KEY.public}) is Standing.CONFIRMED


def test_the_statement_stays_word_for_word() -> None:
    """Signatures are kept for years: whoever changes a letter here makes every one of them forged."""
    said = statement(STREAM, ACT, RESULT, CAPTAIN, ConfirmedBy.PASSWORD)

    assert said == (
        '{"act":"0b6f5f36-3d1e-4d1a-9d0c-5a3f0f6f2a11","case":"case-1","confirmed_by":"password",'
        f'"form":"bihuan.signature.1","grid":"G01","organisation":"C01","person":"captain","result":"{RESULT}",'
        '"role":"vanguard_captain"}'
    )
    assert is_signed(said, fact()["confirmation"]["signature"], KEY.public)


def test_the_same_act_is_confirmed_alike() -> None:
    assert fact() == fact()
