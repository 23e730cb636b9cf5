"""One log for the whole process, ours and the libraries'.

Owns the set-up of structlog and the standard library's logging. Must not decide what is worth logging. Events are
named in the past tense and carry ids and codes as keys, never residents' data.
"""

import logging
import sys
from typing import Literal, TextIO

import structlog
from structlog.types import Processor

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)


def set_up_logging(
    level: str = "info", form: Literal["console", "json"] = "console", stream: TextIO | None = None
) -> None:
    """Send every record of this process through one chain to ``stream`` (standard error by default), times in UTC.

    Calling it again replaces the earlier set-up, so a process never logs a line twice.
    """
    target = stream or sys.stderr
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(form, target)],
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


def _renderers(form: Literal["console", "json"], target: TextIO) -> list[Processor]:
    # Tracebacks without the values of local variables: those may hold residents' data.
    if form == "json":
        transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(transform),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=30
        )
    ]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for the module ``name``; not for workflow code, which would log again on every replay."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
