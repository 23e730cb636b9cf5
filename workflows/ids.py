"""Names that doors and workflows share: workflow types, ids, queues, messages and search attributes.

A workflow has the id of its stream, ``case-…`` or ``wish-…``; ids are random or keyed digests, never personal.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from temporalio.common import Priority, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from domain.process import Attributes
from domain.rules import Urgency

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


def shown_at_start(attributes: TypedSearchAttributes) -> dict[SearchAttributeKey[Any], Any]:
    """The same of what a workflow was begun with, or has taken over from the run before."""
    nothing: dict[SearchAttributeKey[Any], Any] = {DEPARTMENT: []}
    keys: tuple[SearchAttributeKey[Any], ...] = (PHASE, DEPARTMENT, STREET, DUE, RULES)
    return {key: attributes.get(key, nothing.get(key)) for key in keys}


TELLING = (PHASE, DEPARTMENT, DUE)
"""What is told as soon as it changes; the rest is told with it."""


def at_start(phase: str) -> TypedSearchAttributes:
    """What Temporal's lists show of a process that is about to open."""
    return TypedSearchAttributes([SearchAttributePair(PHASE, phase)])


def department_queue(code: str) -> str:
    """The task queue of a department that runs a system of its own."""
    return f"department.{code}"


def workflow_id(stream: str) -> str:
    """The id of the workflow that hosts a stream."""
    return stream


GRADES: Mapping[str, int] = MappingProxyType(
    {Urgency.EMERGENCY: 1, Urgency.LIVELIHOOD: 2, Urgency.GENERAL: 3, Urgency.COMPLEX: 3}
)
"""Where the work of a case stands in the queues, by its urgency: smaller goes first, 3 is what Temporal takes."""

_WISH_GRADE = 4
_LONGEST_KEY = 64


def priority_of(process: str, urgency: str | None) -> Priority:
    """Where the work of a process stands in Temporal's queues. It stays so for its life, unless somebody changes it."""
    return Priority(priority_key=GRADES.get(urgency or "", 3) if process == "case" else _WISH_GRADE)


def turn_of(organisation: str | None) -> Priority:
    """Hand-overs to one department take turns with those to others that wait in the same queue.

    The grade is that of the process. Temporal takes at most 64 bytes; a longer code has its digest instead.
    """
    code = organisation or ""
    if len(code.encode()) > _LONGEST_KEY:
        code = hashlib.sha256(code.encode()).hexdigest()
    return Priority(fairness_key=code)
