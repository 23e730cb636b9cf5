"""``bihuan rules``: checking without any server, importing into a real ledger, looking at what is there."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from domain.rules import RuleBook, Urgency
from ledger.registry import load_registry, read_registry, read_rule_books
from ledger.rule_files import example_book, rule_book_yaml
from tests.console.calling import Call, error, value
from tests.ledger.facts import case_row, fact, write
from tests.ledger.rule_books import DEFAULTS, csv, saved
from tests.neighbourhood import raw_registry

pytestmark = pytest.mark.usefixtures("no_instance")

EXAMPLE = example_book()
SHIPPED = Path(str(files("ledger") / "shipped"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A table of the office: one category of the neighbourhood's registry."""
    return saved(tmp_path, "own.csv", csv(*DEFAULTS, "一般,K02,,3个工作日"))


# --- without any server -----------------------------------------------------------------------------------------


def test_the_shipped_book_is_sound_without_an_instance(call: Call) -> None:
    found = value(call("rules", "check", str(SHIPPED / "rules_example.yaml"), "--json"))
    assert (found["sound"], found["version"], found["rows"], found["rungs"]) == (True, "example-2", 6, 6)
    assert found["checked_against"] is None
    assert [each["code"] for each in found["notes"]] == ["note.categories_unchecked"]


def test_an_unsound_book_lists_every_problem_with_its_place(call: Call, tmp_path: Path) -> None:
    path = saved(tmp_path, "own.csv", csv(*DEFAULTS, "一般,K02,,尽快", "较急,K02,,3wd"))

    found = error(call("rules", "check", str(path), "--json"))

    assert (found["code"], found["params"]["count"]) == ("rules.unsound", "2")
    places = [(each["where"], each["field"], each["value"], each["code"]) for each in found["problems"]]
    assert places == [
        ({"file": "own.csv", "sheet": "own", "row": 6, "column": "D"}, "处置", "尽快", "limit.unreadable"),
        ({"file": "own.csv", "sheet": "own", "row": 7, "column": "A"}, "紧急程度", "较急", "rules.unknown_urgency"),
    ]
    assert all(each["message"] and each["remedy"] and each["message_en"] for each in found["problems"])


def test_problems_are_a_table_for_people(call: Call, tmp_path: Path) -> None:
    code, text = call("rules", "check", str(saved(tmp_path, "own.csv", csv(*DEFAULTS, "一般,K02,,尽快"))))
    assert code == 1
    assert "看不懂“处置”的时限“尽快”" in text
    assert "错误 rules.unsound" in text
    _, text = call("rules", "check", str(tmp_path / "own.csv"), "--lang", "en")
    assert "cannot be read" in text


def test_checking_a_file_starts_neither_drivers_nor_servers(own: Path) -> None:
    script = (
        f"import sys; from console.cli import execute; code = execute(['rules', 'check', {str(own)!r}]);"
        "heavy = {'temporalio', 'asyncpg', 'cryptography', 'python_calamine'} & set(sys.modules);"
        "print(sorted(heavy)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_base_file_gives_what_a_table_leaves_open(call: Call, tmp_path: Path, own: Path) -> None:
    base = saved(tmp_path, "base.yaml", rule_book_yaml(EXAMPLE.model_copy(update={"ladder": EXAMPLE.ladder[:3]})))
    assert value(call("rules", "check", str(own), "--base", str(base), "--json"))["rungs"] == 3
    assert value(call("rules", "check", str(own), "--base", "example-2", "--json"))["rungs"] == 6
    # Another version stands in a ledger only.
    assert error(call("rules", "check", str(own), "--base", "own-1", "--json"), 4)["code"] == "instance.not_running"
    assert error(call("rules", "check", str(own), "--base", "no.yaml", "--json"))["code"] == "file.unreadable"


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["check", "/nonexistent.yaml"], "file.unreadable", 1),
        (["check", "/nonexistent.docx"], "rules.unknown_format", 1),
        (["import", "/nonexistent.csv"], "file.unreadable", 1),
        (["check"], "cli.missing_value", 2),
        (["show"], "instance.not_running", 4),
        (["list"], "instance.not_running", 4),
        (["list", "--limit", "0"], "cli.bad_value", 2),
    ],
)
def test_wrong_use_is_told(call: Call, words: list[str], code: str, exit_code: int) -> None:
    assert error(call("rules", *words, "--json"), exit_code)["code"] == code


