"""What a command that failed says, and the exit code it ends with.

Owns the exit codes and the file to which mistakes of ours are written. A clerk never sees a traceback: it goes with
a number into ``<data>/logs/cli.log``; what a value was is not written there, for it may be personal.
"""

import os
import re
import sys
import traceback
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from console.output import note, show_error
from console.session import options, settings
from domain.errors import Refused
from domain.parsing import expected

DONE, REFUSED, USAGE, PENDING, INFRASTRUCTURE, MISTAKE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 3, 4, 70, 130, 141

_INFRASTRUCTURE = ("instance.", "postgres.", "temporal.", "ledger.schema_", "ledger.migration_", "ledger.disk_")

# Typer keeps its own copy of the class all wrong uses derive from; this is the public way to it.
_UsageError: type[BaseException] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")

# What Typer says in English and offers in no other way.
_NO_COMMAND = re.compile(r"No such command '(.*?)'\.")
_TOO_MUCH = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", re.DOTALL)
_CHOICES = re.compile(r"is not one of (.*?)\.$", re.DOTALL)


def tell(error: BaseException) -> int:
    """Say what went wrong, in one line, and return the exit code."""
    match error:
        case SystemExit() if not isinstance(error.__context__, BrokenPipeError):
            return error.code if isinstance(error.code, int) else MISTAKE
        case KeyboardInterrupt() | typer.Abort():
            note("已中断。", "Interrupted.")
            return INTERRUPTED
        case BrokenPipeError() | SystemExit():
            # The reader has seen enough (head, less); whatever is still buffered has nowhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return PIPE_CLOSED
        case Refused():
            return _refused(error)
        case _UsageError():
            return _refused(_wrong_use(error))
    server = _server_away(error)
    return _refused(server) if server is not None else _mistake(error)


def _refused(refused: Refused) -> int:
    show_error(refused.refusal)
    if refused.code == "command.pending":
        return PENDING
    if refused.code.startswith(_INFRASTRUCTURE):
        return INFRASTRUCTURE
    return USAGE if refused.code.startswith("cli.") else REFUSED


def _wrong_use(error: BaseException) -> Refused:
    """What Typer found wrong, in our words."""
    kind, message = type(error).__name__, str(getattr(error, "message", error))
    parameter = getattr(error, "param", None)
    option = str(getattr(error, "option_name", None) or "/".join(getattr(parameter, "opts", ())))
    match kind:
        case "NoSuchOption":
            return Refused("cli.unknown_option", field=option, name=option)
        case "MissingParameter":
            return _missing(parameter, option)
        case "BadOptionUsage" if message.endswith("requires an argument."):
            return Refused("cli.missing_value", field=option, name=option)
        case "BadParameter":
            zh, en = _wanted(error, message)
            return Refused("cli.bad_value", field=option, name=option, reason=zh, reason_en=en)
    commands = getattr(getattr(getattr(error, "ctx", None), "command", None), "commands", None)
    unknown = _NO_COMMAND.match(message)
    if commands and unknown:
        name = unknown.group(1)
        return Refused("cli.unknown_command", field=name, name=name, known=", ".join(commands))
    extra = _TOO_MUCH.match(message)
    if extra:
        return Refused("cli.too_many_values", values=extra.group(1))
    return Refused("cli.wrong_use", reason=message)


def _missing(parameter: Any, option: str) -> Refused:
    """An option is named as it is typed; an argument by what stands for it in the help, in English by its own name."""
    metavar, name = getattr(parameter, "metavar", None), str(getattr(parameter, "name", ""))
    if option.startswith("-"):
        zh = f"{option} {metavar}" if metavar else option
        return Refused("cli.missing_value", field=option, name=zh, name_en=option)
    return Refused("cli.missing_value", field=option, name=metavar or name, name_en=f"The argument '{name}'")


def _wanted(error: BaseException, message: str) -> tuple[str, str]:
    """What the value should have been, in Chinese and English."""
    choices = _CHOICES.search(message)
    if choices:
        known = choices.group(1).replace("'", "")
        return f"可填：{known}", f"one of: {known}"
    if isinstance(error.__cause__, ValidationError):
        return expected(error.__cause__.errors(include_url=False, include_input=False)[0])
    return message, message


def _server_away(error: BaseException) -> Refused | None:
    """The refusal for a server that went away in the middle of a command; None for any other error."""
    # Looked up, not imported: a command that has not used a library cannot have failed in it.
    postgres, temporal = sys.modules.get("asyncpg"), sys.modules.get("temporalio.service")
    if postgres is not None and isinstance(error, postgres.DiskFullError):
        return Refused("ledger.disk_full")
    if postgres is not None and isinstance(
        error,
        (
            postgres.PostgresConnectionError,
            postgres.InterfaceError,
            postgres.CannotConnectNowError,
            postgres.AdminShutdownError,
            postgres.CrashShutdownError,
            ConnectionError,
        ),
    ):
        return Refused("postgres.unreachable")
    if temporal is not None and isinstance(error, temporal.RPCError):
        return Refused("temporal.unreachable", address=error.status.name)
    return None


def _mistake(error: BaseException) -> int:
    number = uuid.uuid4().hex[:8]
    if options().debug:
        traceback.print_exception(error, file=sys.stderr)
    show_error(Refused("cli.mistake", number=number, log=_write_down(number, error)).refusal)
    return MISTAKE


def _write_down(number: str, error: BaseException) -> Path | str:
    """Where the mistake was written down: which code failed where, without the values it failed on."""
    lines = [f"{datetime.now(UTC).isoformat(timespec='seconds')} {number}"]
    link: BaseException | None = error
    while link is not None:
        lines += [entry.rstrip("\n") for entry in traceback.format_tb(link.__traceback__)]
        lines.append(f"{type(link).__module__}.{type(link).__qualname__}")
        link = link.__cause__ or link.__context__
    try:
        folder = settings().data / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "cli.log"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    except (OSError, Refused):
        return "--debug"
    return path
