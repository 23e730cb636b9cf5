"""``bihuan capacity`` without any server, and the page that shows what it says."""

from pathlib import Path

from tests.console.calling import called, value

PAGE = Path(__file__).parents[2] / "docs" / "operations" / "city.md"


def test_the_page_of_the_city_shows_what_the_command_says() -> None:
    code, said = called("--lang", "en", "capacity", "--requests-per-day", "65000")
    table = [line.rstrip() for line in said.splitlines() if "  " in line]

    assert code == 0
    assert len(table) > 20
    assert "\n".join(table) in PAGE.read_text("utf-8")


def test_every_figure_is_handed_out_with_its_source() -> None:
    found = value(called("capacity", "--requests-per-day", "300", "--years", "3", "--json"))

    assert found["load"]["years"] == 3
    assert found["needs"]["workers"] == {
        "value": 3,
        "unit": "processes",
        "formula": "worker_cores / use, one more, at least 3",
    }
    assert all(each["source"] and each["kind"] in ("measured", "read", "assumed") for each in found["figures"].values())
    assert "loop_ledger_bytes" in called("capacity", "--requests-per-day", "300", "--figures")[1]


def test_nonsense_is_wrong_use() -> None:
    assert called("capacity", "--requests-per-day", "0")[0] == 2