def test_importing_needs_an_instance(call: Call, own: Path) -> None:
    assert error(call("rules", "import", str(own), "--json"), 4)["code"] == "instance.not_running"
    assert error(call("rules", "import", str(own), "--by", "a b", "--json"))["code"] == "code.malformed"


# --- with a ledger ----------------------------------------------------------------------------------------------


@pytest.fixture
async def office(new_office: asyncpg.Connection) -> asyncpg.Connection:
    """A new office with the registry of the neighbourhood, on which the command line works."""
    await load_registry(new_office, raw_registry(), "test")
    return new_office


async def test_a_new_office_begins_with_the_example(office: asyncpg.Connection, call: Call) -> None:
    books = await read_rule_books(office)
    assert (books.current, books.books) == ("example-2", {"example-2": EXAMPLE})
    assert RuleBook.model_validate(value(call("rules", "show", "--json"))) == EXAMPLE


async def test_an_import_is_a_new_version_in_force(office: asyncpg.Connection, call: Call, own: Path) -> None:
    done = value(call("rules", "import", str(own), "--version", "own-1", "--by", "p-1", "--json"))

    assert (done["version"], done["previous"], done["chosen"], done["open_cases"]) == ("own-1", "example-2", True, 0)
    changed = {(each["key"], each["field"]): (each["before"], each["after"]) for each in done["changes"]}
    assert changed["general K02", "handle"] == (None, "3wd")
    assert changed["general E0101", "handle"] == ("20wd", None)
    books = await read_rule_books(office)
    assert books.current == "own-1"
    assert str(books.books["own-1"].row(Urgency.GENERAL, "K02").limits["handle"]) == "3wd"  # type: ignore[index]
    assert await office.fetchval("select chosen_by from rule_book_choice order by number desc limit 1") == "p-1"


async def test_importing_the_same_again_changes_nothing(office: asyncpg.Connection, call: Call, own: Path) -> None:
    first = value(call("rules", "import", str(own), "--json"))
    again = value(call("rules", "import", str(own), "--json"))

    assert first["version"] == again["version"]
    assert again["changes"] == []
    assert await office.fetchval("select count(*) from rule_book_choice") == 2


async def test_a_book_can_be_kept_without_being_chosen(office: asyncpg.Connection, call: Call, own: Path) -> None:
    done = value(call("rules", "import", str(own), "--version", "own-1", "--no-choose", "--json"))
    assert done["chosen"] is False
    assert (await read_rule_books(office)).current == "example-2"
    items = value(call("rules", "list", "--json"))["items"]
    assert [(each["version"], each["current"]) for each in items] == [("own-1", False), ("example-2", True)]


async def test_a_version_stands_for_one_content(office: asyncpg.Connection, call: Call, own: Path) -> None:
    value(call("rules", "import", str(own), "--version", "own-1", "--json"))
    other = saved(own.parent, "other.csv", csv(*DEFAULTS))
    refused = error(call("rules", "import", str(other), "--version", "own-1", "--json"))
    assert refused["code"] == "rules.version_exists"
    assert (await read_rule_books(office)).current == "own-1"
    assert error(call("rules", "import", str(other), "--version", "own 1", "--json"))["code"] == "rules.unsound"


async def test_categories_are_compared_with_the_registry_and_nothing_is_half_stored(
    office: asyncpg.Connection, call: Call, own: Path
) -> None:
    unknown = saved(own.parent, "unknown.csv", csv(*DEFAULTS, "一般,K02,,3wd", "一般,K99,,3wd"))

    for command in ("check", "import"):
        refused = error(call("rules", command, str(unknown), "--json"))
        told = [(each["code"], each["where"]["row"], each["value"]) for each in refused["problems"]]
        assert told == [("rules.unknown_category", 7, "K99")]

    assert list((await read_rule_books(office)).books) == ["example-2"]
    assert value(call("rules", "check", str(own), "--json"))["checked_against"] == "registry"


