"""What an instance on one machine mends by itself when it starts.

Owns when to look and what people are told. Ledger and engine of such an instance lie in one folder and belong
together; a console beside a cluster must not begin workflows of its own accord, for it may have been pointed at a copy.
"""

import asyncpg
from temporalio.service import RPCError

from console import output
from console.examining import Examination
from console.pacing import turn
from console.rehydrating import PARALLEL, TURN, Rehydration, Tally
from console.reviving import Reviver
from console.session import open_ledger
from domain.errors import Refused
from ledger.resuming import written_last
from ledger.vault import MasterKey
from runtime.codec import PayloadKeys
from runtime.endpoints import Endpoints
from runtime.logging import get_logger
from runtime.pool import AWAY, open_pool
from runtime.settings import Settings
from runtime.temporal import connect

log = get_logger(__name__)

_AWAY: tuple[type[Exception], ...] = (*AWAY, RPCError, Refused)

LAST_WRITTEN = 500
"""How many of the last events are looked at after a violent end: what the engine's file can have lost is younger."""


async def heal(settings: Settings, endpoints: Endpoints, *, ended_violently: bool) -> None:
    """Begin the workflows that open processes of the ledger lack; after a violent end also let laggards catch up.

    Says what was mended, and what to do when it could not be; raises nothing of its own.
    """
    try:
        pool = await open_ledger(endpoints, size=PARALLEL + 2)
        try:
            keys = PayloadKeys(MasterKey.load(settings.key_file).payload_keys)
            client = await connect(endpoints.temporal, endpoints.namespace, keys=keys, tls=endpoints.tls)
            reviver = Reviver(client, pool, task_queue=settings.task_queue)
            async with turn(pool, TURN, lambda: None):
                work = Rehydration(reviver, pool, trusting=True, tell=_Said().tell)
                _say_begun(await work.run())
            if ended_violently:
                await _catch_up(endpoints, reviver, pool)
        finally:
            await pool.close()
    except _AWAY as error:
        log.warning("healing_failed", kind=error.code if isinstance(error, Refused) else type(error).__name__)
        output.note(
            "未能核对未办结诉求的流程；请执行 bihuan doctor --deep --fix。",
            "Could not look at the workflows of open cases; run bihuan doctor --deep --fix.",
        )


class _Said:
    """Says once that something is missing, as soon as it is known."""

    def __init__(self) -> None:
        self._said = False

    def tell(self, tally: Tally) -> None:
        if tally.begun and not self._said:
            self._said = True
            output.note(
                "流程引擎里缺少一些未办结诉求的流程，正在用账本恢复…",
                "Some open cases have no workflow in the engine; bringing them back from the ledger …",
            )


def _say_begun(tally: Tally) -> None:
    if tally.begun or tally.failed:
        log.warning("workflows_begun_again", begun=tally.begun, running=tally.running, failed=tally.failed)
        output.note(
            f"已恢复 {tally.begun} 件，失败 {tally.failed} 件；本来就在运行 {tally.running} 件。",
            f"{tally.begun} brought back, {tally.failed} failed; {tally.running} were running.",
        )


async def _catch_up(endpoints: Endpoints, reviver: Reviver, pool: asyncpg.Pool) -> None:
    owner = await open_pool(endpoints.postgres, size=2, name="bihuan console")
    try:
        async with pool.acquire() as conn:
            last = await written_last(conn, LAST_WRITTEN)
        report = await Examination(pool, reviver, owner=owner, only=last).run()
    finally:
        await owner.close()
    if report.found:
        log.warning("examined_after_violent_end", fixed=report.fixed, remaining=report.remaining.total())
        output.note(
            f"上次未正常停止：核对最近 {report.streams} 件，改正 {report.fixed} 处，"
            f"尚有 {report.remaining.total()} 处不符（bihuan doctor --deep 查看）。",
            f"After the violent end: {report.streams} streams compared, {report.fixed} differences mended, "
            f"{report.remaining.total()} left (see bihuan doctor --deep).",
        )
