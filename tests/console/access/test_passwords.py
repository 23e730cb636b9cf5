"""Which passwords are taken."""

from datetime import timedelta

import asyncpg
import pytest

from console.access.door import Access
from console.access.passwords import Hashing, PasswordPolicy, Passwords, check_new, one_time_password
from domain.errors import Refused
from runtime.settings import Settings
from tests.console.access.conftest import Clock
from tests.refusals import refused

MODERN, DENGBAO = PasswordPolicy(), PasswordPolicy(profile="dengbao")
WORDS = ("wanglan", "W01", "杏林街道")


@pytest.mark.parametrize(
    "password",
    [
        "短的不行",
        "123456789",
        "1234567890",
        "0987654321",
        "qwertyuiop",
        "QwertyUiop123",
        "1qaz2wsx3edc",
        "abcdefghij",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
        "5201314520",
        "woaini1314520",
        "password123456",
        "P@ssw0rd!!!!",
        "P4ssw0rd2026",
        "Admin@123456",
        "!!!welcome2026!!!",
        "woaizhongguo88",
        "bihuan2026!",
        "闭环2026闭环2026",
        "WangLan20261126",
        "w01w01w01w",
        "杏林街道2026年11月",
        "ＷａｎｇＬａｎ２０２６１１",
        "x" * 129,
    ],
)
def test_what_others_would_try_first_is_refused(password: str) -> None:
    with pytest.raises(Refused) as caught:
        check_new(password, MODERN, words=WORDS)

    assert caught.value.code == "access.weak_password"
    assert caught.value.refusal.field == "new_password"
    assert password not in str(caught.value.refusal)


@pytest.mark.parametrize(
    "password",
    [
        "柳树下的绿色拖拉机很慢",
        "seven brown umbrellas",
        "correct horse battery",
        "tractor-willow-kettle",
        "我家门口有一棵老槐树",
        "k3!vQz8#Lm2p",
        "wanglan likes early morning tea",
        "1949年爷爷种的桃树",
        "长" + "安得广厦千万间大庇天下寒士" * 9,
    ],
)
def test_what_is_long_and_ones_own_is_taken_without_rules_of_composition(password: str) -> None:
    check_new(password, MODERN, words=WORDS)


def test_one_time_passwords_are_all_different_and_pass_the_policy() -> None:
    made = {one_time_password() for _ in range(200)}

    assert len(made) == 200
    for each in made:
        check_new(each, MODERN)


@pytest.mark.parametrize("password", ["seven brown umbrellas", "seven-brown-umbrellas", "柳树下的绿色拖拉机很慢"])
def test_dengbao_asks_for_several_kinds_of_characters(password: str) -> None:
    with pytest.raises(Refused):
        check_new(password, DENGBAO)
    check_new(password + " Seven 7", DENGBAO)


async def test_the_same_letters_are_the_same_password_on_every_keyboard(quick_hash: Hashing) -> None:
    passwords = Passwords(quick_hash)

    kept = await passwords.hash("ｃａｆé and 七 umbrellas")

    assert (await passwords.check("café and 七 umbrellas", kept))[0]
    assert not (await passwords.check("cafe and 七 umbrellas", kept))[0]


async def test_a_hash_by_older_settings_is_renewed_when_it_is_used(
    app_pool: asyncpg.Pool, quick_hash: Hashing, clock: Clock
) -> None:
    from console.access.passwords import argon2

    old = Access.open(app_pool, Settings(), clock=clock, hashing=quick_hash)
    added = await old.accounts.add("W01", by="admin")
    assert added.password is not None
    new = Access.open(app_pool, Settings(), clock=clock, hashing=argon2(time_cost=2, memory_cost=16, parallelism=1))

    await new.sessions.sign_in("w01", added.password, "10.0.0.1")

    async with app_pool.acquire() as conn:
        assert "m=16,t=2" in await conn.fetchval("select password_hash from account")
    await new.sessions.sign_in("w01", added.password, "10.0.0.1")


def _dengbao(pool: asyncpg.Pool, clock: Clock, hashing: Hashing) -> Access:
    return Access.open(pool, Settings(password_profile="dengbao"), clock=clock, hashing=hashing)


async def test_dengbao_wants_a_new_password_every_ninety_days(
    app_pool: asyncpg.Pool, clock: Clock, quick_hash: Hashing
) -> None:
    access = _dengbao(app_pool, clock, quick_hash)
    added = await access.accounts.add("W01", by="admin")
    assert added.password is not None
    first = await access.sessions.sign_in("w01", added.password, "10.0.0.1")
    await access.sessions.change_password(first.identity, added.password, "Seven brown umbrellas 7", "10.0.0.1")

    clock.move(timedelta(days=89))
    assert not (await access.sessions.sign_in("w01", "Seven brown umbrellas 7", "10.0.0.1")).identity.must_change
    clock.move(timedelta(days=1))
    assert (await access.sessions.sign_in("w01", "Seven brown umbrellas 7", "10.0.0.1")).identity.must_change


async def test_dengbao_takes_no_earlier_password_again(
    app_pool: asyncpg.Pool, clock: Clock, quick_hash: Hashing
) -> None:
    access = _dengbao(app_pool, clock, quick_hash)
    added = await access.accounts.add("W01", by="admin")
    assert added.password is not None
    session = await access.sessions.sign_in("w01", added.password, "10.0.0.1")
    now = added.password
    for number in range(4):
        clock.move(timedelta(days=1))
        following = f"Seven brown umbrellas {number}"
        session = await access.sessions.change_password(session.identity, now, following, "10.0.0.1")
        now = following

    for number in range(4):
        await refused(
            access.sessions.change_password(session.identity, now, f"Seven brown umbrellas {number}", "10.0.0.1"),
            "access.weak_password",
        )


async def test_the_present_password_is_no_new_one(access: Access, worker: str) -> None:
    from tests.console.access.conftest import PASSWORD

    session = await access.sessions.sign_in(worker, PASSWORD, "10.0.0.1")

    await refused(
        access.sessions.change_password(session.identity, PASSWORD, PASSWORD, "10.0.0.1"), "access.weak_password"
    )
