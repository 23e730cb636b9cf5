"""Scripted people: everybody of the invented street, ready to act on a request.

Owns the verbs by which a scenario reads like the process itself. A person may try anything; the rules say no, not
this module. Nothing here remembers what ought to have happened: what did happen is read from the ledger.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import yaml
from pydantic import TypeAdapter

from console.demo.pictures import Pictures
from console.desk import Desk, new_stream
from domain.base import Frozen
from domain.case.state import Case
from domain.errors import Refused
from domain.people import Actor, Role
from domain.process import Answer
from domain.processes import process_of
from domain.registry import Registry
from domain.text import normalise, redact
from ledger.acting import state_of

NEIGHBOURHOOD = Path(__file__).with_name("neighbourhood.yaml")
"""The registry of the invented street."""

_REQUESTS = Path(__file__).with_name("requests.yaml")
_LOOK = 0.1


class NotAsScripted(Exception):  # noqa: N818 - what it says about a request
    """A request went another way than its path; the message says where."""


class Request(Frozen):
    """What somebody of the street asks for, and what will be done about it; all of it invented.

    ``words`` is what was said; only the vault keeps it like that. ``right_grid``, ``right_category`` and ``right``
    are the true grid, category and department of a request that begins with wrong ones or none.
    """

    title: str
    words: str
    done: str
    grid: str | None = None
    category: str | None = None
    lead: str = ""
    helpers: tuple[str, ...] = ()
    right: str = ""
    right_grid: str | None = None
    right_category: str | None = None


def requests() -> dict[str, tuple[Request, ...]]:
    """The requests of the demo by the path they take."""
    raw = yaml.safe_load(_REQUESTS.read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, tuple[Request, ...]]).validate_python(raw)


class Matter:
    """One request on its way: its id, what it is about, and the refusals that were part of its path."""

    def __init__(self, process: str, path: str, request: Request) -> None:
        self.id = new_stream(process)
        self.path = path
        self.request = request
        self.refusals: list[str] = []

    @property
    def result(self) -> str:
        """What is said to have been done, as a department reports it."""
        return self.request.done


class Street:
    """Where the people act: the desk they submit at, the ledger they look into, and the registry of who is who.

    At most ``at_once`` acts are under way at a time, however many requests are. ``told`` hears of every answer.
    """

    def __init__(
        self,
        desk: Desk,
        pool: asyncpg.Pool,
        registry: Registry,
        *,
        at_once: int = 8,
        told: Callable[[Matter, str], None] = lambda _matter, _stage: None,
        pictures: Pictures | None = None,
    ) -> None:
        self.desk = desk
        self.pool = pool
        self.registry = registry
        self._turns = asyncio.Semaphore(at_once)
        self._told = told
        self._pictures = pictures

    async def photograph(self, matter: Matter, by: Actor, kind: str, caption: str) -> dict[str, str]:
        """A picture as evidence; without a place to keep pictures the digest is that of the caption."""
        if self._pictures is not None:
            return await self._pictures.take(by.person, kind, matter.request.title)
        digest = hashlib.sha256(f"{matter.id}/{caption}".encode()).hexdigest()
        return {"kind": kind, "ref": caption, "digest": digest}

    async def act(self, matter: Matter, actor: Actor, kind: str, **fields: Any) -> Answer:
        """Submit one command; fields that are None are left out. Raises ``Refused`` as the desk does."""
        command = {"kind": kind, **{name: value for name, value in fields.items() if value is not None}}
        async with self._turns:
            if kind in process_of(matter.id).opening:
                wording = {"wording": matter.request.words}
                answer = await self.desk.open(matter.id, actor, command, private=wording)
            else:
                answer = await self.desk.submit(matter.id, actor, command)
        self._told(matter, answer.stage)
        return answer

    async def look_up(self, matter: Matter) -> Any:
        """The request as the ledger has it; None before its first fact."""
        async with self.pool.acquire() as conn:
            return await state_of(conn, matter.id)

    async def wait(
        self, matter: Matter, wanted: Callable[[Any], bool], what: str, within: timedelta = timedelta(seconds=40)
    ) -> None:
        """Return as soon as the request is as ``wanted``; raises ``NotAsScripted`` naming ``what`` after ``within``."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within.total_seconds()
        while not wanted(state := await self.look_up(matter)):
            if loop.time() > deadline:
                raise NotAsScripted(f"{what}: {state.stage.value if state else '-'}")
            await asyncio.sleep(_LOOK)
        self._told(matter, state.stage.value)

    async def until(self, matter: Matter, stage: str) -> None:
        """Wait until the request has reached ``stage`` by somebody else's doing or by time."""
        await self.wait(matter, lambda state: state is not None and state.stage == stage, f"等待 / waiting for {stage}")

    async def until_overdue(self, matter: Matter) -> None:
        """Wait until a clock of the case has run out."""
        await self.wait(matter, lambda state: isinstance(state, Case) and state.was_overdue, "等待超期 / waiting")

    async def until_urged(self, matter: Matter) -> None:
        """Wait until the ladder has sent out a written urging."""
        await self.wait(matter, lambda state: isinstance(state, Case) and bool(state.orders), "等待催办 / waiting")

    def people(self, grid: str) -> "People":
        """Everybody who has to do with a request in ``grid``."""
        return People(self, grid)


