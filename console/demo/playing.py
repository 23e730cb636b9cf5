"""Playing every path at once on one street.

Owns who starts when and what counts as a failed script. Must not judge endings: ``console.demo.checking`` does.
"""

import asyncio
from collections.abc import Callable

from console.demo.checking import Checker, Verdict
from console.demo.paths import PATHS
from console.demo.people import Matter, NotAsScripted, Request, Street, requests
from domain.errors import Refused

Done = Callable[[Verdict], None]


def matters() -> list[Matter]:
    """Every request of the demo as a new matter, in the order of the paths."""
    asked: dict[str, tuple[Request, ...]] = requests()
    return [Matter(path.process, path.name, request) for path in PATHS.values() for request in asked[path.name]]


async def play(
    street: Street, checker: Checker, cast: list[Matter], done: Done = lambda _verdict: None
) -> list[Verdict]:
    """Play all of ``cast`` concurrently and judge each as soon as its script is over; in the order of ``cast``.

    A script that goes wrong spoils its own request only. What nobody expects (a server that is gone, a mistake of
    ours) is raised.
    """

    async def one(matter: Matter) -> Verdict:
        verdict = await checker.judge(matter, await _act_out(street, matter))
        done(verdict)
        return verdict

    tasks = [asyncio.create_task(one(matter), name=matter.path) for matter in cast]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _act_out(street: Street, matter: Matter) -> str | None:
    """Play one request; what stopped it in a few words, None when its script came to the end."""
    asked = matter.request
    try:
        people = street.people(asked.grid or asked.right_grid or "")
        await PATHS[matter.path].play(matter, people)
    except NotAsScripted as other:
        return str(other)
    except Refused as no:
        return f"{no.code}: {no.refusal.message}"
    return None
