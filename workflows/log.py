"""Logging from workflow code: structlog that is silent while a workflow is replayed."""

from typing import Any

import structlog
from temporalio import workflow


def log_once(event: str, *, level: str = "info", **values: Any) -> None:
    """Log ``event`` with the ids of the running workflow, once in its life.

    A replay runs the same code again for the same history; what it has to say was said the first time.
    """
    if workflow.unsafe.is_replaying():
        return
    info = workflow.info()
    with workflow.unsafe.sandbox_unrestricted():
        logger = structlog.get_logger("workflows")
        getattr(logger, level)(event, workflow_id=info.workflow_id, run_id=info.run_id, **values)
