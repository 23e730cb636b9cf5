"""Whether a console can do its work now: what is asked, for ``/readyz`` and for its metrics.

Owns the list of checks. Must not tell more than which of them failed.
"""

from collections.abc import Mapping

from console.http.office import Office
from domain.errors import Refused
from ledger.migrate import check_schema
from runtime.telemetry import Check


def checks_of(office: Office) -> Mapping[str, Check]:
    """That it is to stay, ledger, its schema, and Temporal."""

    async def staying() -> None:
        if office.leaving:
            raise Refused("console.stopping")

    async def ledger() -> None:
        async with office.pool.acquire() as conn:
            await conn.fetchval("select 1")

    async def schema() -> None:
        async with office.pool.acquire() as conn:
            await check_schema(conn)

    async def temporal() -> None:
        if not await office.desk.is_reachable():
            raise Refused("temporal.unreachable", address="")

    return {"staying": staying, "ledger": ledger, "schema": schema, "temporal": temporal}
