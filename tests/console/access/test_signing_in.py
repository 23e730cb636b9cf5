"""Signing in, sessions, passwords: on a real PostgreSQL in the role of the doors."""

import asyncio
import re
from datetime import timedelta

import asyncpg
import pytest

from console.access.door import Access
from console.access.passwords import Hashing
from console.access.throttle import client_group
from console.words import SECURITY
from domain.errors import Refused
from ledger.security import Kind, LineFilter, list_lines
from runtime.settings import Settings
from tests.console.access.conftest import PASSWORD, Clock
from tests.refusals import refused

HERE, ELSEWHERE = "10.0.0.1", "203.0.113.9"


async def test_who_gives_the_right_password_gets_a_session(access: Access, worker: str, clock: Clock) -> None:
    clock.move(timedelta(hours=1))
    begun = await access.sessions.sign_in("W01 ", PASSWORD, HERE, device="Firefox · Windows")

    found = await access.sessions.identify(begun.token)

    assert (found.login, found.person, found.must_change) == (worker, "W01", False)
    own = await access.sessions.own(found)
    assert (own[0].id, own[0].device) == (found.session, "Firefox · Windows")


async def test_the_one_time_password_must_be_changed_at_the_first_sign_in(access: Access) -> None:
    added = await access.accounts.add("W02", by="admin")
    assert added.password is not None

    first = await access.sessions.sign_in("w02", added.password, HERE)
    changed = await access.sessions.change_password(first.identity, added.password, PASSWORD, HERE)

    assert first.identity.must_change
    assert not changed.identity.must_change
    await refused(access.sessions.sign_in("w02", added.password, HERE), "access.wrong_credentials")
    await refused(access.sessions.identify(first.token), "access.signed_out")


async def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(access: Access, worker: str) -> None:
    wrong = await refused(access.sessions.sign_in(worker, "not the password", HERE), "access.wrong_credentials")
    unknown = await refused(access.sessions.sign_in("nobody", PASSWORD, HERE), "access.wrong_credentials")

    assert wrong.refusal == unknown.refusal


class Counting:
    """Counts how often hashes are compared."""

    def __init__(self, hashing: Hashing) -> None:
        self._hashing, self.compared = hashing, 0

    def hash(self, password: str) -> str:
        return self._hashing.hash(password)

    def verify_and_update(self, password: str, hash: str) -> tuple[bool, str | None]:  # noqa: A002
        self.compared += 1
        return self._hashing.verify_and_update(password, hash)


async def test_an_unknown_name_costs_one_comparison_as_a_known_one_does(
    app_pool: asyncpg.Pool, quick_hash: Hashing, worker: str
) -> None:
    counting = Counting(quick_hash)
    access = Access.open(app_pool, Settings(), hashing=counting)

    for name in (worker, "nobody"):
        before = counting.compared
        await refused(access.sessions.sign_in(name, "not the password", HERE), "access.wrong_credentials")
        assert counting.compared == before + 1


async def test_the_database_holds_neither_tokens_nor_passwords_nor_addresses(
    access: Access, app_pool: asyncpg.Pool, worker: str
) -> None:
    begun = await access.sessions.sign_in(worker, PASSWORD, ELSEWHERE)
    await refused(access.sessions.sign_in("my-secret-typed-as-name", "x", ELSEWHERE), "access.wrong_credentials")
    issued = await access.tokens.issue(
        worker, name="报表", permissions=["case.read"], lasts=timedelta(days=1), by="W01"
    )

    tables = ("account", "account_password", "session", "api_token", "sign_in_attempt", "security_log")
    async with app_pool.acquire() as conn:
        kept = "\n".join([str(row) for name in tables for row in await conn.fetch(f"select * from {name}")])

    assert worker in kept
    for secret in (begun.token, issued.token, PASSWORD, ELSEWHERE, HERE, "my-secret-typed-as-name"):
        assert secret not in kept


async def test_an_unused_session_ends(access: Access, worker: str, clock: Clock) -> None:
    begun = await access.sessions.sign_in(worker, PASSWORD, HERE)

    clock.move(timedelta(minutes=29))
    await access.sessions.identify(begun.token)
    clock.move(timedelta(minutes=29))
    await access.sessions.identify(begun.token)
    clock.move(timedelta(minutes=30))

    await refused(access.sessions.identify(begun.token), "access.signed_out")
    clock.move(timedelta(minutes=-30))
    await refused(access.sessions.identify(begun.token), "access.signed_out")


