"""Changing where the work of an open case stands in Temporal's queues, when it has become more or less pressing.

Owns that one request to Temporal. What is pressing is the ledger's to say; this only lets the queues know.
"""

from datetime import timedelta

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import UpdateWorkflowExecutionOptionsRequest
from temporalio.client import Client
from temporalio.service import RPCError

from runtime.logging import get_logger
from workflows.ids import priority_of, workflow_id

_log = get_logger(__name__)

_PATIENCE = timedelta(seconds=2)


async def regrade(client: Client, stream: str, process: str, urgency: str) -> bool:
    """Let the work of an open process stand where its urgency of now belongs; whether Temporal took it.

    Never raises for Temporal: the act that changed the urgency is recorded, and a place in a queue is no promise.
    """
    request = UpdateWorkflowExecutionOptionsRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id(stream)),
        workflow_execution_options=WorkflowExecutionOptions(
            priority=Priority(priority_key=priority_of(process, urgency).priority_key or 0)
        ),
        update_mask=FieldMask(paths=["priority"]),
    )
    try:
        await client.workflow_service.update_workflow_execution_options(request, timeout=_PATIENCE)
    except RPCError as error:
        _log.warning("case_not_regraded", stream=stream, status=error.status.name)
        return False
    return True
