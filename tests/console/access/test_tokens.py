"""API tokens, and what a person recognised may do today."""

from datetime import UTC, date, datetime, timedelta

import pytest

from console.access.door import Access
from console.access.identity import Identity, subject_of
from domain.errors import Refused
from domain.people import Role
from domain.registry_check import registry_of
from domain.rights import ACTS, Permission, act, authorize, granted
from tests.console.access.conftest import Clock
from tests.neighbourhood import GRID, raw_registry, registry
from tests.refusals import refused

DAY = date(2026, 11, 23)


async def test_a_token_speaks_for_its_person_within_its_permissions(access: Access, worker: str) -> None:
    issued = await access.tokens.issue(
        worker, name="报表", permissions=["case.read"], lasts=timedelta(days=30), by="W01"
    )

    found = await access.tokens.identify(issued.token)

    assert issued.token.startswith("bhn_")
    assert (found.person, found.only) == ("W01", frozenset({"case.read"}))


async def test_a_token_ends_by_time_and_by_revoking(access: Access, worker: str, clock: Clock) -> None:
    one = await access.tokens.issue(worker, name="一", permissions=["case.read"], lasts=timedelta(days=1), by="W01")
    two = await access.tokens.issue(worker, name="二", permissions=["case.read"], lasts=timedelta(days=9), by="W01")

    clock.move(timedelta(days=1))
    await refused(access.tokens.identify(one.token), "access.token_invalid")
    await access.tokens.identify(two.token)
    await access.tokens.revoke(worker, two.row.id, by="W01")

    await refused(access.tokens.identify(two.token), "access.token_invalid")
    await refused(access.tokens.revoke(worker, two.row.id, by="W01"), "access.no_such_token")


async def test_nobody_revokes_the_token_of_another(access: Access, worker: str) -> None:
    await access.accounts.add("W02", by="admin")
    issued = await access.tokens.issue(worker, name="一", permissions=["case.read"], lasts=timedelta(days=1), by="W01")

    await refused(access.tokens.revoke("w02", issued.row.id, by="W02"), "access.no_such_token")

    assert (await access.tokens.identify(issued.token)).login == worker


@pytest.mark.parametrize("token", ["", "bhn_", "bhn_wrong", "Bearer", "wrong", "bhn_\ud800"])
async def test_what_is_no_token_is_refused(access: Access, token: str) -> None:
    await refused(access.tokens.identify(token), "access.token_invalid")


async def test_the_last_use_is_kept_to_the_hour(access: Access, worker: str, clock: Clock) -> None:
    issued = await access.tokens.issue(worker, name="一", permissions=["case.read"], lasts=timedelta(days=1), by="W01")

    clock.move(timedelta(minutes=47))
    await access.tokens.identify(issued.token)

    (row,), _ = await access.tokens.own(worker)
    assert row.last_used_at == datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("permissions", [[], ["account.manage"], ["account.own"], ["everything"]])
async def test_a_token_is_limited_to_permissions_there_are_and_never_to_accounts(
    access: Access, worker: str, permissions: list[str]
) -> None:
    await refused(
        access.tokens.issue(worker, name="一", permissions=permissions, lasts=timedelta(days=1), by="W01"),
        "field.invalid",
    )


async def test_an_account_has_a_bounded_number_of_tokens(access: Access, worker: str) -> None:
    for number in range(20):
        await access.tokens.issue(
            worker, name=f"第 {number}", permissions=["case.read"], lasts=timedelta(days=1), by="W01"
        )

    await refused(
        access.tokens.issue(worker, name="多", permissions=["case.read"], lasts=timedelta(days=1), by="W01"),
        "access.too_many_tokens",
    )
    page, after = await access.tokens.own(worker, limit=15)
    rest, end = await access.tokens.own(worker, limit=15, after=after)
    assert (len(page), len(rest), end) == (15, 5, None)
    assert not {each.id for each in page} & {each.id for each in rest}


# --- what the person may do ---------------------------------------------------------------------------------------


def test_a_person_holds_the_roles_of_today() -> None:
    rows = raw_registry(
        assignments=[
            {"person": "worker", "role": "grid_worker", "grid": GRID, "valid_to": "2026-11-22"},
            {"person": "worker", "role": "grid_head", "grid": GRID, "valid_from": "2026-11-23"},
        ]
    )

    subject = subject_of(Identity(login="worker", person="worker"), registry_of(rows), DAY)

    assert [(each.role, each.grid) for each in subject.holds] == [(Role.GRID_HEAD, GRID)]


def test_who_has_left_the_office_holds_nothing() -> None:
    people = [{"id": "worker", "name": "worker", "valid_to": "2026-11-22"}]
    rows = raw_registry(
        people=people,
        assignments=[{"person": "worker", "role": "grid_worker", "grid": GRID, "valid_to": "2026-11-22"}],
    )

    subject = subject_of(Identity(login="worker", person="worker"), registry_of(rows), DAY)

    assert subject.holds == ()


def test_who_is_not_in_the_registry_holds_nothing_but_what_the_account_gives() -> None:
    stranger = subject_of(Identity(login="x", person="x"), registry(), DAY)
    administrator = subject_of(Identity(login="x", person="x", is_administrator=True), registry(), DAY)

    assert stranger.holds == ()
    assert [each.role for each in administrator.holds] == [Role.ADMINISTRATOR]


def test_a_token_never_gives_what_the_person_has_not() -> None:
    only = frozenset(str(each) for each in Permission)

    subject = subject_of(Identity(login="worker", person="worker", only=only), registry(), DAY)

    with pytest.raises(Refused) as caught:
        authorize(subject, Permission.SUPERVISE_DESK, registry())
    assert caught.value.code == "access.denied"


async def test_a_limit_told_in_a_few_words_covers_the_acts_it_stands_for(access: Access, worker: str) -> None:
    chosen = [Permission.CASE_ACT, Permission.WISH_ACT, Permission.CASE_REGISTER]
    issued = {
        name: await access.tokens.issue(worker, name=name, permissions=[name], lasts=timedelta(days=1), by="W01")
        for name in chosen
    }
    found = {name: (await access.tokens.identify(each.token)).only or frozenset() for name, each in issued.items()}

    acts = {act(kind) for kind in ACTS}
    covered = [found[name] & acts for name in chosen]
    assert frozenset().union(*covered) == acts
    assert sum(map(len, covered)) == len(acts)
    assert found[Permission.CASE_REGISTER] == {"case.register", "act.register"}


def test_a_token_limited_to_reading_grants_no_act() -> None:
    subject = subject_of(Identity(login="worker", person="worker", only=frozenset({"case.read"})), registry(), DAY)

    assert granted(subject, Permission.CASE_READ)
    assert not any(granted(subject, act(kind)) for kind in ACTS)
