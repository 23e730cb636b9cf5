"""The registry: what is found on which day, and which problems are told to whoever wrote it."""

from datetime import date
from typing import Any

import pytest

from domain.errors import Refused
from domain.people import Role
from domain.registry import OrganisationKind, Registry
from domain.registry_check import check, registry_of
from domain.registry_problem import SECTIONS, GridBounds, RawRegistry

Sections = dict[str, list[dict[str, Any]]]


def sound() -> Sections:
    """A small registry without problems."""
    return {
        "organisations": [
            {"code": "D", "name": "青岚区", "kind": "district"},
            {"code": "S", "name": "月湖街道", "kind": "street", "parent": "D"},
            {"code": "C1", "name": "柳岸社区", "kind": "community", "parent": "S"},
            {"code": "C2", "name": "石桥社区", "kind": "community", "parent": "S"},
            {"code": "water", "name": "水务局", "kind": "department", "parent": "D", "queue": "department.water",
             "pick_up_within": "5m"},
            {"code": "estate", "name": "柳岸物业", "kind": "partner", "parent": "C1"},
        ],
        "grids": [
            {"code": "001", "name": "柳岸一网格", "community": "C1", "households": 420, "people": 1300},
            {"code": "002", "name": "石桥一网格", "community": "C2", "households": 310},
        ],
        "categories": [
            {"code": "light", "name": "照明", "on_the_spot": "是"},
            {"code": "light.stairs", "name": "楼道灯", "parent": "light", "urgency": "general"},
        ],
        "people": [{"id": "p-1", "name": "林一"}, {"id": "p-2", "name": "周二"}],
        "assignments": [
            {"person": "p-1", "role": "grid_worker", "grid": "001"},
            {"person": "p-2", "role": "grid_worker", "grid": "002"},
            {"person": "p-2", "role": "department_handler", "organisation": "water"},
            {"person": "p-1", "role": "supervisor"},
        ],
    }  # fmt: skip


def registry(sections: Sections | None = None) -> Registry:
    return registry_of(RawRegistry.of(sections or sound()), revision=4)


def with_row(section: str, **row: object) -> RawRegistry:
    sections = sound()
    sections[section] = [*sections[section], row]
    return RawRegistry.of(sections)


def test_a_sound_registry_has_no_problems() -> None:
    assert check(RawRegistry.of(sound())) == []
    assert registry().revision == 4


def test_a_grid_lies_in_a_community_of_a_street() -> None:
    assert registry().place_of("001") == ("S", "C1")
    assert registry().place_of("1") is None


def test_the_organisations_above_come_nearest_first() -> None:
    assert [each.code for each in registry().ancestors("estate")] == ["C1", "S", "D"]
    assert registry().ancestors("nowhere") == ()


def test_streets_are_the_organisations_of_that_kind() -> None:
    assert [each.code for each in registry().streets()] == ["S"]


def test_values_are_read_in_their_types() -> None:
    water, stairs, light = (registry().organisation("water"), *map(registry().category, ("light.stairs", "light")))

    assert water is not None
    assert (water.kind, water.queue, water.pick_up_within) == (OrganisationKind.DEPARTMENT, "department.water", "5m")
    assert stairs is not None
    assert (stairs.parent, stairs.urgency, stairs.on_the_spot) == ("light", "general", False)
    assert light is not None
    assert light.on_the_spot is True


def test_people_are_found_by_role_and_place() -> None:
    assert [each.id for each in registry().people_with(Role.GRID_WORKER)] == ["p-1", "p-2"]
    assert [each.id for each in registry().people_with(Role.GRID_WORKER, grid="002")] == ["p-2"]
    assert [each.id for each in registry().people_with(Role.DEPARTMENT_HANDLER, organisation="water")] == ["p-2"]
    assert registry().people_with(Role.COMMUNITY) == ()
    assert {each.role for each in registry().assignments_of("p-1")} == {Role.GRID_WORKER, Role.SUPERVISOR}
    assert registry().assignments_of("p-9") == ()


def test_each_day_finds_what_was_true_on_it() -> None:
    sections = sound()
    sections["grids"][0] |= {"valid_to": date(2026, 3, 31)}
    sections["grids"].append(
        {"code": "001", "name": "柳岸新网格", "community": "C2", "people": "1200", "valid_from": "2026-04-01",
         "valid_to": "2026-12-31"}
    )  # fmt: skip
    sections["assignments"][0] |= {"valid_from": date(2026, 3, 1), "valid_to": date(2026, 3, 31)}
    book = registry(sections)

    assert book.place_of("001", date(2026, 3, 31)) == ("S", "C1")
    assert book.place_of("001", date(2026, 4, 1)) == ("S", "C2")
    assert book.grid("001", date(2027, 1, 1)) is None
    youngest = book.grid("001")
    assert youngest is not None
    assert (youngest.name, youngest.people) == ("柳岸新网格", 1200)
    assert book.people_with(Role.GRID_WORKER, grid="001", at=date(2026, 4, 1)) == ()
    assert len(book.people_with(Role.GRID_WORKER, grid="001", at=date(2026, 3, 1))) == 1
    assert book.assignments_of("p-1", date(2026, 2, 28)) == book.assignments_of("p-1")[-1:]


