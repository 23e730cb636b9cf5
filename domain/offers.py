"""What somebody may do with a process right now, and what they must say with it: the shapes every process shares.

Owns ``Offer`` and the asking by which offers are found: a command is offered because ``decide`` has accepted one like
it, for this actor, on this state, at this moment. No rule is written a second time here, so a page can never show an
act that would be refused for who does it or when, nor hide one that would be accepted.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import JsonValue

from domain.errors import Refusal, Refused
from domain.limits import Limit
from domain.people import Actor
from domain.process import Event, World

FILLER = "…"
"""What stands in a probe where people will write."""

MOST_CHOICES = 500
"""Most choices one field is offered; who needs another one writes its code."""


class Choice(NamedTuple):
    """One value a field may take here: its code, its name where the registry or a rule has one, ``group`` what it
    belongs to, and ``until`` the latest moment that goes with it.
    """

    code: str
    name: str | None = None
    group: str | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Offer:
    """One way in which ``actor`` may do something now.

    ``variant`` tells apart several ways of one kind (a check passes or fails). ``settled`` are the values that come
    with the way and are not asked for; ``choices`` what the fields that choose may take, and nothing else would be
    accepted; ``suggested`` what a form begins with; ``needed`` the fields that may be left out elsewhere but not here;
    ``shut`` those that must be left out here. ``longest`` and ``latest`` bound a length or a moment that is asked for.
    ``task`` is the open task this would answer. ``probe`` is a complete command that is accepted.
    """

    kind: str
    actor: Actor
    probe: Any
    variant: str = ""
    settled: Mapping[str, JsonValue] = field(default_factory=dict)
    choices: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    suggested: Mapping[str, JsonValue] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    shut: frozenset[str] = frozenset()
    longest: Limit | None = None
    latest: datetime | None = None
    task: str | None = None

    @property
    def name(self) -> str:
        """The kind, and behind a colon the variant where there is one: ``verify:passed``."""
        return f"{self.kind}:{self.variant}" if self.variant else self.kind


class Withheld(NamedTuple):
    """A kind that is not offered to ``actor``, and why."""

    kind: str
    actor: Actor
    refusal: Refusal


class Menu(NamedTuple):
    """What is offered, the likeliest first, and what is not."""

    offers: tuple[Offer, ...]
    withheld: tuple[Withheld, ...]


S = TypeVar("S")


class Asking(Generic[S]):
    """Asks ``decide`` about one actor and one state; ``refusal`` is its first answer that was no."""

    def __init__(
        self,
        decide: Callable[[S | None, Any, Actor, datetime, World], tuple[Event, ...]],
        state: S | None,
        actor: Actor,
        at: datetime,
        world: World,
    ) -> None:
        self._decide = decide
        self._state = state
        self.actor = actor
        self.at = at
        self.world = world
        self.refusal: Refusal | None = None

    @property
    def state(self) -> S:
        """The state of a process that has begun."""
        assert self._state is not None
        return self._state

    def says(self, probe: Any) -> tuple[Event, ...] | None:
        """The facts the probe would make true; None when it is refused."""
        try:
            return self._decide(self._state, probe, self.actor, self.at, self.world)
        except Refused as refused:
            self.refusal = self.refusal or refused.refusal
            return None

    def allows(self, probe: Any) -> bool:
        """Whether the probe would be accepted."""
        return self.says(probe) is not None

    @property
    def is_barred(self) -> bool:
        """Whether the first no was about the actor or the hour: it names no field that another value could mend."""
        return self.refusal is not None and (self.refusal.field or "actor.").startswith("actor.")

    def among(self, choices: Iterable[Choice], probe: Callable[[str], Any]) -> tuple[Choice, ...]:
        """The choices with which the probe would be accepted."""
        found = []
        for each in choices:
            if self.allows(probe(each.code)):
                found.append(each)
            elif self.is_barred:
                break  # whatever was chosen, the answer would be the same
        return tuple(found)
