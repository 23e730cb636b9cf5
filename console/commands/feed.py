"""``bihuan feed``: the events of all streams in one order, for other systems and for watching."""

import asyncio
from typing import Annotated

import typer

from console import doing, output, words
from console.session import ledger, options, run
from ledger.log import Cursor, Recorded, feed

_PAUSE = 0.5


def command(
    after: Annotated[
        str | None, typer.Option(metavar="位置", help="从此位置之后读 / read on after this cursor")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多几条 / at most so many")] = 100,
    follow: Annotated[bool, typer.Option("--follow", help="读完后等待新的 / wait for more")] = False,
) -> None:
    """按顺序读出全部流水；--json 每行一条，附续读位置。

    All events in order; with --json one on each line with its cursor.
    """
    run(_feed(Cursor.parse(after) if after else None, limit, follow))


async def _feed(place: Cursor | None, limit: int, follow: bool) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        left = limit
        while left > 0:
            events, reached = await feed(conn, place, min(left, 500))
            if reached is not None:
                _show(events, place or Cursor(0, 0, reached.line))
            place = reached
            left -= 0 if follow else len(events)
            if not events:
                if not follow:
                    break
                await asyncio.sleep(_PAUSE)
        if place is not None:
            output.note(f"续读位置 {place}", f"cursor {place}")


def _show(events: list[Recorded], place: Cursor) -> None:
    for event in events:
        place = place.past(event)
        if options().json:
            output.print_json({"cursor": str(place), **doing.event_json(event)})
        else:
            parts = (
                output.local(event.at),
                f"{event.stream[:13]}#{event.seq}",
                words.word(words.EVENT, event.kind),
                event.actor,
                doing.summary(event.body),
            )
            output.console().print("  ".join(parts), soft_wrap=True)
