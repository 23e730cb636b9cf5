"""What people were told, on a page."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.console.http.doors import Doors

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


async def told(doors: Doors, owner: Any, person: str, count: int = 1, *, kind: str = "urged") -> list[str]:
    """Notices in the person's inbox, the oldest first; their ids."""
    ids = [uuid.uuid4() for _ in range(count)]
    for number, each in enumerate(ids):
        await owner.execute(
            """
            insert into notice (id, stream, seq, process, kind, at, person, params)
            values ($1, $2, 1, 'case', $3, $4, $5, $6::jsonb)
            """,
            each,
            f"case-{number:032x}",
            kind,
            NOON + timedelta(minutes=number),
            person,
            '{"title": "路面破损", "text": "请抓紧"}',
        )
        await owner.execute(
            """
            insert into delivery (notice, channel, receiver, state, delivered_at)
            values ($1, 'inbox', $2, 'delivered', now())
            """,
            each,
            person,
        )
    return [str(each) for each in ids]


@pytest.fixture
async def owner(furnished_database: str) -> Any:
    import asyncpg

    conn = await asyncpg.connect(furnished_database)
    yield conn
    await conn.close()


async def test_an_empty_inbox_says_so(reading_doors: Doors) -> None:
    answer = await reading_doors.browser("worker").get("/notices")

    assert answer.status_code == 200
    assert "还没有通知" in answer.text


async def test_somebody_reads_their_own_notices_only_the_youngest_first(reading_doors: Doors, owner: Any) -> None:
    mine = await told(reading_doors, owner, "worker", 2)
    theirs = await told(reading_doors, owner, "checker")

    shown = (await reading_doors.browser("worker").get("/notices")).text

    assert shown.index(mine[1]) < shown.index(mine[0])
    assert theirs[0] not in shown
    assert "路面破损" in shown
    assert "未读 2 条" in shown


async def test_a_notice_is_seen_when_its_reader_goes_to_what_it_is_about(reading_doors: Doors, owner: Any) -> None:
    (notice,) = await told(reading_doors, owner, "worker")
    worker, stream = reading_doors.browser("worker"), f"case-{0:032x}"

    answer = await worker.post("/notices/seen", {"notice": notice, "go": stream})

    assert (answer.status_code, answer.headers["location"]) == (303, f"/cases/{stream}")
    assert "未读 0 条" in (await worker.get("/notices")).text
    assert "没有未读通知" in (await worker.get("/notices?unseen=true")).text


async def test_anothers_notice_stays_as_it_is(reading_doors: Doors, owner: Any) -> None:
    (notice,) = await told(reading_doors, owner, "worker")

    assert (await reading_doors.browser("checker").post("/notices/seen", {"notice": notice})).status_code == 303

    assert "未读 1 条" in (await reading_doors.browser("worker").get("/notices")).text


@pytest.mark.parametrize("go", ["https://elsewhere.example", "//elsewhere.example", "case-1/../../x"])
async def test_a_mark_leads_nowhere_else(reading_doors: Doors, owner: Any, go: str) -> None:
    (notice,) = await told(reading_doors, owner, "worker")

    assert (
        await reading_doors.browser("worker").post("/notices/seen", {"notice": notice, "go": go})
    ).status_code == 422


async def test_long_inboxes_have_pages_and_a_whole_page_is_marked_at_once(reading_doors: Doors, owner: Any) -> None:
    expected = await told(reading_doors, owner, "worker", 40)
    worker = reading_doors.browser("worker")

    first = (await worker.get("/notices")).text
    onward = re.search(r'href="(/notices\?cursor=[^"]+)" rel="next"', first)
    assert onward is not None
    second = (await worker.get(onward[1].replace("&amp;", "&"))).text

    found = [each for text in (first, second) for each in dict.fromkeys(re.findall(r'value="([0-9a-f-]{36})"', text))]
    assert set(expected) <= set(found)
    ids = re.findall(r'<input type="hidden" name="notice" value="([0-9a-f-]{36})"', first)
    await worker.post("/notices/seen", {"notice": list(dict.fromkeys(ids))})
    assert "未读 10 条" in (await worker.get("/notices")).text


async def test_a_kind_of_a_newer_release_is_shown_by_its_name(reading_doors: Doors, owner: Any) -> None:
    await told(reading_doors, owner, "worker", kind="newer_kind")

    assert "newer_kind" in (await reading_doors.browser("worker").get("/notices")).text
