"""A department with a system of its own: a worked example. Copy it, and put your own system where the notes say so.

How it works. The registry gives the department a queue, ``department.<CODE>``. When a case is dispatched to the
department, its workflow puts the task on that queue as the activity ``hand_over``; this program takes it, works, and
answers with a ``Report``: ``handled`` with the fields of a strike-off, or ``returned`` with those of a return. The
workflow then submits the very command a person of the department would have sent. Nobody picks a task up in time:
it falls back to the department's inbox, and people do it.

What a copy must keep:

1. A hand-over may come again: after a crash, a lost answer, or when the workflow carries on in a new run. The order
   is therefore kept under (stream, task id), and a finished order is answered again, never done twice.
2. Heartbeats. They carry how far the work is, they are how a cancellation gets here, and without them nobody
   notices that this program has died.
3. A cancelled task (withdrawn, given to another department) stops the work and is marked.
4. Stopping this program is no cancellation: the order stays open and the next attempt goes on.
5. What is reported is redacted text and codes, never a resident's name, phone or address; the evidence is a
   reference and the SHA-256 digest of the very file.

Owns its orders (SQLite) and result files under ``<data>/connector-<CODE>``. Must not touch the ledger; it reads the
registry once, at the start, when no account was named.

    python -m activities.connector DEPARTMENT [--work-seconds N] [--person ID] [--returns WORD]… [--proposes UNIT]
"""

import argparse
import asyncio
import hashlib
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from temporalio import activity
from temporalio.worker import Worker

from domain.errors import Refused
from domain.people import Role
from domain.process import HAND_OVER, HandOver, HandOverResult, Json, Report
from domain.zone import office_day
from ledger.keys import MasterKey, payload_keys_in
from ledger.registry import read_registry
from runtime import event_loop
from runtime.codec import PayloadKeys
from runtime.embedded import say_ready
from runtime.endpoints import Endpoints
from runtime.leaving import leave
from runtime.logging import get_logger, set_up_logging
from runtime.pool import open_pool
from runtime.settings import Settings, find_endpoints, find_temporal
from runtime.telemetry import takes_work, temporal_answers, up_gauge, watching
from runtime.temporal import connect

log = get_logger(__name__)

_SCHEMA = """
create table if not exists work_order (
    number integer primary key,
    stream text not null,
    task text not null,
    state text not null,
    title text not null,
    taken_at text not null,
    report text,
    unique (stream, task)
)
"""
OPEN, DONE, CANCELLED = "open", "done", "cancelled"


@dataclass(frozen=True)
class Profile:
    """What the department is and does.

    ``person`` is its account in the registry. ``returns`` are category codes, or words of title and text, that are
    not its job; ``proposes`` is whose job they are. Handling takes ``work_seconds``.
    """

    department: str
    person: str
    returns: tuple[str, ...] = ()
    proposes: str | None = None
    work_seconds: int = 5

    def not_ours(self, handed: HandOver) -> str | None:
        """The code or word by which the task is not this department's job; None when it is."""
        text = f"{handed.title}\n{handed.text}"
        return next((each for each in self.returns if each == handed.category or each in text), None)


