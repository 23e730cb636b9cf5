"""DBOS: the same human inputs and durable writes by durable workflows in PostgreSQL, as its documentation teaches it.

Owns the peer's workflow and its client side, in one process: DBOS is a library, and the process that takes the inputs
hosts the workflows too, which costs less here than a process of their own. A case is one workflow that waits for
messages; each is recorded in a transaction of DBOS's data source, which keeps the step's result with the rows, and
answered by an event that the sender waits for. Its notifications wake whoever waits; nothing is polled.

It runs while it is measured and not beside the other sides: its threads live in the process that sends for all of them.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from bench.loop import PLAIN_LOOP, play
from bench.writes import LoopWrites, digest_of, given_of, keep_wording
from runtime.memory import settle

CONNECTIONS = 20
_PATIENCE = 60.0
_LIFE = 3600.0


def is_installed() -> bool:
    """Whether DBOS is there; ``make bench`` installs it, the product does without."""
    return find_spec("dbos") is not None


class Durable:
    """DBOS with the workflow of a case; one in a process. It takes acts while it is ``at_work``."""

    name = "dbos"

    def __init__(self, dsn: str, pool: asyncpg.Pool, writes: LoopWrites, *, at_once: int) -> None:
        """On the database at ``dsn``, where the plain tables are; its own tables get a schema beside."""
        import dbos

        self._pool, self._at_once = pool, at_once
        self._engine: Any = dbos.DBOS
        self._config = {
            "name": "bench",
            "system_database_url": dsn,
            "sys_db_pool_size": CONNECTIONS,
            "log_level": "WARNING",
        }
        self._case = self._workflow(dsn, writes)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="asking")

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """DBOS with its threads and connections, warm by as many cases as are under way at once; then without them."""
        self._engine(config=self._config)
        try:
            self._engine.launch()
            await asyncio.gather(*(play(self) for _ in range(self._at_once)))
            settle()
            yield
        finally:
            self._engine.destroy()

    def stop(self) -> None:
        """End the threads of those who ask."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _workflow(self, dsn: str, writes: LoopWrites) -> Any:
        import dbos
        import sqlalchemy

        engine = self._engine
        source = dbos.SQLAlchemyDatasource.create(dsn, engine_kwargs={"pool_size": CONNECTIONS})
        statement = sqlalchemy.text(
            "select bare_record(:stream, :command, :digest, :at, :first, cast(:events as jsonb), cast(:rows as jsonb))"
        )
        names = ("stream", "command", "digest", "at", "first", "events", "rows")

        def record(case: str, number: int, given: dict[str, Any]) -> int:
            content = hashlib.sha256(json.dumps(given["command"]).encode()).hexdigest()
            values = given_of(writes.acts[number], case, UUID(given["command_id"]), content)
            last: int = source.sql_session().execute(statement, dict(zip(names, values, strict=True))).scalar_one()
            return last

        recorded = source.transaction(isolation_level="READ COMMITTED")(record)

        def case(given: dict[str, Any]) -> int:
            for number, act in enumerate(writes.acts):
                if number > 0:
                    given = engine.recv(timeout_seconds=_LIFE)
                last = recorded(engine.workflow_id, number, given)
                row = act.rows["case_row"][0]
                answer = {"command_id": given["command_id"], "last": last, "stage": row["stage"], "due": row["due_at"]}
                engine.set_event(given["command_id"], answer)
            return len(writes.acts)

        return engine.workflow(name="case")(case)

    async def act(self, stream: str, number: int, digest: str) -> None:
        """Send one input and wait for its answer; the first one starts the workflow."""
        act = PLAIN_LOOP[number]
        given = {
            "command_id": str(uuid4()),
            "person": act.actor.person,
            "role": act.actor.role.value,
            "command": act.for_case(stream, digest),
        }
        if number == 0:
            await keep_wording(self._pool, stream)
        answer = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, stream, number, given)
        assert answer is not None, "DBOS did not answer"

    def _ask(self, stream: str, number: int, given: dict[str, Any]) -> Any:
        if number == 0:
            import dbos

            with dbos.SetWorkflowID(stream):
                self._engine.start_workflow(self._case, given)
        else:
            self._engine.send(stream, given, idempotency_key=given["command_id"])
        return self._engine.get_event(stream, given["command_id"], _PATIENCE)

    async def digest(self, stream: str) -> str:
        """Read the digest from the plain tables."""
        return await digest_of(self._pool, stream)
