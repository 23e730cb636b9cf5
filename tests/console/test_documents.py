"""The documents tell the truth: settings, links and commands that they name exist."""

import re
from pathlib import Path

import pytest

from runtime.settings import settings_table

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")])


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_readme_lists_every_setting_with_its_default(name: str) -> None:
    rows = re.findall(r"^\| `(BIHUAN_\w+)` \| (?:`([^`]*)`|–) \| (\S.*) \|$", (ROOT / name).read_text("utf-8"), re.M)

    assert [(variable, default) for variable, default, _ in rows] == [
        (row.variable, row.default) for row in settings_table()
    ]


def test_the_english_readme_gives_the_meanings_of_the_settings() -> None:
    text = (ROOT / "README.md").read_text("utf-8")

    assert all(f"| {row.meaning} |" in text for row in settings_table())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_of_ours_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", document.read_text("utf-8"))

    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_place_in_the_code_that_a_document_names_exists(document: Path) -> None:
    folders = "domain|workflows|activities|ledger|console|runtime|tests|bench|docs|deploy"
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", document.read_text("utf-8"))

    assert [name for name in named if not (ROOT / name).exists()] == []
