"""How the result is checked, signed, told and judged: verify, sign, feed back, visit, appraise, reopen."""

import hashlib
import json

from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import SIGNERS, in_stage, local
from domain.case.moments import pass_time, raise_level
from domain.case.responsible import visitor
from domain.case.state import Case
from domain.case.vocabulary import DISSATISFIED, Audience, ReworkCause, Stage
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import ROLE_NAMES, SYSTEM, Role
from domain.process import World


def _not_a_handler(draft: Draft, code: str) -> None:
    if draft.actor.person in draft.case.handlers:
        raise Refused(code, field="actor.person")


def verify(draft: Draft, command: c.Verify, world: World) -> None:
    """A grid worker who did not handle the case checks the result with evidence; a failed check is rework."""
    in_stage(draft, Stage.STRUCK_OFF)
    local(draft, Role.GRID_WORKER)
    _not_a_handler(draft, "verify.own_work")
    if not command.evidence:
        raise Refused("evidence.missing", field="evidence", what="现场核查", what_en="the field check")
    draft.stop(ClockKind.VERIFY)
    draft.add(
        e.Verified,
        passed=command.passed,
        note=command.note,
        evidence=command.evidence,
        digest=hashlib.sha256(result_text(draft.case, command).encode()).hexdigest(),
    )
    if command.passed:
        draft.start(ClockKind.SIGN)
    else:
        _rework(draft, ReworkCause.CHECK_FAILED)


