"""``bihuan import`` against running instances: every row is opened once, counted once, or reported."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import psutil
import pytest

from ledger.registry import load_registry
from ledger.vault import MasterKey, Vault
from runtime.endpoints import read_endpoints
from tests.console.forked import ROOT, Forked, start_forked
from tests.neighbourhood import FAR_GRID, GRID, ORDINARY, raw_registry
from tests.waiting import eventually

SHARED = ROOT.parent / "shared" / "data" / "requests_labelled.jsonl"


@dataclass(frozen=True)
class Office:
    """A running instance, as the command line and as the database see it."""

    data: Path
    conn: asyncpg.Connection

    def start(self, *arguments: str | Path) -> Forked:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BIHUAN_")}
        return start_forked("import", *map(str, arguments), "--data", str(self.data), environment=environment)

    async def run(self, *arguments: str | Path) -> "Ran":
        return await ended(await asyncio.to_thread(self.start, *arguments))

    async def cases(self, source: str) -> list[asyncpg.Record]:
        query = "select * from case_row where source = $1 order by external_id"
        return list(await self.conn.fetch(query, source))

    async def count(self, source: str) -> int:
        """How many cases there are: rows, opening events and commands agree."""
        found = await self.conn.fetchrow(
            """
            select count(*), count(e.stream), count(c.id)
            from case_row r
            left join event e on e.stream = r.id and e.kind = 'registered'
            left join command c on c.stream = r.id and c.seq_from = 1
            where r.source = $1
            """,
            source,
        )
        assert found is not None
        rows, events, commands = found
        assert rows == events == commands
        return int(rows)


class Ran(NamedTuple):
    code: int | None
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        assert self.out.count("\n") == 1, (self.out, self.err)
        found: dict[str, Any] = json.loads(self.out)
        assert set(found) == {"rows", "opened", "already", "rejected", "report"}
        assert found["rows"] == found["opened"] + found["already"] + found["rejected"]
        return found

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.summary["opened"], self.summary["already"], self.summary["rejected"]


async def ended(process: Forked) -> Ran:
    out, err = await asyncio.to_thread(process.communicate)
    return Ran(process.returncode, out, err)


@contextmanager
def instance(data: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "console.cli", "up", "--no-ui", "--json", "--data", str(data)]
    environment = {**os.environ, "BIHUAN_CONSOLE_PORT": "0"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert json.loads(process.stdout.readline())["ready"]
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.fixture(scope="module")
async def fresh(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """An instance in which nobody has loaded a registry."""
    data = tmp_path_factory.mktemp("fresh")
    with instance(data):
        endpoints = read_endpoints(data)
        assert endpoints is not None
        conn = await asyncpg.connect(endpoints.postgres)
        yield Office(data, conn)
        await conn.close()


@pytest.fixture(scope="module")
async def staffed(fresh: Office) -> Office:
    """The same instance, from now on with the neighbourhood of the tests; ``hotline`` is its only hotline person.

    The tests that want no registry stand before those that want one.
    """
    await load_registry(fresh.conn, raw_registry(), "tests")
    return fresh


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def many(source: str, number: int) -> list[dict[str, Any]]:
    return [
        {
            "message_no": str(n),
            "src": source,
            "title": f"第{n}盏路灯不亮",
            "detail": f"\n\t第{n}盏，已三天。\n",
            "user": f"甲{n}",
        }
        for n in range(number)
    ]


def reported(path: str | None) -> list[dict[str, str]]:
    assert path is not None
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# --- on a fresh instance ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.exists(), reason="the development data does not lie next to this checkout")
@pytest.mark.timeout(600)
async def test_the_shared_requests_open_495_cases_and_none_the_second_time(fresh: Office, tmp_path: Path) -> None:
    report = ("--report", tmp_path / "r.csv", "--json")

    first = await fresh.run(SHARED, "--rate", "1000", *report)
    second = await fresh.run(SHARED, *report)

    assert (first.code, first.counts) == (0, (495, 0, 0))
    assert (second.code, second.counts) == (0, (0, 495, 0))
    source = json.loads(SHARED.read_text(encoding="utf-8").partition("\n")[0])["src"]
    assert await fresh.count(source) == 495
    assert [case["stage"] for case in await fresh.cases(source)] == ["registered"] * 495


async def test_what_was_read_goes_to_the_vault_and_only_masked_text_to_the_ledger(
    fresh: Office, tmp_path: Path
) -> None:
    row = {
        "编号": "1",
        "标题": "漏水",
        "内容": "\t电话13800001111_x000D_\n漏水\u200b",
        "姓名": "甲某",
        "电话": "13800001111",
        "点赞": 9,
    }
    ran = await fresh.run(jsonl(tmp_path / "保密 1.jsonl", [row]), "--json")

    assert ran.counts == (1, 0, 0)
    (case,) = await fresh.cases("保密-1")
    assert case["text"] == "电话〔手机号〕\n漏水"
    assert case["opened_by"] == "hotline-import"
    assert (case["street"], case["grid"]) == (None, None)
    log = await fresh.conn.fetchval("select string_agg(body::text, '') from event where stream = $1", case["id"])
    assert "13800001111" not in log
    assert "甲某" not in log
    vault = Vault(MasterKey.load(fresh.data / "master.key"))
    kept = {
        name: await vault.read(fresh.conn, case["id"], name)
        for name in ("wording", "reporter_name", "reporter_phone", "reporter_address", "unmapped")
    }
    assert kept == {
        "wording": "漏水\n" + str(row["内容"]),
        "reporter_name": "甲某",
        "reporter_phone": "13800001111",
        "reporter_address": None,
        "unmapped": '{"点赞": "9"}',
    }


async def test_no_file_of_the_data_folder_holds_planted_personal_data(fresh: Office, tmp_path: Path) -> None:
    phone, name = "13755502468", "欧阳金丝雀"
    row = {"编号": "1", "标题": "漏水", "内容": f"我叫{name}，电话{phone}", "姓名": name, "电话": phone}

    ran = await fresh.run(jsonl(tmp_path / "canary.jsonl", [row]), "--json")
    await fresh.conn.execute("checkpoint")

    assert ran.counts == (1, 0, 0)
    # The cluster with its write-ahead log, Temporal's file, the logs; the redacted text proves that we looked there.
    files = [(path, path.read_bytes()) for path in sorted(fresh.data.rglob("*")) if path.is_file()]
    assert any("〔手机号〕".encode() in content for _, content in files)
    assert [path.name for path, content in files if phone.encode() in content or name.encode() in content] == []


async def test_what_is_pressing_does_not_wait_for_the_rows_before_it(fresh: Office, tmp_path: Path) -> None:
    rows = many("先后", 5)
    path = jsonl(tmp_path / "a.jsonl", [*rows[:4], {**rows[4], "紧急程度": "紧急"}])

    assert (await fresh.run(path, "--json", "--parallel", "1")).counts == (5, 0, 0)

    opened = await fresh.conn.fetch(
        "select r.external_id from case_row r join event e on e.stream = r.id and e.seq = 1"
        " where r.source = '先后' order by e.tx"
    )
    order = [row["external_id"] for row in opened]
    assert order == [order[0], *sorted(order[1:])]
    assert order[0] == max(order)


async def test_one_message_filed_twice_opens_two_cases_and_a_repetition_none(fresh: Office, tmp_path: Path) -> None:
    row = {"编号": "7", "来源": "两类", "标题": "医保查询", "一级分类": "城建"}
    other = {**row, "一级分类": "社保"}
    path = jsonl(tmp_path / "a.jsonl", [row, other, row, {**row, "标题": "别的"}])

    first, second = await fresh.run(path, "--json"), await fresh.run(path, "--json")

    assert (first.code, first.counts) == (1, (2, 1, 1))
    assert (second.code, second.counts) == (1, (0, 3, 1))
    assert [(case["external_id"], case["label"]) for case in await fresh.cases("两类")] == [
        ("7", "城建"),
        ("7#社保", "社保"),
    ]
    (line,) = reported(second.summary["report"])
    assert (line["row"], line["field"], line["code"]) == ("4", "编号", "command.reused")


async def test_rows_without_a_number_open_nothing_the_second_time(fresh: Office, tmp_path: Path) -> None:
    path = tmp_path / "nonumber.csv"
    path.write_text(
        "标题,时间\n路灯,2020/1/6 12:09:38\n路灯,2020/1/7 12:09:38\n路灯,2020/1/6 12:09:38\n", encoding="gb18030"
    )

    assert (await fresh.run(path, "--json")).counts == (2, 1, 0)
    assert (await fresh.run(path, "--json")).counts == (0, 3, 0)


async def test_a_dry_run_opens_nothing(fresh: Office, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [*many("试", 3), {"编号": "x"}])

    ran = await fresh.run(path, "--dry-run", "--json")

    found = json.loads(ran.out)
    assert (ran.code, found["opened"], found["rejected"], found["dry_run"]) == (1, 3, 1, True)
    assert await fresh.count("试") == 0


async def test_killed_in_the_middle_and_run_again_loses_and_doubles_nothing(fresh: Office, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", many("杀", 60))
    process = fresh.start(path, "--json", "--rate", "5")
    await _until_some(fresh, "杀")
    process.kill()
    await ended(process)
    left = await fresh.count("杀")

    again = await fresh.run(path, "--json", "--rate", "1000")

    assert 0 < left < 60
    assert again.code == 0
    assert sum(again.counts) == 60
    assert again.summary["opened"] <= 60 - left
    assert await fresh.count("杀") == 60
    assert (await fresh.run(path, "--json")).counts == (0, 60, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted_it_says_what_was_done_and_goes_on_later(
    fresh: Office, tmp_path: Path, number: signal.Signals
) -> None:
    source = number.name
    path = jsonl(tmp_path / "a.jsonl", many(source, 60))
    process = fresh.start(path, "--json", "--rate", "5")
    await _until_some(fresh, source)
    process.send_signal(number)
    stopped = await ended(process)

    again = await fresh.run(path, "--json", "--rate", "1000")

    assert stopped.code == 130
    assert 0 < stopped.summary["opened"] < 60
    assert again.code == 0
    assert sum(again.counts) == 60
    assert again.summary["already"] >= stopped.summary["opened"]
    assert await fresh.count(source) == 60


async def test_a_database_that_dies_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", many("断", 40))
    data = tmp_path / "data"
    with instance(data):
        endpoints = read_endpoints(data)
        assert endpoints is not None
        conn = await asyncpg.connect(endpoints.postgres)
        office = Office(data, conn)
        process = office.start(path, "--json", "--rate", "6")
        await _until_some(office, "断")
        server = psutil.Process(conn.get_server_pid()).parent()
        assert server is not None
        assert await office.count("断") < 40, "the server is to die in the middle"
        server.kill()
        conn.terminate()
        ran = await ended(process)
        conn = await _connected(endpoints.postgres)
        opened = await Office(data, conn).count("断")
        await conn.close()

    assert (ran.code, sum(ran.counts), ran.summary["rejected"]) == (0, 40, 0)
    assert opened == 40


async def _connected(dsn: str) -> asyncpg.Connection:
    """A connection, as soon as the server that was killed is back."""

    async def connected() -> asyncpg.Connection | None:
        try:
            return await asyncpg.connect(dsn)
        except (OSError, asyncpg.PostgresError):
            return None

    connection = await eventually(connected, "the server that was killed is back", within=60)
    assert connection is not None
    return connection


async def _until_some(office: Office, source: str) -> None:
    async def some() -> bool:
        return await office.count(source) >= 5

    await eventually(some, f"some rows of {source} are cases", within=60)


async def test_two_imports_at_once_open_every_row_once(fresh: Office, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", many("双", 40))

    one, other = await asyncio.gather(fresh.run(path, "--json"), fresh.run(path, "--json"))

    assert sorted([one.counts, other.counts]) == [(0, 40, 0), (40, 0, 0)]
    assert await fresh.count("双") == 40


async def test_for_people_the_summary_is_a_sentence_and_progress_goes_to_the_side(
    fresh: Office, tmp_path: Path
) -> None:
    path = jsonl(tmp_path / "a.jsonl", many("话", 2))

    first, second = await fresh.run(path), await fresh.run(path)

    assert first.out == "共 2 行：新登记 2，此前已登记 0，未导入 0。\n"
    assert second.out == "共 2 行：新登记 0，此前已登记 2，未导入 0。\n没有新的诉求。\n"


@pytest.mark.parametrize(
    ("arguments", "code", "refusal"),
    [
        (["none.jsonl"], 1, "file.unreadable"),
        (["README.md"], 1, "import.unknown_format"),
        (["tests/console/x.jsonl", "--rate", "0"], 2, "cli.bad_value"),
        (["a.jsonl", "--report", "/"], 1, "import.report_unwritable"),
    ],
)
async def test_wrong_use_is_one_line(fresh: Office, arguments: list[str], code: int, refusal: str) -> None:
    ran = await fresh.run(*arguments)

    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("\n") == 1
    assert refusal in ran.err


# --- with a registry --------------------------------------------------------------------------------------------


async def test_bad_rows_are_reported_and_the_rest_go_on(staffed: Office, tmp_path: Path) -> None:
    path = tmp_path / "名单.csv"
    path.write_text(
        "工单号,标题,内容,网格编码,街道,类别编码,紧急程度,发现时间\n"
        f"1,路灯,不亮,{GRID},S01,{ORDINARY},紧急,2020/1/6 12:09\n"
        "2,路灯,不亮,G99,,,,\n"
        "3,路灯,不亮,,,K99,,\n"
        "4,路灯,不亮,,,,,昨天\n"
        "5,路灯,不亮,,,,很急,\n"
        "6,,,,,,,\n"
        f"7,路灯,{'长' * 20_001},,,,,\n"
        "8,路灯,不亮,,S99,,,\n"
        "九 号,路灯,不亮,,,,,\n"
        "10,路灯,不亮,,,,,2999-01-01\n"
        "11,未落格,不亮,,,,,\n"
        "12,路灯,多,一,格,子,一,般,多\n",
        encoding="utf-8-sig",
    )

    ran = await staffed.run(path, "--source", "坏行", "--json")

    assert (ran.code, ran.counts) == (1, (2, 0, 10))
    report = reported(ran.summary["report"])
    assert ran.summary["report"] == f"{path}.report.csv"
    assert [(line["row"], line["field"], line["code"]) for line in report] == [
        ("3", "网格编码", "grid.unknown"),
        ("4", "类别编码", "category.unknown"),
        ("5", "发现时间", "import.time_unreadable"),
        ("6", "紧急程度", "field.invalid"),
        ("7", "内容", "text.blank"),
        ("8", "内容", "text.too_long"),
        ("9", "街道", "organisation.unknown"),
        ("10", "工单号", "code.malformed"),
        ("11", "发现时间", "register.found_later"),
        ("13", "", "import.too_many_cells"),
    ]
    assert all(line["reason"] and line["remedy"] for line in report)
    placed, unplaced = await staffed.cases("坏行")
    assert (placed["grid"], placed["community"], placed["urgency"]) == (GRID, "C01", "emergency")
    assert (unplaced["grid"], unplaced["street"], unplaced["opened_by"]) == (None, "S01", "hotline")
    entries = await staffed.conn.fetchval("select count(distinct stream) from vault_entry")
    assert entries == await staffed.conn.fetchval("select count(*) from case_row")


async def test_a_row_mended_after_the_report_is_opened(staffed: Office, tmp_path: Path) -> None:
    row = {"编号": "1", "来源": "修", "标题": "路灯", "网格": "G99"}
    path = jsonl(tmp_path / "a.jsonl", [row])
    assert (await staffed.run(path, "--json")).counts == (0, 0, 1)

    mended = await staffed.run(jsonl(path, [{**row, "网格": FAR_GRID}]), "--json")

    assert (mended.code, mended.counts) == (0, (1, 0, 0))
    assert mended.summary["report"] is None
    assert reported(f"{path}.report.csv") == []


async def test_who_imports_does_not_make_another_request_of_it(staffed: Office, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", many("谁", 2))

    assert (await staffed.run(path, "--json", "--as", "hotline-import", "--street", "S01")).counts == (2, 0, 0)
    assert (await staffed.run(path, "--json")).counts == (0, 2, 0)


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (("--as", "nobody"), "person.unknown"),
        (("--as", "worker"), "actor.role_not_held"),
        (("--street", "S99"), "organisation.unknown"),
    ],
)
async def test_options_that_the_registry_does_not_know(
    staffed: Office, tmp_path: Path, arguments: tuple[str, str], refusal: str
) -> None:
    ran = await staffed.run(jsonl(tmp_path / "a.jsonl", many("无", 1)), *arguments, "--json")

    assert ran.code == 1
    assert json.loads(ran.out)["error"]["code"] == refusal
    assert await staffed.count("无") == 0
