"""One log for the whole process, ours and the libraries'.

Owns the set-up of structlog and the standard library's logging. Must not decide what is worth logging. Events are
named in the past tense and carry ids and codes as keys, never residents' data.
"""

import io
import logging
import os
import re
import socket
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

# structlog draws tracebacks with rich where it finds it, and imports all of it for that: a tenth of a worker's start.
# Ours are plain, for those of rich show the values of variables. None in this place says that there is no such module.
_modules: MutableMapping[str, Any] = sys.modules
if _hides := "rich" not in _modules:
    _modules["rich"] = None
try:
    import structlog
    from structlog.types import EventDict, ExcInfo, Processor
finally:
    if _hides:
        del _modules["rich"]

# What moves a terminal's cursor, changes its colours or begins a line: only we may write those.
_FORGING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORGING_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


def _visible(match: re.Match[str]) -> str:
    return repr(match.group())[1:-1]


def _harmless(value: object) -> object:
    """The value with every sign that could forge a line or command a terminal written as its escape."""
    match value:
        case str():
            return _FORGING.sub(_visible, value)
        case Mapping():
            return {_harmless(name): _harmless(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_harmless(each) for each in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _FORGING.sub(_visible, str(value))


def _defuse(_logger: object, _method: str, entry: EventDict) -> EventDict:
    """Nobody who is logged writes lines of their own: one record is one line, but for tracebacks."""
    # What structlog itself puts in and takes out again, and exceptions, which have a renderer of their own.
    kept = {name: value for name, value in entry.items() if name.startswith("_") or name in ("exc_info", "stack")}
    return {str(_harmless(name)): _harmless(value) for name, value in entry.items() if name not in kept} | kept


def _traceback(stream: TextIO, error: ExcInfo) -> None:
    """A traceback whose every line is indented, so that none of them passes for a record."""
    written = io.StringIO()
    structlog.dev.plain_traceback(written, error)
    lines = _FORGING_BUT_LINES.sub(_visible, written.getvalue()).splitlines()
    stream.write("\n".join(f"  | {line}" for line in lines))


_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    _defuse,
)


def set_up_logging(
    level: str = "info",
    form: Literal["console", "json"] = "console",
    stream: TextIO | None = None,
    *,
    service: str = "bihuan",
) -> None:
    """Send every record of this process through one chain to ``stream`` (standard error by default), times in UTC.

    For machines each record also says what wrote it: ``service``, its version, and host and process as ``instance``.
    What is bound for the request or act under way (``request_id``, ``workflow_id``) is on each of its records.
    Calling it again replaces the earlier set-up, so a process never logs a line twice.
    """
    target = stream or sys.stderr
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *([_identity(service)] if form == "json" else []),
            *_renderers(form, target),
        ],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _identity(service: str) -> Processor:
    # Here, for it costs a command as much time as logging itself, and only machines ask for it.
    from importlib.metadata import version

    known = {"service": service, "version": version("bihuan"), "instance": f"{socket.gethostname()}:{os.getpid()}"}

    def identify(_logger: object, _method: str, entry: EventDict) -> EventDict:
        return {**entry, **known}

    return identify


def _renderers(form: Literal["console", "json"], target: TextIO) -> list[Processor]:
    # Tracebacks without the values of local variables: those may hold residents' data.
    if form == "json":
        transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(transform),
            _defuse,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return [structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=_traceback, pad_event_to=30)]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for the module ``name``; not for workflow code, which would log again on every replay."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
