"""Rows are made without being checked; checking them must find nothing to change."""

import pytest

from domain.base import Recalled
from ledger.rebuild import TABLES, Command, fold
from tests.domain import routes as r

STORIES = {
    "plain": r.archived(),
    "late": r.working_until("handling").left_alone(days=12),
    "returned": r.returned(),
    "disputed": r.disputed(),
    "spot": r.spot_until("on_the_spot"),
    "wish": r.wish_until("thanked"),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_row_that_is_made_is_what_checking_makes_of_it(name: str) -> None:
    rows = _rows(name)

    assert rows
    for row in rows:
        checked = type(row).model_validate(row.__dict__)
        assert row == checked
        assert list(row.__dict__) == list(type(row).model_fields)
        assert {key: type(value) for key, value in row.__dict__.items()} == {
            key: type(value) for key, value in checked.__dict__.items()
        }


def test_the_stories_have_a_row_of_every_read_model() -> None:
    assert {type(row) for name in STORIES for row in _rows(name)} == {table.model for table in TABLES.values()}


def test_so_is_a_task_of_a_plan() -> None:
    for story in STORIES.values():
        for task in story.plan.tasks:
            checked = type(task).model_validate(task.__dict__)
            assert task == checked
            assert type(task.role) is type(checked.role) is str


def _rows(name: str) -> list[Recalled]:
    story, stream = STORIES[name], "wish-1" if name == "wish" else "case-1"
    bodies = [event.model_dump_json(exclude_none=True) for event in story.events]
    commands = [Command(seq, seq, event.at) for seq, event in enumerate(story.events, 1)]
    return [row for rows in fold(stream, bodies, commands).values() for row in rows]
