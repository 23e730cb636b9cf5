"""One case many times over, in the ledger alone: every copy with ids, a right chain and right read models of its own.

Owns how the rows of a case are copied; a superuser's work, for a ledger that nobody else writes to meanwhile.
"""

import uuid
from typing import Any

import asyncpg

from ledger.log import canonical, history
from ledger.projection import NOTICE_NAMES

Conn = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

_ROWS = {"case_row": "id", "case_figure": "id", "task": "stream", "clock": "stream", "awaited": "stream"}


async def multiply(conn: Conn, stream: str, number: int) -> list[str]:
    """So many cases with the history of ``stream``, each with ids, chain and rows of its own; their streams."""
    await conn.execute("drop table if exists made")
    await conn.execute(
        """
        create temporary table made as
        select 'case-' || replace(gen_random_uuid()::text, '-', '') as stream, ''::text as prev, null::uuid as command
        from generate_series(1, $1)
        """,
        number,
    )
    commands = await conn.fetch("select * from command where stream = $1 order by seq_from", stream)
    events = {event.seq: event for event in await history(conn, stream)}
    async with conn.transaction():
        # What the trigger looks for is written below, for all at once.
        await conn.execute("alter table event disable trigger file_belongs")
        for command in commands:
            await conn.execute("update made set command = gen_random_uuid()")
            for seq in range(command["seq_from"], command["seq_to"] + 1):
                await _copy_event(conn, events[seq])
            await conn.execute(
                """
                insert into command (id, stream, process, digest, seq_from, seq_to, at)
                select made.command, made.stream, 'case', $1::text, $2::integer, $3::integer, $4::timestamptz from made
                """,
                command["digest"],
                command["seq_from"],
                command["seq_to"],
                command["at"],
            )
        await conn.execute("alter table event enable trigger file_belongs")
    for table, column in _ROWS.items():
        await conn.execute(
            f"""
            insert into {table}
            select filled.* from {table} t cross join made
            cross join lateral jsonb_populate_record(t, jsonb_build_object('{column}', made.stream)) filled
            where t.{column} = $1
            """,
            stream,
        )
    streams = [row["stream"] for row in await conn.fetch("select stream from made")]
    await _copy_notices(conn, stream, streams)
    return streams


async def _copy_event(conn: Conn, event: Any) -> None:
    at = event.at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    await conn.execute(
        """
        with fresh as (select stream, prev, command, gen_random_uuid() as id from made),
        written as (
            insert into event (stream, seq, id, kind, at, actor, command_id, body, prev, hash)
            select stream, $1::integer, id, $2::text, $3::timestamptz, $4::text, command, $5::text::jsonb, prev,
                encode(sha256(convert_to(concat_ws(
                E'\\n', prev, stream, $1::integer::text, id::text, $2::text, $6::text, $4::text, command::text, $5::text
            ), 'UTF8')), 'hex')
            from fresh
            returning stream, hash
        )
        update made set prev = written.hash from written where written.stream = made.stream
        """,
        event.seq,
        event.kind,
        event.at,
        event.actor,
        canonical(event.body),
        at,
    )


async def _copy_notices(conn: Conn, stream: str, streams: list[str]) -> None:
    rows = await conn.fetch("select * from notice where stream = $1 order by seq", stream)
    places = [
        next(place for place in range(100) if uuid.uuid5(NOTICE_NAMES, f"{stream}:{row['seq']}:{place}") == row["id"])
        for row in rows
    ]
    for first in range(0, len(streams), 5000):
        records = [
            {**row, "id": uuid.uuid5(NOTICE_NAMES, f"{each}:{row['seq']}:{place}"), "stream": each}
            for each in streams[first : first + 5000]
            for row, place in zip(rows, places, strict=True)
        ]
        if records:
            columns = list(records[0])
            await conn.copy_records_to_table(
                "notice", columns=columns, records=[tuple(record.values()) for record in records]
            )