async def test_open_cases_keep_their_rules_and_are_counted(office: asyncpg.Connection, call: Call, own: Path) -> None:
    row = case_row("case-1", rules_version="example-2")
    await write(office, "case-1", 0, [fact("registered")], rows={"case_row": [row]})

    done = value(call("rules", "import", str(own), "--json"))

    assert (done["open_cases"], done["hint"]) == (1, "bihuan rules adopt")


async def test_people_see_what_changes(office: asyncpg.Connection, call: Call, own: Path) -> None:
    code, text = call("rules", "import", str(own), "--version", "own-1")
    assert code == 0
    assert "规则 own-1 已生效，此前为 example-2" in text
    assert "一般 K02" in text
    _, listed = call("rules", "list")
    assert "现行" in listed
    assert "own-1" in listed


async def test_a_book_is_shown_as_people_speak(office: asyncpg.Connection, call: Call) -> None:
    code, text = call("rules", "show")
    assert code == 0
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    assert lines["处置"] == ["24小时", "24小时", "5个工作日", "15个工作日"]
    assert "制止 4工作时、处罚 7个工作日、拆除 20个工作日" in text
    assert "到期后5个工作日" in text
    assert "chat_group" in text
    _, english = call("rules", "show", "--lang", "en")
    assert "due + 5wd" in english


async def test_categories_are_shown_page_by_page(office: asyncpg.Connection, call: Call) -> None:
    _, first = call("rules", "show", "--limit", "1")
    assert "下一页：bihuan rules show --limit 1 --cursor 1" in first
    _, second = call("rules", "show", "--limit", "1", "--cursor", "1")
    assert second.count("E0101") == 1
    assert "督办阶梯" not in second
    for cursor in ("x", "-1", "99"):
        assert error(call("rules", "show", "--cursor", cursor, "--json"))["code"] == "feed.bad_cursor"


async def test_versions_are_listed_page_by_page(office: asyncpg.Connection, call: Call, own: Path) -> None:
    value(call("rules", "import", str(own), "--version", "own-1", "--json"))
    page = value(call("rules", "list", "--limit", "1", "--json"))
    assert ([each["version"] for each in page["items"]], page["next"]) == (["own-1"], "own-1")
    rest = value(call("rules", "list", "--limit", "1", "--cursor", "own-1", "--json"))
    assert ([each["version"] for each in rest["items"]], rest["next"]) == (["example-2"], None)
    assert error(call("rules", "list", "--cursor", "none", "--json"))["code"] == "feed.bad_cursor"


async def test_a_version_there_is_not_is_refused(office: asyncpg.Connection, call: Call, own: Path) -> None:
    assert error(call("rules", "show", "none", "--json"))["code"] == "rules.unknown"
    assert error(call("rules", "check", str(own), "--base", "none", "--json"))["code"] == "rules.unknown"


async def test_an_export_can_be_imported_again(office: asyncpg.Connection, call: Call, tmp_path: Path) -> None:
    path = tmp_path / "exported.yaml"
    assert value(call("rules", "export", "--to", str(path), "--json"))["version"] == "example-2"
    # The neighbourhood has no such category.
    assert error(call("rules", "check", str(path), "--json"))["problems"][0]["code"] == "rules.unknown_category"
    assert error(call("rules", "export", "--to", str(path), "--json"))["code"] == "rules.not_written"
    _, printed = call("rules", "export")
    assert printed == path.read_text("utf-8") == rule_book_yaml(EXAMPLE)


async def test_the_shipped_categories_make_a_registry_that_knows_the_shipped_book(
    office: asyncpg.Connection, call: Call
) -> None:
    loaded = value(call("registry", "load", str(SHIPPED), "--drop", "--json"))
    assert loaded["categories"] >= 120
    checked = value(call("rules", "check", str(SHIPPED / "rules_example.yaml"), "--json"))
    assert (checked["checked_against"], checked["notes"]) == ("registry", [])
    categories = {each.code: each for each in (await read_registry(office)).categories}
    named = [each for each in categories.values() if each.parent is not None]
    # Two levels: kind and class, then kind, class and item.
    assert all(each.code.startswith(str(each.parent)) and len(each.code) == 5 for each in named)
    assert all(categories[str(each.parent)].parent is None for each in named)
    assert all(each.urgency is not None for each in named)
    assert len({each.name for each in categories.values()}) == len(categories)
