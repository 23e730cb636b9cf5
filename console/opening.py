"""Opening a process at any door: what was written goes to the vault, what travels is redacted.

Owns the step from what somebody wrote to a command, its stream and its private part. Must not send anything.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.acts import clean
from console.desk import stream_of
from domain.errors import Refused
from domain.processes import PROCESSES
from domain.text import normalise

_REPORTER = ("name", "phone", "address")


@dataclass(frozen=True)
class Opening:
    """A process about to be opened.

    ``private`` goes to the vault under the names the command refers to; ``masked`` names the fields in which something
    was masked. ``command_id`` is None where the number of another system names the process and nobody gave an id.
    """

    stream: str
    command: dict[str, Any]
    private: dict[str, str]
    masked: tuple[str, ...]
    command_id: str | None


def prepare_opening(process: str, kind: str, given: Mapping[str, Any], command_id: str | None = None) -> Opening:
    """The opening that ``given`` describes; ``reporter`` (name, phone, address) may be part of it.

    The number of another system names the process; otherwise the command id does, so that either may be repeated
    without a second process. Raises ``Refused`` ``field.invalid`` and ``field.unknown`` for the reporter.
    """
    raw = {"kind": kind, **given}
    reporter = _reporter(raw.pop("reporter", None))
    private = {"wording": _wording(raw)} | {f"reporter_{name}": value for name, value in reporter.items()}
    cleaned = clean(PROCESSES[process], raw)
    command = cleaned.command
    numbered = isinstance(command.get("source"), str) and isinstance(command.get("external_id"), str)
    if numbered:
        stream = stream_of(process, str(command["source"]), str(command["external_id"]))
    else:
        command_id = command_id or str(uuid.uuid4())
        stream = stream_of(process, "command", command_id)
    command["wording"] = f"{stream}/wording"
    if reporter:
        command["reporter"] = f"{stream}/reporter"
    return Opening(stream, command, private, cleaned.masked, command_id)


def _reporter(given: object) -> dict[str, str]:
    """What is known of the reporter. Raises ``Refused`` ``field.invalid`` and ``field.unknown``."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Refused("field.invalid", field="reporter", reason="{name, phone, address}")
    found: dict[str, str] = {}
    for name, value in given.items():
        if name not in _REPORTER:
            raise Refused("field.unknown", field=f"reporter.{name}")
        if not isinstance(value, str):
            raise Refused("field.invalid", field=f"reporter.{name}", reason="text")
        if normalise(value):
            found[name] = normalise(value)
    return found


def _wording(given: Mapping[str, Any]) -> str:
    """The title and text as they were written."""
    return "\n".join(str(given[name]) for name in ("title", "text") if name in given)
