"""Search and reach: what is found, by what words, and never beyond what the asker may see."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from domain.errors import Refused
from domain.people import Actor, Role
from domain.rights import EVERYTHING, NOTHING, Reach, Subject
from domain.similarity import plain
from ledger.log import Json
from ledger.queries import (
    WORDS_LIMIT,
    CaseFilter,
    Sort,
    count_cases,
    counts_by_stage,
    list_cases,
    rungs_of,
)
from ledger.rows import ClockRow
from ledger.suggestions import Habit, similar_cases, usual_leads, whistled_for
from ledger.work import Work, list_work
from tests.ledger.facts import NOON, case_row, fact, task_row, write
from tests.neighbourhood import registry

CASES = {
    "case-1a2b": ("东塘12号楼电梯停运", "电梯停运三天，老人出行困难。"),
    "case-1a2c": ("路灯不亮", "东塘花园里路灯（ＬＥＤ）整排不亮"),
    "case-9f00": ("楼道堆放杂物", "3-2-501门口堆满纸箱，占用消防通道"),
    "case-9f01": ("水压不足", "100%的住户受影响_A座"),
}


async def _store(conn: asyncpg.Connection, **rows: Sequence[Json]) -> None:
    stream = f"filler-{await conn.fetchval('select count(*) from command')}"
    await write(conn, stream, 0, [fact("noted")], rows={name: list(each) for name, each in rows.items()})


async def _store_cases(conn: asyncpg.Connection) -> None:
    await _store(
        conn,
        case_row=[
            case_row(id, number, title=title, text=text, source="12345", external_id=f"20260{number}")
            for number, (id, (title, text)) in enumerate(CASES.items())  # noqa: A001
        ],
    )


async def _found(conn: asyncpg.Connection, q: str, **others: object) -> list[str]:
    wanted = CaseFilter.model_validate({"q": q, **others})
    page = await list_cases(conn, wanted)
    assert sorted(row.id for row in (await list_cases(conn, wanted, sort=Sort.DUE)).items) == sorted(
        row.id for row in page.items
    )
    assert await count_cases(conn, wanted) == len(page.items)
    return [row.id for row in page.items]


@pytest.mark.parametrize(
    ("q", "ids"),
    [
        ("电梯停运", ["case-1a2b"]),
        ("东塘", ["case-1a2c", "case-1a2b"]),
        ("东塘 电梯", ["case-1a2b"]),
        ("电梯　东塘", ["case-1a2b"]),
        ("灯", ["case-1a2c"]),
        ("１２号楼", ["case-1a2b"]),
        ("led", ["case-1a2c"]),
        ("运三天老", ["case-1a2b"]),
        ("停运电梯", []),
        ("运电", []),
        ("3-2-501", ["case-9f00"]),
        ("32501", ["case-9f00"]),
        ("_a座", ["case-9f01"]),
        ("100%", ["case-9f01"]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("。！", []),
        ("' or true --", []),
        ("", list(reversed(CASES))),
        ("  ", list(reversed(CASES))),
        ("case-1a2b", ["case-1a2b"]),
        ("CASE-1A2", ["case-1a2c", "case-1a2b"]),
        ("9f00", ["case-9f00"]),
        ("case-", []),
        ("202602", ["case-9f00"]),
        ("9f0", []),
        ("20260", []),
        ("没有这个词", []),
    ],
)
async def test_words_find_what_a_clerk_means(conn: asyncpg.Connection, q: str, ids: list[str]) -> None:
    await _store_cases(conn)

    assert await _found(conn, q) == ids


async def test_a_search_has_its_bounds(conn: asyncpg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        await list_cases(conn, CaseFilter(q="满" * (WORDS_LIMIT + 1)))

    assert refused.value.code == "search.too_long"
    assert await _found(conn, "满" * WORDS_LIMIT) == []


async def test_a_short_number_is_looked_for_in_words_only(conn: asyncpg.Connection) -> None:
    await _store_cases(conn)

    assert await _found(conn, "12") == ["case-1a2b"]


async def test_search_follows_a_corrected_text_and_an_emptied_table(conn: asyncpg.Connection) -> None:
    await _store(conn, case_row=[case_row("case-a", title="路灯", text="不亮")])
    await _store(conn, case_row=[case_row("case-a", title="路灯", text="常亮不灭", seq=2)])

    assert await _found(conn, "不亮") == []
    assert await _found(conn, "常亮") == ["case-a"]

    await conn.execute("delete from case_row where id = 'case-a'")
    assert await conn.fetchval("select count(*) from case_text") == 0
    await _store_cases(conn)
    await conn.execute("truncate case_row")
    assert await conn.fetchval("select count(*) from case_text") == 0


async def test_search_and_filters_hold_together_page_by_page(conn: asyncpg.Connection) -> None:
    await _store(
        conn,
        case_row=[
            case_row(f"case-{number:02}", number // 3, title="电梯停运", grid="g-1" if number % 2 else "g-2")
            for number in range(20)
        ],
    )
    seen: list[str] = []
    cursor = None
    while True:
        page = await list_cases(conn, CaseFilter(q="停运", grid="g-1"), limit=3, cursor=cursor)
        seen += [row.id for row in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert seen == [f"case-{number:02}" for number in range(19, 0, -2)]
    assert await count_cases(conn, CaseFilter(q="停运"), at_most=5) == 6


@pytest.mark.parametrize(
    "text",
    [
        "东塘（12）号楼，Ａ座：ＬＥＤ灯不亮！", "㈱①½ﬁ Straße ÀÉ İ", "二〇二六年々", "a_b%c\\d", "한글 かな ｶﾅ",
        "→★☎ ——……", "\ufe0f①️ 🚰水管",
    ],
)  # fmt: skip
async def test_python_and_the_database_reduce_words_alike(conn: asyncpg.Connection, text: str) -> None:
    assert await conn.fetchval("select cjk_plain($1)", text) == plain(text)


REACHES = [
    (EVERYTHING, {"case-a", "case-b", "case-c", "case-d"}),
    (NOTHING, set()),
    (Reach(streets=frozenset({"s-1"})), {"case-a", "case-b"}),
    (Reach(streets=frozenset({"s-1", "s-2"})), {"case-a", "case-b", "case-c"}),
    (Reach(communities=frozenset({"c-1"})), {"case-a"}),
    (Reach(grids=frozenset({"g-2"})), {"case-b"}),
    (Reach(departments=frozenset({"d-water"})), {"case-a", "case-c"}),
    (Reach(departments=frozenset({"d-water", "d-power"})), {"case-a", "case-b", "case-c"}),
    (Reach(grids=frozenset({"g-2"}), departments=frozenset({"d-water"})), {"case-a", "case-b", "case-c"}),
    (Reach(streets=frozenset({"s-9"})), set()),
]


@pytest.mark.parametrize(("reach", "ids"), REACHES)
async def test_no_list_count_or_search_shows_what_is_out_of_reach(
    conn: asyncpg.Connection, reach: Reach, ids: set[str]
) -> None:
    await _store(
        conn,
        case_row=[
            case_row("case-a", street="s-1", community="c-1", grid="g-1", departments=["d-water"], title="路灯"),
            case_row("case-b", street="s-1", community="c-2", grid="g-2", departments=["d-power"], title="路灯"),
            case_row("case-c", street="s-2", departments=["d-power", "d-water"], title="路灯"),
            case_row("case-d", title="路灯"),
        ],
    )

    for wanted in (CaseFilter(), CaseFilter(q="路灯")):
        for sort in Sort:
            page = await list_cases(conn, wanted, reach=reach, sort=sort)
            assert {row.id for row in page.items} == ids
            assert all(reach.covers(row) for row in page.items)
        assert await count_cases(conn, wanted, reach=reach) == len(ids)
        assert sum((await counts_by_stage(conn, wanted, reach=reach)).values()) == len(ids)
    assert (await list_cases(conn, CaseFilter(q="case-a"), reach=reach)).items == tuple(
        row for row in (await list_cases(conn)).items if row.id == "case-a" and "case-a" in ids
    )


def _clock(stream: str, kind: str, **fields: Any) -> Json:
    values = {"stream": stream, "id": kind, "process": "case", "kind": kind, "limit_text": "2h", "started_at": NOON}
    return ClockRow.model_validate({**values, "state": "red", **fields}).model_dump(mode="json")


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (CaseFilter(mode="consultation"), {"case-a"}),
        (CaseFilter(handler="p-1"), {"case-a", "case-b"}),
        (CaseFilter(handler="p-2"), set()),
        (CaseFilter(supervised=True), {"case-a", "case-c"}),
        (CaseFilter(supervised=False), {"case-b", "case-d"}),
        (CaseFilter(unanswered=True), {"case-a"}),
        (CaseFilter(unanswered=False), {"case-b", "case-c", "case-d"}),
        (CaseFilter(raised=True), {"case-c"}),
        (CaseFilter(raised=False), {"case-a", "case-b", "case-d"}),
        (CaseFilter(rungs=("urge", "circular")), {"case-a"}),
        (CaseFilter(rungs=("circular",)), set()),
        (CaseFilter(rungs=()), set()),
        (CaseFilter(suspended=True), {"case-a"}),
        (CaseFilter(shelved=True), {"case-b"}),
        (CaseFilter(backlog=True), {"case-b"}),
        (CaseFilter(suspended=False, shelved=False), {"case-c", "case-d"}),
    ],
)
async def test_supervision_handlers_and_standstills_choose_the_cases(
    conn: asyncpg.Connection, wanted: CaseFilter, ids: set[str]
) -> None:
    await _store(
        conn,
        case_row=[
            case_row("case-a", mode="consultation", open_orders=1, level="community", suspended=True),
            case_row("case-b", mode="within_limit", level="community", shelved=True, backlog=True),
            case_row("case-c", level="street"),
            case_row("case-d"),
        ],
        task=[
            task_row("case-a", "visit", kind="visit", person="p-1"),
            task_row("case-b", "handle", person="p-1", closed_at=NOON),
            task_row("case-c", "visit", kind="visit", person="p-1", closed_at=NOON),
        ],
        clock=[
            _clock("case-a", "handle", reached=("remind", "urge")),
            _clock("case-b", "handle", reached=("remind", "urge"), stopped_at=NOON),
            _clock("case-c", "handle", reached=("remind",)),
            _clock("case-d", "handle"),
        ],
    )

    assert {row.id for row in (await list_cases(conn, wanted)).items} == ids
    assert await rungs_of(conn, ["case-a", "case-b", "case-d"]) == {"case-a": [("handle", ("remind", "urge"))]}


def _due(hours: int) -> str:
    return (NOON + timedelta(hours=hours)).isoformat()


async def test_a_desk_holds_what_waits_in_every_role_and_by_name_once_and_by_deadline(conn: asyncpg.Connection) -> None:
    await _store(
        conn,
        case_row=[case_row("case-1", title="路灯")],
        task=[
            task_row("case-1", "handle", role="department_handler", organisation="D01", due_at=_due(3)),
            task_row("case-1", "mine", role="department_handler", organisation="D01", person="lin", due_at=_due(1)),
            task_row("case-1", "hers", role="department_handler", organisation="D01", person="wu", due_at=_due(0)),
            task_row("case-1", "else", role="department_handler", organisation="D02", due_at=_due(0)),
            task_row("case-1", "verify", role="grid_worker", grid="G01", due_at=_due(2), kind="verify"),
            task_row("case-1", "sign", role="grid_head", grid="G01", due_at=_due(2)),
            task_row("case-1", "visit", role="grid_worker", grid="G02", person="lin", due_at=_due(4)),
            task_row("case-1", "done", role="grid_worker", grid="G01", due_at=_due(0), closed_at=NOON),
            task_row("wish-1", "fulfil", role="grid_worker", grid="G01", process="wish"),
        ],
    )
    lin = Subject(
        person="lin",
        holds=(
            Actor(person="lin", role=Role.DEPARTMENT_HANDLER, organisation="D01"),
            Actor(person="lin", role=Role.GRID_WORKER, grid="G01"),
        ),
    )

    seen: list[Work] = []
    cursor = None
    while True:
        page = await list_work(conn, lin, registry(), limit=2, cursor=cursor)
        seen += page.items
        cursor = page.next
        if cursor is None:
            break

    assert [row.id for row in seen] == ["mine", "verify", "handle", "visit", "fulfil"]
    assert [row.title for row in seen] == ["路灯"] * 4 + [None]
    everybody = await list_work(conn, lin, registry(), others=True)
    assert [row.id for row in everybody.items] == ["hers", "mine", "verify", "handle", "visit", "fulfil"]
    assert [row.id for row in (await list_work(conn, lin, registry(), kinds=["verify"])).items] == ["verify"]


@pytest.mark.parametrize(
    ("holds", "ids"),
    [
        ([Actor(person="lin", role=Role.DEPARTMENT_HEAD, organisation="D01")], ["handle"]),
        ([Actor(person="lin", role=Role.SUPERVISOR)], ["extension"]),
        ([Actor(person="lin", role=Role.SUPERVISOR, organisation="Q01")], ["extension"]),
        ([Actor(person="lin", role=Role.SUPERVISOR, organisation="C01")], []),
        ([Actor(person="lin", role=Role.STREET_DISPATCHER, organisation="S01")], ["dispatch"]),
        ([], []),
    ],
)
async def test_a_role_sees_the_tasks_of_its_place_and_of_places_below(
    conn: asyncpg.Connection, holds: list[Actor], ids: list[str]
) -> None:
    await _store(
        conn,
        task=[
            task_row("case-1", "handle", role="department_handler", organisation="D01"),
            task_row("case-1", "extension", role="supervisor", organisation="S01"),
            task_row("case-1", "dispatch", role="street_dispatcher", organisation="S01"),
        ],
    )

    page = await list_work(conn, Subject(person="lin", holds=tuple(holds)), registry())

    assert [row.id for row in page.items] == ids


async def test_the_same_request_of_the_same_grid_is_suggested_best_first(conn: asyncpg.Connection) -> None:
    words: dict[str, Any] = {"grid": "g-1", "title": "12号楼电梯停运", "text": "电梯停运三天，老人出行困难"}
    await _store(
        conn,
        case_row=[
            case_row("case-same", **words),
            case_row("case-near", **words | {"title": "电梯坏了", "text": "12号楼电梯停运，老人出行困难"}),
            case_row("case-other", grid="g-1", title="路灯不亮", text="整排路灯不亮"),
            case_row("case-elsewhere", **words | {"grid": "g-2"}),
            case_row("case-old", -60 * 24 * 8, **words),
            case_row("case-itself", **words),
        ],
    )

    found = await similar_cases(conn, **words, now=NOON + timedelta(minutes=5), but="case-itself")

    assert [each.thing.id for each in found] == ["case-same", "case-near"]
    assert found[0].score == 1 > found[1].score
    far = Reach(grids=frozenset({"g-2"}))
    assert await similar_cases(conn, **words, now=NOON + timedelta(minutes=5), reach=far) == []
    older = await similar_cases(conn, **words, now=NOON + timedelta(minutes=5), since=timedelta(days=30))
    assert "case-old" in {each.thing.id for each in older}


async def test_the_usual_lead_is_the_one_who_led_most_often_last_year(conn: asyncpg.Connection) -> None:
    kind: dict[str, Any] = {"street": "s-1", "category": "lamp"}
    await _store(
        conn,
        case_row=[
            *(case_row(f"case-{number}", **kind, lead="d-power") for number in range(3)),
            case_row("case-other", **kind, lead="d-water"),
            case_row("case-waiting", **kind),
            case_row("case-elsewhere", **kind | {"street": "s-2"}, lead="d-water"),
            *(case_row(f"case-old-{number}", -60 * 24 * 400, **kind, lead="d-water") for number in range(9)),
        ],
    )

    found = await usual_leads(conn, category="lamp", street="s-1", now=NOON + timedelta(days=1))

    assert found == [Habit(department="d-power", cases=3, of=4), Habit(department="d-water", cases=1, of=4)]
    assert await usual_leads(conn, category="hole", street="s-1", now=NOON) == []


async def test_the_last_whistle_says_which_departments_were_called_for(conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered"), fact("whistled", 1, departments=["d-water"])])
    await write(conn, "case-1", 2, [fact("whistled", 2, departments=["d-power", "d-water"])])

    assert await whistled_for(conn, "case-1") == ("d-power", "d-water")
    assert await whistled_for(conn, "case-2") == ()
