"""What happens to a case when somebody acts or time passes: the rules of the trade, one function for each command.

Owns ``decide`` and the table of rules; the rules themselves stand in the modules named after what people do. Pure: the
time is an argument, knowledge comes from the state and the world. Time is caught up first: a command at 10:00 is
judged after everything that 10:00 makes true.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from domain.case import adoption, closing, disputes, handling, opening, pauses, supervision
from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import local
from domain.case.moments import pass_time
from domain.case.state import Case
from domain.case.vocabulary import STAGE_NAMES
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import Actor, Role
from domain.process import Event, TimePasses, World


def decide(state: Case | None, command: Any, actor: Actor, at: datetime, world: World) -> tuple[Event, ...]:
    """The facts that ``command`` of ``actor`` makes true at ``at`` (UTC).

    Raises ``Refused`` with a code of the catalogue when the act is not allowed; then nothing has happened.
    """
    if isinstance(command, c.Register):
        if state is not None:
            raise Refused("case.already_registered")
        return opening.register(command, actor, at, world)
    if state is None:
        raise Refused("case.unknown")
    draft = Draft(state, actor, at, world)
    pass_time(draft)
    if isinstance(command, TimePasses):
        return tuple(draft.events)
    return _judged(draft, command, world)


def decide_now(state: Case | None, command: Any, actor: Actor, at: datetime, world: World) -> tuple[Event, ...]:
    """``decide`` on a case that was caught up with ``at`` already: who asks many things at once lets time pass once."""
    if state is None:
        return decide(state, command, actor, at, world)
    return _judged(Draft(state, actor, at, world), command, world)


def _judged(draft: Draft, command: Any, world: World) -> tuple[Event, ...]:
    if draft.case.is_final:
        raise Refused(
            "case.finished", stage=STAGE_NAMES[draft.case.stage][0], stage_en=STAGE_NAMES[draft.case.stage][1]
        )
    _RULES[type(command)](draft, command, world)
    return tuple(draft.events)


def _comment(draft: Draft, command: c.Comment, world: World) -> None:
    if command.public:
        # The answer stands where the request was made; it is for the people of the place to give.
        if draft.actor.role != Role.HOTLINE:
            local(draft, Role.COMMUNITY, Role.STREET_DISPATCHER, Role.GRID_WORKER, Role.GRID_HEAD)
        draft.stop(ClockKind.PUBLISH)
    draft.add(e.Commented, text=command.text, public=command.public)


def _attach(draft: Draft, command: c.Attach, world: World) -> None:
    draft.add(e.Attached, evidence=command.evidence)


_RULES: dict[type[Any], Callable[[Draft, Any, World], None]] = {
    c.HandleOnSpot: opening.handle_on_spot,
    c.Decline: opening.decline,
    c.Withdraw: opening.withdraw,
    c.Whistle: handling.whistle,
    c.Dispatch: handling.dispatch,
    c.Accept: handling.accept,
    c.Arrive: handling.arrive,
    c.ReportProgress: handling.report_progress,
    c.HandOver: handling.hand_over,
    c.AddHelper: handling.add_helper,
    c.ReturnTask: disputes.return_task,
    c.Arbitrate: disputes.arbitrate,
    c.RequestExtension: pauses.request_extension,
    c.DecideExtension: pauses.decide_extension,
    c.Suspend: pauses.suspend,
    c.Resume: pauses.resume,
    c.Shelve: pauses.shelve,
    c.Unshelve: pauses.unshelve,
    c.AskResident: pauses.ask_resident,
    c.RecordReply: pauses.record_reply,
    c.StrikeOff: handling.strike_off,
    c.Verify: closing.verify,
    c.Sign: closing.sign,
    c.RefuseSignature: closing.refuse_signature,
    c.FeedBack: closing.feed_back,
    c.Visit: closing.visit,
    c.Appraise: closing.appraise,
    c.Reopen: closing.reopen,
    c.Urge: supervision.urge,
    c.Supervise: supervision.supervise,
    c.ReplySupervision: supervision.reply_supervision,
    c.AdoptRules: adoption.adopt_rules,
    c.Comment: _comment,
    c.Attach: _attach,
    c.Correct: opening.correct,
}
