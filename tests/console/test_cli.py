"""The real command line against a real instance: what clerks type, what they are told, and how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.cli import execute
from console.tracking import read_code
from tests.console.forked import ROOT, start_forked
from tests.neighbourhood import AFTER, GRID, HELPER, LEAD, ORDINARY, REGISTRY

CONNECTED = "D03"
PHONE = "138" + "1234" + "5678"


class Running:
    """A running instance and the command line that finds it by its data folder."""

    def __init__(self, data: Path, ready: dict[str, Any]) -> None:
        self.data = data
        self.ready = ready

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """A command that is not waited for."""
        return subprocess.Popen(
            [sys.executable, "-m", "console.cli", *words, "--data", str(self.data)],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(self, *words: str, command: object = None) -> "subprocess.CompletedProcess[str]":
        """A command with its exit code, output and errors; ``command`` is given on standard input as JSON.

        In a process of its own, forked from one that has imported everything.
        """
        given = "" if command is None else command if isinstance(command, str) else json.dumps(command)
        process = start_forked(*words, "--data", str(self.data), environment=_environment(), given=given)
        out, err = process.communicate()
        assert process.returncode is not None
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def call(self, *words: str, command: object = None) -> "subprocess.CompletedProcess[str]":
        """The same as ``run`` in this process."""
        given = "" if command is None else command if isinstance(command, str) else json.dumps(command)
        out, err = io.StringIO(), io.StringIO()
        stdin = io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")
        with (
            pytest.MonkeyPatch.context() as patch,
            redirect_stdout(out),
            redirect_stderr(err),
            # A thread of its own has no event loop and no options of another command.
            ThreadPoolExecutor(1) as thread,
        ):
            patch.setattr(sys, "stdin", stdin)
            code = thread.submit(execute, [*words, "--data", str(self.data)]).result()
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def json(self, *words: str, command: object = None) -> Any:
        """The one JSON value a successful command prints."""
        done = self.call(*words, "--json", command=command)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def refusal(self, *words: str, command: object = None, exit_code: int = 1) -> Any:
        """The error object a refused command prints."""
        done = self.call(*words, "--json", command=command)
        assert done.returncode == exit_code, done.stdout + done.stderr
        return json.loads(done.stdout)["error"]

    def register(self, **fields: object) -> str:
        """The id of a new case of the grid."""
        given = {"title": "路面破损", "text": "东塘路口有坑", "grid": GRID, "category": ORDINARY, **fields}
        return str(self.json("case", "new", "-", "--as", "worker", command=given)["stream"])

    def dispatched(self, *departments: str, **fields: object) -> str:
        """The id of a new case that has been dispatched to these departments, the lead first."""
        case = self.register(**fields)
        whistle = {"kind": "whistle", "reason": "reflected", "departments": departments, "approver": "approver"}
        self.json("case", "do", case, "-", "--as", "community", command=whistle)
        dispatch = {"kind": "dispatch", "lead": departments[0], "helpers": departments[1:]}
        self.json("case", "do", case, "-", "--as", "dispatcher", command=dispatch)
        return case


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's own shell sets must not reach another instance than the one under test."""
    for name in [name for name in os.environ if name.startswith("BIHUAN_")]:
        monkeypatch.delenv(name)


