"""Carrying new rules or a new calendar to open cases from a page: goes on when the page is closed, says how far it is.

Owns the runs of this console process. ``console.adopting`` does the work, ``ledger.administration`` remembers how far
it is, so that any console can tell. A run whose console dies is started again by a person; no case adopts anything
twice.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from console.adopting import TURN, Adoption, Settings, Tally, adopter
from console.desk import Desk
from console.http.office import Office
from console.pacing import turn
from domain.errors import Refused
from domain.people import RULES_OFFICE, Actor
from domain.registry import Registry
from ledger.administration import Run, begin_run, tell_run
from ledger.adoptions import Wanted
from ledger.world import read_world
from runtime.logging import get_logger
from runtime.pool import AWAY

log = get_logger(__name__)

TOLD_EVERY = 1.0
QUIET_AFTER = timedelta(seconds=30)
"""After this a run that says nothing was broken off."""

_PARALLEL, _RATE, _REFUSALS = 3, 20, 20
_LATE: tuple[type[Exception], ...] = (Refused, *AWAY)

_running: dict[UUID, asyncio.Task[None]] = {}


async def carry(office: Office, id: UUID, person: str, wanted: Wanted, reason: str) -> None:  # noqa: A002
    """Begin a run and return; a second call with the same id begins nothing."""
    now = datetime.now(UTC)
    async with office.pool.acquire() as conn:
        begun = await begin_run(
            conn,
            Run(
                id=id,
                person=person,
                rules=wanted.rules,
                calendar=wanted.calendar,
                reason=reason,
                started_at=now,
                told_at=now,
                ended_at=None,
                stopped=False,
                failed_with=None,
                tally={},
            ),
        )
    if begun:
        task = asyncio.create_task(_run(office, id, person, wanted, reason), name=f"adoption-{id}")
        _running[id] = task
        task.add_done_callback(lambda _: _running.pop(id, None))


async def stop_all() -> None:
    """End the runs of this process; what they have done stands, and they can be started again."""
    tasks = list(_running.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def who_adopts(registry: Registry, person: str) -> Actor:
    """The person as an administrator of the registry, else the rules office; the run names the person anyway."""
    try:
        return adopter(registry, person)
    except Refused:
        return RULES_OFFICE


async def _run(office: Office, id: UUID, person: str, wanted: Wanted, reason: str) -> None:  # noqa: A002
    async with office.pool.acquire() as conn:
        world = await read_world(conn)
    assert world.registry is not None, "a registry read from the ledger is never None"
    settings = Settings(wanted, reason=reason, actor=who_adopts(world.registry, person), rate=_RATE, parallel=_PARALLEL)
    desk: Desk = office.desk
    work = Adoption(desk, office.pool, world, settings)
    telling = asyncio.create_task(_tell(office, id, work))
    failed: str | None = None
    try:
        async with turn(office.pool, TURN, lambda: None):
            await work.run()
    except _LATE as error:
        failed = error.code if isinstance(error, Refused) else "postgres.unreachable"
        log.warning("adoption_broken_off", run=str(id), code=failed)
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    async with office.pool.acquire() as conn:
        await tell_run(conn, id, told(work.tally), at=datetime.now(UTC), ended=True, failed_with=failed)


async def _tell(office: Office, id: UUID, work: Adoption) -> None:  # noqa: A002
    while True:
        await asyncio.sleep(TOLD_EVERY)
        try:
            async with office.pool.acquire() as conn:
                if await tell_run(conn, id, told(work.tally), at=datetime.now(UTC)):
                    work.stop.set()
        except AWAY:
            log.info("adoption_not_told", run=str(id))


def told(tally: Tally) -> dict[str, Any]:
    """How far a run is, as it is written down."""
    numbers = (
        *("total", "seen", "adopted", "already", "earlier", "later", "same_due", "made_final"),
        *("kept_in_the_past", "kept_other_unit", "left"),
    )
    refused = tally.refused[:_REFUSALS]
    return {
        **{name: getattr(tally, name) for name in numbers},
        "refused": len(tally.refused),
        "refusals": [{"case": each.case, **each.refusal.model_dump(mode="json")} for each in refused],
    }
