"""Where the ledger says that processes stand: folded from their events, fit for a workflow to begin from.

Owns which streams are open and the fold of one of them. Reads only. The read models say where to look; what a stream
is, its own events say.
"""

from dataclasses import dataclass
from typing import Any

from domain.process import Plan, Process, Start, World
from domain.processes import process_of
from ledger.log import Connection, history

_TITLE = 100
"""Characters of a title that Temporal's lists show: at most 400 bytes."""

_OPEN = """
    select id from case_row where not finished and id > $1
    union all
    select id from wish where not finished and id > $1
"""

_ROWLESS = """
    not exists (select from case_row r where r.id = e.stream)
    and not exists (select from wish w where w.id = e.stream)
"""


@dataclass(frozen=True)
class Standing:
    """A stream as its events tell it: the last event, the state they have led to, and what follows from it.

    ``title`` is the redacted title of its first event; ``hashes`` are those of its events in order.
    """

    stream: str
    process: Process[Any]
    state: Any
    plan: Plan
    title: str
    hashes: tuple[str, ...]

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return len(self.hashes)

    @property
    def is_open(self) -> bool:
        """Whether anything more can happen."""
        return not self.plan.finished

    def holds(self, seq: int, hash: str) -> bool:  # noqa: A002 - the column's name
        """Whether the event ``seq`` of the stream has this hash; the empty hash is the one before the first event."""
        return hash == (self.hashes[seq - 1] if seq else "") if 0 <= seq <= self.seq else False

    def as_start(self) -> Start:
        """What a workflow begins from; the same that it would hand on to its next run.

        No hand-over counts as ended, so that every open task of a department is handed over once more, under its
        own id: what a department has answered is an event, and then the task is not open.
        """
        return Start(
            stream=self.stream,
            state=self.process.state.dump_python(self.state, mode="json"),
            seq=self.seq,
            hash=self.hashes[-1],
            plan=self.plan,
            sparing=True,
        )


async def standing_of(conn: Connection, stream: str, world: World) -> Standing | None:
    """Where the stream stands; None when the ledger does not know it.

    ``world`` tells the plan which departments run a system of their own.
    """
    events = await history(conn, stream)
    if not events:
        return None
    process, state = process_of(stream), None
    for event in events:
        state = process.evolve(state, process.read_event(event.body))
    return Standing(
        stream=stream,
        process=process,
        state=state,
        plan=process.plan(state, world),
        title=str(events[0].body.get("title") or "")[:_TITLE],
        hashes=tuple(event.hash for event in events),
    )


async def open_streams(conn: Connection, after: str = "", limit: int = 200) -> list[str]:
    """The streams that their rows call open, after the stream ``after`` in bytewise order."""
    rows = await conn.fetch(f"select id from ({_OPEN}) as open order by id limit $2", after, limit)
    return [row["id"] for row in rows]


async def count_open(conn: Connection) -> int:
    """How many streams their rows call open."""
    return int(await conn.fetchval(f"select count(*) from ({_OPEN}) as open", ""))


async def streams_without_rows(conn: Connection, after: str = "", limit: int = 200) -> list[str]:
    """The streams of the log, after the stream ``after``, that have no row in the read model of their process."""
    rows = await conn.fetch(
        f"select stream from event e where seq = 1 and stream > $1 and {_ROWLESS} order by stream limit $2",
        after,
        limit,
    )
    return [row["stream"] for row in rows]


async def unseen_among(conn: Connection, names: list[str], *, everything: bool) -> list[str]:
    """Those of ``names`` that paging through the open streams and those without rows does not come across.

    With ``everything`` those that paging through the whole log does not.
    """
    question = "select distinct stream from event where stream = any($1::text[])"
    if not everything:
        question = f"""
            select id as stream from ({_OPEN.replace("$1", "''")}) as open where id = any($1::text[])
            union all
            select stream from event e where seq = 1 and stream = any($1::text[]) and {_ROWLESS}
        """
    seen = {row["stream"] for row in await conn.fetch(question, names)}
    return [name for name in names if name not in seen]


async def written_last(conn: Connection, limit: int) -> list[str]:
    """The streams of the last events written, at most ``limit`` of them."""
    rows = await conn.fetch(
        """
        select distinct stream from (select stream from event order by tx desc, stream desc, seq desc limit $1) as last
        """,
        limit,
    )
    return [row["stream"] for row in rows]
