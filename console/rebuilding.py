"""The rebuild of a whole ledger: a part at a time, in several processes.

Owns the spreading and the two ways there are. In place, streams are rebuilt under their locks while others work. Anew,
all read models are emptied and filled in one transaction: the way for what was lost, and acts wait until it is over.
``ledger.rebuild`` folds and compares.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from console.spreading import abreast_of, spread, without_collector
from domain.errors import Refusal, Refused
from ledger.loading import Loading, Table, connected, fill_search
from ledger.log import Connection, streams
from ledger.rebuild import (
    AT_ONCE,
    COLUMNS,
    TABLES,
    Rebuilt,
    are_empty,
    count_streams,
    fold_lines,
    rebuild_streams,
    remove_strays,
    route_again,
)
from runtime.pool import AWAY

PROCESSES = 2
"""So many processes rebuild at once; each has a connection of its own."""

_PART = 1_000
"""Streams that one process rebuilds in one go: a second or two, so the bar moves and Ctrl-C is heard."""

Told = Callable[[int, int], None]


class _Part(NamedTuple):
    names: list[str]
    anew: bool


class _Done(NamedTuple):
    rebuilt: Rebuilt
    lines: dict[str, bytes]


async def rebuild_all(
    dsn: str, *, anew: bool = False, processes: int = PROCESSES, told: Told = lambda _done, _all: None
) -> Rebuilt:
    """Rebuild the read models of all streams at ``dsn``, of whose tables the caller must be the owner.

    In place unless ``anew`` is asked for or all read models are empty. In place, interrupted, it has rebuilt some
    streams wholly and the others not at all; anew, nothing has happened then. Raises ``Refused``
    ``postgres.unreachable`` when the server goes away.
    """
    async with connected(dsn) as conn:
        if anew or await are_empty(conn):
            async with Loading.into(dsn, 0, only=(*COLUMNS, "case_text")) as loading:
                done = await _spread_out(dsn, conn, processes, told, loading)
                await fill_search(loading.conn)
                await route_again(loading.conn)
            return done
        done = await _spread_out(dsn, conn, processes, told, None)
        done.strays = await remove_strays(conn)
    return done


async def _spread_out(dsn: str, conn: Connection, processes: int, told: Told, loading: Loading | None) -> Rebuilt:
    done, total = Rebuilt(), await count_streams(conn)
    told(0, total)
    async with spread(processes, _begin, (dsn,), _rebuild_part) as submit:
        async for found in abreast_of(_parts(conn, anew=loading is not None), submit, processes * 2):
            if isinstance(found, Refusal):
                raise Refused.from_refusal(found)
            if loading is not None:
                for table, lines in found.lines.items():
                    await loading.put(Table(name=table, columns=COLUMNS[table]), lines)
            done.add(found.rebuilt)
            told(done.streams, max(done.streams, total))
    return done


async def _parts(conn: Connection, *, anew: bool) -> AsyncIterator[_Part]:
    last = ""
    while names := await streams(conn, after=last, limit=_PART):
        yield _Part(names, anew)
        last = names[-1]


# --- in the other processes -------------------------------------------------------------------------------------

_dsn: list[str] = []


def _begin(dsn: str) -> None:
    """Prepare this process, once."""
    _dsn.append(dsn)
    without_collector()


def _rebuild_part(part: _Part) -> _Done | Refusal:
    try:
        return asyncio.run(_rebuilt(part))
    except AWAY:
        return Refused("postgres.unreachable").refusal


async def _rebuilt(part: _Part) -> _Done:
    done = Rebuilt()
    lines: dict[str, list[str]] = {table: [] for table in TABLES}
    async with connected(_dsn[0]) as conn:
        for begin in range(0, len(part.names), AT_ONCE):
            some = part.names[begin : begin + AT_ONCE]
            done.add(await (fold_lines(conn, some, lines) if part.anew else rebuild_streams(conn, some)))
    return _Done(done, {table: ("\n".join(found) + "\n").encode() for table, found in lines.items() if found})