def result_text(case: Case, check: c.Verify) -> str:
    """What a check looked at and what it says, as the one text that is signed by its SHA-256."""
    result = {
        "round": case.round,
        "struck_off": [
            part.model_dump(mode="json", include={"department", "measures", "workload", "evidence", "struck_off_at"})
            for part in case.assignments
            if part.returned_at is None
        ],
        "check": check.model_dump(mode="json"),
    }
    return json.dumps(result, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _signer(draft: Draft) -> None:
    in_stage(draft, Stage.VERIFIED)
    local(draft, *SIGNERS)
    _not_a_handler(draft, "sign.handler")
    if draft.actor.person == draft.case.verified_by:
        raise Refused("sign.verifier", field="actor.person")
    for signature in draft.case.signatures:
        if signature.by.person == draft.actor.person:
            raise Refused("sign.same_person", field="actor.person")
        if signature.by.role == draft.actor.role:
            raise Refused("sign.same_role", field="actor.role", role=ROLE_NAMES[draft.actor.role][0])


def sign(draft: Draft, command: c.Sign, world: World) -> None:
    """One of the two signatures, over exactly this result; two persons, two roles, no handler, no verifier."""
    _signer(draft)
    if command.digest != draft.case.digest:
        raise Refused("sign.other_result", field="digest")
    draft.add(e.Signed, digest=command.digest, confirmation=command.confirmation)
    if draft.case.stage == Stage.SIGNED:
        draft.stop(ClockKind.SIGN)
        draft.start(ClockKind.FEED_BACK)


def refuse_signature(draft: Draft, command: c.RefuseSignature, world: World) -> None:
    """A signer refuses with a reason; the case goes back to the lead."""
    _signer(draft)
    draft.stop(ClockKind.SIGN)
    draft.add(e.SignatureRefused, reason=command.reason)
    _rework(draft, ReworkCause.SIGNATURE_REFUSED)


def feed_back(draft: Draft, command: c.FeedBack, world: World) -> None:
    """The result is told to the department or to the resident; both are needed, each once (双向反馈)."""
    in_stage(draft, Stage.SIGNED)
    local(draft, Role.GRID_WORKER, Role.COMMUNITY)
    if command.to in draft.case.fed_back:
        raise Refused("feed_back.already", field="to", to="部门" if command.to == Audience.DEPARTMENT else "居民")
    draft.add(e.FedBack, to=command.to, text=command.text)
    if draft.case.stage == Stage.FED_BACK:
        draft.stop(ClockKind.FEED_BACK)
        draft.start(ClockKind.VISIT)


def visit(draft: Draft, command: c.Visit, world: World) -> None:
    """The resident has the last word; unanswered attempts lie apart; after the last one it is settled unreached.

    The word may come from the resident directly: then nobody had to ask, and it weighs exactly as much.
    """
    in_stage(draft, Stage.FED_BACK, Stage.ON_THE_SPOT)
    case, actor = draft.case, draft.actor
    if actor.role != Role.RESIDENT and actor.person != case.registered_by.person:
        local(draft, Role.COMMUNITY)
    verdict = command.satisfaction is not None and command.solved is not None
    if command.answered != verdict or (not command.answered and (command.satisfaction or command.solved is not None)):
        raise Refused("visit.verdict", field="satisfaction")
    if not command.answered and actor.role == Role.RESIDENT:
        raise Refused("visit.verdict", field="satisfaction")
    if not command.answered and case.unanswered:
        again = case.unanswered[-1] + case.rules.visit_gap.natural()
        if draft.at < again:
            raise Refused(
                "visit.too_soon",
                field="answered",
                again=again.isoformat(),
                gap=case.rules.visit_gap.chinese,
                gap_en=case.rules.visit_gap,
            )
    draft.add(
        e.Visited,
        answered=command.answered,
        satisfaction=command.satisfaction,
        solved=command.solved,
        word=command.word,
    )
    unhappy = command.satisfaction in DISSATISFIED or command.solved is False
    if command.answered and unhappy:
        draft.stop(ClockKind.VISIT)
        _rework(draft, ReworkCause.RESIDENT_DISSATISFIED)
    elif command.answered or len(draft.case.unanswered) >= case.rules.visit_attempts:
        draft.stop(ClockKind.VISIT)
        window = case.rules.row.reopen_window.natural()
        draft.add(e.Settled, by=SYSTEM, reached=command.answered, reopen_until=draft.at + window)
        if draft.case.departments:
            draft.start(ClockKind.APPRAISE)


def _rework(draft: Draft, cause: ReworkCause) -> None:
    case = draft.case
    exhausted = case.rework_count >= case.rules.rework_most
    draft.add(e.ReworkOrdered, by=SYSTEM, cause=cause, round=case.round + 1)
    if exhausted:
        raise_level(draft)
    if draft.case.lead is not None:
        draft.resume_budget()
    else:
        draft.start(ClockKind.PLACE)


def appraise(draft: Draft, command: c.Appraise, world: World) -> None:
    """The community scores a department once for this very case; the last score may seal the dossier."""
    in_stage(draft, Stage.SETTLED)
    local(draft, Role.COMMUNITY)
    part = draft.case.assignment(command.department)
    if part is None:
        raise Refused("appraise.not_involved", field="department", department=command.department)
    if part.scores is not None:
        raise Refused("appraise.already", field="department", department=command.department)
    draft.add(e.Appraised, department=command.department, scores=command.scores, word=command.word)
    if draft.case.stage == Stage.APPRAISED:
        draft.stop(ClockKind.APPRAISE)
        pass_time(draft)  # the window may be over already: then the dossier is sealed with the last score


def reopen(draft: Draft, command: c.Reopen, world: World) -> None:
    """The resident or the visitor takes the case up again within the window, however often it was edited since."""
    in_stage(draft, Stage.SETTLED, Stage.APPRAISED)
    case = draft.case
    if not _may_reopen(draft):
        raise Refused("reopen.not_allowed", field="actor.person")
    assert case.reopen_until is not None
    if draft.at >= case.reopen_until:
        raise Refused("reopen.too_late", field="kind", until=case.reopen_until.isoformat())
    draft.stop(ClockKind.APPRAISE)
    draft.add(e.Reopened, reason=command.reason, round=case.round + 1)
    if draft.case.lead is not None:
        draft.resume_budget()
    else:
        draft.start(ClockKind.PLACE)


def _may_reopen(draft: Draft) -> bool:
    case, actor = draft.case, draft.actor
    if actor.role == Role.RESIDENT or actor.person == case.visited_by:
        return True
    if case.visited_by is not None:
        return False
    # The resident spoke directly, and may now call whoever would have asked.
    who = visitor(case)
    return (
        actor.person == who.person if who.person else (actor.role, actor.organisation) == (who.role, who.organisation)
    )
