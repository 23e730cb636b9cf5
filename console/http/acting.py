"""Acts through the doors: one way for pages and for the API from what somebody wrote to the recorded answer.

Owns the choice of the role somebody acts in and the recognition of a repeated act. Decides nothing: rights are asked of
``domain.rights``, the rest of the process's own rules by the desk.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from console.acts import choose_actor, clean
from console.acts import new_command_id as checked_id
from console.confirming import confirmed, is_asked, recorded, refuse_foreign
from console.http.caller import Caller
from console.http.office import Office
from console.opening import Opening, prepare_opening
from console.tracking import Tracking
from domain.errors import Refused
from domain.people import Actor, Role
from domain.process import Answer
from domain.processes import PROCESSES
from domain.rights import act
from domain.rules import Urgency
from ledger.acting import state_of
from ledger.files import strangers
from ledger.log import Connection, Recorded, events_of, history
from ledger.queries import one_case, one_wish
from ledger.rows import CaseRow, WishRow
from runtime.logging import get_logger
from runtime.pool import AWAY

log = get_logger(__name__)

_NO_CODE: tuple[type[Exception], ...] = (Refused, *AWAY)

_MOST_EVIDENCE = 100
"""More than any command takes; whoever sends more is refused by its parsing."""


_STREAM = re.compile(r"[a-z]+-[0-9A-Za-z._-]{1,80}")


@dataclass(frozen=True)
class Acted:
    """A recorded act: the answer, who acted, what was masked, and whether it had been recorded before.

    ``tracking`` is the code for the resident of a request that was registered; None where none could be made now, and
    ``/tracking/slips/<id>`` hands it out.
    """

    answer: Answer
    actor: Actor
    masked: tuple[str, ...] = ()
    repeated: bool = False
    tracking: str | None = None


@dataclass(frozen=True)
class Proof:
    """What somebody gives to confirm a signature: the password, and the address it comes from."""

    password: str = field(repr=False)
    client: str


async def row_of(conn: Connection, stream: str) -> CaseRow | WishRow:
    """The case or wish of this id. Raises ``Refused`` ``case.unknown`` or ``wish.unknown``."""
    name = stream.partition("-")[0]
    # What cannot be an id is not asked for: the database takes no NUL.
    row = None
    if _STREAM.fullmatch(stream):
        row = await one_wish(conn, stream) if name == "wish" else await one_case(conn, stream)
    if row is None:
        raise Refused("wish.unknown" if name == "wish" else "case.unknown")
    return row


async def submit(
    caller: Caller,
    stream: str,
    raw: Mapping[str, Any],
    *,
    command_id: str | None = None,
    acting_as: str | None = None,
    proof: Proof | None = None,
) -> Acted:
    """Send one command to an open process on behalf of the caller and return what was recorded.

    Free text is normalised and redacted. ``acting_as`` is a role, or ``role@place``; without it the one role fits that
    the rules allow. ``proof`` is what the caller gave to confirm a signature. The same command id again gives the same
    answer, also when the matter has moved on since.
    Raises ``Refused``: the rights' refusals, ``person.several_roles``, those of ``console.confirming``, whatever the
    rules say; ``Pending`` when the answer is late.
    """
    office, chosen = caller.office, checked_id(command_id)
    process = PROCESSES[process_named(stream)]
    refuse_foreign(raw)
    cleaned = clean(process, raw)
    async with office.pool.acquire() as conn:
        row = await row_of(conn, stream)
        known = await _recorded_actor(conn, caller, chosen)
        actor = known or await _actor(conn, caller, stream, cleaned.command, row, acting_as)
        if known is None:
            await _check_evidence(conn, caller, stream, cleaned.command)
        before = [] if known is None else await events_of(conn, uuid.UUID(chosen))
    command = {**cleaned.command, **recorded(before)}
    if known is None and is_asked(office.settings, str(command.get("kind"))):
        command = await _confirmed(office, stream, actor, command, chosen, proof)
    answer = await office.desk.submit(stream, actor, command, command_id=chosen)
    return Acted(answer, actor, cleaned.masked, repeated=known is not None)


async def _confirmed(
    office: Office, stream: str, actor: Actor, command: Mapping[str, Any], command_id: str, proof: Proof | None
) -> dict[str, Any]:
    given = proof or Proof("", "")
    return await confirmed(
        office.signing,
        office.access.sessions.confirm,
        stream,
        actor,
        command,
        command_id=command_id,
        password=given.password,
        client=given.client,
    )


async def open_process(
    caller: Caller,
    process: str,
    kind: str,
    given: Mapping[str, Any],
    *,
    command_id: str | None = None,
    acting_as: str | None = None,
) -> Acted:
    """Open a process on behalf of the caller; a ``reporter`` in ``given`` goes to the vault.

    Whoever may register may do so for any place: what is found outside the own grid must not be lost. Opening again
    with the same id and content gives the same answer. Raises as ``submit`` does.
    """
    office = caller.office
    opening: Opening = prepare_opening(process, kind, given, checked_id(command_id) if command_id else None)
    async with office.pool.acquire() as conn:
        known = await _opened_by(conn, caller, opening.stream)
        actor = known or _one_of(_named(caller.authorize(act(kind)), acting_as, caller), opening, caller)
        if known is None:
            await _check_evidence(conn, caller, opening.stream, opening.command)
    if caller.token_id is None or opening.command.get("urgency") == Urgency.EMERGENCY:
        office.openings.count()
    elif known is None:
        await office.openings.turn()
    answer = await office.desk.open(
        opening.stream, actor, opening.command, command_id=opening.command_id, private=opening.private
    )
    tracking = await _tracking(office, opening, actor) if process == "case" else None
    return Acted(answer, actor, opening.masked, repeated=known is not None, tracking=tracking)


async def _tracking(office: Office, opening: Opening, actor: Actor) -> str | None:
    """The code for the resident. The request is registered: nothing that fails here may look as if it was not."""
    phone = opening.private.get("reporter_phone")
    try:
        async with office.pool.acquire() as conn:
            return await Tracking(office.key).issue(conn, opening.stream, phone, by=actor.person, at=datetime.now(UTC))
    except _NO_CODE as error:
        log.warning("tracking_not_issued", kind=type(error).__name__, stream=opening.stream)
        return None


async def _check_evidence(conn: Connection, caller: Caller, stream: str, command: Mapping[str, Any]) -> None:
    """Evidence refers to files that are there: uploaded by the caller, or the matter's already.

    Raises ``Refused`` ``file.not_yours``. What has no digest where one belongs, the parsing of the command refuses.
    """
    given = command.get("evidence")
    pieces = given if isinstance(given, list) else [given]
    digests = [str(each["digest"])[:64] for each in pieces if isinstance(each, dict) and "digest" in each]
    if digests and await strangers(conn, caller.person, stream, digests[:_MOST_EVIDENCE]):
        raise Refused("file.not_yours", field="evidence")


async def _actor(
    conn: Connection,
    caller: Caller,
    stream: str,
    command: Mapping[str, Any],
    row: CaseRow | WishRow,
    acting_as: str | None,
) -> Actor:
    process = PROCESSES[process_named(stream)]
    kind = str(command.get("kind"))
    actors = _named(caller.authorize(act(kind), row), acting_as, caller)
    if len(actors) == 1:
        return actors[0]
    world = await caller.office.world(conn)
    state = await state_of(conn, stream)
    return choose_actor(process, state, command, list(actors), datetime.now(UTC), world)


def _named(actors: Sequence[Actor], acting_as: str | None, caller: Caller) -> tuple[Actor, ...]:
    """Those of ``actors`` that ``role`` or ``role@place`` names; all of them when nothing is given."""
    if not acting_as:
        return tuple(actors)
    role, _, place = acting_as.partition("@")
    found = [each for each in actors if each.role == role and (not place or place in (each.grid, each.organisation))]
    if not found:
        raise Refused("actor.role_not_held", field="as", person=caller.person, role=acting_as[:64])
    return tuple(found)


def _one_of(actors: Sequence[Actor], opening: Opening, caller: Caller) -> Actor:
    """Who opens: the one whose place the matter lies in, else the first role held."""
    grid = opening.command.get("grid")
    place = caller.registry.place_of(str(grid)) if grid else None
    near = [each for each in actors if grid and (each.grid == grid or each.organisation in (place or ()))]
    return (near or list(actors))[0]


async def _recorded_actor(conn: Connection, caller: Caller, command_id: str) -> Actor | None:
    """Who acted when this very command was recorded; None when it was not.

    A repeated act is judged by what was recorded, not by what the matter looks like now. Raises ``Refused``
    ``command.reused`` when somebody else used this id.
    """
    by = _who(await events_of(conn, uuid.UUID(command_id)))
    if by is not None and by.person != caller.person:
        raise Refused("command.reused", field="command_id")
    return by


async def _opened_by(conn: Connection, caller: Caller, stream: str) -> Actor | None:
    """Who opened this stream, where that was the caller; another's opening is told apart by the desk."""
    by = _who(await history(conn, stream, limit=1))
    return by if by is not None and by.person == caller.person else None


def _who(events: Sequence[Recorded]) -> Actor | None:
    found = (Actor.model_validate(each.body["by"]) for each in events)
    return next((by for by in found if by.role != Role.SYSTEM), None)


def process_named(stream: str) -> str:
    """The name of the process an id belongs to. Raises ``Refused`` ``case.unknown``."""
    name = stream.partition("-")[0]
    if name not in PROCESSES:
        raise Refused("case.unknown")
    return name