async def test_a_session_in_use_ends_after_its_longest_time(access: Access, worker: str, clock: Clock) -> None:
    begun = await access.sessions.sign_in(worker, PASSWORD, HERE)

    for _ in range(35):
        clock.move(timedelta(minutes=20))
        await access.sessions.identify(begun.token)
    clock.move(timedelta(minutes=20))

    await refused(access.sessions.identify(begun.token), "access.signed_out")


async def test_every_sign_in_gives_another_token_and_signing_out_ends_only_that_one(
    access: Access, worker: str
) -> None:
    one = await access.sessions.sign_in(worker, PASSWORD, HERE)
    two = await access.sessions.sign_in(worker, PASSWORD, HERE)

    await access.sessions.sign_out(one.token)

    assert one.token != two.token
    await refused(access.sessions.identify(one.token), "access.signed_out")
    assert (await access.sessions.identify(two.token)).login == worker


async def test_a_person_ends_their_own_sessions_and_nobody_elses(access: Access, worker: str) -> None:
    other = await access.accounts.add("W02", by="admin")
    assert other.password is not None
    theirs = await access.sessions.sign_in("w02", other.password, HERE)
    mine = await access.sessions.sign_in(worker, PASSWORD, HERE)
    lost = await access.sessions.sign_in(worker, PASSWORD, ELSEWHERE)
    assert theirs.identity.session is not None
    assert lost.identity.session is not None

    await refused(access.sessions.end(mine.identity, theirs.identity.session), "access.no_such_session")
    await access.sessions.end(mine.identity, lost.identity.session)

    await refused(access.sessions.identify(lost.token), "access.signed_out")
    assert (await access.sessions.identify(theirs.token)).person == "W02"
    assert (await access.sessions.identify(mine.token)).person == "W01"


async def test_a_changed_password_ends_all_other_sessions(access: Access, worker: str) -> None:
    here = await access.sessions.sign_in(worker, PASSWORD, HERE)
    there = await access.sessions.sign_in(worker, PASSWORD, ELSEWHERE)

    again = await access.sessions.change_password(here.identity, PASSWORD, "seven brown umbrellas", HERE)

    await refused(access.sessions.identify(here.token), "access.signed_out")
    await refused(access.sessions.identify(there.token), "access.signed_out")
    assert (await access.sessions.identify(again.token)).login == worker


async def test_only_who_knows_the_old_password_gets_a_new_one(access: Access, worker: str) -> None:
    here = await access.sessions.sign_in(worker, PASSWORD, HERE)

    caught = await refused(
        access.sessions.change_password(here.identity, "a guess of mine", "seven brown umbrellas", HERE),
        "access.wrong_old_password",
    )

    assert caught.refusal.field == "old_password"
    assert (await access.sessions.identify(here.token)).login == worker


async def test_a_disabled_account_is_out_at_once_and_only_its_owner_is_told_why(access: Access, worker: str) -> None:
    begun = await access.sessions.sign_in(worker, PASSWORD, HERE)
    issued = await access.tokens.issue(
        worker, name="报表", permissions=["case.read"], lasts=timedelta(days=1), by="W01"
    )

    await access.accounts.disable(worker, by="admin")

    await refused(access.sessions.identify(begun.token), "access.signed_out")
    await refused(access.tokens.identify(issued.token), "access.token_invalid")
    await refused(access.sessions.sign_in(worker, PASSWORD, HERE), "access.disabled")
    await refused(access.sessions.sign_in(worker, "a guess of mine", HERE), "access.wrong_credentials")

    await access.accounts.enable(worker, by="admin")

    await refused(access.sessions.identify(begun.token), "access.signed_out")
    await refused(access.tokens.identify(issued.token), "access.token_invalid")
    assert (await access.sessions.sign_in(worker, PASSWORD, HERE)).identity.login == worker


