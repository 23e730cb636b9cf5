"""Rows are made without being checked; checking them must find nothing to change."""

import pytest

from domain.base import Recalled
from ledger.rebuild import Command, fold
from tests.domain import routes as r
from tests.domain.spec import Story

STORIES = {
    "plain": r.archived(),
    "late": r.working_until("handling").left_alone(days=12),
    "returned": r.returned(),
    "disputed": r.disputed(),
    "spot": r.spot_until("on_the_spot"),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_row_that_is_made_is_what_checking_makes_of_it(name: str) -> None:
    rows = _rows("case-1", STORIES[name])

    assert {"CaseRow", "CaseFigureRow", "TaskRow", "ClockRow", "AwaitedRow"} <= {type(row).__name__ for row in rows}
    for row in rows:
        checked = type(row).model_validate(row.__dict__)
        assert row == checked
        assert list(row.__dict__) == list(type(row).model_fields)
        assert {key: type(value) for key, value in row.__dict__.items()} == {
            key: type(value) for key, value in checked.__dict__.items()
        }


def test_so_is_a_task_of_a_plan() -> None:
    for story in STORIES.values():
        for task in story.plan.tasks:
            checked = type(task).model_validate(task.__dict__)
            assert task == checked
            assert type(task.role) is type(checked.role) is str


def _rows(stream: str, story: Story) -> list[Recalled]:
    bodies = [event.model_dump_json(exclude_none=True) for event in story.events]
    commands = [Command(seq, seq, event.at) for seq, event in enumerate(story.events, 1)]
    return [row for rows in fold(stream, bodies, commands).values() for row in rows]
