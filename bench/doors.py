"""``python -m bench.doors``: what one page costs with a hundred thousand cases in the ledger.

Owns the pages that are asked and the bars they must reach. Time is that of the server: from the request reaching the
application to the last byte of its answer, session, rights, queries and templates included; browser and network are
not. The exit code is 0 when every bar is reached.
"""

import argparse
import asyncio
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import uvicorn
from rich.console import Console
from rich.table import Table
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.crowd import FREQUENT, RARE, fill
from bench.results import hand_out, say
from bench.town import ACTORS, acts_of_a_case
from bench.town import furnish as furnish_town
from console.desk import Desk, new_stream, prepare
from console.http.app import make_app
from console.http.identity import SESSION_COOKIE
from console.http.office import Office
from console.http.site import Site
from console.tracking import Tracking
from domain.errors import Refused
from domain.people import Actor
from domain.process import ActInput
from ledger.acting import act
from ledger.migrate import migrate
from ledger.vault import MasterKey, Vault
from ledger.world import Worlds
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.memory import settle
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from runtime.settings import Settings

PAGE_BAR_MS, LIST_BAR_MS, BOARD_BAR_S = 15.0, 100.0, 2.0
SITE = Site(url="http://bench.example", secure=False, exposed=False)
WITH_HISTORY = 20_000
"""So many of the cases are given the events of a real one; the others stand in the read models alone."""


_BOARD_TIMES, _BOARD_PATIENCE = 5, 20.0


@dataclass(frozen=True)
class Question:
    """A page and who asks for it; ``bar`` is ``page`` (its median) or ``list`` (its 95th percentile)."""

    name: str
    path: str
    person: str | None
    bar: str


QUESTIONS = (
    Question("workbench · grid worker", "/work", "worker", "page"),
    Question("workbench · community", "/work", "community", "page"),
    Question("department's inbox", "/work/inbox", "handler", "page"),
    Question("workbench · dispatcher", "/work", "dispatcher", "page"),
    Question("list of open cases", "/search?state=open", "dispatcher", "page"),
    Question("case page · being handled", "/cases/{handling}", "handler", "page"),
    Question("case page · whole history", "/cases/{settled}", "supervisor", "page"),
    Question("dispatch desk", "/dispatch", "dispatcher", "page"),
    Question("supervisor's desk", "/supervise", "supervisor", "page"),
    Question("new request", "/register", "worker", "page"),
    Question("resident's own page", "/tracking/mine", "resident", "page"),
    Question("wishes", "/wishes", "community", "page"),
    Question("registry", "/registry", "administrator", "page"),
    Question("rules", "/rules/example-2", "administrator", "page"),
    Question("calendar of a year", "/calendar", "administrator", "page"),
    Question("list · by due time", "/search?sort=due", "supervisor", "list"),
    Question("list · one department", "/search?department=D03", "supervisor", "list"),
    Question("search · a frequent word", f"/search?q={FREQUENT}", "supervisor", "list"),
    Question("search · a rare word", f"/search?q={RARE}", "supervisor", "list"),
    Question("search · two words", "/search?q=电梯+消防", "dispatcher", "list"),
    Question("search · one character", "/search?q=梯", "community", "list"),
    Question("API · list", "/api/v1/cases?limit=50", "supervisor", "list"),
    Question("API · search", f"/api/v1/cases?q={FREQUENT}&limit=50", "supervisor", "list"),
)


@dataclass
class Found:
    """How long each asking of a page took, in milliseconds; size and status of its last answer.

    ``busy`` is the processor time of the console alone, which others on the machine hardly change.
    """

    question: Question
    took: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    status: int = 0
    size: int = 0

    @property
    def median(self) -> float:
        """The middle time."""
        return statistics.median(self.took)

    @property
    def p95(self) -> float:
        """The time 19 of 20 stay within."""
        return statistics.quantiles(self.took, n=20)[-1] if len(self.took) > 1 else self.took[0]

    @property
    def passed(self) -> bool:
        """Whether the page answered, and within its bar."""
        within = self.median <= PAGE_BAR_MS if self.question.bar == "page" else self.p95 <= LIST_BAR_MS
        return self.status == 200 and within


@dataclass(frozen=True)
class Figures:
    """Everything that was measured.

    ``board`` are the seconds from an act to the board, empty where there was none; ``load`` says how busy the machine
    was: more than its cores, and the times are those of a queue.
    """

    cases: int
    load: float
    found: tuple[Found, ...]
    board: tuple[float, ...]

    @property
    def passed(self) -> bool:
        """Whether every bar is reached."""
        return all(each.passed for each in self.found) and bool(self.board) and max(self.board) <= BOARD_BAR_S


