"""The table of ASVS requirements tells the truth about files and tests, and the supply chain can be listed."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "asvs.md").read_text(encoding="utf-8")
ROWS = [line for line in DOCUMENT.split("## Where level 2")[0].splitlines() if re.match(r"\| \d+\.\d+\.\d+ \|", line)]
PACKAGES = ("domain", "workflows", "activities", "ledger", "console", "runtime")
SOURCES = [*(path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))), ROOT / "worker.py"]

PER_SECTION = {
    "1.2": 5, "1.3": 2, "1.5": 1, "2.1": 1, "2.2": 2, "2.3": 1, "3.2": 2, "3.3": 1, "3.4": 2, "3.5": 3, "4.1": 1,
    "4.4": 1, "5.2": 2, "5.3": 2, "6.1": 1, "6.2": 8, "6.3": 2, "6.4": 2, "7.2": 4, "7.4": 2, "8.1": 1, "8.2": 2,
    "8.3": 1, "9.1": 3, "9.2": 1, "10.4": 5, "11.3": 2, "11.4": 1, "12.1": 1, "12.2": 2, "13.4": 1, "14.2": 1,
    "14.3": 1, "15.1": 1, "15.2": 1, "15.3": 1,
}  # fmt: skip
"""How many requirements of level 1 each section of the standard has; in each they are the first ones."""

_BROKEN = {"md5", "sha1", "ECB", "ARC4", "TripleDES", "Blowfish", "PKCS1v15"}
_RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
_READERS = {"xml", "pickle", "marshal", "shelve"}


def test_every_requirement_of_level_1_has_its_row() -> None:
    found = [line.split("|")[1].strip() for line in ROWS]

    expected = [f"{section}.{number}" for section, count in PER_SECTION.items() for number in range(1, count + 1)]
    assert len(expected) == 70
    assert found == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_file_and_every_test_of_a_row_exists(row: str) -> None:
    _, _, _, where, tests, _ = row.split("|")
    named = re.findall(r"`(tests/[^`]+)`", tests)

    assert named, "a requirement without a test is a wish"
    for each in named:
        path, _, name = each.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in functions, each
    for each in re.findall(r"`([\w./-]+\.(?:py|md|html|txt|toml|json|js))`", where):
        assert (ROOT / each).is_file(), each


def _names(tree: ast.AST) -> set[str]:
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return found | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def _calls(tree: ast.AST) -> set[str]:
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def _shells(tree: ast.AST) -> bool:
    asked = any(isinstance(node, ast.keyword) and node.arg == "shell" for node in ast.walk(tree))
    return asked or bool(_names(tree) & {"popen", "create_subprocess_shell", "getoutput"})


def test_no_source_of_ours_runs_text_as_code_or_uses_a_broken_hash() -> None:
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not _names(tree) & _BROKEN, path
        assert not _calls(tree) & _RUNS_TEXT, path
        assert not _imports(tree) & _READERS, path
        assert not _shells(tree), path


def test_the_check_of_the_sources_finds_what_it_looks_for() -> None:
    assert _names(ast.parse("hashlib.md5(b'')")) & _BROKEN
    assert _calls(ast.parse("eval('1')")) & _RUNS_TEXT
    assert _imports(ast.parse("from xml.etree import ElementTree")) & _READERS
    assert _shells(ast.parse("subprocess.run('ls', shell=True)"))


def test_the_times_within_which_components_are_replaced_are_written_down() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")

    assert re.search(r"critical.*7 days", text)
    assert re.search(r"high.*30 days", text)


def test_the_bill_of_materials_lists_what_is_locked(tmp_path: Path) -> None:
    # As `make sbom` does it, without the network.
    uv = which("uv") or str(Path(sys.executable).with_name("uv"))
    arguments = ["export", "--offline", "--frozen", "--all-extras", "--no-dev", "--format", "cyclonedx1.5"]
    target = tmp_path / "sbom.json"
    subprocess.run(
        [uv, *arguments, "--preview-features", "sbom-export", "--output-file", str(target), "--quiet"],
        cwd=ROOT,
        check=True,
        timeout=60,
    )

    bill = json.loads(target.read_text(encoding="utf-8"))
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    versions = {(each["name"], each.get("version")) for each in locked}
    listed = {(each["name"], each["version"]) for each in bill["components"]}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert bill["bomFormat"] == "CycloneDX"
    assert listed <= versions
    assert {re.split(r"[\[<>=]", each)[0].lower() for each in wanted} <= {name for name, _ in listed}