class Orders:
    """The department's own system: work orders in a file of its own.

    Every function is short and synchronous, to be called in a thread; several processes may share the file.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._connection() as db:
            db.execute("pragma journal_mode = wal")
            db.execute(_SCHEMA)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._folder / "orders.db", timeout=10)
        try:
            with db:
                yield db
        finally:
            db.close()

    def take(self, handed: HandOver) -> tuple[int, Report | None]:
        """The number of the order for this task, new or known, and its report when it is finished already.

        An order that had been cancelled is open again: the task has come back.
        """
        key = (handed.stream, handed.task.id)
        with self._connection() as db:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            db.execute(
                "insert into work_order (stream, task, state, title, taken_at) values (?, ?, ?, ?, ?)"
                " on conflict (stream, task) do update set state = ? where state = ?",
                (*key, OPEN, handed.title, now, OPEN, CANCELLED),
            )
            number, report = db.execute(
                "select number, report from work_order where stream = ? and task = ?", key
            ).fetchone()
        return number, None if report is None else Report.model_validate_json(report)

    def finish(self, number: int, report: Report) -> None:
        """Keep the report for ever; the same hand-over gets it again."""
        with self._connection() as db:
            db.execute(
                "update work_order set state = ?, report = ? where number = ?",
                (DONE, report.model_dump_json(), number),
            )

    def cancel(self, number: int) -> None:
        """Mark the order as no longer wanted."""
        with self._connection() as db:
            db.execute("update work_order set state = ? where number = ? and state = ?", (CANCELLED, number, OPEN))

    def write_result(self, number: int, lines: Sequence[str]) -> tuple[str, str]:
        """Write the result file of an order; its reference (a code) and the SHA-256 digest of its bytes."""
        content = "\n".join(lines).encode() + b"\n"
        (self._folder / f"result-{number}.txt").write_bytes(content)
        return f"result-{number}", hashlib.sha256(content).hexdigest()


class Connector:
    """Takes tasks from the department's queue, has them done, and reports."""

    def __init__(self, profile: Profile, orders: Orders) -> None:
        self._profile = profile
        self._orders = orders

    @activity.defn(name=HAND_OVER)
    async def hand_over(self, handed: HandOver) -> Report:
        """Do one task and report on it; safe to be called again for the same task.

        Raises what the work raises: the workflow tries again a few times and then leaves the task to people.
        """
        number, known = await asyncio.to_thread(self._orders.take, handed)
        if known is not None:
            log.info("order_known", order=number, stream=handed.stream, result=known.result.value)
            return known
        log.info("order_taken", order=number, stream=handed.stream, task=handed.task.id)
        word = self._profile.not_ours(handed)
        if word is not None:
            report = self._returned(word)
        else:
            try:
                await self._work(number)
            except asyncio.CancelledError:
                await self._stopped(number)
                raise
            report = await asyncio.to_thread(self._handled, number, handed)
        await asyncio.to_thread(self._orders.finish, number, report)
        log.info("order_reported", order=number, stream=handed.stream, result=report.result.value)
        return report

    async def _work(self, number: int) -> None:
        """Here your own system works: send it the order, ask it from time to time how far it is."""
        beats = activity.info().heartbeat_details
        done = int(beats[0]) if beats else 0
        for second in range(done, self._profile.work_seconds):
            activity.heartbeat(second, f"order {number}")
            await asyncio.sleep(1)

    async def _stopped(self, number: int) -> None:
        """Tell a task that is no longer wanted from a program that is being stopped."""
        details = activity.cancellation_details()
        if details is not None and (details.cancel_requested or details.not_found):
            await asyncio.to_thread(self._orders.cancel, number)
            log.info("order_cancelled", order=number)

    def _handled(self, number: int, handed: HandOver) -> Report:
        """The fields are those of ``strike_off``; a real system fills in what was really done and spent."""
        profile = self._profile
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lines = (f"工单 {profile.department}-{number}", f"事项 {handed.title}", f"完成 {now}", "结果 已处理")
        ref, digest = self._orders.write_result(number, lines)
        evidence: Json = {"kind": "document", "ref": f"{profile.department}/{ref}", "digest": digest}
        fields: Json = {
            "measures": f"已按工单 {profile.department}-{number} 派员处理完毕。",
            "workload": {"people": 1, "minutes": max(1, profile.work_seconds // 60)},
            "evidence": [evidence],
        }
        return Report(result=HandOverResult.HANDLED, person=profile.person, fields=fields)

    def _returned(self, word: str) -> Report:
        """The fields are those of ``return_task``."""
        fields: Json = {"reason": f"事项涉及“{word}”，不属于本单位职责。", "legal_basis": "单位职责清单"}
        if self._profile.proposes is not None:
            fields["proposed"] = self._profile.proposes
        return Report(result=HandOverResult.RETURNED, person=self._profile.person, fields=fields)


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bihuan connector", description="部门对接程序示例")
    parser.add_argument("department", help="部门编码")
    parser.add_argument("--work-seconds", type=int, default=5, help="处理一件要几秒")
    parser.add_argument("--person", help="以谁的账号报告；默认部门的经办人")
    parser.add_argument("--queue", help="任务队列；默认 department.<编码>")
    parser.add_argument("--returns", action="append", default=[], help="类别编码或词语，遇到即退单；可写多次")
    parser.add_argument("--proposes", help="退单时建议的部门")
    return parser.parse_args(given)


async def _account(endpoints: Endpoints, department: str, queue: str) -> str:
    """The department's first handler in the registry.

    Raises ``Refused``: ``department.unknown``; ``person.unknown`` when it has no handler. Only warns when the
    registry names another queue: then nothing will arrive here.
    """
    pool = await open_pool(endpoints.postgres, size=1, name="bihuan connector")
    try:
        async with pool.acquire() as conn:
            registry = await read_registry(conn)
    finally:
        await pool.close()
    today = office_day(datetime.now(UTC))
    unit = registry.organisation(department, today)
    if unit is None:
        raise Refused("department.unknown", field="department", department=department)
    if unit.queue != queue:
        log.warning("registry_names_another_queue", department=department, registry=unit.queue, ours=queue)
    handlers = registry.people_with(Role.DEPARTMENT_HANDLER, organisation=department, at=today)
    if not handlers:
        raise Refused("person.unknown", field="person", person=f"{Role.DEPARTMENT_HANDLER.value}@{department}")
    return handlers[0].id


async def run(given: Sequence[str] | None = None) -> None:
    """Work until SIGINT or SIGTERM; orders under way stay open for the next attempt."""
    arguments, settings = _arguments(given), Settings.load()
    set_up_logging(settings.log_level, settings.log_format, service="connector")
    # Who names the account needs no ledger: on the department's own machine there is none.
    address, namespace, tls = find_temporal(settings)
    queue = arguments.queue or f"department.{arguments.department}"
    profile = Profile(
        department=arguments.department,
        person=arguments.person or await _account(find_endpoints(settings), arguments.department, queue),
        returns=tuple(arguments.returns),
        proposes=arguments.proposes,
        work_seconds=arguments.work_seconds,
    )
    orders = Orders(settings.data / f"connector-{arguments.department.replace('/', '_')}")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # On the department's own machine the keys of its tasks; the master key opens the vault and stays at the office.
    own = settings.payload_key_file
    keys = PayloadKeys(partial(payload_keys_in, own) if own else MasterKey.load(settings.key_file).payload_keys)
    async with watching(settings.connector_metrics, "connector") as watch:
        client = await connect(address, namespace, keys=keys, tls=tls, runtime=watch.runtime, metrics=watch.metrics)
        worker = Worker(
            client,
            task_queue=queue,
            activities=[Connector(profile, orders).hand_over],
            # How long a cancellation may take to be noticed.
            max_heartbeat_throttle_interval=timedelta(seconds=1),
            default_heartbeat_throttle_interval=timedelta(seconds=1),
            graceful_shutdown_timeout=timedelta(seconds=2),
        )
        temporal = temporal_answers(client)
        watch.checks = {"polling": takes_work(watch, worker, stop), "temporal": temporal}
        watch.gauges.append(up_gauge(watch.metrics, "bihuan_temporal_up", temporal))
        async with worker:
            log.info("connector_ready", department=profile.department, queue=queue, person=profile.person)
            say_ready()
            await stop.wait()
    log.info("connector_stopped", department=profile.department)


def main() -> None:
    """Run the connector; the exit code is 0 after a clean stop, 1 after a refusal and 2 after wrong use."""
    code = 0
    try:
        event_loop.run(run())
    except Refused as refused:
        log.error("connector_refused", code=refused.code, reason=refused.refusal.sentence())
        code = 1
    except SystemExit as ended:  # argparse has said what was wrong
        code = ended.code if isinstance(ended.code, int) else 2
    leave(code)


if __name__ == "__main__":
    main()
