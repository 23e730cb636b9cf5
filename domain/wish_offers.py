"""What somebody may do with a wish right now; see ``domain.offers`` for what an offer says and how it is found."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.offers import FILLER, MOST_CHOICES, Asking, Choice, Menu, Offer, Withheld
from domain.people import SYSTEM, Actor
from domain.process import TimePasses, World
from domain.wish import ClaimWish, FulfilWish, PublishWish, ThankForWish, Wish, decide, evolve, plan
from domain.zone import office_day

_Ask = Asking[Wish]


def offers(state: Wish | None, actor: Actor, at: datetime, world: World) -> tuple[Offer, ...]:
    """Every way in which the actor may act on the wish at ``at``; without a state, whether one may be published."""
    return menu(state, (actor,), at, world).offers


def menu(state: Wish | None, actors: Iterable[Actor], at: datetime, world: World) -> Menu:
    """The offers to a person with these roles, and why what none of the roles is offered is withheld."""
    for event in decide(state, TimePasses(), SYSTEM, at, world) if state is not None else ():
        state = evolve(state, event)
    tasks = {task.kind: task.id for task in plan(state, world).tasks} if state is not None else {}
    found: list[Offer] = []
    refused: list[Withheld] = []
    for actor in actors:
        for kind, ways in _WAYS.items():
            if (state is None) != (kind == "publish_wish"):
                continue
            ask = Asking(decide, state, actor, at, world)
            given = tuple(replace(each, task=tasks.get(kind)) for each in ways(ask))
            found += given
            if not given and ask.refusal is not None:
                refused.append(Withheld(kind, actor, ask.refusal))
    offered = {each.kind for each in found}
    return Menu(tuple(found), tuple(each for each in refused if each.kind not in offered))


def _publish(ask: _Ask) -> Iterator[Offer]:
    def probe(code: str) -> PublishWish:
        return PublishWish(title=FILLER, text=FILLER, grid=code)

    grids = _grids(ask)
    code = grids[0].code if grids else "-"
    if ask.allows(probe(code)):
        suggested = {"grid": ask.actor.grid} if ask.actor.grid else {}
        yield Offer("publish_wish", ask.actor, probe(code), choices={"grid": grids}, suggested=suggested)


def _grids(ask: _Ask) -> tuple[Choice, ...]:
    """The grids of the day; for somebody with a community those of it, for a grid worker their own."""
    registry, actor, day = ask.world.registry, ask.actor, office_day(ask.at)
    found = [
        Choice(grid.code, grid.name)
        for grid in (registry.grids if registry else ())
        if grid.valid(day) and actor.grid in (None, grid.code) and actor.organisation in (None, grid.community)
    ]
    return tuple(sorted(found)[:MOST_CHOICES])


def _plain(kind: str, probe: Any) -> Callable[[_Ask], Iterator[Offer]]:
    def ways(ask: _Ask) -> Iterator[Offer]:
        if ask.allows(probe):
            yield Offer(kind, ask.actor, probe)

    return ways


_WAYS: dict[str, Callable[[_Ask], Iterator[Offer]]] = {
    "publish_wish": _publish,
    "claim_wish": _plain("claim_wish", ClaimWish()),
    "fulfil_wish": _plain("fulfil_wish", FulfilWish(text=FILLER)),
    "thank_for_wish": _plain("thank_for_wish", ThankForWish(word=FILLER)),
}
