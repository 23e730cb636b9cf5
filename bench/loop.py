"""The plain loop: twelve acts by eight people, from the registration of a request to its appraisal.

Owns who acts, what they send and the neighbourhood they act in. All sides of the measurement play this one script.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from console.desk import new_stream
from domain.people import Actor, Role

GRID, COMMUNITY, STREET, DEPARTMENT, OTHER = "G01", "C01", "S01", "D01", "D02"

WORKER = Actor(person="p-worker", role=Role.GRID_WORKER, grid=GRID)
CAPTAIN = Actor(person="p-captain", role=Role.VANGUARD_CAPTAIN, grid=GRID)
HEAD = Actor(person="p-head", role=Role.GRID_HEAD, grid=GRID)
SECRETARY = Actor(person="p-community", role=Role.COMMUNITY, organisation=COMMUNITY)
APPROVER = Actor(person="p-approver", role=Role.COMMUNITY, organisation=COMMUNITY)
DISPATCHER = Actor(person="p-dispatcher", role=Role.STREET_DISPATCHER, organisation=STREET)
HANDLER = Actor(person="p-handler", role=Role.DEPARTMENT_HANDLER, organisation=DEPARTMENT)
OTHER_HANDLER = Actor(person="p-other", role=Role.DEPARTMENT_HANDLER, organisation=OTHER)
STAFF = (WORKER, CAPTAIN, HEAD, SECRETARY, APPROVER, DISPATCHER, HANDLER, OTHER_HANDLER)

NEIGHBOURHOOD: dict[str, list[dict[str, Any]]] = {
    "organisations": [
        {"code": "Q01", "name": "榆山区", "kind": "district"},
        {"code": STREET, "name": "柳堤街道", "kind": "street", "parent": "Q01"},
        {"code": COMMUNITY, "name": "南埠社区", "kind": "community", "parent": STREET},
        {"code": DEPARTMENT, "name": "市政养护", "kind": "department", "parent": STREET},
        {"code": OTHER, "name": "供电所", "kind": "department", "parent": STREET},
    ],
    "grids": [{"code": GRID, "name": "南埠一网格", "community": COMMUNITY, "households": 410, "people": 1150}],
    "categories": [
        {"code": "K01", "name": "路灯", "on_the_spot": False, "urgency": "general"},
        {"code": "K02", "name": "楼道", "on_the_spot": True, "urgency": "general"},
    ],
    "people": [{"id": actor.person, "name": actor.person} for actor in STAFF],
    "assignments": [
        {
            "person": actor.person,
            "role": actor.role.value,
            **({"organisation": actor.organisation} if actor.organisation else {}),
            **({"grid": actor.grid} if actor.grid else {}),
        }
        for actor in STAFF
    ],
}

WORDING = "东门公交站旁的三盏路灯从上周起不亮,老人孩子晚上走路看不清台阶,已经有人绊倒,请尽快派人来修。"
"""What the resident says; it goes to the vault."""

_PHOTO = {"ref": "photo-0001", "digest": "5" * 64}
BEFORE, AFTER = [{"kind": "before", **_PHOTO}], [{"kind": "after", **_PHOTO}]


@dataclass(frozen=True)
class Act:
    """One act of the loop: its label in the tables, who does it, and the command but for what each case adds."""

    label: str
    actor: Actor
    command: dict[str, Any]

    def for_case(self, stream: str, digest: str) -> dict[str, Any]:
        """The command for one case; signatures name the ``digest`` of what they sign."""
        match self.command["kind"]:
            case "register":
                return {**self.command, "wording": f"{stream}/wording"}
            case "sign":
                return {**self.command, "digest": digest}
            case _:
                return self.command


def act_of(label: str, actor: Actor, kind: str, **fields: Any) -> Act:
    """An act by its parts."""
    return Act(label, actor, {"kind": kind, **fields})


PLAIN_LOOP: tuple[Act, ...] = (
    act_of(
        "register", WORKER, "register", title="路灯不亮", text="东门公交站旁三盏路灯不亮", grid=GRID, category="K01"
    ),
    act_of("whistle", SECRETARY, "whistle", reason="reflected", departments=[DEPARTMENT], approver=APPROVER.person),
    act_of("dispatch", DISPATCHER, "dispatch", lead=DEPARTMENT, instruction="请今天内到场"),
    act_of("accept", HANDLER, "accept"),
    act_of(
        "strike_off",
        HANDLER,
        "strike_off",
        measures="更换灯头三个、控制器一个,已试灯",
        workload={"people": 2, "minutes": 45, "vehicles": 1},
        evidence=AFTER,
    ),
    act_of("verify", WORKER, "verify", passed=True, note="现场查看,三盏都亮", evidence=AFTER),
    act_of("sign 1", CAPTAIN, "sign"),
    act_of("sign 2", HEAD, "sign"),
    act_of("feed_back 1", WORKER, "feed_back", to="department", text="验收通过"),
    act_of("feed_back 2", WORKER, "feed_back", to="resident", text="路灯已修好"),
    act_of("visit", WORKER, "visit", answered=True, satisfaction="satisfied", solved=True),
    act_of(
        "appraise",
        SECRETARY,
        "appraise",
        department=DEPARTMENT,
        scores={"speed": 92, "quality": 90, "attitude": 95},
    ),
)


class Side(Protocol):
    """One way of doing the loop durably."""

    name: str

    async def act(self, stream: str, number: int, digest: str) -> None:
        """Do act ``number`` of the loop and return when its answer is durable."""

    async def digest(self, stream: str) -> str:
        """The digest the signers put their names to, once the result is verified."""


Note = Callable[[str, timedelta], None]
"""Told the label of each act and how long its answer took."""


async def play(side: Side, note: Note = lambda _label, _took: None, pauses: Sequence[timedelta] = ()) -> str:
    """Play the whole loop for one new case and return its stream; ``pauses`` are taken in turn before the acts."""
    stream, digest = new_stream("case"), ""
    for number, act in enumerate(PLAIN_LOOP):
        if pauses:
            await asyncio.sleep(pauses[number % len(pauses)].total_seconds())
        if act.command["kind"] == "sign" and not digest:
            digest = await side.digest(stream)
        began = time.perf_counter_ns()
        await side.act(stream, number, digest)
        note(act.label, timedelta(microseconds=(time.perf_counter_ns() - began) // 1000))
    return stream
