"""The registry in the database: revisions, files, rule books."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from domain.errors import Refused
from domain.registry import Registry
from domain.registry_check import check, registry_of
from domain.registry_problem import RawRegistry
from ledger.log import open_stream
from ledger.registry import Change, changes, load_registry, read_registry, read_rule_books, store_rule_book
from ledger.registry_files import read_registry_files
from runtime.pool import open_pool
from tests.neighbourhood import EXAMPLE_BOOK
from tests.workbooks import xlsx

YAML = """\
organisations:
  - {code: "0100", name: 月湖街道, kind: street}
  - code: "0101"
    name: 柳岸社区
    kind: community
    parent: "0100"
  - {code: water, name: 水务局, kind: department, queue: department.water, pick_up_within: 5m}
grids:
  - {code: "010101", name: 柳岸一网格, community: "0101", households: 420, people: 1300}
categories:
  - {code: lamp, name: 路灯, on_the_spot: true, urgency: general}
people:
  - {id: p-1, name: 林一, valid_from: 2026-01-01}
assignments:
  - {person: p-1, role: grid_worker, grid: "010101", valid_from: 2026-01-01, valid_to: 2026-12-31}
"""


def _file(folder: Path, text: str = YAML) -> Path:
    path = folder / "office.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _input(**sections: list[dict[str, Any]]) -> RawRegistry:
    return RawRegistry.of(sections)


async def test_a_file_becomes_the_registry_in_force(conn: asyncpg.Connection, tmp_path: Path) -> None:
    revision = await load_registry(conn, read_registry_files(_file(tmp_path)), "p-admin")

    book = await read_registry(conn)
    assert book.revision == revision == 1
    assert book.place_of("010101", date(2026, 5, 1)) == ("0100", "0101")
    assert book.assignments[0].valid_to == date(2026, 12, 31)
    assert await conn.fetchval("select loaded_by from registry_revision") == "p-admin"
    async with conn.transaction():
        opened = await open_stream(conn, "case-1", UUID(int=1), 0)
    assert opened.registry_revision == 1


async def test_before_the_first_load_the_registry_is_empty(conn: asyncpg.Connection) -> None:
    assert await read_registry(conn) == Registry()


async def test_the_same_content_again_changes_nothing(conn: asyncpg.Connection, tmp_path: Path) -> None:
    raw = read_registry_files(_file(tmp_path))
    await load_registry(conn, raw, "p-admin")

    assert await load_registry(conn, RawRegistry(raw.rows[::-1]), "p-other") == 1

    assert await conn.fetchval("select count(*) from registry_revision") == 1
    assert await conn.fetchval("select count(*) from organisation") == 3


async def test_other_content_is_another_revision_and_the_old_one_stays(
    conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await load_registry(conn, read_registry_files(_file(tmp_path)), "p-admin")
    before = await read_registry(conn)

    changed = YAML.replace("柳岸一网格", "柳岸网格") + "  - {person: p-1, role: supervisor}\n"
    revision = await load_registry(conn, read_registry_files(_file(tmp_path, changed)), "p-admin")

    after = await read_registry(conn)
    assert revision == after.revision == 2
    assert await read_registry(conn, 1) == before
    assert changes(before, after) == (
        Change(kind="grid", key="010101 1970-01-01", change="changed"),
        Change(kind="assignment", key="p-1 supervisor - - 1970-01-01", change="added"),
    )


async def test_a_code_does_not_vanish_by_being_left_out(conn: asyncpg.Connection, tmp_path: Path) -> None:
    await load_registry(conn, read_registry_files(_file(tmp_path)), "p-admin")
    shorter = read_registry_files(_file(tmp_path, YAML.replace("  - {code: lamp", "  - {code: light")))

    with pytest.raises(Refused, match="category lamp") as refused:
        await load_registry(conn, shorter, "p-admin")
    assert refused.value.code == "registry.unsound"
    assert (await read_registry(conn)).revision == 1

    assert await load_registry(conn, shorter, "p-admin", drop=True) == 2
    assert (await read_registry(conn)).category("lamp") is None


async def test_an_unsound_registry_writes_nothing(conn: asyncpg.Connection) -> None:
    raw = _input(organisations=[{"code": "c", "name": "x", "kind": "community", "parent": "s"}])

    with pytest.raises(Refused) as refused:
        await load_registry(conn, raw, "p-admin")

    assert refused.value.code == "registry.unsound"
    assert await conn.fetchval("select count(*) from registry_revision") == 0


async def test_loads_at_once_take_their_turns(ledger: str, conn: asyncpg.Connection) -> None:
    pool = await open_pool(ledger, size=6)

    async def load(number: int) -> int:
        async with pool.acquire() as own:
            people = [{"id": "p-1", "name": f"林{number % 3}"}]
            return await load_registry(own, _input(people=people), "p-admin")

    async with pool:
        revisions = await asyncio.gather(*(load(number) for number in range(6)))

    numbers = [row["number"] for row in await conn.fetch("select number from registry_revision order by number")]
    assert numbers == list(range(1, max(revisions) + 1))
    assert await conn.fetchval("select count(*) from person") == len(numbers)


@pytest.mark.parametrize("table", ["organisation", "registry_revision", "rule_book", "rule_book_choice"])
async def test_older_revisions_and_rule_books_cannot_be_changed(
    conn: asyncpg.Connection, tmp_path: Path, table: str
) -> None:
    await load_registry(conn, read_registry_files(_file(tmp_path)), "p-admin")
    await store_rule_book(conn, EXAMPLE_BOOK.version, EXAMPLE_BOOK.model_dump(mode="json"))

    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await conn.execute(f"delete from {table}")


def test_a_folder_of_tables_reads_like_the_file(tmp_path: Path) -> None:
    tables = {
        "organisations": "code,name,kind,parent,queue,pick_up_within\n0100,月湖街道,street,,,\n"
        "0101,柳岸社区,community,0100,,\nwater,水务局,department,,department.water,5m\n",
        "grids": "\ufeffcode,name,community,households,people\n010101,柳岸一网格,0101,420,1300\n",
        "categories": "code,name,on_the_spot,urgency\nlamp,路灯,是,general\n",
        "people": "id,name,valid_from\r\np-1,林一,2026-01-01\r\n",
        "assignments": "person,role,grid,valid_from,valid_to\np-1,grid_worker,010101,2026-01-01,2026-12-31\n",
    }
    folder = tmp_path / "tables"
    folder.mkdir()
    for name, text in tables.items():
        (folder / f"{name}.csv").write_bytes(text.encode())

    assert registry_of(read_registry_files(folder)) == registry_of(read_registry_files(_file(tmp_path)))


def test_problems_name_file_section_and_line(tmp_path: Path) -> None:
    text = YAML.replace('- code: "0101"', "- code: 0101").replace('{code: "010101"', "{code: 010101")
    problems = check(read_registry_files(_file(tmp_path, text)))

    found = [(str(each.where), each.code, each.field, each.remedy_en) for each in problems]

    # YAML reads 0101 as an octal number, so the code would silently be another one.
    assert found[:2] == [
        ("office.yaml:3 organisations", "registry.not_text", "code", 'put it in quotes, for instance "65"'),
        ("office.yaml:9 grids", "registry.not_text", "code", 'put it in quotes, for instance "4161"'),
    ]


def test_problems_in_a_table_name_its_line(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text('id,name\np-1,"林\n一"\np-2,周二\np-2,周三\n', encoding="utf-8")

    problems = check(read_registry_files(tmp_path))

    assert [(str(each.where), each.code) for each in problems] == [
        ("people.csv:3 people", "registry.bad_name"),
        ("people.csv:5 people", "registry.duplicate_code"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("organisations: [", 1),
        ("just text", 1),
        ("", 1),
        ("organisations:\n  code: x\n", 2),
        ("organisations:\n  - x\n", 2),
        ("organisations:\n  - {code: a, name: b,\n     code: c}\n", 3),
        ("people:\n  - {id: a, name: b, valid_from: 2026-13-01}\n", 2),
        ("people:\n  - {id: a, name: !!python/name:os.system }\n", 2),
    ],
)
def test_an_unreadable_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(Refused) as refused:
        check(read_registry_files(_file(tmp_path, text)))

    assert refused.value.code == "file.unreadable"
    assert refused.value.refusal.params["path"] == f"office.yaml:{line}"


@pytest.mark.parametrize("row", ["a,b,c", "a", 'a,"b'])
def test_a_table_row_that_does_not_fit_its_header_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "people.csv").write_text(f"id,name\n{row}\n", encoding="utf-8")

    with pytest.raises(Refused) as refused:
        read_registry_files(tmp_path)
    assert refused.value.refusal.params["path"] == "people.csv:2"


@pytest.mark.parametrize("name", ["missing.yaml", ""])
def test_a_missing_file_or_an_empty_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused) as refused:
        read_registry_files(tmp_path / name)
    assert refused.value.code == "file.unreadable"


async def test_a_rule_book_is_kept_and_chosen(conn: asyncpg.Connection) -> None:
    assert (await read_rule_books(conn)).current is None
    first = EXAMPLE_BOOK.model_dump(mode="json")
    second = first | {"version": "example-3", "rework_most": 1}

    await store_rule_book(conn, EXAMPLE_BOOK.version, first)
    await store_rule_book(conn, "example-3", second, choose=False)
    assert (await read_rule_books(conn)).current == EXAMPLE_BOOK.version
    await store_rule_book(conn, "example-3", second)
    await store_rule_book(conn, "example-3", second)

    books = await read_rule_books(conn)
    assert books.current == "example-3"
    assert books.books[EXAMPLE_BOOK.version] == EXAMPLE_BOOK
    assert books.books["example-3"].rework_most == 1
    assert await conn.fetchval("select count(*) from rule_book_choice") == 2
    async with conn.transaction():
        opened = await open_stream(conn, "case-1", UUID(int=1), 0)
    assert opened.rule_book == "example-3"


async def test_a_version_stands_for_one_content(conn: asyncpg.Connection) -> None:
    body = EXAMPLE_BOOK.model_dump(mode="json")
    await store_rule_book(conn, EXAMPLE_BOOK.version, body)

    with pytest.raises(Refused) as refused:
        await store_rule_book(conn, EXAMPLE_BOOK.version, body | {"rework_most": 5})
    assert refused.value.code == "rules.version_exists"
    with pytest.raises(Refused):
        await store_rule_book(conn, "other", body)
    assert (await read_rule_books(conn)).books == {EXAMPLE_BOOK.version: EXAMPLE_BOOK}


async def test_the_application_reads_the_registry(conn: asyncpg.Connection, tmp_path: Path) -> None:
    await load_registry(conn, read_registry_files(_file(tmp_path)), "p-admin")
    expected = await read_registry(conn)
    await conn.execute("set role bihuan_app")

    assert await read_registry(conn) == expected


def test_a_workbook_is_read_sheet_by_sheet_and_says_where_it_is_wrong(tmp_path: Path) -> None:
    book = tmp_path / "登记册.xlsx"
    book.write_bytes(
        xlsx(
            {
                "说明": [["本表由街道维护"]],
                "organisations": [
                    ["code", "name", "kind", "parent"],
                    ["S01", "杏林街道", "street", ""],
                    [],
                    ["C01", "东塘社区", "community", "S09"],
                ],
            }
        )
    )

    raw = read_registry_files(book)

    assert [(row.where.section, row.where.row, row.values["code"]) for row in raw.rows] == [
        ("organisations", 2, "S01"),
        ("organisations", 4, "C01"),
    ]
    assert {problem.where.row for problem in check(raw)} == {4}


def test_a_workbook_without_any_known_sheet_is_refused(tmp_path: Path) -> None:
    book = tmp_path / "x.xlsx"
    book.write_bytes(xlsx({"Sheet1": [["a"], ["b"]]}))

    with pytest.raises(Refused, match=r"file\.unreadable"):
        read_registry_files(book)
