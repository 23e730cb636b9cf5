"""The shell that hosts any process as a Temporal workflow: it orders and remembers, one activity decides and records.

Owns the loop: take the next envelope, or time itself when the alarm rings; let ``act`` decide and record it; fold
the returned events; follow the returned plan. One command at a time, nothing to interleave. Must not hold a rule:
a replay folds recorded outcomes and never decides again.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from typing import Any, ClassVar, NoReturn

from temporalio import exceptions, workflow
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributeUpdate

from workflows import ids
from workflows.log import log_once

with workflow.unsafe.imports_passed_through():
    from domain.errors import Refusal, Refused
    from domain.limits import limit
    from domain.parsing import parse_envelope
    from domain.process import (
        ACT,
        HAND_OVER,
        ActInput,
        Answer,
        Envelope,
        HandOverResult,
        Json,
        Outcome,
        Plan,
        Process,
        Report,
        Start,
        Task,
        World,
    )

# How long an act may try locally. Longer than a slow commit, shorter than the workflow task it runs in (10 s).
LOCAL_ACT = timedelta(seconds=4)
LOCAL_ATTEMPT = timedelta(seconds=3)
# Attempts are counted as well: the time to close ends an attempt that hangs, but not a row of quick failures.
LOCAL_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=1), maximum_attempts=6
)

# When the ledger is away the same act runs as a normal activity until it is back; there is no last attempt.
PATIENT_ATTEMPT = timedelta(seconds=30)
PATIENT_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10))

# A department may work on a task for as long as the case lives; its own failures are tried again a few times.
# It says at least this often that it is still at it, also when it answers asynchronously; else people take over.
HAND_OVER_LIFE = timedelta(days=3650)
HAND_OVER_SIGN_OF_LIFE = timedelta(minutes=10)
HAND_OVER_RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1), maximum_attempts=5
)
STOCK_LIFE = timedelta(seconds=4)

# An opening that never came, or time that the ledger refuses, is looked at again after this long.
SECOND_LOOK = timedelta(minutes=5)
# The change by which a process without an opening asks the ledger before it ends.
_ASKS_THE_LEDGER = "asks-the-ledger"

_NAMES = uuid.UUID("6f0c1f0e-0d7b-4a55-9d7c-51a3f6a1b1c4")


_Handle = workflow.ActivityHandle[Report]


class _Item:
    """An envelope, or a department's report, waiting for its turn and then for its sender to read the answer."""

    def __init__(
        self,
        command_id: str,
        *,
        envelope: Envelope | None = None,
        task: Task | None = None,
        report: Report | None = None,
    ) -> None:
        self.command_id = command_id
        self.envelope = envelope
        self.task = task
        self.report = report
        self.outcome: Outcome | None = None


