"""What the worker counts of acts: how they ended, what was recorded, how late, how long it took.

Owns the translation of an act into labels. Labels are the kinds and codes this release knows; whatever else somebody
sends is counted as ``unknown``, so that nobody outside can make them many. Decides nothing and is asked by no rule.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_args

from temporalio import exceptions, workflow
from temporalio.worker import (
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from domain.case.commands import Command as CaseCommand
from domain.case.events import ClockExpired, RungReached
from domain.process import ActInput, Envelope, Event, Outcome
from domain.processes import PROCESSES
from domain.refusals import CATALOGUE
from domain.wish import Command as WishCommand
from runtime.metrics import Metrics

UNKNOWN, TIME, REPORT = "unknown", "time_passes", "report"
_ARCHIVED = "archived"


def _kinds(command: Any) -> frozenset[str]:
    return frozenset(str(model.model_fields["kind"].default) for model in get_args(get_args(command)[0]))


KINDS: Mapping[str, frozenset[str]] = MappingProxyType({"case": _kinds(CaseCommand), "wish": _kinds(WishCommand)})
"""The kinds of commands of each process."""


def kind_of(process: str, envelope: Envelope) -> str:
    """The kind of the command as a label."""
    kind = envelope.command.get("kind")
    return kind if isinstance(kind, str) and kind in KINDS.get(process, ()) else UNKNOWN


def code_of(code: str | None) -> str:
    """The code of a refusal as a label."""
    return code if code in CATALOGUE else UNKNOWN


_REMEMBERED = 10_000


class Tally:
    """Counts one act after the other into ``metrics``.

    Remembers attempts that ended without anybody knowing whether they were recorded: when a later one finds that they
    were, they are counted then.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self._uncertain: OrderedDict[str, None] = OrderedDict()
        for process, kinds in KINDS.items():
            for kind in (*kinds, TIME):
                for end in ("recorded", "failed"):
                    metrics.count("bihuan_acts_total", 0, process=process, kind=kind, end=end)
        metrics.count("bihuan_loops_closed_total", 0)
        metrics.count("bihuan_codec_failures_total", 0)

    def begin(self, given: ActInput) -> "Counted":
        """Begin to count an act."""
        return Counted(self, given)

    def remember(self, command_id: str) -> None:
        """Nobody knows what became of this attempt."""
        self._uncertain[command_id] = None
        if len(self._uncertain) > _REMEMBERED:
            self._uncertain.popitem(last=False)

    def recall(self, command_id: str) -> bool:
        """Whether an attempt at this command was remembered; from now on it is not."""
        return self._uncertain.pop(command_id, self) is None


class Counted:
    """One act under way; ``told`` hears what it recorded, ``end`` closes it."""

    def __init__(self, tally: Tally, given: ActInput) -> None:
        self._tally, self._metrics = tally, tally.metrics
        self._given, self._began = given, time.perf_counter()
        self._facts: Sequence[Event] = ()
        self._kinds: Sequence[str] = ()
        # What comes from Temporal may name a process that this release has not.
        self._process = given.process if given.process in PROCESSES else UNKNOWN

    def told(self, facts: Sequence[Event]) -> None:
        """Hear what has been recorded."""
        self._facts, self._kinds = facts, [str(getattr(fact, "kind", UNKNOWN)) for fact in facts]

    def end(self, outcome: Outcome | None) -> None:
        """The act has ended with this outcome; None when it will be tried again."""
        metrics, process = self._metrics, self._process
        self._make_up(outcome)
        end = self._how(outcome)
        metrics.record("bihuan_act_seconds", time.perf_counter() - self._began, process=process, end=end)
        metrics.count("bihuan_acts_total", process=process, kind=self._kind(), end=end)
        if outcome is not None and outcome.refusal is not None:
            code = code_of(outcome.refusal.code)
            metrics.count("bihuan_refusals_total", process=process, kind=self._kind(), code=code, by="ledger")
        for kind in self._kinds:
            metrics.count("bihuan_events_total", process=process, kind=kind)
            if kind == _ARCHIVED:
                metrics.count("bihuan_loops_closed_total")
        for fact in self._facts:
            self._say_how_late(fact)

    def _make_up(self, outcome: Outcome | None) -> None:
        """Count what an earlier attempt has recorded and could not tell."""
        if outcome is None:
            self._tally.remember(self._given.command_id)
        elif self._tally.recall(self._given.command_id) and outcome.answer is not None and not self._kinds:
            self._kinds = outcome.answer.kinds

    def _how(self, outcome: Outcome | None) -> str:
        if outcome is None:
            return "failed"
        if outcome.refusal is not None:
            return "failed" if outcome.refusal.code in ("command.failed", "ledger.disk_full") else "refused"
        if self._kinds:
            return "recorded"
        return "nothing" if outcome.answer is None else "repeated"

    def _kind(self) -> str:
        if self._given.envelope is not None:
            return kind_of(self._given.process, self._given.envelope)
        return TIME if self._given.report is None else REPORT

    def _say_how_late(self, fact: Event) -> None:
        match fact:
            case ClockExpired():
                self._late("light", (fact.at - fact.due_at).total_seconds())
            case RungReached():
                self._late("rung", (fact.at - fact.stood_at).total_seconds())

    def _late(self, what: str, seconds: float) -> None:
        self._metrics.record("bihuan_said_late_seconds", max(0.0, seconds), what=what)


class CountsDryRuns(Interceptor):
    """Counts what the dry run of a workflow refuses: no activity, and no event of the history, ever tells of it.

    A dry run is not repeated in a replay, so each refusal is counted once.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 - the library's name
    ) -> type[WorkflowInboundInterceptor]:
        """The class whose instances stand around each workflow."""
        return type("_Counting", (_DryRun,), {"metrics": self._metrics})


class _DryRun(WorkflowInboundInterceptor):
    metrics: Metrics

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002 - the library's name
        try:
            super().handle_update_validator(input)
        except exceptions.ApplicationError as error:
            self._count(input.args[0], error.type)
            raise

    def _count(self, envelope: Envelope, code: str | None) -> None:
        process = workflow.info().workflow_id.partition("-")[0]
        process = process if process in PROCESSES else UNKNOWN
        kind = kind_of(process, envelope)
        self.metrics.count("bihuan_refusals_total", process=process, kind=kind, code=code_of(code), by="workflow")
