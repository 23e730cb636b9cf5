"""``bihuan seed``: a new ledger full of the requests of an invented city.

Owns options and summary; ``console.city`` does the work.
"""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from console import output, session
from console.city.building import Built, build
from console.progress import progress
from domain.zone import OFFICE_ZONE
from runtime.settings import find_endpoints

BY = "seed"
"""Who loads the registry of the city, as the ledger names it."""


def command(
    cases: Annotated[int, typer.Option("--cases", min=1, max=20_000_000, help="多少件诉求 / how many requests")],
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="种子：同样的种子和日期生成同样的城市 / the same seed, the same city")
    ] = 1,
    days: Annotated[
        int, typer.Option("--days", min=1, max=1000, help="最近多少天登记的 / registered in so many days")
    ] = 365,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d"], help="截止时刻，默认现在 / default: now"),
    ] = None,
) -> None:
    """向新账本写入一座虚构城市的诉求及全部历史，用于演练和测量；已有内容的账本不会改动。

    Fill a new ledger with an invented city, every request with its whole history; for trials and measurements.
    """
    end = datetime.now(UTC) if until is None else until.replace(tzinfo=OFFICE_ZONE).astimezone(UTC)
    session.run(_seed(cases, seed=seed, days=days, until=end))


async def _seed(cases: int, *, seed: int, days: int, until: datetime) -> None:
    began = time.monotonic()
    async with session.ledger(owner=True):
        pass  # says what is missing: the server, or migrations
    dsn = find_endpoints(session.settings()).postgres
    with progress(("生成", "seeding"), ("件诉求", "requests")) as told:
        built = await build(dsn, cases, seed=seed, until=until, days=days, by=BY, told=told)
    took = time.monotonic() - began
    output.result(
        {**built.model_dump(), "seconds": round(took, 1), "seed": seed, "until": until},
        lambda: _draw(built, took),
    )


def _draw(built: Built, took: float) -> None:
    output.line(
        f"已写入 {built.cases} 件诉求、{built.events} 条流水，其中未办结 {built.open} 件；"
        f"登记册 {built.grids} 个网格、{built.people} 人；用时 {took:.0f} 秒。",
        f"{built.cases} requests with {built.events} events written, {built.open} of them open; "
        f"a registry of {built.grids} grids and {built.people} people; {took:.0f} s.",
    )
    if built.open:
        output.note(
            "未办结的诉求还没有流程；运行 bihuan rehydrate 为它们启动。",
            "Open requests have no workflow yet; bihuan rehydrate begins them.",
        )
