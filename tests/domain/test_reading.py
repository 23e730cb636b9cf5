"""What a newer release has written an older one reads: fields it does not know are passed over, at every depth."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.errors import Refusal, Refused
from domain.parsing import parse_command
from domain.process import Envelope, Outcome, Plan, Process
from domain.processes import PROCESSES
from domain.rules import RuleBook
from tests.domain.routes import REGISTER, archived, disputed, until, wish_until, working_until
from tests.domain.spec import Story, fold
from tests.neighbourhood import EXAMPLE_BOOK

STORIES: tuple[tuple[str, Process[Any], Story], ...] = (
    ("archived", PROCESSES["case"], archived()),
    ("disputed", PROCESSES["case"], disputed()),
    ("working", PROCESSES["case"], working_until("struck_off")),
    ("wish", PROCESSES["wish"], wish_until("thanked")),
)


TABLES = ("limits", "params")
"""Their names are words, not fields; a word that is not known is another matter (docs/upgrades.md)."""


def from_a_newer_release(value: Any) -> Any:
    """The same JSON value as a release would write it that has learned something about every object in it."""
    if isinstance(value, dict):
        newer = {name: each if name in TABLES else from_a_newer_release(each) for name, each in value.items()}
        return newer | {"learned_later": {"a": [1]}}
    return [from_a_newer_release(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("process", "story"), [each[1:] for each in STORIES], ids=[each[0] for each in STORIES])
def test_facts_and_state_of_a_newer_release_are_read_as_far_as_they_are_known(
    process: Process[Any], story: Story
) -> None:
    bodies = [event.model_dump(mode="json", exclude_none=True) for event in story.events]

    read = tuple(process.read_event(from_a_newer_release(body)) for body in bodies)
    state = process.read_state(from_a_newer_release(process.state.dump_python(story.state, mode="json")))

    assert read == story.events
    assert fold(process, read) == story.state == state


def test_messages_of_a_newer_release_are_read_as_far_as_they_are_known() -> None:
    story = until("dispatched")
    envelope = Envelope(command_id="one", actor=story.events[0].by, command={"kind": "accept"})
    refused = Outcome(seq=1, hash="", refusal=Refused("case.unknown").refusal)
    plan = PROCESSES["case"].plan(story.state, story.world)

    for message in (refused, plan):
        newer = from_a_newer_release(message.model_dump(mode="json"))
        assert type(message).model_validate({**newer, "learned_later": 1}) == message
    # What comes from outside is refused where it is not understood: doors are upgraded after the workers.
    with pytest.raises(ValidationError, match="learned_later"):
        Envelope.model_validate({**envelope.model_dump(mode="json"), "learned_later": 1})
    assert isinstance(refused.refusal, Refusal)
    assert isinstance(plan, Plan)


def test_a_rule_book_of_a_newer_release_is_read_from_the_ledger_and_refused_from_a_file() -> None:
    raw = from_a_newer_release(EXAMPLE_BOOK.model_dump(mode="json"))

    assert RuleBook.model_validate(raw, extra="ignore") == EXAMPLE_BOOK
    with pytest.raises(ValidationError, match="learned_later"):
        RuleBook.model_validate(raw)


def test_a_command_with_a_field_nobody_knows_is_still_refused() -> None:
    for raw in ({**REGISTER, "learned_later": 1}, {**REGISTER, "evidence": [{"kind": "after", "learned_later": 1}]}):
        with pytest.raises(Refused) as refused:
            parse_command(PROCESSES["case"], raw)
        assert refused.value.code in ("field.unknown", "field.missing")
