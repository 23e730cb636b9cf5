"""What a resident told is nowhere but in the vault, and before the eyes of those who hold the right to see it.

A name, a number, an address and a wording are planted by a registration. Then everybody looks at everything, through
every door, and the database, the logs and the addresses are searched as well.
"""

import io
import logging
import re
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import structlog

from domain.people import Role
from domain.rights import MATRIX, Permission
from runtime.logging import set_up_logging
from tests.console.http.all_doors import address, code_of, doors_of
from tests.console.http.two_streets import CANARIES, FAR, NEAR, Someone, Streets, everybody, person
from tests.logs import log_plainly
from tests.neighbourhood import GRID, ORDINARY

_SIGNS = (CANARIES["name"], CANARIES["phone"], CANARIES["address"], "3单元902室")
"""What the wording says of things is in the redacted text; what it says of persons is not, nor is a part of it."""


_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def text_of(answer: httpx.Response) -> str:
    """Everything an answer says: its content, also that of a workbook, its headers and where it leads."""
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    if answer.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            return headers + "".join(book.read(name).decode("utf-8", "replace") for name in book.namelist())
    return headers + answer.text


def found_in(text: str) -> list[str]:
    """The canaries in a text, also as an address or JSON would write them."""
    return [
        sign for sign in _SIGNS if sign in text or quote(sign) in text or sign.encode("unicode_escape").decode() in text
    ]


def _may_see(role: Role | None, side: str, path: str, streets: Streets) -> bool:
    """Whether this is a page of the very case, for somebody who may see who reported it."""
    if role is None or side == FAR or streets.cases[NEAR] not in path:
        return False
    return MATRIX.grants(role, Permission.CASE_REPORTER)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, ours and the libraries', down to the least."""
    written, before = io.StringIO(), list(logging.getLogger().handlers)
    level = logging.getLogger().level
    set_up_logging("debug", "json", written)
    yield written
    logging.getLogger().handlers[:], logging.getLogger().level = before, level
    structlog.reset_defaults()
    log_plainly()


@pytest.mark.parametrize(("role", "side"), list(everybody()), ids=lambda each: getattr(each, "value", str(each)))
async def test_nobody_sees_who_reported_but_who_may(
    streets: Streets, log: io.StringIO, role: Role | None, side: str
) -> None:
    who = streets.people[person(role, side) if role else "nobody"]
    looked, kinds = 0, set()
    for door in doors_of(streets.doors.app):
        if door.method != "GET":
            continue
        path, _ = address(door, streets, NEAR)
        for by_token in (False, True) if path.startswith("/api/") else (False,):
            answer = await streets.ask(who, "GET", path, by_token=by_token)
            looked += answer.status_code == 200
            kinds.add(answer.headers.get("content-type", "").partition(";")[0])
            if not _may_see(role, side, path, streets):
                assert found_in(text_of(answer)) == [], (door.path, role, side)
    assert looked > 3
    if (role, side) == (Role.SUPERVISOR, NEAR):
        assert {"text/html", "application/json", "text/event-stream", _WORKBOOK} <= kinds
    assert "request_answered" in log.getvalue()
    assert found_in(log.getvalue()) == []


async def test_nobody_signed_out_sees_any_of_it(streets: Streets) -> None:
    for door in doors_of(streets.doors.app):
        if door.method == "GET":
            answer = await streets.ask(None, "GET", address(door, streets, NEAR)[0])
            assert found_in(text_of(answer)) == [], door.path


async def test_searching_for_it_finds_nothing_and_leaves_no_trace(streets: Streets, log: io.StringIO) -> None:
    """A clerk may type a number into the search; it is on their own page, and nowhere else."""
    tried = 0
    for role in (Role.STREET_DISPATCHER, Role.SUPERVISOR, Role.AUDITOR, Role.HOTLINE):
        who = streets.people[person(role, NEAR)]
        for door in doors_of(streets.doors.app):
            if door.method != "GET" or "q" not in door.queries:
                continue
            for sign in _SIGNS:
                answer = await streets.ask(who, "GET", f"{address(door, streets, NEAR)[0]}?q={quote(sign)}")
                tried += 1
                assert streets.cases[NEAR] not in answer.text, (door.path, sign)
    assert tried
    assert found_in(log.getvalue()) == []


