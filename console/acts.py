"""Acts of people at the command line: who somebody is, what they wrote, and the act on its way.

Owns the step from a file and a person's code to a command that the desk can submit: free text is normalised and
redacted here, the role is looked up, and a case may be named by the beginning of its id. Must not decide anything;
the dry run for people with several roles asks the domain.
"""

import re
import sys
import types
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from domain.case.commands import Command as CaseCommand
from domain.errors import Refused, unreadable
from domain.parsing import parse_command, parse_json
from domain.people import Actor, Role
from domain.process import Process, World
from domain.rights import Subject, authorize
from domain.text import Line, Text, normalise, redact
from domain.wish import Command as WishCommand
from domain.zone import office_day
from ledger.acting import state_of
from ledger.log import Connection
from ledger.queries import ids_beginning
from ledger.registry import read_registry
from ledger.world import read_world

_SHORT_ID = re.compile(r"(?:[a-z]+-)?[0-9a-f]{4,32}")
_FREE_TEXT = frozenset((*get_args(Text)[1:], *get_args(Line)[1:]))
_FILE_LIMIT = 1_000_000


def _models(process: str, command: Any) -> dict[tuple[str, str], type[BaseModel]]:
    """The models of a union of commands by process and kind."""
    union = get_args(command)[0]
    return {(process, model.model_fields["kind"].default): model for model in get_args(union)}


_COMMANDS = _models("case", CaseCommand) | _models("wish", WishCommand)


