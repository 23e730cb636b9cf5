"""How tests log: to standard output, which pytest keeps and shows with a failure."""

import structlog


def log_plainly() -> None:
    """Tracebacks as they are, as every entry point has them.

    The renderer of structlog's own choice draws each frame with its variables, for seconds, in the loop that all
    servers under test share.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    )