async def test_the_database_has_it_in_the_vault_only_and_there_nobody_reads_it(streets: Streets) -> None:
    """Every table, every column, also bytes: as text, as UTF-8 in hexadecimal."""
    async with streets.doors.office.pool.acquire() as conn:
        tables = [
            row["name"]
            for row in await conn.fetch(
                "select quote_ident(tablename) as name from pg_tables where schemaname = 'public'"
            )
        ]
        assert len(tables) > 20
        for table in tables:
            for row in await conn.fetch(f"select t::text as line from {table} t"):
                assert found_in(row["line"]) == [], table
                for sign in _SIGNS:
                    assert sign.encode().hex() not in row["line"], table
        kept = await conn.fetchval("select count(*) from vault_entry where stream = $1", streets.cases[NEAR])
        assert kept == 4
        phone = await streets.doors.office.vault.read(conn, streets.cases[NEAR], "reporter_phone")
    assert phone == CANARIES["phone"]


_REPORTER = {name: CANARIES[name] for name in ("name", "phone", "address")}
_TOLD = f"我叫{CANARIES['name']}，电话{CANARIES['phone']}，住{CANARIES['address']}"
_NEW: Mapping[str, Any] = {
    "title": "路灯不亮",
    "text": f"路灯不亮。{_TOLD}",
    "grid": GRID,
    "category": ORDINARY,
    "reporter": _REPORTER,
}


def _registrar(streets: Streets) -> Someone:
    return streets.people[person(Role.HOTLINE, NEAR)]


@pytest.mark.parametrize(
    "body",
    [
        {**_NEW, "grid": CANARIES["name"]},
        {**_NEW, "category": CANARIES["phone"]},
        {**_NEW, "urgency": CANARIES["phone"]},
        {**_NEW, "found_at": CANARIES["phone"]},
        {**_NEW, "title": [CANARIES["name"]]},
        {**_NEW, "text": {"it": _TOLD}},
        {**_NEW, "reporter": _TOLD},
        {**_NEW, "reporter": {"phone": [CANARIES["phone"]]}},
        {**_NEW, "reporter": {"phone": {"number": CANARIES["phone"]}}},
        {**_NEW, "title": _TOLD * 100},
        {key: value for key, value in _NEW.items() if key != "title"},
    ],
    ids=lambda body: ",".join(key for key in body if body[key] != _NEW.get(key)) or "missing",
)
async def test_a_refused_registration_repeats_none_of_it(deaf: Streets, log: io.StringIO, body: dict[str, Any]) -> None:
    answer = await deaf.ask(
        _registrar(deaf),
        "POST",
        "/api/v1/cases",
        by_token=True,
        json=body,
        headers={"idempotency-key": str(uuid.uuid4())},
    )

    assert answer.status_code in (202, 400, 409, 413, 422)
    assert found_in(text_of(answer)) == []
    assert found_in(log.getvalue()) == []


async def test_a_body_that_is_no_json_is_not_repeated(deaf: Streets, log: io.StringIO) -> None:
    headers = {"content-type": "application/json", "idempotency-key": str(uuid.uuid4())}
    for content in (f'{{"text": "{_TOLD}"', f"[{_TOLD}]", _TOLD):
        answer = await deaf.ask(
            _registrar(deaf), "POST", "/api/v1/cases", by_token=True, content=content.encode(), headers=headers
        )
        assert answer.status_code in (400, 422)
        assert found_in(text_of(answer)) == []
    assert found_in(log.getvalue()) == []


async def test_the_number_of_an_act_that_is_late_is_all_that_is_told(deaf: Streets, log: io.StringIO) -> None:
    answer = await deaf.ask(
        _registrar(deaf),
        "POST",
        "/api/v1/cases",
        by_token=True,
        json=dict(_NEW),
        headers={"idempotency-key": str(uuid.uuid4())},
    )

    assert answer.status_code == 202
    assert found_in(text_of(answer)) == []
    assert found_in(log.getvalue()) == []


@pytest.mark.parametrize("by_token", [False, True], ids=["page", "api"])
async def test_a_mistake_of_ours_tells_its_number_and_nothing_of_the_resident(
    deaf: Streets, log: io.StringIO, by_token: bool
) -> None:
    deaf.desk.fails_with = RuntimeError(_TOLD)
    try:
        if by_token:
            answer = await deaf.ask(
                _registrar(deaf),
                "POST",
                "/api/v1/cases",
                by_token=True,
                json=dict(_NEW),
                headers={"idempotency-key": str(uuid.uuid4())},
            )
        else:
            fields = {"text": _NEW["text"], "grid": GRID, "category": ORDINARY, **_REPORTER}
            answer = await deaf.ask(
                _registrar(deaf),
                "POST",
                "/register",
                data=fields,
            )
    finally:
        deaf.desk.fails_with = None

    assert (answer.status_code, code_of(answer)) == (500, "request.mistake")
    assert found_in(text_of(answer)) == []
    assert found_in(log.getvalue()) == []
    number = re.search(r"编号 ?([0-9a-f]{8})", answer.text)
    assert number
    assert number[1] in log.getvalue()
