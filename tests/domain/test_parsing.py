"""From outside data to values: each kind of mistake is named, with its field and without the value."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from domain.case import CASE
from domain.errors import Refusal, Refused
from domain.limits import Limit
from domain.parsing import parse, parse_command, parse_envelope, parse_json
from domain.people import ROLE_NAMES, Actor, Role
from domain.process import Envelope
from domain.processes import PROCESSES, process_of
from domain.wish import WISH
from tests.domain import routes as r
from tests.neighbourhood import AFTER

MISTAKES: dict[str, tuple[Any, str, str | None]] = {
    "a missing field": ({"kind": "comment"}, "field.missing", "text"),
    "no kind": ({"text": "好"}, "field.missing", "kind"),
    "an unknown kind": ({"kind": "commet", "text": "好"}, "command.unknown_kind", "kind"),
    "time as a command": ({"kind": "time_passes"}, "command.unknown_kind", "kind"),
    "an unknown field": ({**r.COMMENT, "private": True}, "field.unknown", "private"),
    "an unknown field inside": ({**r.STRIKE_OFF, "workload": {**r.WORK, "dogs": 1}}, "field.unknown", "workload.dogs"),
    "a word where a number belongs": (
        {**r.STRIKE_OFF, "workload": {**r.WORK, "people": "two"}}, "field.invalid", "workload.people"),
    "half a person": ({**r.STRIKE_OFF, "workload": {**r.WORK, "people": 1.5}}, "field.invalid", "workload.people"),
    "a number where text belongs": ({**r.COMMENT, "text": 7}, "field.invalid", "text"),
    "nothing where text belongs": ({**r.COMMENT, "text": None}, "field.invalid", "text"),
    "an unknown word": ({**r.FAIL, "passed": "maybe"}, "field.invalid", "passed"),
    "a grade that is none": ({**r.CONTENT, "satisfaction": "good"}, "field.invalid", "satisfaction"),
    "a list for one thing": ({**r.ATTACH, "evidence": []}, "field.invalid", "evidence"),
    "one thing for a list": ({**r.VERIFY, "evidence": AFTER}, "field.invalid", "evidence"),
    "too much evidence": ({**r.VERIFY, "evidence": [AFTER] * 51}, "field.invalid", "evidence"),
    "too many departments": ({**r.WHISTLE, "departments": ["D01"] * 21}, "field.invalid", "departments"),
    "a bad code in a list": ({**r.WHISTLE, "departments": ["D01", "D 02"]}, "code.malformed", "departments.1"),
    "a bad digest in a list": (
        {**r.VERIFY, "evidence": [AFTER, {**AFTER, "digest": "0" * 63 + "G"}]}, "digest.malformed",
        "evidence.1.digest"),
    "a personal note in a list": (
        {**r.VERIFY, "evidence": [{**AFTER, "note": "13812345678"}]}, "text.not_redacted", "evidence.0.note"),
    "a time that is none": ({**r.REGISTER, "found_at": "yesterday"}, "field.invalid", "found_at"),
    "a text for a command": ("comment", "field.invalid", "kind"),
    "a list for a command": ([r.COMMENT], "field.invalid", "kind"),
    "nothing for a command": (None, "field.invalid", "kind"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "code", "field"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(raw: Any, code: str, field: str | None) -> None:
    with pytest.raises(Refused) as caught:
        parse_command(CASE, raw)
    assert (caught.value.code, caught.value.refusal.field) == (code, field)


@pytest.mark.parametrize(
    "raw", [raw for raw, code, _ in MISTAKES.values() if code == "field.invalid"],
    ids=[name for name, (_, code, _) in MISTAKES.items() if code == "field.invalid"],
)  # fmt: skip
def test_what_a_value_should_have_been_is_said_in_both_languages(raw: Any) -> None:
    with pytest.raises(Refused) as caught:
        parse_command(CASE, raw)
    reason, english = caught.value.refusal.params["reason"], caught.value.refusal.params["reason_en"]
    assert "应" in reason or "最多" in reason
    assert "Input" not in caught.value.refusal.message
    assert "Input" not in caught.value.refusal.message_en
    assert english.isascii() or "…" in english


def test_a_word_that_is_none_is_answered_with_those_there_are() -> None:
    with pytest.raises(Refused) as caught:
        parse_command(CASE, {**r.CONTENT, "satisfaction": "good"})
    known = "very_satisfied, satisfied, fair, dissatisfied, very_dissatisfied"
    assert caught.value.refusal.message == f"字段“satisfaction”的值不符合要求（应为以下之一：{known}）。"
    assert caught.value.refusal.message_en == f"The value of 'satisfaction' is not valid (one of: {known})."


def test_a_time_without_offset_is_asked_for_it() -> None:
    with pytest.raises(Refused) as caught:
        parse_command(CASE, {**r.REGISTER, "found_at": "2026-11-25T10:00"})
    assert caught.value.refusal.params["reason"] == "时间要写明时区，如 2026-11-25T10:00:00+08:00"


def test_the_value_itself_is_not_repeated() -> None:
    secret = "13812345678"
    for raw in (
        {**r.COMMENT, "text": f"请打{secret}"},
        {**r.REGISTER, "urgency": secret},
        {**r.REGISTER, "grid": f"{secret} "},
        {**r.REGISTER, "found_at": secret + "x"},
        {**r.STRIKE_OFF, "workload": {**r.WORK, "people": secret + "x"}},
    ):
        with pytest.raises(Refused) as caught:
            parse_command(CASE, raw)
        assert secret not in caught.value.refusal.model_dump_json()
        assert secret not in str(caught.value)


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(Refused) as caught:
        parse_command(WISH, {"kind": "x" * 1_000})
    assert caught.value.refusal.params == {
        "kind": "x" * 40, "known": "publish_wish, claim_wish, fulfil_wish, thank_for_wish",
    }  # fmt: skip


def test_a_value_without_a_kind_is_named_by_its_whole_path() -> None:
    with pytest.raises(Refused) as caught:
        parse(TypeAdapter(dict[str, Limit]), {"handle": "soon"})
    assert (caught.value.code, caught.value.refusal.field) == ("limit.unreadable", "handle")
    assert caught.value.refusal.params == {"value": "soon"}
    assert parse(TypeAdapter(Limit), "2h").chinese == "2小时"


SENDER = {"person": "worker", "role": "grid_worker", "grid": "G01"}
ID = "0b5f7e58-4f7c-4c7e-9f0e-5d1f0a7c2b11"


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"command_id": "the first one"}, "command.bad_id", "command_id"),
        ({"actor": {**SENDER, "person": "zhang san"}}, "code.malformed", "actor.person"),
        ({"actor": {**SENDER, "grid": "G 01"}}, "code.malformed", "actor.grid"),
        ({"actor": {**SENDER, "organisation": "x" * 65}}, "text.too_long", "actor.organisation"),
        ({"command": {"kind": "comment"}}, "field.missing", "text"),
    ],
)
def test_an_envelope_is_not_believed(changes: dict[str, Any], code: str, field: str) -> None:
    envelope = Envelope.model_validate({"command_id": ID, "actor": SENDER, "command": dict(r.COMMENT), **changes})
    with pytest.raises(Refused) as caught:
        parse_envelope(CASE, envelope)
    assert (caught.value.code, caught.value.refusal.field) == (code, field)


def test_a_sound_envelope_holds_a_command() -> None:
    envelope = Envelope.model_validate({"command_id": ID, "actor": SENDER, "command": dict(r.COMMENT)})
    assert parse_envelope(CASE, envelope) == parse_command(CASE, r.COMMENT)


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_what_is_read_is_what_was_written(name: str) -> None:
    process = PROCESSES[name]
    raws = [raw for _, _, raw in (*r.LONG_WAY, *r.WISH_WAY) if isinstance(raw, dict)]
    known = [raw for raw in raws if ("wish" in raw["kind"]) == (name == "wish")]
    assert known
    for raw in known:
        command = parse_command(process, raw)
        assert parse_command(process, command.model_dump(mode="json", exclude_none=True)) == command


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"kind": }', 1, 10),
        ('{\n"kind": "comment",\n}', 3, 1),
        ("", 1, 1),
        (b"\xff{}", 1, 1),
        (b'{"a": "\xff"}', 1, 8),
        ("[" * 100_000, 1, 1),
        ("9" * 5_000, 1, 1),
        ('{"minutes": NaN}', 1, 1),
        ('{"minutes": -Infinity}', 1, 1),
    ],
    ids=[
        "no value",
        "a comma too many",
        "nothing",
        "no text",
        "no utf-8",
        "too deep",
        "too long",
        "no number",
        "no end",
    ],
)
def test_malformed_json_names_the_place(text: str | bytes, line: int, column: int) -> None:
    with pytest.raises(Refused) as caught:
        parse_json(text)
    refusal = caught.value.refusal
    assert refusal.code == "json.malformed"
    assert refusal.params == {"line": str(line), "column": str(column)}


def test_json_is_read_as_text_or_as_bytes() -> None:
    assert parse_json('{"a": "好"}') == parse_json('{"a": "好"}'.encode()) == {"a": "好"}


def test_a_refusal_travels_and_is_raised_again() -> None:
    first = Refused("case.wrong_stage", field="kind", stage="已吹哨", allowed="已登记", stage_en="a", allowed_en="b")
    again = Refused.from_refusal(Refusal.model_validate_json(first.refusal.model_dump_json()))
    assert (again.refusal, str(again), again.code) == (first.refusal, str(first), "case.wrong_stage")
    assert first.refusal.sentence() == first.refusal.message + first.refusal.remedy
    assert first.refusal.sentence("en") == "The case is 'a'; this act does not fit. It fits: b."


def test_a_code_that_is_not_in_the_catalogue_is_our_mistake() -> None:
    with pytest.raises(KeyError):
        Refused("no.such_code")


def test_every_role_has_a_name_in_both_languages() -> None:
    assert set(ROLE_NAMES) == set(Role)
    assert all(zh and en for zh, en in ROLE_NAMES.values())
    assert len({zh for zh, _ in ROLE_NAMES.values()}) == len(Role)


def test_an_actor_of_a_newer_release_can_be_read() -> None:
    actor = Actor.model_validate({"person": "worker", "role": "grid_worker", "grid": "G01", "badge": "7"})
    assert actor == Actor(person="worker", role=Role.GRID_WORKER, grid="G01")


def test_a_stream_belongs_to_a_process() -> None:
    assert process_of("case-1") is CASE
    assert process_of("wish-1") is WISH
    with pytest.raises(KeyError):
        process_of("cat-1")
