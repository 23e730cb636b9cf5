"""What is counted and measured of a running process, for Prometheus.

Owns the list of our own metrics: name, kind, labels, meaning. They go through the meter of the Temporal library and so
stand in one exposition with its own (``temporal_…``); without an exposition nothing is kept and a call costs next to
nothing. A label has few values, all known beforehand: kinds of acts, codes of refusals, doors. Never an id, a name or
anything somebody typed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from temporalio.common import MetricCounter, MetricGaugeFloat, MetricHistogramFloat, MetricMeter

_SHORT = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between which an answer is told apart."""
_LATE = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Seconds between which lateness is told apart."""


@dataclass(frozen=True)
class Spec:
    """One metric: ``labels`` are those every value of it has, ``buckets`` the upper bounds of a histogram."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


SPECS: tuple[Spec, ...] = (
    Spec("bihuan_build_info", "gauge", ("service", "version"), "1; its labels say what runs here"),
    Spec("bihuan_process_memory_bytes", "gauge", (), "Resident memory of this process"),
    Spec("bihuan_process_cpu_seconds", "gauge", (), "Processor time of this process since its start"),
    Spec("bihuan_pool_connections", "gauge", ("state",), "PostgreSQL connections of this process, used and idle"),
    Spec("bihuan_pool_limit", "gauge", (), "Most PostgreSQL connections this process may open"),
    Spec("bihuan_ledger_up", "gauge", (), "1 when the ledger answered when this was asked, else 0"),
    Spec("bihuan_temporal_up", "gauge", (), "1 when Temporal answered when this was asked, else 0"),
    Spec("bihuan_codec_failures_total", "counter", (), "Payloads of Temporal that no key of this process opens"),
    # --- the worker: acts
    Spec("bihuan_acts_total", "counter", ("process", "kind", "end"), "Acts by kind and how they ended in the ledger"),
    Spec("bihuan_act_seconds", "histogram", ("process", "end"), "How long deciding and recording took", _SHORT),
    Spec(
        "bihuan_refusals_total",
        "counter",
        ("process", "kind", "code", "by"),
        "Refused acts by kind and code; by the workflow's dry run, or by the ledger",
    ),
    Spec("bihuan_events_total", "counter", ("process", "kind"), "Facts recorded, by kind"),
    Spec("bihuan_loops_closed_total", "counter", (), "Cases archived: the loop is closed"),
    Spec("bihuan_said_late_seconds", "histogram", ("what",), "How late a red light or a rung was recorded", _LATE),
    # --- the worker: what stands in the ledger
    Spec("bihuan_open_cases", "gauge", ("light",), "Open cases by their light: green, yellow, red"),
    Spec("bihuan_outbox_depth", "gauge", ("stage",), "Notices to be routed, deliveries waiting, failed today"),
    Spec("bihuan_outbox_age_seconds", "gauge", ("stage",), "For how long the oldest of them should have been done"),
    Spec("bihuan_clock_lag_seconds", "gauge", (), "How long ago the oldest awaited moment came"),
    Spec("bihuan_clocks_overslept", "gauge", (), "Processes whose awaited moment has come and gone"),
    Spec("bihuan_projection_lag_seconds", "gauge", ("of",), "How far what is read lies behind what is recorded"),
    # --- the console
    Spec("bihuan_door_answers_total", "counter", ("door", "status"), "Requests answered by door and HTTP status"),
    Spec("bihuan_door_answer_seconds", "histogram", ("door", "asked"), "Until the answer began, by door", _SHORT),
    Spec("bihuan_door_refusals_total", "counter", ("door", "code"), "Refusals told at a door, throttles among them"),
    Spec("bihuan_act_answer_seconds", "histogram", ("process", "end"), "From the door to the answer of an act", _SHORT),
)
"""Every metric of ours. The page docs/observability.md says what each means to whoever watches."""


class Metrics:
    """The metrics of one process. Without a meter nothing is kept."""

    def __init__(self, meter: MetricMeter | None = None) -> None:
        given = MetricMeter.noop if meter is None else meter
        self.are_kept = meter is not None
        self._counters: Mapping[str, MetricCounter] = MappingProxyType(
            {each.name: given.create_counter(each.name, each.meaning) for each in SPECS if each.kind == "counter"}
        )
        self._histograms: Mapping[str, MetricHistogramFloat] = MappingProxyType(
            {
                each.name: given.create_histogram_float(each.name, each.meaning)
                for each in SPECS
                if each.kind == "histogram"
            }
        )
        self._gauges: Mapping[str, MetricGaugeFloat] = MappingProxyType(
            {each.name: given.create_gauge_float(each.name, each.meaning) for each in SPECS if each.kind == "gauge"}
        )

    def count(self, name: str, by: int = 1, /, **labels: str) -> None:
        """Add to a counter; adding 0 makes its series exist, so that its first increase is seen as one."""
        self._counters[name].add(by, labels)

    def record(self, name: str, value: float, /, **labels: str) -> None:
        """Put one value into a histogram, seconds."""
        self._histograms[name].record(value, labels)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._gauges[name].set(value, labels)


OFF = Metrics()
"""Keeps nothing."""
