"""Names that doors and workflows share: workflow types, ids, queues, messages and search attributes.

A workflow has the id of its stream, ``case-…`` or ``wish-…``; ids are random or keyed digests, never personal.
"""

from temporalio.common import SearchAttributeKey

WORKFLOW_TYPES = {"case": "Case", "wish": "Wish"}
"""The Temporal workflow type of each process."""

SUBMIT = "submit"
"""The update that takes one envelope and answers it."""

LOOK = "look"
"""The signal that makes the workflow ask the ledger what it has missed."""

STATE = "state"
"""The query that tells what the workflow holds in memory; for tests and support."""

STAGE = SearchAttributeKey.for_keyword("BihuanStage")
DEPARTMENT = SearchAttributeKey.for_keyword_list("BihuanDepartment")
STREET = SearchAttributeKey.for_keyword("BihuanStreet")
DUE = SearchAttributeKey.for_datetime("BihuanDue")
RULES = SearchAttributeKey.for_keyword("BihuanRules")


def department_queue(code: str) -> str:
    """The task queue of a department that runs a system of its own."""
    return f"department.{code}"


def workflow_id(stream: str) -> str:
    """The id of the workflow that hosts a stream."""
    return stream
