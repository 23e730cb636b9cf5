"""DBOS: the same human inputs and durable writes by durable workflows in PostgreSQL, as its documentation teaches it.

Owns the peer's workflow and its client side, in one process: DBOS is a library, and the process that takes the inputs
hosts the workflows too, which costs less here than a process of their own. A case is one workflow that waits for
messages; each is recorded in a transaction of DBOS's data source, which keeps the step's result with the rows, and
answered by an event that the sender waits for. Its notifications wake whoever waits; nothing is polled.
"""

import asyncio
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, Self
from uuid import UUID, uuid4

import asyncpg

from bench.loop import PLAIN_LOOP
from bench.writes import LoopWrites, digest_of, given_of, keep_wording

CONNECTIONS = 20
_PATIENCE = 60.0
_LIFE = 3600.0


def is_installed() -> bool:
    """Whether DBOS is there; ``make bench`` installs it, the product does without."""
    return find_spec("dbos") is not None


class Durable:
    """A running DBOS with the workflow of a case; one in a process."""

    name = "dbos"

    def __init__(self, engine: Any, case: Any, pool: asyncpg.Pool, at_once: int) -> None:
        self._engine, self._case, self._pool = engine, case, pool
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="asking")

    @classmethod
    def launch(cls, dsn: str, pool: asyncpg.Pool, writes: LoopWrites, *, at_once: int) -> Self:
        """Start DBOS on the database at ``dsn``, where the plain tables are; its own tables get a schema beside."""
        import dbos
        import sqlalchemy

        engine = dbos.DBOS
        engine(
            config={
                "name": "bench",
                "system_database_url": dsn,
                "sys_db_pool_size": CONNECTIONS,
                "log_level": "WARNING",
            }
        )
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

        hosted = engine.workflow(name="case")(case)
        engine.launch()
        return cls(engine, hosted, pool, at_once)

    def stop(self) -> None:
        """End DBOS and its threads."""
        self._engine.destroy()
        self._threads.shutdown(wait=False, cancel_futures=True)

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