def test_a_registry_is_a_value() -> None:
    one, two = registry(), registry()
    one.place_of("001")

    assert one == two
    assert Registry.model_validate_json(one.model_dump_json()) == two


def test_the_empty_registry_knows_nothing() -> None:
    assert Registry().place_of("001") is None
    assert Registry().streets() == ()
    assert Registry().people_with(Role.HOTLINE) == ()


@pytest.mark.parametrize(
    ("section", "row", "code", "field"),
    [
        ("grids", {"code": "001", "name": "x", "community": "C1", "people": 1200}, "registry.duplicate_code", "code"),
        ("organisations", {"code": "S", "name": "又一个", "kind": "street"}, "registry.duplicate_code", "code"),
        ("categories", {"code": "light", "name": "又一个"}, "registry.duplicate_code", "code"),
        ("people", {"id": "p-1", "name": "又一个"}, "registry.duplicate_code", "id"),
        ("organisations", {"code": "C3", "name": "x", "kind": "community"}, "registry.missing_parent", "parent"),
        ("organisations", {"code": "C3", "name": "x", "kind": "community", "parent": "T"}, "registry.unknown_parent",
         "parent"),
        ("organisations", {"code": "C3", "name": "x", "kind": "community", "parent": "D"}, "registry.wrong_parent_kind",
         "parent"),
        ("organisations", {"code": "S2", "name": "x", "kind": "street", "parent": "C1"}, "registry.wrong_parent_kind",
         "parent"),
        ("organisations", {"code": "D2", "name": "x", "kind": "district", "parent": "D"}, "registry.wrong_parent_kind",
         "parent"),
        ("organisations", {"code": "d", "name": "x", "kind": "department", "parent": "d"}, "registry.parent_cycle",
         "parent"),
        ("organisations", {"code": "d", "name": "x", "kind": "office"}, "registry.bad_value", "kind"),
        ("organisations", {"code": "d", "name": "x", "kind": "department", "pick_up_within": "2wh"},
         "registry.bad_value", "pick_up_within"),
        ("categories", {"code": "a", "name": "x", "parent": "b"}, "registry.unknown_parent", "parent"),
        ("categories", {"code": "a", "name": "x", "on_the_spot": "maybe"}, "registry.bad_value", "on_the_spot"),
        ("categories", {"code": "a", "name": "x", "urgency": "high"}, "registry.bad_value", "urgency"),
        ("grids", {"code": "3", "name": "x", "community": "C9", "people": 1200}, "registry.unknown_parent",
         "community"),
        ("grids", {"code": "3", "name": "x", "community": "S", "people": 1200}, "registry.wrong_parent_kind",
         "community"),
        ("grids", {"code": "3", "name": "x", "community": "C1", "people": "-1"}, "registry.bad_value", "people"),
        ("grids", {"code": "3", "name": "x", "community": "C1", "people": True}, "registry.bad_value", "people"),
        ("grids", {"code": "3", "name": "x", "community": "C1", "people": 1200.5}, "registry.bad_value", "people"),
        ("grids", {"code": "3", "name": "x", "people": 1200}, "registry.missing", "community"),
        ("grids", {"code": 3, "name": "x", "community": "C1", "people": 1200}, "registry.not_text", "code"),
        ("grids", {"code": "3 4", "name": "x", "community": "C1", "people": 1200}, "registry.bad_code", "code"),
        ("grids", {"code": "3", "name": "x\n", "community": "C1", "people": 1200}, "registry.bad_name", "name"),
        ("grids", {"code": "3", "name": "x", "community": "C1", "people": 1200, "head": "p"}, "registry.unknown_field",
         "head"),
        ("people", {"id": "p-3", "name": date(2026, 1, 1)}, "registry.not_text", "name"),
        ("people", {"id": "p-3", "name": " "}, "registry.missing", "name"),
        ("people", {"id": "p-3", "name": "x", "valid_from": "2026-13-01"}, "registry.bad_value", "valid_from"),
        ("people", {"id": "p-3", "name": "x", "valid_from": "2026-02-01", "valid_to": "2026-01-31"},
         "registry.ends_before_start", "valid_to"),
        ("assignments", {"person": "p-9", "role": "supervisor"}, "registry.unknown_person", "person"),
        ("assignments", {"person": "p-1", "role": "king"}, "registry.unknown_role", "role"),
        ("assignments", {"person": "p-1", "role": "system"}, "registry.unknown_role", "role"),
        ("assignments", {"person": "p-1", "role": "community", "organisation": "C9"}, "registry.unknown_organisation",
         "organisation"),
        ("assignments", {"person": "p-1", "role": "grid_head", "grid": "9"}, "registry.unknown_grid", "grid"),
        ("assignments", {"person": "p-1", "role": "grid_head"}, "registry.missing_place", "organisation"),
        ("assignments", {"person": "p-1", "role": "grid_worker", "grid": "001", "valid_from": "2026-01-01"},
         "registry.overlapping_assignment", "person"),
        ("teams", {"code": "t"}, "registry.unknown_section", ""),
    ],
)  # fmt: skip
def test_each_mistake_is_one_problem_at_its_place(section: str, row: dict[str, Any], code: str, field: str) -> None:
    sections = sound()
    sections.setdefault(section, []).append(row)

    problems = check(RawRegistry.of(sections, file="office.yaml"))

    assert [(each.code, each.field) for each in problems] == [(code, field)]
    where = problems[0].where
    assert (where.file, where.section, where.row) == ("office.yaml", section, len(sections[section]))
    for text in (problems[0].message, problems[0].message_en, problems[0].remedy, problems[0].remedy_en):
        assert text
        assert "{" not in text
    with pytest.raises(Refused) as refused:
        registry_of(RawRegistry.of(sections))
    assert refused.value.code == "registry.unsound"


