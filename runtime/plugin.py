"""What client, worker and replayer have in common.

Owns data converter, encryption and workflow runner, bundled so that the three cannot differ. Must not name any
workflow.
"""

from collections import OrderedDict
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

from domain.base import Frozen, Recalled
from runtime.codec import PayloadKeys, Sealer
from runtime.eviction import LettingGoRunner
from runtime.metrics import OFF, Metrics
from runtime.walks import leave_out_walks

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
_CONVERTERS = {each.encoding.encode(): each for each in (*_OTHERS, _JSON)}


class Recent:
    """The last values that were sealed or opened, by what they are sealed to.

    What one part of a worker seals, another opens at once: a workflow what it gives to a local activity and takes from
    it, and the library opens every update twice. Of values that cannot be changed the first is as good as the second;
    the JSON that stands in some of them is parsed where it is needed, and written into by nobody.
    """

    def __init__(self, room: int = 64) -> None:
        self._room = room
        self._values: OrderedDict[bytes, Frozen | Recalled] = OrderedDict()

    def keep(self, sealed: Payload, value: Any) -> None:
        """Remember ``value`` if it is one that cannot be changed, and forget the oldest."""
        if isinstance(value, Frozen | Recalled):
            self._values[sealed.data] = value
            if len(self._values) > self._room:
                self._values.popitem(last=False)

    def value_of(self, sealed: Payload, wanted: type) -> Any:
        """The value if it is remembered and of the very type ``wanted``, else None.

        It is known by all of its bytes; those of an encrypted payload begin with a number that is never used again.
        """
        value = self._values.get(sealed.data)
        return value if type(value) is wanted else None


class SealedPayloadConverter(CompositePayloadConverter):
    """Values as JSON by pydantic, encrypted; fields left at their default are not written.

    Encrypts here and not in a codec of the library's: a codec makes the library walk through every task of a
    workflow, which costs more than the encryption itself (docs/decisions/0033). What it writes is the same.

    What it has sealed or opened a moment ago it need not open again (docs/decisions/0043).

    The library makes new converters for every task of a workflow; all of ours share their parts, which hold nothing
    but caches of what they know about types.
    """

    sealer: ClassVar[Sealer]
    recent: ClassVar[Recent]

    def __init__(self) -> None:
        super().__init__()
        self.converters = _CONVERTERS

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        """The values, encrypted; ``RawValue`` too."""
        return [self._sealed(each) for each in values]

    def _sealed(self, value: Any) -> Payload:
        # Ours are nearly all of the values; they need not be offered to each of the other converters first.
        own = _JSON.to_payload(value) if isinstance(value, BaseModel) else None
        sealed = self.sealer.seal(own or super().to_payloads([value])[0])
        self.recent.keep(sealed, value)
        return sealed

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """The values. Raises ``Refused`` ``payload.wrong_key``, and what pydantic raises for other types."""
        if type_hints is None or len(type_hints) != len(payloads):
            return super().from_payloads([self.sealer.unseal(each) for each in payloads], type_hints)
        return [self._opened(*each) for each in zip(payloads, type_hints, strict=True)]

    def _opened(self, payload: Payload, wanted: type) -> Any:
        known = self.recent.value_of(payload, wanted)
        if known is not None:
            return known
        value = super().from_payloads([self.sealer.unseal(payload)], [wanted])[0]
        self.recent.keep(payload, value)
        return value


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
    leave_out_walks()
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
    return type("SealedPayloadConverter", (SealedPayloadConverter,), {"sealer": sealer, "recent": Recent()})


def _runner(sandboxed: bool) -> WorkflowRunner:
    if not sandboxed:
        return LettingGoRunner()
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH))
