"""From an upload to evidence, and who may look at it."""

import asyncio
import io
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from starlette.datastructures import UploadFile

from console.files.keeping import AT_ONCE, keep_uploads, kept_before, sweep_uploads
from console.http.acting import open_process, submit
from console.http.caller import Caller
from console.http.upkeep import upkeep
from domain.case.vocabulary import Evidence
from domain.errors import Refused
from domain.rights import Subject
from ledger.files import files_of_stream
from tests.console.files.pictures import picture, png_that_claims, telling_photograph
from tests.console.http.doors import Doors
from tests.neighbourhood import ACTORS, EVERYDAY, GRID
from tests.waiting import eventually


def upload(content: bytes, name: str = "IMG_0001.jpg") -> UploadFile:
    return UploadFile(io.BytesIO(content), filename=name)


async def caller(doors: Doors, person: str) -> Caller:
    async with doors.office.pool.acquire() as conn:
        world = await doors.office.world(conn)
    return Caller(subject=Subject(person=person, holds=(ACTORS[person],)), office=doors.office, world=world)


async def kept(doors: Doors, person: str, *contents: bytes) -> tuple[Evidence, ...]:
    uploads = [upload(content) for content in contents]
    return await keep_uploads(doors.office, await caller(doors, person), uploads, "before")


async def test_what_was_uploaded_is_evidence_with_the_digest_of_what_is_kept(reading_doors: Doors) -> None:
    first, second = await kept(reading_doors, "worker", telling_photograph(), picture("PNG", (90, 60)))

    assert first.kind == "before"
    assert first.ref == f"file-{first.digest[:24]}"
    content = await reading_doors.office.files.store.get(first.digest)
    assert content.startswith(b"\xff\xd8")
    assert b"CANARY" not in content
    assert second.digest != first.digest


async def test_the_same_form_sent_twice_gives_the_same_evidence(reading_doors: Doors) -> None:
    once = await kept(reading_doors, "worker", telling_photograph())

    assert await kept(reading_doors, "worker", telling_photograph(), telling_photograph()) == once


async def test_a_form_that_came_back_need_not_be_given_the_same_photographs_again(reading_doors: Doors) -> None:
    once = await kept(reading_doors, "worker", telling_photograph())
    digests = [once[0].digest, once[0].digest]

    assert await kept_before(reading_doors.office, await caller(reading_doors, "worker"), digests, "before") == once
    with pytest.raises(Refused) as refused:
        await kept_before(reading_doors.office, await caller(reading_doors, "checker"), digests, "before")
    assert refused.value.code == "file.not_yours"


async def test_a_form_in_which_nothing_was_chosen_has_no_evidence(reading_doors: Doors) -> None:
    asking = await caller(reading_doors, "worker")

    assert await keep_uploads(reading_doors.office, asking, [upload(b"", ""), ""], "before") == ()


@pytest.mark.parametrize(
    ("uploads", "code"),
    [
        ([upload(b"")], "file.empty"),
        ([upload(picture()), upload(b"<html>", "photo.jpg")], "file.wrong_type"),
        ([upload(picture() + bytes(12 * 1024 * 1024))], "file.too_large"),
        ([upload(picture()) for _ in range(10)], "file.too_many"),
        ([upload(png_that_claims(20_000, 20_000))], "file.too_many_pixels"),
        (["text in place of a file"], "field.invalid"),
    ],
)
async def test_of_several_files_none_is_kept_when_one_is_refused(
    reading_doors: Doors, uploads: list[Any], code: str
) -> None:
    asking = await caller(reading_doors, "worker")

    with pytest.raises(Refused) as refused:
        await keep_uploads(reading_doors.office, asking, uploads, "after")

    assert refused.value.code == code
    assert refused.value.refusal.field == "photos"
    async with reading_doors.office.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from file") == 0


async def test_the_loop_turns_while_pictures_are_made_anew(reading_doors: Doors) -> None:
    content = picture("PNG", (4000, 3000))
    work = asyncio.gather(*(kept(reading_doors, "worker", content + bytes(n)) for n in range(AT_ONCE + 1)))
    turns = 0
    while not work.done():
        await asyncio.sleep(0.002)
        turns += 1

    assert turns > 20
    assert len({evidence for (evidence,) in await work}) == 1


