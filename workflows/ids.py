"""Names that doors and workflows share: workflow types, ids, queues, messages and search attributes.

A workflow has the id of its stream, ``case-…`` or ``wish-…``; ids are random or keyed digests, never personal.
"""

from typing import Any

from temporalio.common import SearchAttributeKey

from domain.process import Attributes

WORKFLOW_TYPES = {"case": "Case", "wish": "Wish"}
"""The Temporal workflow type of each process."""

SUBMIT = "submit"
"""The update that takes one envelope and answers it."""

LOOK = "look"
"""The signal that makes the workflow ask the ledger what it has missed."""

STATE = "state"
"""The query that tells what the workflow holds in memory; for tests and support."""

PHASE = SearchAttributeKey.for_keyword("BihuanPhase")
DEPARTMENT = SearchAttributeKey.for_keyword_list("BihuanDepartment")
STREET = SearchAttributeKey.for_keyword("BihuanStreet")
DUE = SearchAttributeKey.for_datetime("BihuanDue")
RULES = SearchAttributeKey.for_keyword("BihuanRules")


def shown(attributes: Attributes) -> dict[SearchAttributeKey[Any], Any]:
    """What Temporal's lists show of a process; None where there is nothing to show."""
    told = attributes.phase != ""
    return {
        PHASE: attributes.phase if told else attributes.stage,
        DEPARTMENT: list(attributes.departments),
        STREET: attributes.street,
        DUE: attributes.limit_at if told else attributes.due_at,
        RULES: attributes.rules_version,
    }


def department_queue(code: str) -> str:
    """The task queue of a department that runs a system of its own."""
    return f"department.{code}"


def workflow_id(stream: str) -> str:
    """The id of the workflow that hosts a stream."""
    return stream
