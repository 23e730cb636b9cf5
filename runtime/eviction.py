"""Workflows that leave nothing behind when they leave a worker's cache.

Owns the runner of workflow code outside the sandbox. Must not know any workflow.
"""

import gc
from typing import Any

from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info


class LettingGoRunner(UnsandboxedWorkflowRunner):
    """Runs workflows as the library's does, and frees the memory of each as soon as it was evicted.

    The parts of the library's instance name each other in rings, so that without this they wait for Python's collector,
    which comes when a quarter as much has gathered as the whole cache holds, and then walks through all of the cache.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Implements ``WorkflowRunner.create_instance``."""
        return _Instance(super().create_instance(det))


class _Instance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner

    def activate(self, act: Any) -> Any:
        done = self._inner.activate(act)
        # The last thing that is asked of it. Where tasks of the workflow resist, the line above raises and the library
        # comes again.
        if any(job.HasField("remove_from_cache") for job in act.jobs):
            held = vars(self._inner)
            # A future that is freed later still asks its loop whether it is being deleted: what is no part of a ring
            # stays.
            for name in [name for name, value in held.items() if gc.is_tracked(value)]:
                del held[name]
        return done

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Info:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
