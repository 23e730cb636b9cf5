"""Whatever a process waits for, the ledger names it, and no longer than it is waited for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.case.moments import next_moment
from ledger.awaited import overslept
from ledger.log import Connection, canonical
from ledger.projection import project
from tests.domain import routes as r
from tests.domain.routes import archived, until, wish_until, working_until
from tests.domain.spec import Story

STREAM = "case-1"
MINUTE = timedelta(minutes=1)


def waiting_for(what: str, story: Story) -> Story:
    """The story, left alone until this kind of moment is the next one."""
    while (moment := next_moment(story.state)) is not None and moment.what != what:
        story = story.later(moment.at - story.at).happens()
    assert moment is not None, f"it never waits for {what}"
    return story


MOMENTS: dict[str, Callable[[], Story]] = {
    "warn": lambda: until("handling"),
    "expire": lambda: until("handling"),
    "rung": lambda: working_until("handling"),
    "suspension": lambda: until("handling").when(r.SUSPEND, "dispatcher").happens(),
    "question": lambda: until("handling").when(r.ASK, "handler").happens(),
    "review": lambda: until("handling").when(r.SHELVE, "dispatcher").happens(),
    "backlog": lambda: until("handling").when(r.SHELVE, "dispatcher").happens(),
    "window": lambda: until("appraised"),
}


@pytest.mark.parametrize("what", list(MOMENTS))
async def test_every_kind_of_moment_of_a_case_is_watched_until_it_is_said(conn: asyncpg.Connection, what: str) -> None:
    story = waiting_for(what, MOMENTS[what]())
    moment = next_moment(story.state)
    assert moment is not None
    await is_watched_until_said(conn, story, moment.at)


@pytest.mark.parametrize("stage", ["published", "claimed", "done"])
async def test_the_lapse_of_a_wish_is_watched_until_it_is_said(conn: asyncpg.Connection, stage: str) -> None:
    story = wish_until(stage)
    await is_watched_until_said(conn, story, story.state.lapses_at)


async def is_watched_until_said(conn: asyncpg.Connection, story: Story, at: datetime) -> None:
    await keep(conn, None, story)
    # By the clock of the database; what it looks back is reckoned so that it ends just before the moment, or behind it.
    age = datetime.now(UTC) - at
    assert await overslept(conn, since=age + MINUTE) == []
    assert await overslept(conn, since=age - MINUTE) == [STREAM]
    assert await overslept(conn, since=age - MINUTE, but=[STREAM]) == []

    said = story.later(at - story.at).happens()
    assert len(said.events) > len(story.events)
    await keep(conn, story, said)
    assert await overslept(conn, since=age - MINUTE) == []


async def test_what_is_over_is_watched_no_more(conn: asyncpg.Connection) -> None:
    await keep(conn, until("appraised"), archived())
    assert await overslept(conn, since=timedelta(days=-36_500)) == []


async def keep(conn: Connection, before: Story | None, story: Story) -> None:
    """Write the rows of the step as an append does."""
    known = (before.state, before.plan) if before else None
    rows = project(STREAM, len(story.events), story.at, known, (story.state, story.plan))
    await conn.execute("select ledger_rows($1::text::jsonb)", canonical(rows))