class Shell:
    """The host of one process. A process definition inherits it and names its rules in ``process``.

    Guarantees: an answered command is in the ledger; commands take effect in the order of their answers; a command
    id takes effect once; an alarm that is due is acted on before the next command.
    """

    process: ClassVar[Process[Any]]

    def __init__(self, start: Start) -> None:
        # Handlers of the first task run before ``run``: everything they need exists from here on.
        self._stream = start.stream
        self._state: Any = None if start.state is None else self.process.read_state(start.state)
        self._seq = start.seq
        self._hash = start.hash
        self._plan: Plan | None = start.plan
        self._inbox: deque[_Item] = deque()
        self._timers: list[datetime] = []
        self._second_look: datetime | None = None
        self._asked_to_look = False
        self._handed_over: set[str] = set(start.handed_over)
        self._hand_overs: dict[str, tuple[Task, _Handle, bool]] = {}
        self._over = False
        # What Temporal's lists show; None where an older release began the workflow and did not say.
        self._shown: dict[SearchAttributeKey[Any], Any] | None = None
        self._sparing = start.sparing
        if start.sparing:
            self._shown = ids.shown_at_start(workflow.info().typed_search_attributes)
        elif start.plan is not None and start.plan.attributes.phase:
            self._shown = ids.shown(start.plan.attributes)

    # --- messages -------------------------------------------------------------------------------------------------

    @workflow.update(name=ids.SUBMIT, description="One command of a person; answered when it is in the ledger.")
    async def submit(self, envelope: Envelope) -> Answer:
        """Take the envelope into the inbox and answer when its turn has come.

        Fails with ``ApplicationError`` whose type is the code of the refusal and whose first detail is the refusal; a
        dry run adds ``judged_at``, the last event it knew of.
        """
        item = _Item(envelope.command_id, envelope=envelope)
        self._inbox.append(item)
        # While this waits, earlier envelopes, alarms and reports are acted on, each as a whole.
        await workflow.wait_condition(lambda: item.outcome is not None)
        assert item.outcome is not None
        if item.outcome.refusal is not None:
            _refuse(item.outcome.refusal)
        assert item.outcome.answer is not None
        return item.outcome.answer

    @submit.validator
    def _dry_run(self, envelope: Envelope) -> None:
        """Refuse what the present state already refuses; a refusal here costs no history event.

        The world is empty here, so that only state and pinned rules can refuse; ``act`` decides for good.
        """
        try:
            command = parse_envelope(self.process, envelope)
            if self._state is None and command.kind in self.process.opening:
                return  # there is nothing to judge an opening by
            if envelope.known_seq > self._seq:
                return  # an outcome has not reached this workflow yet; the ledger will judge, and tell it
            self.process.decide(self._state, command, envelope.actor, workflow.now(), World())
        except Refused as refused:
            _refuse(refused.refusal, judged_at=self._seq)

    @workflow.signal(name=ids.LOOK, description="Ask the ledger what this workflow has missed.")
    def look(self) -> None:
        """Let time pass at once: what the ledger holds and this workflow does not is learnt, and its plan followed.

        For a workflow that fell behind by the loss of a part of Temporal's store, or by a reset.
        """
        self._asked_to_look = True

    @workflow.query(name=ids.STATE, description="What the workflow holds in memory.")
    def state(self) -> Start:
        """The state as the next act would be given it."""
        return self._as_start()

    # --- the loop -------------------------------------------------------------------------------------------------

    async def host(self) -> str:
        """Host the process until its plan is finished; the answer is its last stage."""
        if self._plan is not None:
            self._follow(self._plan, stage_before=self._plan.stage)
        elif not self._inbox:
            self._look_again()
        while not self._over or self._inbox or not workflow.all_handlers_finished():
            await workflow.wait_condition(self._has_work)
            await self._step()
            if self._may_continue_as_new():
                # The answers of finished handlers leave with this task; hand-overs under way are begun again.
                workflow.continue_as_new(self._as_start())
        self._cancel_hand_overs(frozenset())
        return self._plan.stage if self._plan else "refused"

    async def _step(self) -> None:
        if self._alarm_rings() or self._asked_to_look:
            await self._time_passes()
        elif self._inbox:
            item = self._inbox.popleft()
            item.outcome = await self._act(item)
            if item.outcome.refusal is not None and item.envelope is None:
                self._fall_back(item)
        elif (done := self._ended_hand_over()) is not None:
            self._receive(done)
        if self._state is None and not self._inbox and self._second_look is None:
            self._over = True  # a refused opening ends the workflow at once

    def _has_work(self) -> bool:
        if self._over:
            return bool(self._inbox) or workflow.all_handlers_finished()
        if self._inbox or self._asked_to_look or self._alarm_rings() or self._ended_hand_over() is not None:
            return True
        return self._may_continue_as_new()

    def _may_continue_as_new(self) -> bool:
        suggested = workflow.info().is_continue_as_new_suggested()
        waits = self._inbox or self._asked_to_look
        return suggested and not self._over and not waits and workflow.all_handlers_finished()

    # --- acting ---------------------------------------------------------------------------------------------------

    async def _act(self, item: _Item) -> Outcome:
        """Let the ledger decide and record one command, then fold what it recorded and follow its plan."""
        # Without the state: the worker remembers it by seq and hash, or folds it from the ledger.
        given = ActInput(
            process=self.process.name,
            stream=self._stream,
            seq=self._seq,
            hash=self._hash,
            at=workflow.now(),
            command_id=item.command_id,
            envelope=item.envelope,
            task=item.task,
            report=item.report,
        )
        # While the act runs new envelopes may only join the inbox: nobody else touches state, plan or timers.
        outcome: Outcome
        try:
            outcome = await workflow.execute_local_activity(
                ACT,
                given,
                result_type=Outcome,
                schedule_to_close_timeout=LOCAL_ACT,
                start_to_close_timeout=LOCAL_ATTEMPT,
                retry_policy=LOCAL_RETRY,
            )
        except exceptions.FailureError as failure:
            # Not ActivityError only: what failed a local activity comes wrapped the first time and bare in a replay.
            if exceptions.is_cancelled_exception(failure):
                raise
            log_once("act_became_patient", level="warning", command_id=item.command_id)
            outcome = await workflow.execute_activity(
                ACT,
                given,
                result_type=Outcome,
                start_to_close_timeout=PATIENT_ATTEMPT,
                retry_policy=PATIENT_RETRY,
                summary=f"{self.process.name} #{self._seq + 1}",
            )
        stage_before = self._plan.stage if self._plan else None
        if missed := _missed(self._seq, outcome):
            log_once("workflow_caught_up", level="warning", seq=self._seq, missed=missed)
        self._state = self._folded(outcome)
        self._seq, self._hash = outcome.seq, outcome.hash
        if outcome.plan is not None:
            self._follow(outcome.plan, stage_before=stage_before)
        return outcome

    def _folded(self, outcome: Outcome) -> Any:
        """The state after the outcome: the very one by which it was decided where that is still at hand, else folded.

        Both are equal. The worker remembers that state too, so that one of a case is kept instead of two.
        """
        if (reckoned := outcome.state) is not None:
            return reckoned
        state = self._state
        for event in outcome.events:
            state = self.process.evolve(state, self.process.read_event(event))
        return state

    async def _time_passes(self) -> None:
        due, rang = self._alarm(), self._alarm_rings()
        asked, self._asked_to_look = self._asked_to_look, False
        if rang:
            self._second_look = None
        # An opening may have been recorded and its answer lost, with the server's memory of who had sent it.
        if self._state is None and not asked and not workflow.patched(_ASKS_THE_LEDGER):
            return  # no opening came: the loop ends the workflow
        outcome = await self._act(_Item(str(uuid.uuid5(_NAMES, f"{self._stream}:{self._seq}:time"))))
        if self._state is None:
            return  # nor does the ledger know of one
        if outcome.refusal is not None:
            log_once("time_was_refused", level="error", code=outcome.refusal.code)
        if rang and (outcome.refusal is not None or (not outcome.events and self._alarm() == due)):
            self._look_again()

    # --- following the plan ---------------------------------------------------------------------------------------

    def _follow(self, plan: Plan, *, stage_before: str | None) -> None:
        self._plan, self._second_look = plan, None
        workflow.set_current_details(plan.details)
        shown = ids.shown(plan.attributes)
        if self._is_news(plan, shown, stage_before):
            workflow.upsert_search_attributes(_changes(self._shown, shown))
            self._shown = shown
        self._hand_over(plan.tasks)
        self._over = plan.finished
        self._arm(self._alarm())

    def _is_news(self, plan: Plan, shown: dict[SearchAttributeKey[Any], Any], stage_before: str | None) -> bool:
        """Whether Temporal's lists are to be told: each telling costs there more than an act."""
        if not plan.attributes.phase:
            return plan.stage != stage_before  # recorded by an older release, which told every stage
        if not self._sparing or self._shown is None:
            return shown != self._shown  # begun by an older release
        # That a workflow has ended is shown by Temporal itself.
        return not plan.finished and any(shown[key] != self._shown[key] for key in ids.TELLING)

    def _alarm(self) -> datetime | None:
        if self._second_look is not None:
            return self._second_look
        return self._plan.alarm if self._plan is not None and not self._over else None

    def _alarm_rings(self) -> bool:
        alarm = self._alarm()
        return alarm is not None and workflow.now() >= alarm

    def _look_again(self) -> None:
        self._second_look = workflow.now() + SECOND_LOOK
        self._arm(self._second_look)

    def _arm(self, alarm: datetime | None) -> None:
        """Make sure that some timer fires at or before the alarm; an earlier one is left alone and looks again."""
        if alarm is None or any(fires <= alarm for fires in self._timers):
            return
        self._timers.append(alarm)
        delay = max((alarm - workflow.now()).total_seconds(), 0.001)
        # The loop's own timer, not a sleeping task: it survives many acts and nothing has to be cancelled.
        asyncio.get_running_loop().call_later(delay, self._timer_fired, alarm)

    def _timer_fired(self, alarm: datetime) -> None:
        self._timers.remove(alarm)
        if not self._alarm_rings():
            self._arm(self._alarm())

    # --- hand-over ------------------------------------------------------------------------------------------------

    def _hand_over(self, tasks: Sequence[Task]) -> None:
        opened = {task.id for task in tasks}
        # Closed tasks need no remembering: their ids never come again. A task without a queue lies in its inbox and
        # stays there, also when its department connects a system meanwhile.
        in_inbox = {task.id for task in tasks if task.queue is None}
        self._handed_over = self._handed_over & opened | in_inbox - self._hand_overs.keys()
        self._cancel_hand_overs(opened)
        for task in tasks:
            if task.id not in self._handed_over and task.id not in self._hand_overs:
                own_system = bool(task.queue)
                self._hand_overs[task.id] = (task, self._start_hand_over(task, own_system=own_system), own_system)

    def _start_hand_over(self, task: Task, *, own_system: bool) -> _Handle:
        handed = self.process.hand_over(self._state, task, self._stream)
        if not own_system:
            # After a system that did not answer, and for plans recorded when every task was handed over: making sure of
            # the inbox takes no queue of its own and, as a local activity, one event instead of six.
            return workflow.start_local_activity(
                HAND_OVER,
                handed,
                result_type=Report,
                schedule_to_close_timeout=STOCK_LIFE,
                retry_policy=LOCAL_RETRY,
                summary=f"{task.kind} {task.organisation}",
            )
        return workflow.start_activity(
            HAND_OVER,
            handed,
            activity_id=task.id,
            task_queue=task.queue,
            result_type=Report,
            schedule_to_start_timeout=limit(task.pick_up_within).natural(),
            start_to_close_timeout=HAND_OVER_LIFE,
            heartbeat_timeout=HAND_OVER_SIGN_OF_LIFE,
            retry_policy=HAND_OVER_RETRY,
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
            priority=ids.turn_of(task.organisation),
            summary=f"{task.kind} {task.organisation}",
        )

    def _cancel_hand_overs(self, wanted: Set[str]) -> None:
        for task_id in [known for known in self._hand_overs if known not in wanted]:
            _, handle, _ = self._hand_overs.pop(task_id)
            if not handle.done():
                handle.cancel()

    def _ended_hand_over(self) -> str | None:
        return next((task_id for task_id, (_, handle, _) in self._hand_overs.items() if handle.done()), None)

    def _receive(self, task_id: str) -> None:
        """Turn the end of a hand-over into a report in the inbox, or into the stock hand-over when it failed."""
        task, handle, own_system = self._hand_overs.pop(task_id)
        failure = handle.exception()
        if failure is not None:
            reason = "not_picked_up" if _is_not_picked_up(failure) else "failed"
            log_once("hand_over_fell_back", level="warning", task=task_id, reason=reason)
            if own_system:
                self._hand_overs[task_id] = (task, self._start_hand_over(task, own_system=False), False)
            return
        self._handed_over.add(task_id)
        report = handle.result()
        if report.result != HandOverResult.DELIVERED:
            command_id = str(uuid.uuid5(_NAMES, f"{self._stream}:{task_id}:report"))
            self._inbox.append(_Item(command_id, task=task, report=report))

    def _fall_back(self, item: _Item) -> None:
        """A report that the rules refuse leaves the task to people."""
        assert item.task is not None
        assert item.outcome is not None
        code = item.outcome.refusal.code if item.outcome.refusal else ""
        log_once("report_was_refused", level="warning", task=item.task.id, code=code)
        if any(task.id == item.task.id for task in (self._plan.tasks if self._plan else ())):
            self._hand_overs[item.task.id] = (item.task, self._start_hand_over(item.task, own_system=False), False)

    # --- carrying on ----------------------------------------------------------------------------------------------

    def _as_start(self) -> Start:
        state: Json | None = None
        if self._state is not None:
            state = self.process.state.dump_python(self._state, mode="json")
        return Start(
            stream=self._stream,
            state=state,
            seq=self._seq,
            hash=self._hash,
            plan=self._plan,
            handed_over=tuple(sorted(self._handed_over)),
            sparing=self._sparing,
        )


def _changes(
    before: dict[SearchAttributeKey[Any], Any] | None, now: dict[SearchAttributeKey[Any], Any]
) -> list[SearchAttributeUpdate[Any]]:
    """What to tell Temporal's lists; everything when it is not known what they show."""
    return [
        key.value_unset() if value is None else key.value_set(value)
        for key, value in now.items()
        if before is None or before[key] != value
    ]


def _missed(seq: int, outcome: Outcome) -> int:
    """How many events of other commands lay in the ledger after ``seq``: answers that were lost, or a reset."""
    answer = outcome.answer
    own = 0 if answer is None else max(answer.seq_to - max(answer.seq_from, seq + 1) + 1, 0)
    return len(outcome.events) - own


def _is_not_picked_up(failure: BaseException) -> bool:
    cause = failure.cause if isinstance(failure, exceptions.ActivityError) else None
    return isinstance(cause, exceptions.TimeoutError) and cause.type == exceptions.TimeoutType.SCHEDULE_TO_START


def _refuse(refusal: Refusal, **context: int) -> NoReturn:
    details = (refusal.model_dump(mode="json"), *([context] if context else []))
    raise exceptions.ApplicationError(refusal.message, *details, type=refusal.code, non_retryable=True) from None