async def refused(matter: Matter, code: str, act: Awaitable[Answer]) -> None:
    """Make sure that the rules refuse ``act`` with ``code``; raises ``NotAsScripted`` when they do not.

    What was refused is noted on the matter, for the path to be compared with.
    """
    try:
        answer = await act
    except Refused as no:
        if no.code != code:
            raise NotAsScripted(f"{no.code} ≠ {code}") from no
        matter.refusals.append(code)
    else:
        raise NotAsScripted(f"{', '.join(answer.kinds)} ≠ {code}")


class Person:
    """One person acting in one role, with every verb of the processes."""

    def __init__(self, street: Street, actor: Actor) -> None:
        self._street = street
        self.actor = actor

    async def act(self, matter: Matter, kind: str, **fields: Any) -> Answer:
        """Any command in its own words."""
        return await self._street.act(matter, self.actor, kind, **fields)

    async def _photograph(self, matter: Matter, kind: str, caption: str) -> dict[str, str]:
        return await self._street.photograph(matter, self.actor, kind, caption)

    # --- the case: noticed, settled at once, not taken on, taken back ---

    async def register(self, case: Matter, *, channel: str | None = None) -> Answer:
        """Enter the request; what was said goes to the vault, the rest of the world reads the redacted text."""
        asked = case.request
        category = self._street.registry.category(asked.category) if asked.category else None
        return await self.act(
            case,
            "register",
            title=asked.title,
            text=redact(normalise(asked.words)),
            wording=f"{case.id}/wording",
            grid=asked.grid,
            category=asked.category,
            urgency=category.urgency.value if category and category.urgency else None,
            channel=channel,
            evidence=[await self._photograph(case, "before", "发现")] if self.actor.grid else None,
        )

    async def handle_on_spot(self, case: Matter) -> Answer:
        """Settle it at once, with a picture before and one after."""
        pictures = [await self._photograph(case, "before", "处置前"), await self._photograph(case, "after", "处置后")]
        return await self.act(case, "handle_on_spot", measures=case.result, evidence=pictures)

    async def decline(self, case: Matter, reason: str) -> Answer:
        """Do not take it on."""
        return await self.act(case, "decline", reason=reason, explanation=case.result)

    async def withdraw(self, case: Matter) -> Answer:
        """Take it back."""
        return await self.act(case, "withdraw", reason=case.result)

    async def correct(self, case: Matter, reason: str, *, grid: str | None, category: str | None) -> Answer:
        """Put right where it lies or what it is about."""
        return await self.act(case, "correct", reason=reason, grid=grid, category=category)

    # --- whistle and dispatch ---

    async def whistle(self, case: Matter, *departments: str, approver: "Person") -> Answer:
        """Call for departments; somebody else has agreed to it."""
        return await self.act(
            case, "whistle", reason="reflected", departments=list(departments), approver=approver.actor.person
        )

    async def dispatch(self, case: Matter, lead: str, *helpers: str) -> Answer:
        """Give it to a lead department and its helpers."""
        return await self.act(case, "dispatch", lead=lead, helpers=list(helpers))

    async def arbitrate(self, case: Matter, decision: str, reason: str, *, lead: str | None = None) -> Answer:
        """Decide on a return."""
        return await self.act(case, "arbitrate", decision=decision, reason=reason, lead=lead)

    async def decide_extension(self, case: Matter, reason: str, *, granted: bool = True) -> Answer:
        """Grant or deny more time."""
        return await self.act(case, "decide_extension", granted=granted, reason=reason)

    async def suspend(self, case: Matter, reason: str, explanation: str, *, requested_by: str | None = None) -> Answer:
        """Let the department's clocks stand still."""
        return await self.act(case, "suspend", reason=reason, explanation=explanation, requested_by=requested_by)

    async def resume(self, case: Matter, reason: str) -> Answer:
        """Let them run on."""
        return await self.act(case, "resume", reason=reason)

    async def supervise(self, case: Matter, to: str, text: str) -> Answer:
        """Order a written reply."""
        return await self.act(case, "supervise", to=to, text=text)

    # --- the department's part ---

    async def accept(self, case: Matter) -> Answer:
        """Sign for the task."""
        return await self.act(case, "accept")

    async def arrive(self, case: Matter) -> Answer:
        """Be on the site."""
        return await self.act(case, "arrive")

    async def report_progress(self, case: Matter, text: str) -> Answer:
        """Say how far it is; the resident has been spoken to."""
        return await self.act(case, "report_progress", text=text, contacted=True)

    async def return_task(self, case: Matter, reason: str, *, proposed: str) -> Answer:
        """Say that the task is not theirs, and whose it is."""
        return await self.act(case, "return_task", reason=reason, legal_basis="部门职责清单", proposed=proposed)

    async def request_extension(self, case: Matter, length: str, reason: str) -> Answer:
        """Ask for more time before the budget has run out."""
        return await self.act(case, "request_extension", length=length, reason=reason)

    async def reply_supervision(self, case: Matter, order: int, text: str) -> Answer:
        """Answer an urging or a supervision order in writing."""
        return await self.act(case, "reply_supervision", order=order, text=text)

    async def strike_off(self, case: Matter) -> Answer:
        """Claim that the department's part is done."""
        work = {"people": 2, "minutes": 45, "vehicles": 1}
        pictures = [await self._photograph(case, "after", f"{self.actor.organisation}-处置后")]
        return await self.act(case, "strike_off", measures=case.result, workload=work, evidence=pictures)

    # --- checking, signing, telling ---

    async def verify(self, case: Matter, *, passed: bool = True, note: str | None = None) -> Answer:
        """Look at the result where it is."""
        pictures = [await self._photograph(case, "after", "现场核查")]
        return await self.act(case, "verify", passed=passed, note=note, evidence=pictures)

    async def sign(self, case: Matter) -> Answer:
        """Sign for the result as it stands in the ledger."""
        state = await self._street.look_up(case)
        return await self.act(case, "sign", digest=state.digest)

    async def refuse_signature(self, case: Matter, reason: str) -> Answer:
        """Refuse to sign."""
        return await self.act(case, "refuse_signature", reason=reason)

    async def feed_back(self, case: Matter, to: str) -> Answer:
        """Tell the department or the resident what came of it."""
        return await self.act(case, "feed_back", to=to, text=case.result)

    # --- the resident's word, the score, the way back ---

    async def visit(self, case: Matter, satisfaction: str, word: str | None = None) -> Answer:
        """Ask the resident, who answers; solved unless dissatisfied."""
        solved = "dissatisfied" not in satisfaction
        return await self.act(case, "visit", answered=True, satisfaction=satisfaction, solved=solved, word=word)

    async def visit_in_vain(self, case: Matter) -> Answer:
        """Knock at a door that nobody opens."""
        return await self.act(case, "visit", answered=False)

    async def appraise(self, case: Matter, department: str, points: int = 92) -> Answer:
        """Score a department for this very case."""
        scores = {"speed": points, "quality": points + 3, "attitude": points + 5}
        return await self.act(case, "appraise", department=department, scores=scores)

    async def reopen(self, case: Matter, reason: str) -> Answer:
        """Take it up again."""
        return await self.act(case, "reopen", reason=reason)

    async def comment(self, case: Matter, text: str) -> Answer:
        """Say something on the record."""
        return await self.act(case, "comment", text=text)

    # --- the wish ---

    async def publish_wish(self, wish: Matter) -> Answer:
        """Make the wish known."""
        asked = wish.request
        text = redact(normalise(asked.words))
        return await self.act(
            wish, "publish_wish", title=asked.title, text=text, grid=asked.grid, wording=f"{wish.id}/wording"
        )

    async def claim_wish(self, wish: Matter, promise: str) -> Answer:
        """Promise to fulfil it."""
        return await self.act(wish, "claim_wish", promise=promise)

    async def fulfil_wish(self, wish: Matter) -> Answer:
        """Say that it has come true."""
        return await self.act(wish, "fulfil_wish", text=wish.result)

    async def thank_for_wish(self, wish: Matter, word: str) -> Answer:
        """Say thank you."""
        return await self.act(wish, "thank_for_wish", word=word)


