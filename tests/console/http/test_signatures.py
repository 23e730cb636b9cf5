"""Signing with one's password: at a page, by the API, again and again, and with the wrong one."""

import base64
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console.access.door import Access
from console.http.acting import Proof
from ledger.log import Recorded, history
from ledger.security import LineFilter, list_lines
from ledger.signatures import Standing, standing_of
from ledger.signing import SigningKey
from ledger.vault import MasterKey, Vault
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.console.http.doors import open_doors
from tests.console.http.signing import PASSWORD, Clock, Front, quick_hash
from tests.console.http.straight import StraightDesk
from tests.console.http.test_case_page import WAY, Place, hidden, words

SIGNED_AS = {"captain": "vanguard_captain", "head": "grid_head"}


class Signers(Place):
    """A place whose signers have accounts."""

    front: Front
    key: SigningKey

    async def verified(self) -> str:
        """A case whose result waits for its signatures."""
        return await self.case(len(WAY))

    async def signatures(self, case: str) -> list[Recorded]:
        """The signatures that stand in the ledger."""
        async with self.doors.office.pool.acquire() as conn:
            return [each for each in await history(conn, case) if each.kind == "signed"]

    def standing(self, event: Recorded) -> Standing:
        """What a signature is worth."""
        return standing_of(event.stream, str(event.command_id), event.body, {self.key.public})

    async def digest(self, case: str) -> str:
        """What there is to sign."""
        async with self.doors.office.pool.acquire() as conn:
            return next(str(each.body["digest"]) for each in await history(conn, case) if each.kind == "verified")


@pytest.fixture(params=["doors"])
async def place(furnished_database: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Signers]:
    key = MasterKey.load(tmp_path / "master.key", create=True)
    settings = Settings.load(
        data=tmp_path, database_url=furnished_database, temporal_address="127.0.0.1:9", sign_confirmation=request.param
    )
    pool = await open_pool(furnished_database, size=6, role="bihuan_app")
    desk, clock = StraightDesk(pool, Vault(key)), Clock()
    async with open_doors(pool, desk, key, settings) as doors:
        access = Access.open(pool, settings, clock=clock, hashing=quick_hash())
        doors.office.access = access
        place = Signers(doors, desk)
        place.key = SigningKey.load(settings.signing_file, create=True)
        place.front = Front(doors, access, clock)
        for person in SIGNED_AS:
            await place.front.account(person)
        yield place
    await pool.close()


async def test_two_signers_confirm_at_the_page_and_the_ledger_can_show_it(place: Signers) -> None:
    case = await place.verified()

    for who in SIGNED_AS:
        browser, path = place.doors.browser(who), f"/cases/{case}/acts/sign"
        form = await browser.get(path)
        assert 'type="password"' in form.text
        answer = await browser.post(path, {**hidden(form, path), "_password": PASSWORD})
        assert answer.status_code == 303, words(answer)

    found = await place.signatures(case)
    assert [each.actor for each in found] == ["captain", "head"]
    assert [place.standing(each) for each in found] == [Standing.CONFIRMED, Standing.CONFIRMED]
    assert "已凭密码确认" in await place.look("worker", f"/cases/{case}")
    async with place.doors.office.pool.acquire() as conn:
        rows = (await list_lines(conn, LineFilter())).items
    assert [row.kind for row in rows if row.kind == "password_confirmed"] == ["password_confirmed"] * 2
    assert PASSWORD not in str([each.body for each in found])


async def test_without_the_right_password_nothing_is_signed_and_the_form_says_so(place: Signers) -> None:
    case, path = await place.verified(), ""
    path = f"/cases/{case}/acts/sign"
    browser = place.doors.browser("captain")
    form = hidden(await browser.get(path), path)

    none = await browser.post(path, form)
    wrong = await browser.post(path, {**form, "_password": "柳树下的 red tractor"})

    assert (none.status_code, wrong.status_code) == (403, 403)
    assert "签字前没有确认密码" in words(none)
    assert "密码不正确" in words(wrong)
    assert "red tractor" not in wrong.text
    assert await place.signatures(case) == []
    right = await browser.post(path, {**hidden(wrong, path), "_password": PASSWORD})
    assert right.status_code == 303