def _environment() -> dict[str, str]:
    # What the developer's own shell sets must not reach another instance than the one under test.
    own = {name: value for name, value in os.environ.items() if not name.startswith("BIHUAN_")}
    # Any free port: several instances may run at once.
    return {**own, "BIHUAN_CONSOLE_PORT": "0"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """``bihuan up --json`` on a new folder, with a registry whose third department has a system of its own."""
    data = tmp_path_factory.mktemp("cli")
    errors = (data / "up.err").open("w")
    up = subprocess.Popen(
        [sys.executable, "-m", "console.cli", "up", "--no-ui", "--json", "--data", str(data / "office")],
        cwd=ROOT,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    assert up.stdout is not None
    line = up.stdout.readline()
    assert line, (data / "up.err").read_text()
    running = Running(data / "office", json.loads(line))
    try:
        registry = data / "registry.yaml"
        registry.write_text(yaml.safe_dump(_registry(), allow_unicode=True), encoding="utf-8")
        loaded = running.json("registry", "load", str(registry))
        assert (loaded["revision"], loaded["changed"]) == (1, True)
        yield running
    finally:
        up.send_signal(signal.SIGINT)
        code = up.wait(60)
        up.stdout.close()
        errors.close()
    assert code == 0


def _registry() -> dict[str, Any]:
    sections = {name: [dict(row) for row in rows] for name, rows in REGISTRY.items()}
    unit = next(row for row in sections["organisations"] if row["code"] == CONNECTED)
    unit |= {"queue": f"department.{CONNECTED}"}
    # Somebody with two roles: the command decides which of them is meant.
    sections["assignments"].append({"person": "approver", "role": "grid_worker", "grid": GRID})
    return sections


# --- the instance -----------------------------------------------------------------------------------------------


def test_up_tells_where_everything_is_and_keeps_the_key_to_itself(running: Running) -> None:
    assert running.ready["ready"] is True
    assert running.ready["temporal_ui"] is None
    key = Path(running.ready["master_key"])
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32


def test_a_second_instance_on_the_folder_is_refused(running: Running) -> None:
    done = running.run("up", "--json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 4
    assert error["code"] == "instance.folder_in_use"
    assert error["params"]["pid"] == str(running.ready["pid"])


def test_the_doctor_finds_nothing_wrong(running: Running) -> None:
    done = running.run("doctor", "--json")
    report = json.loads(done.stdout)
    found = {each["check"]: each["verdict"] for each in report["checks"]}
    found.pop("disk")  # how full the disk of this machine is says nothing about us
    found.pop("work calendar")  # nor does how far today is from the end of the official lists
    assert set(found.values()) == {"OK"}, report
    assert [each["number"] for each in report["checks"]] == list(range(1, len(found) + 3))


def test_migrate_has_nothing_left_to_do(running: Running) -> None:
    assert running.json("migrate", "--check") == {"pending": []}
    assert "已是最新" in running.run("migrate").stdout


# --- the registry -----------------------------------------------------------------------------------------------


def test_loading_the_same_registry_again_changes_nothing(running: Running, tmp_path: Path) -> None:
    file = tmp_path / "registry.yaml"
    file.write_text(yaml.safe_dump(_registry(), allow_unicode=True), encoding="utf-8")
    again = running.json("registry", "load", str(file))
    assert (again["revision"], again["changed"], again["changes"]) == (1, False, [])


def test_every_problem_of_a_registry_is_listed_and_nothing_is_loaded(running: Running, tmp_path: Path) -> None:
    sections = _registry()
    sections["grids"].append({"code": "G99", "name": "太大", "community": "C01", "households": 900, "people": 9000})
    sections["assignments"].append({"person": "nobody", "role": "community", "organisation": "C01"})
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.safe_dump(sections, allow_unicode=True), encoding="utf-8")
    error = running.refusal("registry", "load", str(file))
    assert {each["code"] for each in error["problems"]} == {"registry.grid_size", "registry.unknown_person"}
    shown = running.run("registry", "load", str(file))
    assert (shown.returncode, "bad.yaml" in shown.stdout, "override_reason" in shown.stdout) == (1, True, True)
    assert shown.stderr.startswith("错误 registry.unsound：")
    assert running.json("registry", "show")["revision"] == 1


# --- cases ------------------------------------------------------------------------------------------------------


def test_what_a_resident_said_stays_in_the_vault(running: Running) -> None:
    given: dict[str, Any] = {
        "title": "路灯不亮",
        "text": f"路灯不亮，电话 {PHONE}",
        "grid": GRID,
        "source": "hotline",
        "external_id": "V-1",
    }
    given |= {"reporter": {"name": "张三", "phone": PHONE, "address": "东塘 1 号"}}
    first = running.json("case", "new", "-", "--as", "worker", command=given)
    again = running.json("case", "new", "-", "--as", "worker", command=given)
    assert first == again
    code = str(first["tracking_code"])
    assert read_code(code) == code
    assert first["masked"] == ["text"]
    told = running.run("case", "show", first["stream"]).stdout + running.run("feed", "--json").stdout
    assert "〔手机号〕" in told
    assert PHONE not in told
    assert "张三" not in told
    assert code not in told


def test_another_request_under_the_same_number_is_refused(running: Running) -> None:
    given = {"title": "甲", "text": "甲", "grid": GRID, "source": "hotline", "external_id": "V-2"}
    running.json("case", "new", "-", "--as", "worker", command=given)
    error = running.refusal("case", "new", "-", "--as", "worker", command={**given, "text": "乙"})
    assert error["code"] == "vault.content_differs"


def test_a_case_goes_from_registration_to_the_two_signatures(running: Running, tmp_path: Path) -> None:
    case = running.dispatched(LEAD)
    running.json("case", "do", case, "-", "--as", "handler", command={"kind": "accept"})
    work = {"measures": f"已修补，问 {PHONE}", "workload": {"people": 2, "minutes": 40}, "evidence": [AFTER]}
    done = running.json("case", "do", case, "-", "--as", "handler", command={"kind": "strike_off", **work})
    assert done["masked"] == ["measures"]
    # ``approver`` works for the community and in the grid; only the grid worker may verify.
    check = {"kind": "verify", "passed": True, "evidence": [AFTER]}
    verified = running.json("case", "do", case[:20], "-", "--as", "approver", command=check)
    assert (verified["stage"], verified["actor"]["role"]) == ("verified", "grid_worker")
    sheet = running.json("case", "show", case)
    assert [task["role"] for task in sheet["tasks"]] == ["vanguard_captain", "grid_head"]
    secret = tmp_path / "secret"
    secret.write_text(running.json("user", "add", "captain")["password"], encoding="utf-8")
    sign = ("case", "do", case, "-", "--as", "captain", "--password-file", str(secret))
    # A one-time password is known to whoever made the account: it confirms nothing.
    unknown = running.refusal(*sign, command={"kind": "sign", "digest": sheet["digest"]})
    assert unknown["code"] == "sign.no_password"
    for who in ("captain", "head"):
        running.json("case", "do", case, "-", "--as", who, command={"kind": "sign", "digest": sheet["digest"]})
    shown = running.run("case", "show", case).stdout
    assert all(word in shown for word in ("已双签", "结果摘要", sheet["digest"], "captain（先锋队长）", "向居民反馈"))
    events = running.json("case", "history", case)["events"]
    assert [each["seq"] for each in events] == list(range(1, len(events) + 1))
    assert "销账" in running.run("case", "history", case).stdout
    early = running.json("case", "show", case, "--at", events[1]["at"])
    assert (early["stage"], early["seq"]) == ("registered", 2)


def test_refusals_are_one_line_with_code_and_remedy(running: Running) -> None:
    case = running.register()
    before = len(running.json("case", "history", case)["events"])
    done = running.run("case", "do", case, "-", "--as", "handler", command={"kind": "accept"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("错误 case.wrong_stage：当前阶段是“已登记”")
    assert done.stderr.count("\n") == 1
    english = running.run("--lang", "en", "case", "do", case, "-", "--as", "handler", command={"kind": "accept"})
    assert english.stderr.startswith("error case.wrong_stage: The case is 'registered'")
    assert len(running.json("case", "history", case)["events"]) == before


@pytest.mark.parametrize(
    ("who", "command", "code"),
    [
        (["--as", "worker"], {"kind": "dance"}, "command.unknown_kind"),
        (["--as", "worker"], {"kind": "comment", "text": "好", "mood": "好"}, "field.unknown"),
        (["--as", "worker"], {"kind": "comment"}, "field.missing"),
        (["--as", "worker"], "{bad", "json.malformed"),
        (["--as", "worker"], "[]", "field.invalid"),
        (["--as", "nobody"], {"kind": "comment", "text": "好"}, "person.unknown"),
        (["--as", "worker", "--role", "supervisor"], {"kind": "comment", "text": "好"}, "actor.role_not_held"),
        (["--as", "worker", "--role", "king"], {"kind": "comment", "text": "好"}, "field.invalid"),
        (["--as", "approver"], {"kind": "comment", "text": "好"}, "person.several_roles"),
        (["--as", "worker", "--command-id", "7"], {"kind": "comment", "text": "好"}, "command.bad_id"),
    ],
)
def test_what_cannot_be_an_act_is_refused(running: Running, who: list[str], command: object, code: str) -> None:
    case = _any_case(running)
    assert running.refusal("case", "do", case, "-", *who, command=command)["code"] == code


def _any_case(running: Running) -> str:
    found = running.json("case", "list", "--limit", "1")["items"]
    return str(found[0]["id"]) if found else running.register()


def test_a_role_may_be_named_with_its_place(running: Running) -> None:
    case, comment = running.register(), {"kind": "comment", "text": "看过"}
    acted = running.json("case", "do", case, "-", "--as", "approver", "--role", "community@C01", command=comment)
    assert acted["actor"]["organisation"] == "C01"
    acted = running.json("case", "do", case, "-", "--as", "r-1", "--role", "resident", command=comment)
    assert acted["actor"]["role"] == "resident"


def test_a_repeated_command_id_takes_effect_once(running: Running) -> None:
    case, number = running.register(), "6f0f5a64-7d6e-4d7e-9a70-1f3d5f0a9b11"
    words = ("case", "do", case, "-", "--as", "worker", "--command-id", number)
    first = running.json(*words, command={"kind": "comment", "text": "一次"})
    assert running.json(*words, command={"kind": "comment", "text": "一次"}) == first
    assert running.refusal(*words, command={"kind": "comment", "text": "另一次"})["code"] == "command.reused"


def test_opening_again_with_the_same_command_id_opens_no_second_case(running: Running) -> None:
    given = {"title": "井盖松动", "text": "东塘路井盖松动", "grid": GRID}
    words = ("case", "new", "-", "--as", "worker", "--command-id", "0b8e4cc8-25a3-4f5e-8a4b-64a7e3f0c0aa")
    assert running.json(*words, command=given) == running.json(*words, command=given)


def test_lists_are_filtered_and_go_on_where_they_stopped(running: Running) -> None:
    for number in range(3):
        running.register(source="paging", external_id=str(number))
    words = ("case", "list", "--source", "paging", "--limit", "2")
    first = running.json(*words)
    rest = running.json(*words, "--cursor", first["next"])
    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    assert {row["external_id"] for row in first["items"] + rest["items"]} == {"0", "1", "2"}
    shown = running.run(*words).stdout
    assert f"下一页：bihuan case list --source paging --limit 2 --data {running.data} --cursor {first['next']}" in shown
    assert running.json("case", "list", "--source", "paging", "--to", "2020-01-01")["items"] == []
    assert "没有符合条件的诉求" in running.run("case", "list", "--stage", "archived", "--source", "paging").stdout


def test_unknown_ids_are_told(running: Running) -> None:
    for name in ("case-ffffffff", "ffffffff", "something", "wish-ffffffff"):
        assert running.refusal("case", "show", name)["code"] == "case.unknown"


def test_tasks_are_those_of_the_unit_asked_for(running: Running) -> None:
    case = running.dispatched(HELPER)
    tasks = running.json("task", "list", "--organisation", HELPER)["items"]
    assert [(task["stream"], task["kind"], task["title"]) for task in tasks] == [(case, "handle", "路面破损")]
    assert "处置" in running.run("task", "list", "--organisation", HELPER).stdout
    assert running.refusal("task", "list", exit_code=2)["code"] == "cli.whose_tasks"


def test_a_wish_is_published_claimed_and_seen(running: Running) -> None:
    given = {"title": "一盏台灯", "text": f"想要一盏台灯，电话 {PHONE}", "grid": GRID}
    wish = running.json("wish", "new", "-", "--as", "worker", command=given)["stream"]
    done = running.run("wish", "do", wish[:14], "-", "--as", "community", command={"kind": "claim_wish"})
    assert "当前阶段：已认领" in done.stdout
    assert [row["id"] for row in running.json("wish", "list", "--stage", "claimed")["items"]] == [wish]
    assert "community（社区）" in running.run("wish", "show", wish).stdout
    assert PHONE not in json.dumps(running.json("wish", "history", wish), ensure_ascii=False)


# --- the log ----------------------------------------------------------------------------------------------------


def test_the_feed_goes_on_after_its_cursor(running: Running) -> None:
    running.register()
    whole = [json.loads(line) for line in running.run("feed", "--json", "--limit", "10000").stdout.splitlines()]
    middle = whole[len(whole) // 2]["cursor"]
    rest = [json.loads(line) for line in running.run("feed", "--json", "--after", middle).stdout.splitlines()]
    assert [each["id"] for each in rest][:5] == [each["id"] for each in whole[len(whole) // 2 + 1 :]][:5]
    assert running.refusal("feed", "--after", "nonsense")["code"] == "feed.bad_cursor"


def test_a_rebuild_finds_the_read_models_in_order(running: Running) -> None:
    running.register()
    done = running.json("rebuild")
    assert done["streams"] > 0
    assert (done["differences"], done["strays"]) == ([], 0)


def test_a_reader_who_has_seen_enough_is_no_mistake(running: Running) -> None:
    process = running.start("feed", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    running.register()
    assert process.wait(60) == 141
    assert "Traceback" not in (process.stderr.read() if process.stderr else "")
    for stream in (process.stdin, process.stderr):
        assert stream is not None
        stream.close()


# --- a department with a system of its own ----------------------------------------------------------------------


def test_the_connector_handles_its_tasks_and_returns_what_is_not_its_job(running: Running) -> None:
    connector = running.start("connector", CONNECTED, "--work-seconds", "0", "--returns", "噪音", "--proposes", LEAD)
    try:
        handled = running.dispatched(CONNECTED)
        returned = running.dispatched(CONNECTED, text="夜里噪音很大")
        assert _reaches(running, handled, "struck_off")["assignments"][0]["measures"].startswith("已按工单 D03-")
        assert _reaches(running, returned, "returned")["assignments"][0]["returned_at"]
        orders = running.data / f"connector-{CONNECTED}"
        part = running.json("case", "show", handled)["case"]["assignments"][0]
        evidence = part["evidence"][0]
        file = orders / f"{evidence['ref'].rpartition('/')[2]}.txt"
        digest = subprocess.run(["sha256sum", str(file)], capture_output=True, text=True, check=True).stdout.split()[0]
        assert digest == evidence["digest"]
    finally:
        connector.send_signal(signal.SIGTERM)
        out, err = connector.communicate(timeout=60)
    assert connector.returncode == 0, out + err


def _reaches(running: Running, case: str, stage: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        sheet = running.json("case", "show", case)
        if sheet["stage"] == stage:
            return sheet["case"]
        time.sleep(0.1)
    raise AssertionError(f"{case} is {sheet['stage']}, not {stage}")


def test_the_connector_of_an_unknown_department_says_so(running: Running) -> None:
    done = running.run("connector", "D77")
    assert done.returncode == 1
    assert "department.unknown" in done.stdout + done.stderr