@pytest.mark.parametrize(
    ("size", "fits"),
    [
        ({"households": 300}, True),
        ({"households": 500}, True),
        ({"people": 1000}, True),
        ({"people": 1500}, True),
        ({"households": 299, "people": 1500}, True),
        ({"households": 400, "people": 2000}, True),
        ({"households": 299}, False),
        ({"households": 501}, False),
        ({"people": 999}, False),
        ({"people": 1501}, False),
        ({"households": 299, "people": 1501}, False),
        ({}, False),
        ({"households": 12, "override_reason": "海岛"}, True),
        ({"override_reason": "新建小区,尚未入住"}, True),
    ],
)
def test_a_grid_keeps_its_size_or_gives_its_reason(size: dict[str, object], fits: bool) -> None:
    problems = check(with_row("grids", code="3", name="x", community="C1", **size))

    assert [each.code for each in problems] == ([] if fits else ["registry.grid_size"])


def test_the_size_of_grids_is_data() -> None:
    raw = with_row("grids", code="3", name="x", community="C1", households=80)

    assert check(raw, GridBounds(households_min=50)) == []
    assert "300–500" in check(raw)[0].message


def test_a_number_as_code_is_told_to_be_quoted() -> None:
    problem = check(with_row("grids", code=31, name="x", community="C1", people=1200))[0]

    assert '"31"' in problem.remedy
    assert "quotes" in problem.remedy_en


def test_all_problems_are_told_at_once() -> None:
    sections = sound()
    sections["organisations"].append({"code": 5, "name": None, "kind": "office", "colour": "red"})
    sections["people"].append({})

    assert [each.code for each in check(RawRegistry.of(sections))] == [
        "registry.unknown_field",
        "registry.not_text",
        "registry.missing",
        "registry.bad_value",
        "registry.missing",
        "registry.missing",
    ]


def test_a_broken_parent_is_not_reported_at_every_child() -> None:
    sections = sound()
    sections["organisations"][1]["kind"] = "town"

    assert [each.code for each in check(RawRegistry.of(sections))] == ["registry.bad_value"]


def test_a_circle_of_categories_is_found() -> None:
    sections = sound()
    sections["categories"] = [
        {"code": "a", "name": "a", "parent": "c"},
        {"code": "b", "name": "b", "parent": "a"},
        {"code": "c", "name": "c", "parent": "b"},
        {"code": "d", "name": "d", "parent": "c"},
    ]

    assert [each.code for each in check(RawRegistry.of(sections))] == ["registry.parent_cycle"] * 3


def test_a_parent_must_exist_in_the_days_of_its_child() -> None:
    sections = sound()
    sections["organisations"][2] |= {"valid_to": "2025-12-31"}
    sections["grids"][0] |= {"valid_from": "2026-01-01"}

    assert [each.code for each in check(RawRegistry.of(sections))] == ["registry.unknown_parent"]


def test_an_empty_registry_is_sound() -> None:
    assert check(RawRegistry.of({section: [] for section in SECTIONS})) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("administrator", "auditor"), ("administrator", "security_administrator"), ("security_administrator", "auditor")],
)
def test_nobody_holds_two_administrative_roles_at_once(first: str, second: str) -> None:
    sections = sound()
    sections["assignments"] += [{"person": "p-1", "role": first}, {"person": "p-1", "role": second}]
    assert [each.code for each in check(RawRegistry.of(sections))] == ["registry.roles_apart"]

    sections["assignments"][-2]["valid_to"] = "2026-05-31"
    sections["assignments"][-1]["valid_from"] = "2026-06-01"
    assert check(RawRegistry.of(sections)) == []
    sections["assignments"][-1] = {"person": "p-2", "role": second}
    assert check(RawRegistry.of(sections)) == []


def test_one_administrative_role_may_be_held_in_two_places() -> None:
    sections = sound()
    sections["assignments"] += [
        {"person": "p-1", "role": "auditor", "organisation": "S"},
        {"person": "p-1", "role": "auditor"},
    ]

    assert check(RawRegistry.of(sections)) == []