async def test_guessing_is_slowed_as_at_the_front_door(place: Signers) -> None:
    case = await place.verified()
    path = f"/cases/{case}/acts/sign"
    browser = place.doors.browser("captain")
    form = hidden(await browser.get(path), path)

    statuses = [(await browser.post(path, {**form, "_password": f"guess {n} of many"})).status_code for n in range(7)]
    told = await browser.post(path, {**form, "_password": PASSWORD})

    assert statuses[:4] == [403] * 4
    assert (statuses[-1], told.status_code) == (429, 429)
    assert "秒再签" in words(told)
    assert await place.signatures(case) == []


async def send(place: Signers, case: str, who: str, key: str, password: str | None, **changes: Any) -> Any:
    """Sign by the API."""
    headers = {"idempotency-key": key}
    if password is not None:
        headers["bihuan-confirmation"] = base64.b64encode(password.encode()).decode()
    body = {"kind": "sign", "digest": await place.digest(case), **changes}
    return await place.doors.program(who).post(f"/api/v1/cases/{case}/commands", json=body, headers=headers)


async def test_a_program_confirms_in_a_header_and_may_send_it_again(place: Signers) -> None:
    case, key = await place.verified(), str(uuid.uuid4())

    first = await send(place, case, "captain", key, PASSWORD)
    again = await send(place, case, "captain", key, PASSWORD)
    forgotten = await send(place, case, "captain", key, None)

    assert [each.status_code for each in (first, again, forgotten)] == [200, 200, 200]
    assert first.json() == again.json() == forgotten.json()
    assert [place.standing(each) for each in await place.signatures(case)] == [Standing.CONFIRMED]


async def test_a_program_without_the_password_is_refused(place: Signers) -> None:
    case = await place.verified()

    none = await send(place, case, "captain", str(uuid.uuid4()), None)
    wrong = await send(place, case, "captain", str(uuid.uuid4()), "not this one")
    headers = {"idempotency-key": str(uuid.uuid4()), "bihuan-confirmation": "密码".encode().hex() + "!"}
    garbled = await place.doors.program("captain").post(
        f"/api/v1/cases/{case}/commands", json={"kind": "sign", "digest": await place.digest(case)}, headers=headers
    )

    assert [each.status_code for each in (none, wrong, garbled)] == [403, 403, 403]
    assert [each.json()["code"] for each in (none, wrong, garbled)] == [
        "sign.unconfirmed",
        "sign.wrong_password",
        "sign.unconfirmed",
    ]


async def test_nobody_brings_a_confirmation_of_their_own(place: Signers) -> None:
    case = await place.verified()
    own = {"method": "password", "key": place.key.public, "signature": "00" * 64}

    answer = await send(place, case, "captain", str(uuid.uuid4()), PASSWORD, confirmation=own)

    assert (answer.status_code, answer.json()["code"]) == (422, "field.unknown")


async def test_who_has_no_password_of_their_own_is_told_how_to_get_one(place: Signers) -> None:
    case = await place.verified()
    # A one-time password is known to whoever made it.
    once = (await place.front.access.accounts.reset("captain", by="admin")).password

    answer = await send(place, case, "captain", str(uuid.uuid4()), once)

    assert (answer.status_code, answer.json()["code"]) == (403, "sign.no_password")
    assert await place.signatures(case) == []


@pytest.mark.parametrize("place", ["never"], indirect=True)
async def test_an_office_may_do_without(place: Signers) -> None:
    case = await place.verified()
    path = f"/cases/{case}/acts/sign"
    browser = place.doors.browser("captain")

    form = await browser.get(path)
    answer = await browser.post(path, hidden(form, path))

    assert 'name="_password"' not in form.text
    assert answer.status_code == 303
    assert [place.standing(each) for each in await place.signatures(case)] == [Standing.UNCONFIRMED]


def test_a_proof_does_not_show_the_password() -> None:
    assert "柳树" not in repr(Proof(PASSWORD, "10.0.0.1"))
