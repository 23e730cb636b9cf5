"""What client, worker and replayer have in common.

Owns data converter, encryption and workflow runner, bundled so that the three cannot differ. Must not name any
workflow.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, PydanticPayloadConverter, ToJsonOptions
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from runtime.codec import PayloadKeys, Sealer
from runtime.eviction import LettingGoRunner
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
_JSON = PydanticJSONPlainPayloadConverter(ToJsonOptions(exclude_unset=True))
_OTHERS = tuple(each for each in PydanticPayloadConverter().converters.values() if each.encoding != _JSON.encoding)


class SealedPayloadConverter(CompositePayloadConverter):
    """Values as JSON by pydantic, encrypted; fields left at their default are not written.

    Encrypts here and not in a codec of the library's: a codec makes the library walk twice through every task of a
    workflow, which costs more than the encryption itself (docs/decisions/0033). What it writes is the same.

    The library makes a new converter for every task of a workflow; all of ours share their parts, which hold nothing
    but caches of what they know about types.
    """

    sealer: ClassVar[Sealer]

    def __init__(self) -> None:
        super().__init__(*_OTHERS, _JSON)

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """The values, encrypted; ``RawValue`` too."""
        # Ours are nearly all of the values; they need not be offered to each of the other converters first.
        return [self.sealer.seal(self._plain(each)) for each in values]

    def _plain(self, value: Any) -> Payload:
        own = _JSON.to_payload(value) if isinstance(value, BaseModel) else None
        return own or super().to_payloads([value])[0]

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """The values. Raises ``Refused`` ``payload.wrong_key``, and what pydantic raises for other types."""
        return super().from_payloads([self.sealer.unseal(each) for each in payloads], type_hints)


def bihuan_plugin(
    keys: PayloadKeys,
    *,
    sandboxed: bool = False,
    compresses: bool = False,
    metrics: Metrics = OFF,
    interceptors: Sequence[Interceptor] = (),
) -> SimplePlugin:
    """The plugin for ``Client.connect``, ``Worker`` and ``Replayer``.

    What Temporal keeps, failures included, is encrypted with ``keys``; there is no mode without. With ``compresses`` it
    is made smaller first; every process can read that.
    ``sandboxed`` guards workflow code against non-deterministic calls; tests use it. Production does without:
    the import rules keep workflow code pure, and the sandbox costs about a third of a worker's time.
    """
    return SimplePlugin(
        "bihuan",
        data_converter=DataConverter(
            payload_converter_class=_sealed_with(Sealer(keys, metrics, compresses=compresses)),
            failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
        ),
        interceptors=interceptors,
        workflow_runner=_runner(sandboxed),
    )


def _sealed_with(sealer: Sealer) -> type[SealedPayloadConverter]:
    # The library takes a class and makes the converters itself.
    return type("SealedPayloadConverter", (SealedPayloadConverter,), {"sealer": sealer})


def _runner(sandboxed: bool) -> WorkflowRunner:
    if not sandboxed:
        return LettingGoRunner()
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))
