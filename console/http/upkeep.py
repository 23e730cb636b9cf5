"""What a console does now and then of its own accord.

Owns the round. Several consoles may do it at the same time: each step looks again before it takes anything away.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from console.files.keeping import sweep_uploads
from console.http.office import Office
from console.personal import retain
from domain.errors import Refused
from domain.people import SYSTEM
from ledger.security import cut, settle
from ledger.whence import Whence, coming_from
from runtime.logging import get_logger
from runtime.pool import AWAY

log = get_logger(__name__)

EVERY = timedelta(hours=1)

_AT_ONCE = 1000
"""Requests whose personal data one round destroys; what is left the next round takes."""


@asynccontextmanager
async def upkeep(office: Office, *, every: timedelta = EVERY) -> AsyncIterator[None]:
    """Go the round at once and then ``every`` so often while the console lives."""
    task = asyncio.create_task(_rounds(office, every))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _rounds(office: Office, every: timedelta) -> None:
    while True:
        try:
            swept = await sweep_uploads(office)
            if swept:
                log.info("uploads_swept", files=swept)
            report = await retain(office.pool, office.files.store, days=office.settings.retention_days, most=_AT_ONCE)
            if report.erased or report.failed:
                log.info("personal_data_erased", streams=report.erased, files=report.files, failed=len(report.failed))
            await _keep_the_log(office)
        except Refused as refused:
            log.warning("upkeep_refused", code=refused.code)
        except AWAY as error:
            log.warning("upkeep_postponed", kind=type(error).__name__)
        await asyncio.sleep(every.total_seconds())


async def _keep_the_log(office: Office) -> None:
    """What was only counted becomes lines; lines past their time go."""
    with coming_from(lambda: Whence(place="upkeep")):
        async with office.pool.acquire() as conn:
            await settle(conn)
            gone = await cut(conn, timedelta(days=office.settings.security_log_days), actor=SYSTEM.person)
    if gone:
        log.info("security_log_cut", lines=gone)
