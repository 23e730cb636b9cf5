"""What client, worker and replayer have in common.

Owns data converter, codec and workflow runner, bundled so that the three cannot differ. Must not name any workflow.
"""

from collections.abc import Sequence

from temporalio.client import Interceptor
from temporalio.contrib.pydantic import PydanticPayloadConverter, ToJsonOptions
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from runtime.codec import EncryptingCodec, PayloadKeys
from runtime.metrics import OFF, Metrics

# The sandbox imports the module of a workflow, and all it imports, once more for every run, except these:
_PASSED_THROUGH = (
    # pure or replay-safe, and costly to import again
    *("domain", "pydantic", "pydantic_core", "annotated_types", "structlog", "opentelemetry"),
    # what only tests import beside their workflows; a compiled extension that is initialised twice in one process
    # (asyncpg does not forbid it) crashes that process later
    *("ledger", "activities", "runtime", "asyncpg", "cryptography", "psutil", "yaml", "python_calamine"),
    *("pytest", "hypothesis"),
)


# What a value was not given it says nothing of: a third of the bytes in Temporal's history would be "null".
_CONVERTERS = tuple(PydanticPayloadConverter(ToJsonOptions(exclude_unset=True)).converters.values())


class SharedPydanticPayloadConverter(CompositePayloadConverter):
    """Values as JSON by pydantic; fields left at their default are not written.

    The library makes a new payload converter for every task of a workflow; all of ours share their parts, which
    hold nothing but caches of what they know about types.
    """

    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)


def bihuan_plugin(
    keys: PayloadKeys, *, sandboxed: bool = False, metrics: Metrics = OFF, interceptors: Sequence[Interceptor] = ()
) -> SimplePlugin:
    """The plugin for ``Client.connect``, ``Worker`` and ``Replayer``.

    What Temporal keeps, failures included, is encrypted with ``keys``; there is no mode without.
    ``sandboxed`` guards workflow code against non-deterministic calls; tests use it. Production does without:
    the import rules keep workflow code pure, and the sandbox costs about a third of a worker's time.
    """
    return SimplePlugin(
        "bihuan",
        data_converter=DataConverter(
            payload_converter_class=SharedPydanticPayloadConverter,
            failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
            payload_codec=EncryptingCodec(keys, metrics),
        ),
        interceptors=interceptors,
        workflow_runner=_runner(sandboxed),
    )


def _runner(sandboxed: bool) -> WorkflowRunner:
    if not sandboxed:
        return UnsandboxedWorkflowRunner()
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))
