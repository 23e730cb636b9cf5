"""What a process has sealed or opened a moment ago it does not open again, and nobody can tell the difference."""

from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload

from domain.errors import Refused
from domain.people import Actor, Role
from domain.process import Answer, Envelope, Outcome, Start
from runtime.codec import Sealer
from runtime.plugin import Recent
from tests.payloads import as_history_tells, converter

ACTOR = Actor(person="p-1", role=Role.GRID_WORKER, grid="G1")
ENVELOPE = Envelope(command_id="7", actor=ACTOR, command={"kind": "whistle", "departments": ["D1"]})
ANSWER = Answer(
    stream="case-1", command_id="7", digest="d", seq_from=3, seq_to=4, stage="whistled", kinds=("whistled",)
)


class Changeable(BaseModel):
    words: list[str]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Payload]:
    """The payloads that were really opened."""
    seen: list[Payload] = []
    unseal = Sealer.unseal

    def counted(self: Sealer, payload: Payload) -> Payload:
        seen.append(payload)
        return unseal(self, payload)

    monkeypatch.setattr(Sealer, "unseal", counted)
    return seen


def test_what_was_just_sealed_is_not_opened(opened: list[Payload]) -> None:
    own = converter().payload_converter
    sealed = own.to_payloads([ENVELOPE, ANSWER])

    assert own.from_payloads(sealed, [Envelope, Answer]) == [ENVELOPE, ANSWER]
    assert opened == []


def test_what_another_process_sealed_is_opened_once(opened: list[Payload]) -> None:
    sealed, own = converter().payload_converter.to_payloads([ENVELOPE]), converter().payload_converter

    assert own.from_payloads(sealed, [Envelope]) == [ENVELOPE]
    assert own.from_payloads(sealed, [Envelope]) == [ENVELOPE]
    assert opened == sealed


def test_the_converters_of_one_process_remember_together(opened: list[Payload]) -> None:
    own = converter()

    sealed = own._new_payload_converter().to_payloads([ANSWER])  # as the library does for every task

    assert own._new_payload_converter().from_payloads(sealed, [Answer]) == [ANSWER]
    assert opened == []


def test_the_state_an_outcome_knows_reaches_who_is_in_the_same_process_and_is_written_nowhere() -> None:
    own, state = converter().payload_converter, object()
    outcome = Outcome(seq=1, hash="h").with_state(state)

    sealed = own.to_payloads([outcome])

    assert own.from_payloads(sealed, [Outcome])[0].state is state
    assert as_history_tells(outcome).state is None
    assert outcome == as_history_tells(outcome) == Outcome(seq=1, hash="h")
    assert outcome.model_copy(update={"seq": 2}).state is None


def test_a_value_wanted_as_another_type_is_opened(opened: list[Payload]) -> None:
    own = converter().payload_converter
    sealed = own.to_payloads([ANSWER])

    (as_start,) = own.from_payloads(sealed, [Start])

    assert as_start == Start(stream="case-1")
    assert own.from_payloads(sealed) == [ANSWER.model_dump(mode="json")]
    assert opened == sealed * 2


@pytest.mark.parametrize("value", [Changeable(words=["a"]), {"words": ["a"]}, "a"])
def test_what_can_be_changed_is_made_anew_each_time(value: Any) -> None:
    own = converter().payload_converter
    sealed, wanted = own.to_payloads([value]), [type(value)]

    (first,), (second,) = own.from_payloads(sealed, wanted), own.from_payloads(sealed, wanted)

    assert first == second == value
    assert isinstance(value, str) or first is not second


def test_a_changed_payload_is_refused_whatever_is_remembered() -> None:
    own = converter().payload_converter
    (sealed,) = own.to_payloads([ENVELOPE])
    data = bytearray(sealed.data)
    data[-1] ^= 1

    with pytest.raises(Refused) as refused:
        own.from_payloads([Payload(metadata=sealed.metadata, data=bytes(data))], [Envelope])

    assert refused.value.code == "payload.wrong_key"


def test_the_oldest_is_forgotten_first() -> None:
    recent = Recent(room=2)
    sealed = [Payload(data=bytes([number])) for number in range(3)]

    for each in sealed:
        recent.keep(each, ANSWER)

    assert [recent.value_of(each, Answer) for each in sealed] == [None, ANSWER, ANSWER]


def test_what_is_remembered_is_what_the_history_tells() -> None:
    for value in (ENVELOPE, ANSWER, Start(stream="case-1", sparing=True)):
        told = as_history_tells(value)
        assert told == value
        assert told.model_fields_set == value.model_fields_set
