"""Spans and how they leave the process. Needs the extra ``tracing``; imported only when a collector is set.

Owns what a span may say. Spans are made by the Temporal library's own interceptor around starts, updates, workflows and
activities, and by the doors around requests; none inside a rule. An exporter of ours stands before the one that sends:
names of code, ids and numbers pass, and nothing that somebody may have written (messages of errors, tracebacks).
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue
from temporalio.client import Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    HandleUpdateInput,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.worker import Interceptor as WorkerInterceptor
from temporalio.workflow import ActivityHandle

from domain.process import ActInput

_PATIENCE = 3
"""Seconds one attempt to send may take."""

SAID = frozenset(
    {
        "temporalWorkflowID",
        "temporalRunID",
        "temporalActivityID",
        "temporalActivityType",
        "temporalUpdateID",
        "http.request.method",
        "http.route",
        "http.response.status_code",
        "exception.type",
    }
)
"""The attributes that leave the process: random ids, names of code, numbers."""

_SERVER_MISTAKE = 500
_HEADER = "_tracer-data"
"""Where the library puts the trace."""
_PLAIN, _CARRIED = PayloadConverter.default, TraceContextTextMapPropagator()


class Spans:
    """The spans of one process, sent in batches by a thread of their own; when they pile up they are dropped."""

    def __init__(self, endpoint: str, service: str) -> None:
        # Not Resource.create: that asks the system for more than is ours to tell.
        resource = Resource(
            {
                "service.name": f"bihuan-{service}",
                "service.version": version("bihuan"),
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            }
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = Discreet(OTLPSpanExporter(endpoint=endpoint, timeout=_PATIENCE))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("bihuan")
        # The order matters: what follows the update must be asked before the library looks whose span is current.
        self.interceptors: Sequence[Interceptor] = (TracingInterceptor(self._tracer), _ActsFollowUpdates())

    @contextmanager
    def request(self, method: str) -> Iterator[Callable[[str, int], None]]:
        """A span around one request; what is called with route and status completes it."""
        with self._tracer.start_as_current_span(
            method, kind=SpanKind.SERVER, attributes={"http.request.method": method}
        ) as span:

            def answered(route: str, status: int) -> None:
                # The template of the route: the address itself may hold what somebody typed.
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", status)
                if status >= _SERVER_MISTAKE:
                    span.set_status(StatusCode.ERROR)

            yield answered

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


class _ActsFollowUpdates(Interceptor, WorkerInterceptor):
    """Lets the activity of an act belong to the trace of the request that sent it.

    The loop of the workflow starts it, and by itself the library would add it to the trace that began the workflow,
    weeks ago. Only headers differ by this; a replay needs none of it.
    """

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - the library's name
    ) -> type[WorkflowInboundInterceptor]:
        """The class whose instances stand around each workflow."""
        return _Follows


class _Follows(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._sent_with: dict[str, Context] = {}
        super().init(_Outbound(outbound, self._sent_with))

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002 - the library's name
        carrier = input.headers.get(_HEADER)
        if carrier is None:
            return await super().handle_update_handler(input)
        # An act is asked for by its number; the handler ends when it is answered.
        number = str(input.args[0].command_id)
        self._sent_with[number] = _CARRIED.extract(_PLAIN.from_payloads([carrier])[0])
        try:
            return await super().handle_update_handler(input)
        finally:
            self._sent_with.pop(number, None)


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, following: WorkflowOutboundInterceptor, sent_with: Mapping[str, Context]) -> None:
        super().__init__(following)
        self._sent_with = sent_with

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - the library's name
        with self._of(input.args):
            return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:  # noqa: A002 - as above
        with self._of(input.args):
            return super().start_local_activity(input)

    @contextmanager
    def _of(self, args: Sequence[Any]) -> Iterator[None]:
        sent = self._sent_with.get(args[0].command_id) if args and isinstance(args[0], ActInput) else None
        if sent is None:
            yield
            return
        token = attach(sent)
        try:
            yield
        finally:
            detach(token)


class Discreet(SpanExporter):
    """Hands spans on without what somebody may have written."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send what may be said of these spans."""
        return self._inner.export([_discreet(span) for span in spans])

    def shutdown(self) -> None:
        """No more is sent."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """As the exporter behind."""
        return self._inner.force_flush(timeout_millis)


def _discreet(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_said(span.attributes),
        events=[Event(each.name, _said(each.attributes), each.timestamp) for each in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _said(attributes: Mapping[str, AttributeValue] | None) -> dict[str, AttributeValue]:
    return {name: value for name, value in (attributes or {}).items() if name in SAID}
