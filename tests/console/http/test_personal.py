"""Residents' data in full: shown for a reason and recorded first; destroyed; handed to the one it is about."""

import hashlib
import json
import os
import stat
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from console.files.store import FolderStore
from console.http.upkeep import upkeep
from console.personal import retain
from domain.errors import Refused
from domain.people import Actor, Role
from ledger.chain import verify_chain
from ledger.files import FileRow, keep
from ledger.keys import MasterKey, payload_keys_in
from ledger.security import LineFilter, list_lines
from ledger.vault import EntryErased, Vault
from tests.console.calling import called, error, value
from tests.console.http.test_canaries import found_in
from tests.console.http.two_streets import CANARIES, FAR, NEAR, Streets, person
from tests.neighbourhood import GRID
from tests.waiting import eventually

ADMINISTRATOR, AUDITOR = person(Role.ADMINISTRATOR, NEAR), person(Role.AUDITOR, NEAR)


@pytest.fixture
def command_line(
    fresh_streets: Streets, furnished_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Streets:
    """The streets, which commands reach too."""
    for name in [name for name in os.environ if name.startswith("BIHUAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BIHUAN_DATA", str(tmp_path))
    monkeypatch.setenv("BIHUAN_DATABASE_URL", furnished_database)
    monkeypatch.setenv("BIHUAN_TEMPORAL_ADDRESS", "127.0.0.1:9")
    return fresh_streets


async def _finish(dsn: str, stream: str, *, days: int = 0) -> None:
    """End a request so many days ago, as its row says it."""
    conn = await asyncpg.connect(dsn)
    await conn.execute(
        "update case_row set finished = true, archived_at = $2 where id = $1",
        stream,
        datetime.now(UTC) - timedelta(days=days),
    )
    await conn.close()


async def _looks(streets: Streets) -> list[tuple[str, str, str, str]]:
    async with streets.doors.office.pool.acquire() as conn:
        rows = await conn.fetch("select person, door, reason, words from reveal order by at")
    return [(row["person"], row["door"], row["reason"], row["words"]) for row in rows]


async def test_the_whole_of_it_is_shown_for_a_reason_and_that_is_on_record(fresh_streets: Streets) -> None:
    streets, worker = fresh_streets, fresh_streets.people[person(Role.GRID_WORKER, NEAR)]
    path = f"/cases/{streets.cases[NEAR]}/reporter"

    asked = await streets.ask(worker, "GET", path)
    without = await streets.ask(worker, "POST", path, data={"words": "随便看看"})
    too_little = await streets.ask(worker, "POST", path, data={"reason": "other"})
    for answer in (asked, without, too_little):
        assert found_in(answer.text) == []
    assert (asked.status_code, without.status_code, too_little.status_code) == (200, 422, 422)
    assert await _looks(streets) == []

    shown = await streets.ask(worker, "POST", path, data={"reason": "other", "words": f"核实 {CANARIES['phone']}"})

    assert shown.status_code == 200
    assert {CANARIES["name"], CANARIES["phone"], CANARIES["address"]} <= set(found_in(shown.text))
    assert shown.headers["cache-control"] == "no-store"
    ((who, door, reason, words),) = await _looks(streets)
    assert (who, door, reason) == (worker.person, "page", "other")
    assert words.startswith("核实")
    assert found_in(words) == []


async def test_without_the_right_or_out_of_reach_nothing_is_shown_and_nothing_recorded(fresh_streets: Streets) -> None:
    path = f"/cases/{fresh_streets.cases[NEAR]}/reporter"
    for role, side in ((Role.SUPERVISOR, NEAR), (Role.AUDITOR, NEAR), (Role.GRID_WORKER, FAR)):
        who = fresh_streets.people[person(role, side)]
        for answer in (
            await fresh_streets.ask(who, "GET", path),
            await fresh_streets.ask(who, "POST", path, data={"reason": "visit"}),
        ):
            assert (answer.status_code, found_in(answer.text)) == (403, []), (role, side)

    assert await _looks(fresh_streets) == []


async def test_auditors_see_who_looked_within_their_reach(fresh_streets: Streets) -> None:
    streets, worker = fresh_streets, fresh_streets.people[person(Role.GRID_WORKER, NEAR)]
    await streets.ask(worker, "POST", f"/cases/{streets.cases[NEAR]}/reporter", data={"reason": "visit"})

    near = await streets.ask(streets.people[AUDITOR], "GET", "/reveals")
    far = await streets.ask(streets.people[person(Role.AUDITOR, FAR)], "GET", "/reveals")
    other = await streets.ask(streets.people[person(Role.SUPERVISOR, NEAR)], "GET", "/reveals")

    assert worker.person in near.text
    assert "回访" in near.text
    assert found_in(near.text) == []
    assert worker.person not in far.text
    assert other.status_code == 403


async def test_erasing_asks_twice_and_leaves_pages_that_say_so(
    command_line: Streets, furnished_database: str, tmp_path: Path
) -> None:
    streets, stream = command_line, command_line.cases[NEAR]
    erase = ("erase", stream, "--reason", "subject_request", "--words", "本人书面申请", "--json")
    open_still = error(called(*erase, "--as", ADMINISTRATOR, "--confirm", stream))
    await _finish(furnished_database, stream)
    denied = error(called(*erase, "--as", AUDITOR, "--confirm", stream))
    unconfirmed = error(called(*erase, "--as", ADMINISTRATOR, "--confirm", "case-1"))
    assert (open_still["code"], denied["code"]) == ("erase.not_finished", "access.denied")
    assert unconfirmed["code"] == "erase.not_confirmed"
    async with streets.doors.office.pool.acquire() as conn:
        assert await streets.doors.office.vault.read(conn, stream, "reporter_phone") == CANARIES["phone"]

    done = value(called(*erase, "--as", ADMINISTRATOR, "--confirm", stream))

    assert (done["person"], done["reason"]) == (ADMINISTRATOR, "subject_request")
    async with streets.doors.office.pool.acquire() as conn:
        with pytest.raises(EntryErased):
            await streets.doors.office.vault.read(conn, stream, "reporter_phone")
        assert await verify_chain(conn, stream) == []
    worker = streets.people[person(Role.GRID_WORKER, NEAR)]
    page = await streets.ask(worker, "GET", f"/cases/{stream}")
    assert "资料已按规定删除" in page.text
    asked = await streets.ask(worker, "POST", f"/cases/{stream}/reporter", data={"reason": "contact"})
    assert "已按规定删除" in asked.text
    assert found_in(page.text + asked.text) == []


async def test_what_was_kept_long_enough_is_destroyed_and_a_dry_run_only_tells(
    command_line: Streets, furnished_database: str
) -> None:
    streets = command_line
    await _finish(furnished_database, streets.cases[NEAR], days=731)
    await _finish(furnished_database, streets.cases[FAR], days=729)

    told = value(called("retention", "--dry-run", "--json"))
    done = value(called("retention", "--json"))
    again = value(called("retention", "--json"))

    assert (told["due"], told["erased"], told["streams"]) == (1, 0, [streets.cases[NEAR]])
    assert (done["due"], done["erased"], done["streams"]) == (1, 1, [streets.cases[NEAR]])
    assert (again["due"], again["erased"], done["failed"]) == (0, 0, {})
    async with streets.doors.office.pool.acquire() as conn:
        row = await conn.fetchrow("select stream, person, reason from erasure")
        assert row is not None
        assert await streets.doors.office.vault.read(conn, streets.cases[FAR], "reporter_name") == CANARIES["name"]
    assert tuple(row) == (streets.cases[NEAR], "system", "retention")


async def test_the_console_does_it_by_itself(fresh_streets: Streets, furnished_database: str) -> None:
    office = fresh_streets.doors.office
    await _finish(furnished_database, fresh_streets.cases[NEAR], days=731)

    async def erased() -> bool:
        return bool(await office.pool.fetchval("select exists (select from erasure)"))

    async with upkeep(office):
        await eventually(erased, "what is due has been destroyed")


async def test_a_run_stops_at_its_most_and_several_at_once_do_not_disturb_each_other(
    fresh_streets: Streets, furnished_database: str
) -> None:
    office = fresh_streets.doors.office
    for side in (NEAR, FAR):
        await _finish(furnished_database, fresh_streets.cases[side], days=800)

    first = await retain(office.pool, office.files.store, days=730, most=1)
    second = await retain(office.pool, office.files.store, days=730)

    assert (first.due, first.erased, second.due, second.erased) == (2, 1, 1, 1)


async def test_a_resident_gets_all_that_is_kept_and_each_look_is_recorded(
    command_line: Streets, tmp_path: Path
) -> None:
    streets, out = command_line, tmp_path / "subject.zip"
    await _visited_with_photograph(streets, tmp_path)
    words = ("--phone", f"+86 {CANARIES['phone']}", "--words", "2026-11-27 当面申请", "--out", str(out), "--json")
    assert error(called("subject", "export", *words, "--as", AUDITOR))["code"] == "access.denied"

    answer = called("subject", "export", *words, "--as", ADMINISTRATOR)

    done = value(answer)
    assert found_in(answer[1]) == []
    assert set(done["requests"]) == set(streets.cases.values())
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with zipfile.ZipFile(out) as archive:
        kept = json.loads(archive.read(f"{streets.cases[NEAR]}.json"))
        readable = archive.read("index.html").decode()
        photograph = archive.read(kept["files"][0]["name"])
    assert kept["told"]["reporter_name"] == CANARIES["name"]
    assert CANARIES["wording"] in kept["told"]["wording"]
    assert {"registered", "whistled", "dispatched", "attached"} <= {each["kind"] for each in kept["facts"]}
    assert "回访时说过的话" in kept["facts"][-1]["texts"]
    assert [(each["role"], each["reason"]) for each in kept["shown_to"]] == [("管理员", "本人申请")]
    assert hashlib.sha256(photograph).hexdigest() == kept["files"][0]["digest"]
    # Whoever worked on it is a role and a unit; nobody's code or name goes out, not even in what an act names.
    staff = [person(role, side) for role in Role for side in (NEAR, FAR)] + ["approver"]
    for text in (json.dumps(kept, ensure_ascii=False), readable):
        assert [each for each in staff if each in text] == []
    for sign in (*CANARIES.values(), "回访时说过的话", "吹哨", "杏林街道", kept["files"][0]["name"]):
        assert sign in readable, sign
    async with streets.doors.office.pool.acquire() as conn:
        (line,) = (await list_lines(conn, LineFilter(kinds=("subject_exported",)))).items
    assert (line.actor, line.subject, line.detail) == (ADMINISTRATOR, "-", {"rows": 2, "files": 1})
    assert len(await _looks(streets)) == 2
    listed = value(called("reveal", "--case", streets.cases[NEAR], "--json"))
    assert [each["reason"] for each in listed["items"]] == ["subject_request"]
    assert error(called("subject", "export", *words, "--as", ADMINISTRATOR))["code"] == "file.exists"


async def _visited_with_photograph(streets: Streets, data: Path) -> None:
    """More about the near request: a photograph of the resident's, and what they said when they were asked."""
    content, who = b"a photograph of the yard", person(Role.GRID_WORKER, NEAR)
    digest = hashlib.sha256(content).hexdigest()
    store = FolderStore(data / "files")

    async def put() -> None:
        await store.put(digest, content)

    row = FileRow(digest=digest, thumb=digest, media_type="image/jpeg", bytes=len(content), width=1, height=1)
    async with streets.doors.office.pool.acquire() as conn:
        await keep(conn, row, who, put)
    worker = Actor(person=who, role=Role.GRID_WORKER, grid=GRID)
    evidence = {"kind": "before", "ref": f"file-{digest[:24]}", "digest": digest}
    for command in ({"kind": "attach", "evidence": evidence}, {"kind": "comment", "text": "回访时说过的话"}):
        await streets.desk.submit(streets.cases[NEAR], worker, command)


async def test_nobody_is_found_by_a_number_nobody_left(command_line: Streets, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"

    refused = error(
        called(
            *("subject", "export", "--phone", "13811112222", "--words", "申请", "--out", str(out)),
            *("--as", ADMINISTRATOR, "--json"),
        )
    )

    assert refused["code"] == "subject.unknown"
    assert not out.exists()


async def test_the_key_can_be_shown_checked_and_rotated_by_command(command_line: Streets, tmp_path: Path) -> None:
    secret = (tmp_path / "master.key").read_bytes().hex()

    before = value(called("key", "show", "--json"))
    prepared = value(called("key", "rotate", "--prepare", "--json"))
    done = value(called("key", "rotate", "--json"))
    checked = value(called("key", "check", "--json"))

    assert before["mode"] == "0600"
    assert secret not in str((before, prepared, done, checked))
    assert (done["old"], done["new"]) == (before["id"], prepared["coming"])
    assert (checked["keys"], checked["of_another_id"], checked["in_force"]) == (done["wrapped"], 0, done["new"])
    async with command_line.doors.office.pool.acquire() as conn:
        vault = command_line.doors.office.vault
        assert await vault.read(conn, command_line.cases[NEAR], "reporter_phone") == CANARIES["phone"]


async def test_a_connector_is_given_the_keys_of_its_tasks_and_not_the_master_key(
    command_line: Streets, tmp_path: Path
) -> None:
    key, out = MasterKey.load(tmp_path / "master.key"), tmp_path / "payload.keys"

    assert value(called("key", "payload", "--out", str(out), "--json"))["keys"] == 1

    assert payload_keys_in(out) == key.payload_keys()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert (tmp_path / "master.key").read_bytes() not in out.read_bytes()
    with pytest.raises(Refused, match=r"vault\.wrong_key"):
        async with command_line.doors.office.pool.acquire() as conn:
            await Vault(MasterKey.load(out)).read(conn, command_line.cases[NEAR], "reporter_name")


async def test_a_key_file_that_others_may_read_is_refused_with_its_remedy(
    command_line: Streets, tmp_path: Path
) -> None:
    (tmp_path / "master.key").chmod(0o644)

    refused = error(called("key", "show", "--json"))

    assert refused["code"] == "key_file.open"
    assert "chmod 600" in refused["remedy"]


async def test_a_program_is_shown_it_for_a_reason_too(fresh_streets: Streets) -> None:
    streets, worker = fresh_streets, fresh_streets.people[person(Role.GRID_WORKER, NEAR)]
    path = f"/api/v1/cases/{streets.cases[NEAR]}/reporter"
    for body, status in (({}, 422), ({"reason": "curiosity"}, 422), ({"reason": "other"}, 422)):
        refused = await streets.ask(worker, "POST", path, by_token=True, json=body)
        assert (refused.status_code, found_in(refused.text)) == (status, []), body

    shown = await streets.ask(worker, "POST", path, by_token=True, json={"reason": "contact"})

    assert shown.json() == {**{each: CANARIES[each] for each in ("name", "phone", "address")}, "erased": False}
    assert shown.headers["cache-control"] == "no-store"
    assert await _looks(streets) == [(worker.person, "api", "contact", "")]
    auditor = streets.people[AUDITOR]
    (look,) = (await streets.ask(auditor, "GET", "/api/v1/reveals", by_token=True)).json()["items"]
    assert (look["person"], look["stream"]) == (worker.person, streets.cases[NEAR])
    far = await streets.ask(streets.people[person(Role.AUDITOR, FAR)], "GET", "/api/v1/reveals", by_token=True)
    assert far.json()["items"] == []