class _Timed:
    """The application with a watch."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.took = self.busy = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, busy = time.perf_counter(), time.process_time()
        await self._app(scope, receive, send)
        self.took, self.busy = (time.perf_counter() - begun) * 1000, (time.process_time() - busy) * 1000


# --- the office ---------------------------------------------------------------------------------------------------


async def furnish(dsn: str, cases: int) -> None:
    """Schema, registry, rules, calendar and the crowd of cases in an empty database."""
    await migrate(dsn)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await furnish_town(conn)
        begun = time.perf_counter()
        await fill(conn, cases)
        say(f"{cases} cases written in {time.perf_counter() - begun:.1f} s")
    finally:
        await conn.close()


async def record_case(pool: asyncpg.Pool, vault: Vault, *, until: str | None = None) -> str:
    """Record a real case, up to the command ``until`` or to its end, and return its stream."""
    worlds, stream = Worlds(), new_stream("case")
    async with pool.acquire() as conn:
        await vault.write(conn, stream, {"wording": "路面坑洼", "reporter_phone": "13800004567"})
    for who, command in acts_of_a_case():
        if command["kind"] == "sign":
            command = {**command, "digest": await _digest(pool, stream)}
        await record(pool, worlds, stream, ACTORS[who], command)
        if command["kind"] == until:
            break
    return stream


async def _digest(pool: asyncpg.Pool, stream: str) -> str:
    async with pool.acquire() as conn:
        found = await conn.fetchval(
            "select body ->> 'digest' from event where stream = $1 and kind = 'verified' order by seq desc limit 1",
            stream,
        )
    return str(found)


async def record(pool: asyncpg.Pool, worlds: Worlds, stream: str, actor: Actor, command: Mapping[str, Any]) -> None:
    """Decide and record one command as the worker does, without Temporal in between."""
    envelope = prepare(stream, actor, command, str(uuid4()))
    given = ActInput(
        process="case",
        stream=stream,
        seq=0,
        hash="",
        at=datetime.now(UTC),
        command_id=envelope.command_id,
        envelope=envelope,
    )
    outcome = await act(pool, worlds, given)
    if outcome.refusal is not None:
        raise Refused.from_refusal(outcome.refusal)


async def _give_histories(dsn: str, stream: str, number: int) -> None:
    """Let so many cases of the crowd have the events of ``stream``: pages read one history out of very many."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await conn.execute(
            """
            insert into event (stream, seq, id, kind, at, actor, command_id, body, prev, hash)
            select c.id, e.seq, gen_random_uuid(), e.kind, e.at, e.actor, e.command_id, e.body, e.prev, e.hash
            from (
                select id from case_row r
                where not exists (select from event of_it where of_it.stream = r.id)
                order by id limit $2
            ) c
            cross join event e
            where e.stream = $1
            """,
            stream,
            number,
        )
        await conn.execute("vacuum analyze event")
    finally:
        await conn.close()


@asynccontextmanager
async def open_office(dsn: str, folder: Path) -> AsyncIterator[Office]:
    """An office over the filled ledger; nobody acts through it, so nothing has to answer for Temporal."""
    key = MasterKey.load(folder / "bench.key", create=True)
    settings = Settings.load(data=folder, database_url=dsn, temporal_address="127.0.0.1:9")
    pool = await open_pool(dsn, size=settings.pool_size, role="bihuan_app", name="bench doors", resets=False)
    nobody: Any = None
    vault = Vault(key)
    try:
        yield Office(pool=pool, desk=Desk(nobody, pool, vault), vault=vault, key=key, settings=settings)
    finally:
        await pool.close()


async def _sign_in(office: Office, client: httpx.AsyncClient, person: str) -> None:
    """A real session, as the sign-in page gives one."""
    administrator = person == "administrator"
    await office.access.accounts.add(person, by="bench", is_administrator=administrator)
    async with office.pool.acquire() as conn:
        await conn.execute("update account set must_change = false where login = $1", person)
    begun = await office.access.sessions.sign_in_known(person)
    client.cookies.set(SESSION_COOKIE, begun.token)


async def _let_in(office: Office, client: httpx.AsyncClient, stream: str) -> None:
    """The resident's page, opened with the code."""
    async with office.pool.acquire() as conn:
        code = await Tracking(office.key).issue(conn, stream, None, by="worker", at=datetime.now(UTC))
    entry = await client.get("/tracking")
    token = entry.text.split('name="_csrf" value="')[1].split('"')[0]
    await client.post("/tracking", data={"_csrf": token, "code": code, "digits": ""})


# --- measuring ----------------------------------------------------------------------------------------------------


