"""The OpenAPI document: complete, true to its own examples, and the one kept under ``docs``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from console.api.document import document, text
from domain.rights import ACTS
from tests.console.http.all_doors import doors_of
from tests.console.http.doors import Doors

KEPT = Path(__file__).parents[3] / "docs" / "openapi.json"
DOCUMENT: dict[str, Any] = document()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def examples() -> Iterator[Any]:
    for _, _, operation in operations():
        name = operation["operationId"]
        contents = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for where, holder in contents.items():
            for kind, content in holder.get("content", {}).items():
                if "json" not in kind:
                    continue
                shown = {key: each["value"] for key, each in content.get("examples", {}).items()}
                shown |= {"-": content["example"]} if "example" in content else {}
                assert shown, f"{name} {where} has no example"
                for key, value in shown.items():
                    yield pytest.param(content["schema"], value, id=f"{name}-{where}-{key}")


@pytest.mark.parametrize(("schema", "example"), list(examples()))
def test_every_example_is_what_its_schema_says(schema: dict[str, Any], example: Any) -> None:
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(example)


def test_the_document_kept_with_the_docs_is_current() -> None:
    assert KEPT.read_text(encoding="utf-8") == text(), "run: bihuan openapi > docs/openapi.json"


def test_every_operation_says_what_it_does_and_how_it_refuses() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]

    assert len(set(names)) == len(names) >= 19
    for path, _, operation in operations():
        assert operation["summary"], path
        assert operation["description"], path
        assert {"400", "401", "403", "422", "429", "503"} <= set(operation["responses"]), path


def test_every_act_has_an_example_of_what_is_sent() -> None:
    shown: set[str] = set()
    for _, _, operation in operations():
        if operation["operationId"] == "show_reporter":
            # It sends a reason, no act.
            continue
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        shown |= set(content.get("examples", {}))

    assert shown == set(ACTS)


async def test_every_route_of_the_api_is_in_the_document(reading_doors: Doors) -> None:
    known = {(method.upper(), path) for path, method, _ in operations()}
    routes = {(door.method, door.path) for door in doors_of(reading_doors.app) if door.path.startswith("/api/")}

    assert routes - known == {("GET", "/api/v1/openapi.json")}
    assert known <= routes


async def test_the_document_is_served_to_whoever_asks(reading_doors: Doors) -> None:
    answer = await reading_doors.browser().get("/api/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.json()["openapi"] == "3.1.0"
