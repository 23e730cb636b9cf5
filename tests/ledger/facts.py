"""Facts and rows for the ledger tests: small, valid, and easy to tell apart."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from ledger.log import Connection, Json, NewEvent, append, digest
from ledger.rows import CaseRow, TaskRow

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def fact(kind: str, minute: int = 0, person: str = "p-lin", **fields: object) -> NewEvent:
    """A fact that happened ``minute`` minutes after noon."""
    body: Json = {"kind": kind, "at": (NOON + timedelta(minutes=minute)).isoformat(), "by": {"person": person}}
    body.update(fields)  # type: ignore[arg-type]
    return NewEvent.of(uuid4(), body)


async def write(
    conn: Connection,
    stream: str,
    expected: int,
    events: Sequence[NewEvent],
    *,
    command_id: UUID | None = None,
    rows: dict[str, list[Json]] | None = None,
) -> str:
    """Append in a transaction of its own."""
    async with conn.transaction():
        return await append(
            conn,
            stream,
            "case",
            expected=expected,
            command_id=command_id or uuid4(),
            digest=digest([event.body for event in events]),
            at=NOON,
            events=events,
            rows=rows or {},
        )


def case_row(id: str, minute: int = 0, **fields: object) -> Json:  # noqa: A002
    """A full row of a case registered ``minute`` minutes after noon."""
    at = NOON + timedelta(minutes=minute)
    values = {"id": id, "seq": 1, "stage": "registered", "registered_at": at, "updated_at": at, **fields}
    return CaseRow.model_validate(values).model_dump(mode="json")


def task_row(stream: str, id: str, **fields: object) -> Json:  # noqa: A002
    """A full row of a task opened at noon."""
    values = {"stream": stream, "id": id, "process": "case", "kind": "handle", "opened_at": NOON, **fields}
    return TaskRow.model_validate(values).model_dump(mode="json")