async def test_an_upload_is_its_uploaders_until_an_act_refers_to_it(reading_doors: Doors) -> None:
    (evidence,) = await kept(reading_doors, "worker", telling_photograph())
    worker, checker = reading_doors.browser("worker"), reading_doors.browser("checker")

    answer = await worker.get(f"/files/uploaded/{evidence.digest}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith("inline; filename=")
    again = await worker.get(f"/files/uploaded/{evidence.digest}", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    small = await worker.get(f"/files/uploaded/{evidence.digest}?thumb=1")
    assert 0 < len(small.content) < len(answer.content) + 1
    assert (await checker.get(f"/files/uploaded/{evidence.digest}")).status_code == 404
    assert (await reading_doors.browser().get(f"/files/uploaded/{evidence.digest}")).status_code == 303


async def test_a_file_of_a_case_is_seen_by_those_who_may_read_the_case(doors: Doors) -> None:
    (before,) = await kept(doors, "worker", picture())
    (private,) = await kept(doors, "worker", picture("PNG", (20, 20)))
    request = {
        "title": "楼道杂物",
        "text": "楼道里堆着旧家具",
        "grid": GRID,
        "category": EVERYDAY,
        "evidence": [before.model_dump(mode="json", exclude_none=True)],
    }
    stream = (await open_process(await caller(doors, "worker"), "case", "register", request)).answer.stream

    async def status(person: str, digest: str, where: str = stream) -> int:
        return (await doors.browser(person).get(f"/files/{where}/{digest}")).status_code

    assert await status("worker", before.digest) == 200
    assert await status("community", before.digest) == 200
    assert await status("supervisor", before.digest) == 200
    assert await status("far-community", before.digest) == 403
    assert await status("handler", before.digest) == 403
    assert await status("worker", private.digest) == 404
    assert await status("worker", before.digest, f"case-{'0' * 32}") == 404
    async with doors.office.pool.acquire() as conn:
        assert [each.digest for each in await files_of_stream(conn, stream)] == [before.digest]


async def test_knowing_the_digest_of_anothers_file_opens_nothing(doors: Doors) -> None:
    (theirs,) = await kept(doors, "other-worker", picture())
    request = {"title": "路面破损", "text": "路面有坑", "grid": GRID, "category": EVERYDAY}
    worker = await caller(doors, "worker")
    stream = (await open_process(worker, "case", "register", request)).answer.stream
    evidence = theirs.model_dump(mode="json", exclude_none=True)

    with pytest.raises(Refused) as refused:
        await submit(worker, stream, {"kind": "attach", "evidence": evidence})
    assert refused.value.code == "file.not_yours"

    # A door that does not ask gains nothing by it: the log itself gives a file only to its uploader's acts.
    await doors.office.desk.submit(stream, ACTORS["worker"], {"kind": "attach", "evidence": evidence})
    assert (await doors.browser("worker").get(f"/files/{stream}/{theirs.digest}")).status_code == 404


async def age(conn: asyncpg.pool.PoolConnectionProxy, days: float) -> None:
    await conn.execute("update file_upload set uploaded_at = uploaded_at - $1::interval", timedelta(days=days))


async def test_what_nobody_used_for_a_day_is_swept_and_what_belongs_to_a_case_stays(doors: Doors) -> None:
    worker = await caller(doors, "worker")
    (used,) = await kept(doors, "worker", picture())
    (unused,) = await kept(doors, "worker", picture("PNG", (20, 20)))
    evidence = [used.model_dump(mode="json", exclude_none=True)]
    request = {"title": "路面破损", "text": "路面有坑", "grid": GRID, "category": EVERYDAY, "evidence": evidence}
    await open_process(worker, "case", "register", request)
    async with doors.office.pool.acquire() as conn:
        assert await sweep_uploads(doors.office) == 0
        await age(conn, 1.1)
    (fresh,) = await kept(doors, "worker", picture("PNG", (22, 22)))

    assert await sweep_uploads(doors.office) == 1

    store = doors.office.files.store
    assert await store.exists(used.digest)
    assert await store.exists(fresh.digest)
    assert not await store.exists(unused.digest)


async def test_a_console_sweeps_of_its_own_accord(reading_doors: Doors) -> None:
    (unused,) = await kept(reading_doors, "worker", picture())
    async with reading_doors.office.pool.acquire() as conn:
        await age(conn, 2)

    async def gone() -> bool:
        return not await reading_doors.office.files.store.exists(unused.digest)

    async with upkeep(reading_doors.office, every=timedelta(hours=1)):
        await eventually(gone, "the unused upload is swept")


async def test_what_was_swept_can_be_uploaded_again(reading_doors: Doors) -> None:
    (first,) = await kept(reading_doors, "worker", picture())
    async with reading_doors.office.pool.acquire() as conn:
        await age(conn, 2)
    await sweep_uploads(reading_doors.office)

    (again,) = await kept(reading_doors, "worker", picture())

    assert again == first
    assert await reading_doors.office.files.store.exists(again.digest)


async def test_two_people_may_upload_the_same_picture(reading_doors: Doors) -> None:
    both = await asyncio.gather(*(kept(reading_doors, who, picture()) for who in ("worker", "checker")))

    (evidence,) = both[0]
    for who in ("worker", "checker"):
        assert (await reading_doors.browser(who).get(f"/files/uploaded/{evidence.digest}")).status_code == 200


async def test_a_file_spoilt_in_the_store_is_not_shown(reading_doors: Doors) -> None:
    (evidence,) = await kept(reading_doors, "worker", picture())
    store: Any = reading_doors.office.files.store
    store.path_of(evidence.digest).write_bytes(b"forged")

    answer = await reading_doors.browser("worker").get(f"/files/uploaded/{evidence.digest}")

    assert answer.status_code == 500
    assert b"forged" not in answer.content