async def measure(dsn: str, folder: Path, cases: int, times: int) -> Figures:
    """Ask every page ``times`` times, in turn, on the filled database."""
    async with open_office(dsn, folder) as office:
        streams = {
            "handling": await record_case(office.pool, office.vault, until="accept"),
            "settled": await record_case(office.pool, office.vault, until="visit"),
        }
        begun = time.perf_counter()
        await _give_histories(dsn, streams["settled"], min(WITH_HISTORY, cases))
        say(f"histories written in {time.perf_counter() - begun:.1f} s")
        timed = _Timed(make_app(office, SITE))
        settle()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=timed), base_url=SITE.url) as anybody:
            clients: dict[str | None, httpx.AsyncClient] = {None: anybody}
            for person in {each.person for each in QUESTIONS if each.person is not None}:
                client = httpx.AsyncClient(transport=httpx.ASGITransport(app=timed), base_url=SITE.url)
                if person == "resident":
                    await _let_in(office, client, streams["settled"])
                else:
                    await _sign_in(office, client, person)
                clients[person] = client
            found = [Found(each) for each in QUESTIONS]
            for number in range(times + 3):
                for each in found:
                    path = each.question.path.format(**streams)
                    answer = await clients[each.question.person].get(path)
                    each.status, each.size = answer.status_code, len(answer.content)
                    # The first rounds compile templates and fill caches.
                    if number >= 3:
                        each.took.append(timed.took)
                        each.busy.append(timed.busy)
            for client in clients.values():
                await client.aclose()
        board = await _board(office)
    return Figures(cases=cases, load=os.getloadavg()[0], found=tuple(found), board=board)


@asynccontextmanager
async def _served(office: Office) -> AsyncIterator[str]:
    """The application on a port of this machine: a stream of events needs a network in between."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        app = make_app(office, Site(url=address, secure=False, exposed=False))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        try:
            yield address
        finally:
            office.news.close()
            server.should_exit = True
            await serving


async def _board(office: Office) -> tuple[float, ...]:
    """The seconds from a registration's answer until the wall shows another board, for each of a few; empty when none
    came."""
    found: list[float] = []
    async with _served(office) as address, httpx.AsyncClient(base_url=address, timeout=_BOARD_PATIENCE) as client:
        begun = await office.access.sessions.sign_in_known("supervisor")
        client.cookies.set(SESSION_COOKIE, begun.token)
        async with client.stream("GET", "/board/events") as answer:
            if answer.status_code != httpx.codes.OK:
                return ()
            ids = (line.removeprefix("id: ") async for line in answer.aiter_lines() if line.startswith("id: "))
            shown = await anext(ids)
            for _ in range(_BOARD_TIMES):
                await record_case(office.pool, office.vault, until="register")
                done = time.perf_counter()
                async with asyncio.timeout(_BOARD_PATIENCE):
                    while (seen := await anext(ids)) == shown:
                        continue
                shown = seen
                found.append(time.perf_counter() - done)
    return tuple(found)


def show(figures: Figures, console: Console) -> None:
    """The figures as a table."""
    table = Table(title=f"{figures.cases} 件诉求时的页面 pages with {figures.cases} cases", box=None, pad_edge=False)
    for head in ("page", "median ms", "p95 ms", "CPU ms", "KB", "bar", ""):
        table.add_column(head, justify="left" if head in ("page", "") else "right")
    for each in figures.found:
        bar = f"median {PAGE_BAR_MS:.0f}" if each.question.bar == "page" else f"p95 {LIST_BAR_MS:.0f}"
        verdict = "ok" if each.passed else f"status {each.status}" if each.status != 200 else "MISSED"
        times = (f"{each.median:.1f}", f"{each.p95:.1f}", f"{statistics.median(each.busy):.1f}")
        table.add_row(each.question.name, *times, f"{each.size / 1024:.0f}", bar, verdict)
    console.print(table)
    if figures.load > (os.cpu_count() or 1):
        console.print(f"机器繁忙 the machine was busy: load {figures.load:.1f} on {os.cpu_count()} cores; see CPU ms")
    if figures.board:
        console.print(f"督办墙 board: {max(figures.board):.2f} s at the latest after an act, bar {BOARD_BAR_S:.0f} s")
    else:
        console.print("督办墙 board: nothing came")


def as_object(figures: Figures) -> dict[str, Any]:
    """The figures for programs."""
    return {
        "cases": figures.cases,
        "load": round(figures.load, 1),
        "passed": figures.passed,
        "board_s": list(figures.board),
        "pages": [
            {
                "name": each.question.name,
                "path": each.question.path,
                "bar": each.question.bar,
                "median_ms": round(each.median, 2),
                "p95_ms": round(each.p95, 2),
                "cpu_ms": round(statistics.median(each.busy), 2),
                "bytes": each.size,
                "status": each.status,
                "passed": each.passed,
            }
            for each in figures.found
        ],
    }


async def run(cases: int, times: int, dsn: str | None = None) -> Figures:
    """Measure on a server of our own, or on the filled database at ``dsn``."""
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        if dsn is not None:
            return await measure(dsn, Path(folder), cases, times)
        async with EmbeddedPostgres(Path(folder) / "postgres") as server:
            await server.create_database("doors")
            await furnish(server.dsn("doors"), cases)
            return await measure(server.dsn("doors"), Path(folder), cases, times)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.doors", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=40, help="how often each page is asked")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    set_up_logging("warning")
    figures = asyncio.run(run(arguments.cases, arguments.times))
    show(figures, Console(stderr=arguments.json, width=None if sys.stderr.isatty() else 112))
    hand_out("doors", as_object(figures), as_json=arguments.json)
    leave(0 if figures.passed else 1)


if __name__ == "__main__":
    main()
