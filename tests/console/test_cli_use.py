"""The command line without any instance: help, wrong use, exit codes, and what happens when we are at fault."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import asyncpg
import pytest

from console import acts, doing, output, words
from console.cli import COMMANDS, GROUPS, execute, take_shared
from console.commands.settings import MEANINGS
from console.session import Options, use
from domain.case import CASE
from domain.case.events import CaseEvent
from domain.case.vocabulary import Satisfaction, Stage
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import Role
from domain.refusals import CATALOGUE
from domain.rules import Urgency
from domain.wish import WISH, WishEvent
from runtime.settings import Settings
from tests.neighbourhood import ACTORS


@pytest.fixture(autouse=True)
def no_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder on which nothing runs."""
    monkeypatch.setenv("BIHUAN_DATA", str(tmp_path / "nowhere"))
    for name in ("BIHUAN_DATABASE_URL", "BIHUAN_TEMPORAL_ADDRESS", "BIHUAN_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    use(Options())
    return tmp_path / "nowhere"


def _error(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = execute([*words, "--json"])
    return code, json.loads(capsys.readouterr().out)["error"]["code"]


# --- help and wrong use -----------------------------------------------------------------------------------------


def test_help_is_quick_because_it_imports_neither_servers_nor_drivers() -> None:
    script = (
        "import sys; from console.cli import execute; code = execute(['--help']);"
        "heavy = {'temporalio', 'asyncpg', 'cryptography'} & set(sys.modules);"
        "print(sorted(heavy)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "闭环" in done.stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("import", "demo")])
def test_every_command_explains_itself_in_chinese(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert any("\u4e00" <= letter <= "\u9fff" for letter in shown)
    assert "--json" in shown


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_a_group_alone_shows_its_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([name]) == 0
    assert "命令 Commands" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("cas list", "cli.unknown_command"),
        ("case dance", "cli.unknown_command"),
        ("case list --colour red", "cli.unknown_option"),
        ("case list --stage flying", "cli.bad_value"),
        ("case list --limit many", "cli.bad_value"),
        ("case list --limit 201", "cli.bad_value"),
        ("case list --limit", "cli.missing_value"),
        ("case show a b", "cli.too_many_values"),
        ("case list --open=3", "cli.wrong_use"),
        ("case show", "cli.missing_value"),
        ("case do x -", "cli.missing_value"),
        ("case list --data", "cli.missing_value"),
        ("case list --lang fr", "cli.bad_value"),
        ("case list --from yesterday", "cli.time_unreadable"),
        ("task list", "cli.whose_tasks"),
    ],
)
def test_wrong_use_ends_with_2_and_a_code(line: str, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _error(capsys, *line.split()) == (2, code)


def test_wrong_use_is_one_line_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["case", "list", "--colour", "red"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "错误 cli.unknown_option：没有选项 --colour。请用 --help 查看可用的选项。\n"


@pytest.mark.parametrize(
    ("line", "zh", "en"),
    [
        (
            "case dance",
            "没有命令 dance。可用的命令：list, show,",
            "There is no command dance. Known commands: list, show,",
        ),
        ("case list --light blue", "（可填：green, yellow, red）", "(one of: green, yellow, red)"),
        ("case list --limit many", "（应为整数）", "(should be a whole number)"),
        ("case list --limit 201", "（应不大于 200）", "(should be at most 200)"),
        ("case list --limit", "缺少 --limit。", "--limit is missing."),
        ("case do x -", "缺少 --as 人员编号。", "--as is missing."),
        ("case show", "缺少 编号。", "The argument 'name' is missing."),
        ("case show a b", "多写了“b”。", "'b' is too much."),
    ],
)
def test_wrong_use_is_told_in_the_language_of_the_reader(
    line: str, zh: str, en: str, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(line.split())
    assert zh in capsys.readouterr().err
    execute([*line.split(), "--lang", "en"])
    shown = capsys.readouterr().err
    assert en in shown
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in shown)


@pytest.mark.parametrize(
    "line", ["case list", "wish list", "feed", "rebuild", "registry show", "migrate", "connector D1"]
)
def test_without_an_instance_everything_ends_with_4(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _error(capsys, *line.split()) == (4, "instance.not_running")


def test_servers_that_do_not_answer_end_with_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIHUAN_DATABASE_URL", "postgresql:///x?host=/nonexistent&user=x")
    monkeypatch.setenv("BIHUAN_TEMPORAL_ADDRESS", "127.0.0.1:9")
    assert _error(capsys, "case", "list") == (4, "postgres.unreachable")
    # Who names a folder means the instance on it, whatever servers the environment names.
    assert _error(capsys, "case", "list", "--data", "/nonexistent") == (4, "instance.not_running")


def test_a_file_that_is_not_there_is_refused_before_anything_is_connected(capsys: pytest.CaptureFixture[str]) -> None:
    assert _error(capsys, "case", "do", "case-x", "/nonexistent.json", "--as", "worker") == (1, "file.unreadable")
    assert _error(capsys, "registry", "load", "/nonexistent.yaml") == (1, "file.unreadable")


def test_the_doctor_names_the_first_thing_to_mend(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["doctor", "--json"]) == 2
    checks = json.loads(capsys.readouterr().out)["checks"]
    failed = [each for each in checks if each["verdict"] == "FAIL"]
    assert [each["check"] for each in failed if each["check"] != "disk"] == ["instance"]
    assert all(each["remedy"] for each in checks if each["verdict"] != "OK")


def test_settings_are_complete_and_keep_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIHUAN_DATABASE_URL", "postgresql://u:topsecret@h/x")
    assert execute(["settings", "--json"]) == 0
    shown = capsys.readouterr().out
    assert "topsecret" not in shown
    assert len(json.loads(shown)["settings"]) == len(Settings.model_fields)
    assert set(MEANINGS) == set(Settings.model_fields)


def test_a_mistake_of_ours_shows_a_number_and_no_traceback(
    no_instance: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "-".join(("secret", "value"))

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(secret)

    monkeypatch.setattr("console.session.find_endpoints", broken)
    assert execute(["case", "list"]) == 70
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("错误 cli.mistake：程序内部出错（编号 ")
    assert "Traceback" not in shown.err
    log = no_instance / "logs" / "cli.log"
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")
    assert secret not in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o777 == 0o600
    assert execute(["case", "list", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (Refused("command.pending", command_id="x"), 3),
        (asyncpg.ConnectionDoesNotExistError("gone"), 4),
        (ConnectionResetError(), 4),
        (Refused("case.unknown"), 1),
    ],
)
def test_each_end_has_its_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("console.session.find_endpoints", failing)
    assert execute(["case", "list"]) == code


# --- shared options ---------------------------------------------------------------------------------------------


def test_shared_options_are_taken_wherever_people_type_them() -> None:
    expected = Options(data=Path("d"), json=True, language="en", arguments=("case", "list"))
    assert take_shared(["--data", "d", "--json", "--lang=en", "case", "list"]) == expected
    assert take_shared(["case", "list", "--json", "--lang", "en", "--data=d"]) == expected
    assert take_shared(["case", "--", "--json"]) == Options(arguments=("case", "--", "--json"))


# --- words ------------------------------------------------------------------------------------------------------


def test_every_fact_clock_and_grade_has_a_word() -> None:
    kinds = {
        kind.model_fields["kind"].default for union in (CaseEvent, WishEvent) for kind in get_args(get_args(union)[0])
    }
    assert kinds == set(words.EVENT)
    assert set(ClockKind) == set(words.CLOCK)
    assert set(Urgency) == set(words.URGENCY)
    assert set(Satisfaction) == set(words.SATISFACTION)
    assert {words.role(role) for role in Role}
    assert {output.say(*CASE.stage_names[stage]) for stage in Stage}


def test_lengths_of_time_are_said_in_two_units() -> None:
    from datetime import UTC, datetime, timedelta

    assert output.span(timedelta(days=2, hours=3, minutes=4)) == "2 天 3 小时"
    assert output.span(timedelta(minutes=-5)) == "5 分钟"
    noon = datetime(2026, 11, 23, 4, tzinfo=UTC)
    assert output.local(noon) == "2026-11-23 12:00"
    assert output.remaining(noon, noon + timedelta(hours=2)) == "已超 2 小时"


# --- free text --------------------------------------------------------------------------------------------------


def test_free_text_is_cleaned_wherever_a_command_has_it_and_codes_are_not() -> None:
    phone, evidence = "138" + "12345678", {"kind": "after", "ref": "13812345678", "digest": "a" * 64}
    given = {
        "kind": "strike_off",
        "measures": f"\u200b已修\u00a0好 {phone[:3]}\u200b{phone[3:]}",
        "workload": {"people": 1, "minutes": 1},
        "evidence": [{**evidence, "note": f"拨 {phone}"}, evidence],
    }
    cleaned = acts.clean(CASE, given)
    assert cleaned.command["measures"] == "已修 好 〔手机号〕"
    assert cleaned.command["evidence"] == [{**evidence, "note": "拨 〔手机号〕"}, evidence]
    assert cleaned.masked == ("measures", "evidence.0.note")
    assert given["measures"] != cleaned.command["measures"]
    wish = acts.clean(WISH, {"kind": "thank_for_wish", "word": f"谢谢 {phone}"})
    assert wish.masked == ("word",)


def test_what_is_no_command_comes_back_as_it_was() -> None:
    for raw in ({}, {"kind": "dance", "text": 5}, {"kind": "comment", "text": 5}, {"kind": "attach", "evidence": "x"}):
        assert acts.clean(CASE, raw) == acts.Cleaned(raw, ())


def test_a_summary_is_short_and_says_yes_and_no() -> None:
    told = doing.summary(
        {"kind": "visited", "answered": True, "solved": False, "satisfaction": "fair", "word": "长" * 99}
    )
    assert told.startswith("接通 · 未解决 · 一般 · 长")
    assert len(told) < 90


def test_a_summary_says_limits_and_clocks_in_words() -> None:
    assert doing.summary({"kind": "clock_extended", "clock_id": "sign_for:D01#1", "length": "10wd"}) == (
        "签收时限 D01 第2次 · 10个工作日"
    )
    step = {"kind": "step", "organisation": None, "step": "stop", "due_at": "2026-11-23T04:00:00Z"}
    assert doing.summary({"kind": "clock_started", "clock": step}) == "分步时限 stop 截止 2026-11-23 12:00"
    assert doing.summary({"kind": "task_returned", "proposed": "D07", "department": "D01"}) == "建议 D07 · D01"


def test_only_the_widest_columns_of_a_table_fold(capsys: pytest.CaptureFixture[str]) -> None:
    long = "长" * 120
    output.table([("编号", "id"), ("时间", "time"), ("内容", "text")], [("case-1a2b3c4d", "2026-11-23 12:00", long)])
    first, *rest = capsys.readouterr().out.splitlines()[1:]
    assert first.startswith("case-1a2b3c4d  2026-11-23 12:00  长长")
    assert rest
    assert all(line.startswith(" " * 33) for line in rest)


def test_a_table_with_too_many_columns_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [f"{place:02d}" + "x" * 18 for place in range(12)]
    output.table([("", "")] * len(cells), [cells])
    shown = capsys.readouterr().out
    assert shown.count("x") == 12 * 18
    assert max(map(len, shown.splitlines())) <= 200


def test_every_code_the_command_line_may_say_is_in_the_catalogue() -> None:
    assert {"cli.mistake", "cli.ambiguous", "cli.not_available"} <= set(CATALOGUE)


def test_an_actor_needs_no_ledger_when_it_is_a_resident() -> None:
    actor = asyncio.run(
        acts.actor_for(None, CASE, "case-x", {}, person="r-1", role="resident")  # type: ignore[arg-type]
    )
    assert (actor.person, actor.role) == ("r-1", ACTORS["resident"].role)