async def test_a_reset_gives_a_password_for_once_and_ends_what_there_was(access: Access, worker: str) -> None:
    begun = await access.sessions.sign_in(worker, PASSWORD, HERE)

    reset = await access.accounts.reset(worker, by="admin")

    assert reset.password is not None
    assert re.fullmatch(r"([a-z2-9]{4}-){3}[a-z2-9]{4}", reset.password)
    await refused(access.sessions.identify(begun.token), "access.signed_out")
    await refused(access.sessions.sign_in(worker, PASSWORD, HERE), "access.wrong_credentials")
    assert (await access.sessions.sign_in(worker, reset.password, HERE)).identity.must_change


async def test_somebody_always_remains_to_administer(access: Access) -> None:
    first = await access.accounts.first_administrator()
    assert first is not None

    assert first.account.is_administrator
    assert await access.accounts.first_administrator() is None
    await refused(access.accounts.disable("admin", by="admin"), "access.last_administrator")
    assert (await access.accounts.find("admin")).disabled_at is None

    await access.accounts.add("W09", by="admin", is_administrator=True)
    assert (await access.accounts.disable("admin", by="W09")).disabled_at is not None


async def test_of_two_consoles_that_start_at_once_one_makes_the_first_administrator(access: Access) -> None:
    made = await asyncio.gather(*(access.accounts.first_administrator() for _ in range(4)))

    assert len([each for each in made if each is not None]) == 1


async def test_one_person_has_one_account_and_one_login_name_one_person(access: Access, worker: str) -> None:
    await refused(access.accounts.add("W01", by="admin", login="second"), "access.person_has_account")
    await refused(access.accounts.add("W02", by="admin", login="W01"), "access.login_taken")
    await refused(access.accounts.add("W 02", by="admin"), "access.bad_login")


async def test_accounts_are_listed_in_pages(access: Access) -> None:
    for number in range(5):
        await access.accounts.add(f"W{number}", by="admin")

    seen: list[str] = []
    after: str | None = None
    while True:
        page, after = await access.accounts.list(limit=2, after=after)
        seen += [each.login for each in page]
        if after is None:
            break

    assert seen == [f"w{number}" for number in range(5)]


# --- guessing -----------------------------------------------------------------------------------------------------


async def _guess(access: Access, name: str, times: int, client: str = HERE) -> list[str]:
    codes = []
    for _ in range(times):
        with pytest.raises(Refused) as caught:
            await access.sessions.sign_in(name, "a guess of mine", client)
        codes.append(caught.value.code)
    return codes


@pytest.mark.parametrize("name", ["w01", "nobody"])
async def test_who_guesses_is_slowed_more_and_more_and_never_locked_out(
    access: Access, worker: str, clock: Clock, name: str
) -> None:
    assert await _guess(access, name, 4, ELSEWHERE) == ["access.wrong_credentials"] * 4

    waits = []
    for _ in range(14):
        caught = await refused(access.sessions.sign_in(name, PASSWORD, ELSEWHERE), "access.slow_down")
        seconds = int(caught.refusal.params["seconds"])
        waits.append(seconds)
        clock.move(timedelta(seconds=seconds))
        assert await _guess(access, name, 1, ELSEWHERE) == ["access.wrong_credentials"]

    assert waits[:6] == [1, 2, 4, 8, 16, 32]
    assert waits == sorted(waits)
    assert waits[-1] == 900
    clock.move(timedelta(seconds=900))
    if name == worker:
        assert (await access.sessions.sign_in(name, PASSWORD, ELSEWHERE)).identity.login == worker


async def test_guesses_at_the_same_moment_gain_nothing(access: Access, worker: str) -> None:
    tried = await asyncio.gather(
        *(access.sessions.sign_in(worker, "a guess of mine", ELSEWHERE) for _ in range(20)), return_exceptions=True
    )

    codes = [each.code for each in tried if isinstance(each, Refused)]
    assert len(codes) == 20
    assert codes.count("access.wrong_credentials") == 4


async def test_strangers_elsewhere_cannot_keep_a_person_out(access: Access, worker: str, clock: Clock) -> None:
    for number in range(12):
        await _guess(access, worker, 4, f"198.51.100.{number}")

    # Whoever comes from a place of which nothing is known waits; the person at the usual place does not.
    await refused(access.sessions.sign_in(worker, PASSWORD, ELSEWHERE), "access.slow_down")
    assert (await access.sessions.sign_in(worker, PASSWORD, HERE)).identity.login == worker