def read_command(source: str) -> dict[str, Any]:
    """The JSON object in the file ``source``, or on standard input for ``-``.

    Raises ``Refused`` ``file.unreadable`` and ``json.malformed``. At most a million bytes are read.
    """
    try:
        raw = sys.stdin.buffer.read(_FILE_LIMIT + 1) if source == "-" else _read(Path(source))
    except OSError as error:
        raise unreadable(source, error) from None
    if len(raw) > _FILE_LIMIT:
        raise Refused("file.unreadable", path=source, reason=f"> {_FILE_LIMIT} bytes")
    value = parse_json(raw.removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(value, dict):
        raise Refused("field.invalid", field="JSON", reason="{ … }")
    return value


def read_secret(path: str) -> str:
    """The first line of a small file, without its end. Raises ``Refused`` ``file.unreadable``."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4096).decode().split("\n", 1)[0].rstrip("\r")
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise Refused("file.unreadable", path=path, reason="UTF-8") from None


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_FILE_LIMIT + 1)


@dataclass(frozen=True)
class Cleaned:
    """A command ready to be sent; ``masked`` names the fields in which something was masked."""

    command: dict[str, Any]
    masked: tuple[str, ...]


def clean(process: Process[Any], raw: Mapping[str, Any]) -> Cleaned:
    """Normalise and redact the free text of a command; everything else stays as written.

    A command that cannot be read at all comes back unchanged: parsing it says why.
    """
    masked: list[str] = []
    model = _COMMANDS.get((process.name, str(raw.get("kind"))))
    if model is None:
        return Cleaned(dict(raw), ())
    return Cleaned(_clean_fields(model, raw, "", masked), tuple(masked))


def _clean_fields(model: type[BaseModel], raw: Mapping[str, Any], path: str, masked: list[str]) -> dict[str, Any]:
    cleaned = dict(raw)
    for name, field in model.model_fields.items():
        if name in cleaned:
            kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            cleaned[name] = _clean(kind, cleaned[name], f"{path}{name}", masked)
    return cleaned


def _clean(kind: Any, value: Any, path: str, masked: list[str]) -> Any:
    origin = get_origin(kind)
    if origin is Annotated:
        if isinstance(value, str) and _FREE_TEXT.intersection(_hashable(get_args(kind)[1:])):
            return _clean_text(value, path, masked)
        return _clean(get_args(kind)[0], value, path, masked)
    if origin in (Union, types.UnionType):
        for each in get_args(kind):
            value = _clean(each, value, path, masked)
        return value
    if origin is tuple and isinstance(value, list):
        return [_clean(get_args(kind)[0], each, f"{path}.{place}", masked) for place, each in enumerate(value)]
    if isinstance(kind, type) and issubclass(kind, BaseModel) and isinstance(value, dict):
        return _clean_fields(kind, value, f"{path}.", masked)
    return value


def _hashable(marks: tuple[Any, ...]) -> list[Any]:
    return [mark for mark in marks if getattr(mark, "__hash__", None) is not None]


def _clean_text(value: str, path: str, masked: list[str]) -> str:
    text = normalise(value)
    safe = redact(text)
    if safe != text:
        masked.append(path)
    return safe


async def find_stream(conn: Connection, process: str, name: str) -> str:
    """The full id of the process that ``name`` begins; raises ``Refused``: ``cli.ambiguous``, ``<process>.unknown``.

    ``case-1a2b3c4d`` and ``1a2b3c4d`` both name a case; four letters are the least.
    """
    if not _SHORT_ID.fullmatch(name):
        if not name.startswith(f"{process}-"):
            raise Refused(f"{process}.unknown")
        return name
    beginning = name if name.startswith(f"{process}-") else f"{process}-{name}"
    found = await ids_beginning(conn, process, beginning)
    if len(found) > 1:
        raise Refused("cli.ambiguous", prefix=name)
    return found[0] if found else beginning


async def actor_for(
    conn: Connection,
    process: Process[Any],
    stream: str,
    command: Mapping[str, Any],
    *,
    person: str,
    role: str | None,
) -> Actor:
    """The actor for ``person``, out of the roles the registry gives them today.

    ``role`` is a role, or ``role@place`` with the code of a grid or unit. Somebody with several roles acts in the
    one that the rules allow for this command, when there is exactly one.

    Raises ``Refused``: ``person.unknown``, ``actor.role_not_held``, ``person.several_roles``, and what the rules say
    when they refuse the command in every role for the same reason.
    """
    wanted, _, place = (role or "").partition("@")
    if wanted and wanted not in set(Role) - {Role.SYSTEM}:
        raise Refused("field.invalid", field="--role", reason=", ".join(each for each in Role if each != Role.SYSTEM))
    if wanted == Role.RESIDENT:
        return Actor(person=person, role=Role.RESIDENT)
    world = await read_world(conn)
    assert world.registry is not None, "a registry read from the ledger is never None"
    held = world.registry.assignments_of(person, office_day(datetime.now(UTC)))
    actors = [
        Actor(person=person, role=each.role, organisation=each.organisation, grid=each.grid)
        for each in held
        if (not wanted or each.role == wanted) and (not place or place in (each.organisation, each.grid))
    ]
    if not actors:
        if world.registry.person(person) is None:
            raise Refused("person.unknown", field="--as", person=person)
        raise Refused("actor.role_not_held", field="--role", person=person, role=role or "-")
    if len(actors) == 1:
        return actors[0]
    return choose_actor(process, await state_of(conn, stream), command, actors, datetime.now(UTC), world)


async def role_holder(conn: Connection, person: str, permission: str) -> Actor:
    """``person`` in the first of today's roles that holds the permission.

    Raises ``Refused``: ``person.unknown``, ``access.denied``.
    """
    registry = await read_registry(conn)
    if registry.person(person) is None:
        raise Refused("person.unknown", field="--as", person=person)
    held = registry.assignments_of(person, office_day(datetime.now(UTC)))
    actors = [Actor(person=person, role=each.role, organisation=each.organisation, grid=each.grid) for each in held]
    return authorize(Subject(person=person, holds=tuple(actors)), permission, registry)[0]


def choose_actor(
    process: Process[Any],
    state: Any,
    command: Mapping[str, Any],
    actors: Sequence[Actor],
    at: datetime,
    world: World,
) -> Actor:
    """The one of ``actors``, all the same person, in whose role the rules allow the command.

    Raises ``Refused``: what the rules say when they refuse it in every role for the same reason, else
    ``person.several_roles``.
    """
    parsed = parse_command(process, dict(command))
    fitting: list[Actor] = []
    refusals: list[Refused] = []
    for actor in actors:
        try:
            process.decide(state, parsed, actor, at, world)
        except Refused as refused:
            refusals.append(refused)
        else:
            fitting.append(actor)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and len({refused.code for refused in refusals}) == 1:
        raise refusals[0]
    roles = "、".join(f"{each.role}@{each.grid or each.organisation or '-'}" for each in actors)
    raise Refused("person.several_roles", field="--role", person=actors[0].person, roles=roles)


def new_command_id(given: str | None) -> str:
    """The command id to use. Raises ``Refused`` ``command.bad_id``."""
    try:
        return str(uuid.UUID(given)) if given else str(uuid.uuid4())
    except ValueError:
        raise Refused("command.bad_id", field="--command-id") from None