class People:
    """Everybody who has to do with a request in one grid, by what they are to it; found in the registry."""

    def __init__(self, street: Street, grid: str) -> None:
        self.street = street
        place = street.registry.place_of(grid)
        if place is None:
            raise Refused("grid.unknown", field="grid", grid=grid)
        street_code, community = place
        self.worker, self.checker = self._in_grid(Role.GRID_WORKER, grid, 0), self._in_grid(Role.GRID_WORKER, grid, 1)
        self.head, self.captain = self._in_grid(Role.GRID_HEAD, grid, 0), self._in_grid(Role.VANGUARD_CAPTAIN, grid, 0)
        self.community, self.approver = self._of(Role.COMMUNITY, community, 0), self._of(Role.COMMUNITY, community, 1)
        self.dispatcher = self._of(Role.STREET_DISPATCHER, street_code, 0)
        self.supervisor = self._of(Role.SUPERVISOR, street_code, 0)
        self.hotline = self._of(Role.HOTLINE, street_code, 0)
        self.resident = Person(street, Actor(person=f"resident-{grid}", role=Role.RESIDENT))

    def department(self, code: str) -> Person:
        """The one who handles tasks in the department ``code``."""
        return self._of(Role.DEPARTMENT_HANDLER, code, 0)

    def acting(self, person: str, role: Role, *, organisation: str | None = None, grid: str | None = None) -> Person:
        """Anybody, in any role; whether they hold it is for the rules to say."""
        return Person(self.street, Actor(person=person, role=role, organisation=organisation, grid=grid))

    def _in_grid(self, role: Role, grid: str, number: int) -> Person:
        person = self.street.registry.people_with(role, grid=grid)[number]
        return self.acting(person.id, role, grid=grid)

    def _of(self, role: Role, organisation: str, number: int) -> Person:
        person = self.street.registry.people_with(role, organisation=organisation)[number]
        return self.acting(person.id, role, organisation=organisation)