async def test_who_tries_many_names_from_one_place_is_slowed_too(access: Access) -> None:
    codes = []
    for number in range(45):
        codes += await _guess(access, f"name{number}", 1, ELSEWHERE)

    assert codes[:40] == ["access.wrong_credentials"] * 40
    assert set(codes[40:]) == {"access.slow_down"}


async def test_one_good_account_buys_no_guesses_at_others(access: Access, worker: str) -> None:
    codes: list[str] = []
    for number in range(45):
        codes += await _guess(access, f"name{number}", 1, ELSEWHERE)
        await access.sessions.sign_in(worker, PASSWORD, ELSEWHERE)

    assert "access.slow_down" in codes


async def test_another_console_goes_on_counting(
    access: Access, app_pool: asyncpg.Pool, worker: str, clock: Clock, quick_hash: Hashing
) -> None:
    await _guess(access, worker, 4, ELSEWHERE)

    restarted = Access.open(app_pool, Settings(), clock=clock, hashing=quick_hash)

    await refused(restarted.sessions.sign_in(worker, PASSWORD, ELSEWHERE), "access.slow_down")


async def test_yesterdays_mistakes_are_forgotten(access: Access, worker: str, clock: Clock) -> None:
    await _guess(access, worker, 4, ELSEWHERE)

    clock.move(timedelta(hours=25))

    assert await _guess(access, worker, 4, ELSEWHERE) == ["access.wrong_credentials"] * 4


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("unix", "unix"),
    ],
)
def test_neighbours_on_the_internet_are_counted_together(address: str, group: str) -> None:
    assert client_group(address) == group


async def test_everything_that_happens_to_an_account_is_written_down_and_stays(
    access: Access, app_pool: asyncpg.Pool, worker: str
) -> None:
    begun = await access.sessions.sign_in(worker, PASSWORD, HERE)
    await refused(access.sessions.sign_in(worker, "a guess of mine", HERE), "access.wrong_credentials")
    await access.sessions.end_others(begun.identity)
    await access.sessions.sign_out(begun.token)
    issued = await access.tokens.issue(worker, name="一", permissions=["case.read"], lasts=timedelta(days=1), by="W01")
    await access.tokens.revoke(worker, issued.row.id, by="W01")
    await access.accounts.disable(worker, by="boss")
    await refused(access.sessions.sign_in(worker, PASSWORD, HERE), "access.disabled")
    await access.accounts.enable(worker, by="boss")
    await access.accounts.reset(worker, by="boss")
    await access.accounts.end_sessions(worker, by="boss")

    found = (await access.accounts.record(worker, limit=100)).items

    assert [(each.kind, each.outcome) for each in reversed(found)] == [
        ("account_added", "ok"),
        ("sign_in", "ok"),
        ("password_changed", "ok"),
        ("sign_in", "ok"),
        ("sign_in", "refused"),
        ("session_ended", "ok"),
        ("sign_out", "ok"),
        ("token_issued", "ok"),
        ("token_revoked", "ok"),
        ("account_disabled", "ok"),
        ("sign_in", "refused"),
        ("account_enabled", "ok"),
        ("password_reset", "ok"),
        ("sessions_ended_by_administrator", "ok"),
    ]
    async with app_pool.acquire() as conn:
        for change in ("update security_log set actor = 'x'", "delete from security_log"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await conn.execute(change)


async def test_a_person_the_provider_knows_and_we_do_not_is_written_down_without_their_name(
    access: Access, app_pool: asyncpg.Pool
) -> None:
    await refused(access.sessions.sign_in_known("stranger-7"), "access.no_account")

    async with app_pool.acquire() as conn:
        (line,) = (await list_lines(conn, LineFilter())).items
    assert (line.outcome, line.subject, line.detail) == (
        "refused",
        "-",
        {"by": "provider", "code": "access.no_account"},
    )


def test_every_kind_of_line_has_its_words() -> None:
    assert set(SECURITY) == {kind.value for kind in Kind}
