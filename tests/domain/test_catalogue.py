"""The catalogue of refusals is complete, is used, and every refusal of the domain is asked for in a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from domain.case import CASE
from domain.process import Process
from domain.refusals import CATALOGUE
from domain.wish import WISH

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "workflows", "activities", "ledger", "console", "runtime")
SOURCES = [*sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")), ROOT / "worker.py"]
RULES = [
    *sorted((ROOT / "domain" / "case").glob("*.py")),
    *(
        ROOT / "domain" / f"{name}.py"
        for name in ("wish", "text", "limits", "rules", "parsing", "people", "ladder", "clocks")
    ),
    *(ROOT / "domain" / f"{name}.py" for name in ("calendar", "timetable")),
]
TESTS = sorted(path for path in Path(__file__).parent.glob("*.py") if path != Path(__file__))

CODE = re.compile(r"[a-z_]+\.[a-z_]+")


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def words(path: Path) -> Iterator[str]:
    """Every string of a file that is not a docstring."""
    code = tree(path)
    docs = {id(node.value) for node in ast.walk(code) if isinstance(node, ast.Expr)}
    for node in ast.walk(code):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def raised(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every code that a file refuses with, and where."""
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in ("Refused", "Pending", "PydanticCustomError") and isinstance(node.args[0].value, str):
            yield node.args[0].value, node


RAISED = {code for path in SOURCES for code, _ in raised(path)}
USED = {word for path in SOURCES if path.name != "refusals.py" for word in words(path)}
OF_THE_RULES = {word for path in RULES for word in words(path) if word in CATALOGUE} | {
    code for path in RULES for code, _ in raised(path)
}
TRIED = {word for path in TESTS for word in words(path)}


def test_the_rules_refuse_for_many_reasons() -> None:
    # Guards the tests below against a scan that finds nothing.
    assert len(OF_THE_RULES) > 50
    assert {"case.finished", "verify.own_work", "text.blank", "limit.unreadable", "wish.own"} <= OF_THE_RULES
    assert {
        "return.final",
        "suspend.used_up",
        "adopt.nothing_new",
        "calendar.too_far",
        "ladder.misplaced",
    } <= OF_THE_RULES


@pytest.mark.parametrize("code", sorted(OF_THE_RULES))
def test_every_refusal_of_the_rules_is_tried_by_name(code: str) -> None:
    assert code in TRIED


@pytest.mark.parametrize("code", sorted(RAISED))
def test_every_refusal_stands_in_the_catalogue(code: str) -> None:
    assert CODE.fullmatch(code)
    assert code in CATALOGUE


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_entry_of_the_catalogue_speaks_both_languages(code: str) -> None:
    entry = CATALOGUE[code]
    assert all(text.strip() for text in entry)
    assert re.search("[\u4e00-\u9fff]", entry.zh)
    assert not re.search("[\u4e00-\u9fff]", entry.en + entry.remedy_en)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_entry_of_the_catalogue_is_used(code: str) -> None:
    # The doors make two of them of the name of the process.
    built = {f"{process.name}.{end}" for process in (CASE, WISH) for end in ("unknown", "finished")}
    assert code in USED | built


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(ROOT)) for path in SOURCES])
def test_every_refusal_fills_its_sentences(path: Path) -> None:
    for code, call in raised(path):
        given = {"field"} | {keyword.arg for keyword in call.keywords if keyword.arg}
        if any(keyword.arg is None for keyword in call.keywords):
            continue  # parameters handed through are checked where they are made
        for node in ast.walk(call):
            if isinstance(node, ast.Dict):
                given |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
        wanted = {name for text in CATALOGUE[code] for _, name, _, _ in Formatter().parse(text) if name}
        assert wanted <= given, f"{code} at line {call.lineno}"


@pytest.mark.parametrize("process", [CASE, WISH], ids=["case", "wish"])
def test_every_command_and_every_fact_is_tried_by_name(process: Process[object]) -> None:
    commands = _kinds(process.command.json_schema())
    facts = _kinds(process.event.json_schema())
    assert len(commands) + len(facts) > 8
    assert commands <= TRIED
    assert facts <= TRIED


def _kinds(schema: dict[str, object]) -> set[str]:
    discriminator = schema["discriminator"]
    assert isinstance(discriminator, dict)
    return set(discriminator["mapping"])
