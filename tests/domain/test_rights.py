"""Who may open which door: the matrix against the rules of the cases, reach, limits of tokens, the published table."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from domain.case import CASE
from domain.case.state import Case
from domain.errors import Refused
from domain.parsing import parse_command
from domain.people import ADMINISTRATIVE, Actor, Role, kept_apart
from domain.rights import (
    ACTS,
    APART,
    EVERYTHING,
    MATRIX,
    NOTHING,
    Matrix,
    Permission,
    Reach,
    Subject,
    act,
    authorize,
    granted,
    reach,
    reach_of,
    widened,
)
from domain.wish import WISH
from tests.domain import routes
from tests.domain.spec import Story, given
from tests.neighbourhood import ACTORS, EXAMPLE_BOOK, FAR_GRID, GRID, HELPER, LEAD, OTHER_GRID, registry

REGISTRY = registry()
DOCUMENT = Path(__file__).parents[2] / "docs" / "rights.md"
_PLACED: dict[Role, dict[str, str]] = {
    Role.GRID_WORKER: {"grid": GRID},
    Role.GRID_HEAD: {"grid": GRID},
    Role.VANGUARD_CAPTAIN: {"grid": GRID},
    Role.COMMUNITY: {"organisation": "C01"},
    Role.STREET_DISPATCHER: {"organisation": "S01"},
    Role.DEPARTMENT_HANDLER: {"organisation": LEAD},
    Role.DEPARTMENT_HEAD: {"organisation": LEAD},
    Role.SUPERVISOR: {"organisation": "S01"},
    Role.HOTLINE: {"organisation": "S01"},
}
"""Where each role is held near the cases of the stories; the others are held nowhere in particular."""


class Thing:
    """Something that lies somewhere."""

    def __init__(self, **where: Any) -> None:
        self.street: str | None = where.get("street")
        self.community: str | None = where.get("community")
        self.grid: str | None = where.get("grid")
        self.departments: tuple[str, ...] = where.get("departments", ())
        self.opened_by: str | None = where.get("opened_by")


HERE = Thing(street="S01", community="C01", grid=GRID, departments=(LEAD,), opened_by="somebody")
FAR = Thing(street="S02", community="C09", grid="G99", departments=("D09",), opened_by="somebody")


def held(role: Role, **place: str) -> Actor:
    return Actor(person="p", role=role, **place)


# --- the matrix and the rules of the trade ------------------------------------------------------------------------


def _kinds(process: Any) -> set[str]:
    """The kinds of commands people can send, as the parser itself names them."""
    with pytest.raises(Refused) as caught:
        parse_command(process, {"kind": "no such kind"})
    return set(re.split(r", ", caught.value.refusal.params["known"]))


def test_every_command_is_somebodys_right_and_nothing_else_is() -> None:
    assert _kinds(CASE) | _kinds(WISH) == set(ACTS)


def test_every_permission_is_given_to_somebody_and_nothing_to_the_system() -> None:
    for permission in (*Permission, *map(act, ACTS)):
        assert MATRIX.roles[permission]
        assert Role.SYSTEM not in MATRIX.roles[permission]


STORIES: tuple[Story, ...] = (
    given(),
    Story(process=WISH),
    *(routes.until(name) for name, _, _ in routes.LONG_WAY),
    *(routes.spot_until(name) for name, _, _ in routes.SHORT_WAY),
    *(routes.wish_until(name) for name, _, _ in routes.WISH_WAY),
    routes.returned(),
    routes.disputed(),
    routes.working_until("handling").when(routes.MORE_TIME, "handler").happens(),
    routes.working_until("handling").when(routes.SUSPEND, "dispatcher").happens(),
    routes.working_until("handling").when(routes.SHELVE, "dispatcher").happens(),
    routes.working_until("handling").when(routes.ASK, "handler").happens(),
    routes.working_until("handling").when(routes.SUPERVISE, "supervisor").happens(),
    routes.disputed().when(routes.TAKE_OVER, "dispatcher").happens(),
)
_SAMPLES: dict[str, list[Any]] = {}
for _name, _value in vars(routes).items():
    if isinstance(_value, dict) and "kind" in _value:
        _SAMPLES.setdefault(_value["kind"], []).append(_value)
for _, _, _raw in routes.WISH_WAY:
    if isinstance(_raw, dict):
        _SAMPLES.setdefault(_raw["kind"], []).append(_raw)
_SAMPLES["sign"] = [routes.sign]
_SAMPLES["adopt_rules"] = [{**routes.ADOPT, "rules": EXAMPLE_BOOK.version}]


@cache
def _answers(kind: str) -> frozenset[tuple[Role, str | None]]:
    return frozenset(_asked(kind))


def _asked(kind: str) -> Iterator[tuple[Role, str | None]]:
    """What the rules say to everybody of the neighbourhood who tries this, in every story: accepted, or the refusal."""
    everybody = [*ACTORS.values(), *(held(role, **_PLACED.get(role, {})) for role in Role if role is not Role.SYSTEM)]
    for story in STORIES:
        for sample in _SAMPLES[kind]:
            if sample is routes.sign and not isinstance(story.state, Case):
                continue
            for actor in everybody:
                try:
                    story.when(sample, actor).events()
                except Refused as refused:
                    yield actor.role, refused.code
                else:
                    yield actor.role, None


@pytest.mark.parametrize("kind", sorted(ACTS))
def test_the_doors_stop_no_role_whose_act_the_rules_accept(kind: str) -> None:
    accepted = {role for role, code in _answers(kind) if code is None}

    assert accepted
    # Who administers the system stays out of the cases, whatever the rules have nothing against.
    assert accepted - {Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR} <= set(ACTS[kind])


@pytest.mark.parametrize("kind", sorted(ACTS))
def test_the_doors_let_nobody_pass_whose_role_the_rules_refuse_always(kind: str) -> None:
    answers = _answers(kind)
    always = {
        role
        for role in Role
        if {code for each, code in answers if each is role} <= {"actor.wrong_role", "command.unknown_kind"}
    }

    assert not always & set(ACTS[kind])


# --- reach --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.RESIDENT, Role.SYSTEM)])
def test_a_role_reaches_its_own_place_and_no_other(role: Role) -> None:
    place = _PLACED.get(role, {"organisation": "S01"})

    found = reach_of(held(role, **place), REGISTRY)

    assert found.covers(HERE)
    assert not found.covers(FAR)


@pytest.mark.parametrize(
    ("place", "covered", "not_covered"),
    [
        ({"grid": GRID}, Thing(grid=GRID), Thing(street="S01", community="C01", grid=OTHER_GRID)),
        ({"organisation": "C01"}, Thing(community="C01"), Thing(street="S01", community="C02", grid=FAR_GRID)),
        ({"organisation": "S01"}, Thing(street="S01"), Thing(street="S02")),
        ({"organisation": "Q01"}, Thing(street="S01"), Thing(street="S02")),
        ({"organisation": LEAD}, Thing(street="S02", departments=(HELPER, LEAD)), Thing(departments=(HELPER,))),
        ({"organisation": "nowhere"}, Thing(opened_by="p"), Thing(street="S01", community="C01", grid=GRID)),
        ({}, FAR, None),
    ],
)
def test_reach_goes_down_the_tree_and_never_sideways(
    place: dict[str, str], covered: Thing, not_covered: Thing | None
) -> None:
    found = reach_of(held(Role.COMMUNITY, **place), REGISTRY)

    assert found.covers(covered)
    assert not_covered is None or not found.covers(not_covered)


def test_what_lies_nowhere_is_covered_by_everything_only() -> None:
    assert not Reach(streets=frozenset({"S01"}), people=frozenset({"p"})).covers(Thing())
    assert EVERYTHING.covers(Thing())
    assert not NOTHING.covers(HERE)


def test_who_found_something_elsewhere_may_follow_it() -> None:
    found = reach_of(held(Role.GRID_WORKER, grid=GRID), REGISTRY)

    assert found.covers(Thing(grid=FAR_GRID, opened_by="p"))
    assert not found.covers(Thing(grid=FAR_GRID, opened_by="q"))


def test_a_department_reaches_the_wishes_of_the_place_it_belongs_to_and_only_its_own_work() -> None:
    subject = Subject(person="p", holds=(held(Role.DEPARTMENT_HANDLER, organisation=LEAD),))
    wish, far_wish = Thing(street="S01", community="C01", grid=GRID), Thing(street="S02")

    for permission in (Permission.WISH_READ, Permission.WISH_ACT, act("claim_wish")):
        assert reach(subject, permission, REGISTRY).covers(wish)
        assert not reach(subject, permission, REGISTRY).covers(far_wish)
    assert not reach(subject, Permission.CASE_READ, REGISTRY).covers(wish)


def test_a_resident_reaches_nothing_through_these_doors() -> None:
    assert reach_of(held(Role.RESIDENT), REGISTRY).is_empty


def test_two_roles_reach_what_either_of_them_does_and_only_where_they_hold_the_right() -> None:
    subject = Subject(person="p", holds=(held(Role.GRID_WORKER, grid=GRID), held(Role.SUPERVISOR, organisation="S01")))

    reading = reach(subject, Permission.CASE_READ, REGISTRY)
    registering = reach(subject, Permission.CASE_REGISTER, REGISTRY)

    assert reading.covers(Thing(street="S01", grid=OTHER_GRID))
    assert not registering.covers(Thing(street="S01", grid=OTHER_GRID))
    assert registering.covers(Thing(street="S01", grid=GRID))


# --- asking -------------------------------------------------------------------------------------------------------


def test_what_the_matrix_does_not_say_is_denied() -> None:
    everybody = Subject(person="p", holds=tuple(held(role) for role in Role))

    for permission in ("", "case", "case.*", "act.", "act.no_such_act", "CASE.READ"):
        with pytest.raises(Refused) as caught:
            authorize(everybody, permission, REGISTRY)
        assert caught.value.code == "access.denied"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("permission", [*map(str, Permission), *map(act, ACTS)])
def test_exactly_the_holders_get_in_and_only_where_they_reach(role: Role, permission: str) -> None:
    subject = Subject(person="p", holds=(held(role, **_PLACED.get(role, {"organisation": "S01"})),))
    if not MATRIX.grants(role, permission):
        with pytest.raises(Refused) as caught:
            authorize(subject, permission, REGISTRY, HERE)
        assert caught.value.code == "access.denied"
        return

    with pytest.raises(Refused) as caught:
        authorize(subject, permission, REGISTRY, FAR)
    assert caught.value.code == "access.out_of_reach"
    assert authorize(subject, permission, REGISTRY) == subject.holds
    if role is not Role.RESIDENT:
        assert authorize(subject, permission, REGISTRY, HERE) == subject.holds


def test_only_the_roles_that_reach_the_thing_may_be_acted_in() -> None:
    near, far = held(Role.GRID_WORKER, grid=GRID), held(Role.GRID_WORKER, grid=OTHER_GRID)

    assert authorize(Subject(person="p", holds=(far, near)), act("verify"), REGISTRY, HERE) == (near,)


def test_a_limit_takes_away_and_never_gives() -> None:
    limited = Subject(
        person="p", holds=(held(Role.GRID_WORKER, grid=GRID),), only=frozenset({"case.read", "rules.write"})
    )

    assert granted(limited, Permission.CASE_READ)
    assert not granted(limited, Permission.CASE_REGISTER)
    assert not granted(limited, Permission.RULES_WRITE)
    assert reach(limited, Permission.CASE_REGISTER, REGISTRY).is_empty


def test_a_limit_to_nothing_leaves_nothing() -> None:
    nobody = Subject(person="p", holds=(held(Role.GRID_WORKER, grid=GRID),), only=frozenset())

    assert not any(granted(nobody, permission) for permission in Permission)


def test_wider_words_stand_for_the_acts_they_name_and_no_more() -> None:
    assert widened(["case.read"]) == {"case.read"}
    assert act("register") not in widened([Permission.CASE_ACT])
    assert act("claim_wish") not in widened([Permission.CASE_ACT])
    assert act("verify") in widened([Permission.CASE_ACT])


def test_an_office_may_have_a_matrix_of_its_own() -> None:
    own = Matrix(roles={"case.read": (Role.AUDITOR,)})
    auditor = Subject(person="p", holds=(held(Role.AUDITOR),))

    assert authorize(auditor, "case.read", REGISTRY, FAR, own)
    with pytest.raises(Refused):
        authorize(auditor, "stats.read", REGISTRY, matrix=own)


# --- the published table ------------------------------------------------------------------------------------------


def test_the_document_says_what_the_matrix_says() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) \|$", DOCUMENT.read_text(encoding="utf-8"), re.M)

    assert {name: tuple(sorted(re.findall(r"`(\w+)`", roles))) for name, roles in rows} == {
        name: tuple(sorted(roles)) for name, roles in MATRIX.roles.items()
    }


def test_in_three_hands_no_administrative_right_lies_in_two() -> None:
    writing = ("account.manage", "registry.write", "rules.write", "calendar.write", "act.adopt_rules", "security.read")
    for right in writing:
        assert sum(APART.grants(role, right) for role in ADMINISTRATIVE) == 1, right
    assert {name for name in MATRIX.roles if MATRIX.roles[name] != APART.roles[name]} == {
        "account.manage",
        "registry.write",
    }


def test_of_two_administrative_roles_held_together_only_the_one_that_reads_counts() -> None:
    administrator, auditor, supervisor = map(held, (Role.ADMINISTRATOR, Role.AUDITOR, Role.SUPERVISOR))

    assert kept_apart((administrator, supervisor, auditor)) == (supervisor, auditor)
    assert kept_apart((administrator, supervisor)) == (administrator, supervisor)
    assert kept_apart((administrator, held(Role.SECURITY_ADMINISTRATOR))) == (held(Role.SECURITY_ADMINISTRATOR),)
