"""What a resident is handed, and what it opens."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from console.access.throttle import Pace
from console.tracking import ALPHABET, SHOWN_FOR, Paces, Tracking, last_four, read_code
from domain.errors import Refused
from ledger.vault import MasterKey, Vault

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
STREAM, OTHER = "case-" + "a" * 32, "case-" + "b" * 32
KEY = MasterKey(bytes(range(32)))
PHONE = "138 0000 4567"


@pytest.fixture
async def conn(migrated_database: str) -> AsyncIterator[asyncpg.Connection]:
    conn = await asyncpg.connect(migrated_database)
    for stream in (STREAM, OTHER):
        await Vault(KEY).write(conn, stream, {"wording": "路灯不亮"})
    await conn.execute("set role bihuan_app")
    yield conn
    await conn.close()


@pytest.fixture
def tracking() -> Tracking:
    return Tracking(KEY)


async def test_the_code_and_the_last_four_digits_open_the_request(conn: asyncpg.Connection, tracking: Tracking) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)

    found = await tracking.find(conn, code, "4567")

    assert found.stream == STREAM
    assert await tracking.still(conn, found)


async def test_neither_half_opens_it_and_the_refusal_does_not_tell_which_was_wrong(
    conn: asyncpg.Connection, tracking: Tracking
) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    nobodys = await Tracking(MasterKey(bytes(32))).issue(conn, OTHER, PHONE, by="worker", at=NOW)
    refusals = []

    for wrong in ((code, "4568"), (code, ""), (code, "45 67x"), (nobodys, "4567")):
        with pytest.raises(Refused) as refused:
            await tracking.find(conn, *wrong)
        refusals.append(refused.value.refusal)

    assert {each.code for each in refusals} == {"tracking.no_match"}
    assert len({each.model_dump_json() for each in refusals}) == 1


async def test_the_digits_of_one_request_are_no_use_at_another(conn: asyncpg.Connection, tracking: Tracking) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    await tracking.issue(conn, OTHER, PHONE, by="worker", at=NOW)
    await conn.execute("reset role")
    phones = [row["phone"] for row in await conn.fetch("select phone from tracking")]

    assert len(set(phones)) == 2
    await conn.execute(
        "update tracking set phone = (select phone from tracking where stream = $1) where stream = $2", OTHER, STREAM
    )
    with pytest.raises(Refused, match=r"tracking\.no_match"):
        await tracking.find(conn, code, "4567")


async def test_somebody_who_left_no_phone_needs_the_code_alone(conn: asyncpg.Connection, tracking: Tracking) -> None:
    code = await tracking.issue(conn, STREAM, None, by="worker", at=NOW)

    assert (await tracking.find(conn, code, "")).stream == STREAM
    assert (await tracking.find(conn, code, "4567")).stream == STREAM


async def test_a_registration_sent_again_is_told_the_very_same_code(
    conn: asyncpg.Connection, tracking: Tracking
) -> None:
    first = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    again = await Tracking(KEY).issue(conn, STREAM, PHONE, by="worker", at=NOW + timedelta(days=1))

    assert again == first
    assert (await tracking.find(conn, first, "4567")).number == 1


async def test_a_code_handed_out_anew_ends_the_one_before_and_what_it_had_opened(
    conn: asyncpg.Connection, tracking: Tracking
) -> None:
    lost = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    opened = await tracking.find(conn, lost, "4567")

    fresh = await tracking.reissue(conn, STREAM, by="community", at=NOW)

    assert fresh != lost
    assert not await tracking.still(conn, opened)
    with pytest.raises(Refused, match=r"tracking\.no_match"):
        await tracking.find(conn, lost, "4567")
    assert (await tracking.find(conn, fresh, "4567")).number == 2
    assert await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW) == fresh


async def test_two_who_hand_out_a_new_code_at_once_hand_out_one(
    conn: asyncpg.Connection, migrated_database: str, tracking: Tracking
) -> None:
    await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    second = await asyncpg.connect(migrated_database)

    codes = await asyncio.gather(
        tracking.reissue(conn, STREAM, by="community", at=NOW), tracking.reissue(second, STREAM, by="worker", at=NOW)
    )
    await second.close()

    in_force = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    assert in_force in codes
    assert (await tracking.find(conn, in_force, "4567")).stream == STREAM


async def test_a_request_that_never_had_a_code_gets_no_second_one(conn: asyncpg.Connection, tracking: Tracking) -> None:
    with pytest.raises(Refused, match=r"tracking\.none"):
        await tracking.reissue(conn, STREAM, by="community", at=NOW)


async def test_a_code_is_shown_again_to_who_handed_it_out_and_only_while_it_is_fresh(
    conn: asyncpg.Connection, tracking: Tracking
) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)

    assert await tracking.shown_to(conn, STREAM, "worker", NOW + SHOWN_FOR) == code
    assert await tracking.shown_to(conn, STREAM, "worker", NOW + SHOWN_FOR + timedelta(seconds=1)) is None
    assert await tracking.shown_to(conn, STREAM, "handler", NOW) is None


async def test_erasing_the_resident_takes_the_tracking_with_it(conn: asyncpg.Connection, tracking: Tracking) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    await conn.execute("reset role")
    await conn.execute("delete from vault_key where stream = $1", STREAM)

    with pytest.raises(Refused, match=r"tracking\.no_match"):
        await tracking.find(conn, code, "4567")
    with pytest.raises(Refused, match=r"tracking\.erased"):
        await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)


async def test_the_database_holds_neither_code_nor_digits(conn: asyncpg.Connection, tracking: Tracking) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)

    row = await conn.fetchrow("select * from tracking")
    assert row is not None
    kept = "".join(str(value) for value in row.values())
    assert code not in kept
    assert code.replace("-", "") not in kept
    assert b"4567" not in row["phone"]
    assert row["phone"] != hashlib.sha256(b"4567").digest()


async def test_codes_have_fifty_five_bits_that_all_vary(tracking: Tracking) -> None:
    codes = [tracking._code(f"case-{number}", 1) for number in range(400)]

    assert len(set(codes)) == 400
    for place, signs in enumerate(zip(*codes, strict=True)):
        assert len(set(signs)) == (1 if place in (4, 9) else len(ALPHABET)), place


async def test_a_code_is_read_however_it_is_typed(tracking: Tracking) -> None:
    code = tracking._code(STREAM, 1)

    for typed in (code.lower(), code.replace("-", ""), f"  {code.replace('-', ' — ')} ", code.replace("0", "O")):
        assert read_code(typed) == code
    assert read_code(code.translate({ord(sign): ord(sign) + 0xFEE0 for sign in ALPHABET})) == code


def test_every_slip_of_one_sign_and_every_two_signs_that_changed_places_are_told() -> None:
    code = Tracking(KEY)._code(STREAM, 1).replace("-", "")
    slips = [code[:place] + sign + code[place + 1 :] for place in range(12) for sign in ALPHABET if sign != code[place]]
    for one, two in itertools.combinations(range(12), 2):
        swapped = list(code)
        swapped[one], swapped[two] = code[two], code[one]
        if code[one] != code[two]:
            slips.append("".join(swapped))

    assert len(slips) > 12 * 31
    for slip in slips:
        with pytest.raises(Refused, match=r"tracking\.mistyped"):
            read_code(slip)


@pytest.mark.parametrize("typed", ["", "7K2M", "7K2M-9QXF-4TU8", "７" * 80, "查询码", "\ud800" * 12])
def test_what_is_no_code_is_told_before_anybody_is_asked(typed: str) -> None:
    with pytest.raises(Refused, match=r"tracking\.mistyped"):
        read_code(typed)


@pytest.mark.parametrize(
    ("phone", "digits"),
    [("13800004567", "4567"), ("+86 138-0000-4567", "4567"), ("", None), (None, None), ("12", None)],
)
def test_the_last_four_digits_of_a_phone(phone: str | None, digits: str | None) -> None:
    assert last_four(phone) == digits


async def test_the_key_file_alone_makes_the_codes(conn: asyncpg.Connection, tmp_path: Path) -> None:
    mine = MasterKey.load(tmp_path / "key", create=True)

    code = await Tracking(mine).issue(conn, STREAM, PHONE, by="worker", at=NOW)

    with pytest.raises(Refused, match=r"tracking\.no_match"):
        await Tracking(KEY).find(conn, code, "4567")


# --- guessing -----------------------------------------------------------------------------------------------------


async def _guess(
    conn: asyncpg.Connection, tracking: Tracking, code: str, digits: str, at: datetime, client: str
) -> str:
    try:
        await tracking.look_up(conn, code, digits, client=client, at=at)
    except Refused as refused:
        return refused.code
    return "found"


async def test_guessing_the_digits_of_a_known_code_is_slowed_wherever_it_comes_from(
    conn: asyncpg.Connection, tracking: Tracking
) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    answers = [
        await _guess(conn, tracking, code, f"{number:04}", NOW + timedelta(seconds=number), f"10.0.{number}.1")
        for number in range(12)
    ]

    assert answers[:5] == ["tracking.no_match"] * 5
    assert "tracking.slow_down" in answers[5:]
    late = NOW + timedelta(hours=2)
    assert await _guess(conn, tracking, code, "4567", late, "10.0.0.9") == "found"


async def test_somebody_who_tries_codes_is_slowed_and_others_are_not(
    conn: asyncpg.Connection, tracking: Tracking
) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    guesses = [tracking._code(f"case-{number}", 1) for number in range(25)]
    answers = [await _guess(conn, tracking, guess, "4567", NOW, "2001:db8::1") for guess in guesses]

    assert answers.count("tracking.no_match") == 20
    assert await _guess(conn, tracking, code, "4567", NOW, "2001:db8::ffff") == "tracking.slow_down"
    assert await _guess(conn, tracking, code, "4567", NOW, "2001:db8:1::1") == "found"


async def test_a_code_of_ones_own_buys_no_guesses_at_others(conn: asyncpg.Connection, tracking: Tracking) -> None:
    own = await tracking.issue(conn, OTHER, None, by="worker", at=NOW)
    answers: list[str] = []
    for number in range(30):
        await _guess(conn, tracking, own, "", NOW, "10.0.0.1")
        answers.append(await _guess(conn, tracking, tracking._code(f"case-{number}", 1), "1", NOW, "10.0.0.1"))

    assert answers.count("tracking.no_match") == 20


async def test_when_everybody_guesses_at_once_an_honest_look_up_waits_two_seconds_at_most(
    conn: asyncpg.Connection,
) -> None:
    paces = Paces(everybody=Pace(free=3, longest=timedelta(seconds=2)))
    tracking = Tracking(KEY, paces)
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    for number in range(9):
        moment = NOW + timedelta(seconds=2 * number)
        await _guess(conn, tracking, tracking._code(f"case-{number}", 1), "1", moment, f"10.{number}.0.1")

    assert await _guess(conn, tracking, code, "4567", NOW + timedelta(seconds=16), "10.99.0.1") == "tracking.slow_down"
    assert await _guess(conn, tracking, code, "4567", NOW + timedelta(seconds=18), "10.99.0.1") == "found"


async def test_a_slip_of_the_finger_counts_for_nothing(conn: asyncpg.Connection, tracking: Tracking) -> None:
    code = await tracking.issue(conn, STREAM, PHONE, by="worker", at=NOW)
    slip = code[:-1] + ("A" if code[-1] != "A" else "B")

    answers = {await _guess(conn, tracking, slip, "4567", NOW, "10.0.0.1") for _ in range(50)}

    assert answers == {"tracking.mistyped"}
    assert await _guess(conn, tracking, code, "4567", NOW, "10.0.0.1") == "found"
