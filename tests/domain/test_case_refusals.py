"""What a case refuses: one sentence for every way of asking wrongly."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from domain.case.vocabulary import STAGE_NAMES
from domain.people import RESIDENT, Actor, Role
from domain.process import World
from domain.registry_check import registry_of
from domain.rules import RuleBook
from tests.domain import routes as r
from tests.domain.routes import archived, returned, spot_until, until
from tests.domain.spec import Raw, Story, given
from tests.neighbourhood import (
    AFTER,
    BEFORE,
    DIGEST,
    EVERYDAY,
    FAR_GRID,
    GRID,
    LEAD,
    NATURAL_BOOK,
    NOON,
    OTHER,
    REGISTRY,
    raw_registry,
)


class No(NamedTuple):
    """One way of asking wrongly."""

    sentence: str
    story: Callable[[], Story]
    command: Raw
    by: str | Actor
    code: str
    field: str | None = None
    after: str | None = "1m"


def at(place: str) -> Callable[[], Story]:
    return lambda: until(place)


def on_spot(place: str) -> Callable[[], Story]:
    return lambda: spot_until(place)


def unplaced() -> Story:
    return given().when(r.UNPLACED, "dispatcher").happens()


def tried_once() -> Story:
    return until("fed_back").when(r.SILENT, "worker").happens()


def heard() -> Story:
    return until("fed_back").when(r.CONTENT, RESIDENT).happens()


def as_role(role: Role, person: str = "somebody", **where: Any) -> Actor:
    return Actor(person=person, role=role, **where)


def but(command: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**command, **changes}.items() if value is not ...}


# Somebody whose one account is right in every other way.
SAME_CAPTAIN = as_role(Role.GRID_HEAD, "captain", grid=GRID)
SECOND_CAPTAIN = as_role(Role.VANGUARD_CAPTAIN, "second-captain", grid=GRID)
HANDLER_AS_WORKER = as_role(Role.GRID_WORKER, "handler", grid=GRID)
HANDLER_AS_HEAD = as_role(Role.GRID_HEAD, "helper", grid=GRID)
CHECKER_AS_HEAD = as_role(Role.GRID_HEAD, "checker", grid=GRID)
FAR_DISPATCHER = as_role(Role.STREET_DISPATCHER, "far", organisation="S02")
FAR_HEAD = as_role(Role.GRID_HEAD, "far-head", grid=FAR_GRID)

REGISTERING = [
    No("an auditor registers nothing", given, r.REGISTER, as_role(Role.AUDITOR), "actor.wrong_role", "actor.role"),
    No("a department registers nothing", given, r.REGISTER, "handler", "actor.wrong_role"),
    No("a source without a number", given, but(r.REGISTER, source="12345"), "hotline", "register.half_source",
       "external_id"),
    No("a number without a source", given, but(r.REGISTER, external_id="7"), "hotline", "register.half_source",
       "source"),
    No("found tomorrow", given, but(r.REGISTER, found_at="2026-11-24T12:00:00+08:00"), "worker",
       "register.found_later", "found_at"),
    No("found without a time zone", given, but(r.REGISTER, found_at="2026-11-23T11:00:00"), "worker",
       "field.invalid", "found_at"),
    No("in a grid nobody knows", given, but(r.REGISTER, grid="G99"), "worker", "grid.unknown", "grid"),
    No("in a grid of another street", given, but(r.REGISTER, street="S02"), "worker", "grid.other_street", "street"),
    No("in a street nobody knows", given, but(r.UNPLACED, street="S02"), "worker", "organisation.unknown", "street"),
    No("in a community taken for a street", given, but(r.UNPLACED, street="C01"), "worker", "organisation.unknown"),
    No("of a category nobody knows", given, but(r.REGISTER, category="K99"), "worker", "category.unknown",
       "category"),
    No("before there are rules", lambda: given().in_world(current_rules=None), r.REGISTER, "worker", "rules.none"),
    No("twice", at("registered"), r.REGISTER, "worker", "case.already_registered"),
    No("without a title", given, but(r.REGISTER, title=...), "worker", "field.missing", "title"),
    No("with a blank text", given, but(r.REGISTER, text=" \n"), "worker", "text.blank", "text"),
    No("with a title of two lines", given, but(r.REGISTER, title="一\n二"), "worker", "text.control_characters",
       "title"),
    No("with an endless title", given, but(r.REGISTER, title="路" * 201), "worker", "text.too_long", "title"),
    No("with an endless text", given, but(r.REGISTER, text="路" * 20_001), "worker", "text.too_long", "text"),
    No("with a telephone number", given, but(r.REGISTER, text="请回电13800001234"), "worker", "text.not_redacted",
       "text"),
    No("with a grid that is no code", given, but(r.REGISTER, grid="G 01"), "worker", "code.malformed", "grid"),
    No("with a field nobody knows", given, but(r.REGISTER, phone="0"), "worker", "field.unknown", "phone"),
    No("with an urgency nobody knows", given, but(r.REGISTER, urgency="at once"), "worker", "field.invalid",
       "urgency"),
    No("with evidence that has no digest", given, but(r.REGISTER, evidence=[{**BEFORE, "digest": "abc"}]), "worker",
       "digest.malformed", "evidence.0.digest"),
    No("a command of no kind", given, but(r.REGISTER, kind="regsiter"), "worker", "command.unknown_kind", "kind"),
    *(No(f"{command['kind']} of a case that does not exist", given, command, "worker", "case.unknown")
      for command in (r.COMMENT, r.WITHDRAW, r.ACCEPT)),
]  # fmt: skip

SHORT_WAY = [
    No("a community does not handle on the spot", on_spot("registered"), r.ON_THE_SPOT, "community",
       "actor.wrong_role"),
    No("a worker of another grid does not", on_spot("registered"), r.ON_THE_SPOT, "other-worker", "actor.wrong_grid",
       "actor.grid"),
    No("only everyday matters are handled on the spot", at("registered"), r.ON_THE_SPOT, "worker",
       "case.not_everyday", "category"),
    No("nothing is handled on the spot before it has a place",
       lambda: given().when(but(r.UNPLACED, category=EVERYDAY), "hotline").happens(), r.ON_THE_SPOT, "worker",
       "case.not_placed", "grid"),
    No("no evidence of what it was like before", on_spot("registered"), but(r.ON_THE_SPOT, evidence=[AFTER]),
       "worker", "evidence.missing", "evidence"),
    No("no evidence of what it is like after", on_spot("registered"), but(r.ON_THE_SPOT, evidence=[BEFORE]),
       "worker", "evidence.missing", "evidence"),
    No("not after the whistle", at("whistled"), r.ON_THE_SPOT, "worker", "case.wrong_stage"),
    No("a worker declines nothing", at("registered"), r.DECLINE, "worker", "actor.wrong_role"),
    No("another community declines nothing", at("registered"), r.DECLINE, "far-community",
       "actor.wrong_organisation", "actor.organisation"),
    No("another street declines nothing", at("registered"), r.DECLINE, FAR_DISPATCHER, "actor.wrong_organisation"),
    No("nothing is declined once departments work on it", at("dispatched"), r.DECLINE, "dispatcher",
       "case.wrong_stage"),
    No("nothing is declined for a reason of one's own", at("registered"), but(r.DECLINE, reason="too_hard"),
       "community", "field.invalid", "reason"),
    No("a colleague of the registrar does not withdraw", at("registered"), r.WITHDRAW, "checker",
       "withdraw.not_reporter", "actor.person"),
    No("a mean department does not withdraw", at("handling"), r.WITHDRAW, "handler", "withdraw.not_reporter"),
    No("nothing is withdrawn once the resident was told", at("fed_back"), r.WITHDRAW, "resident",
       "case.wrong_stage"),
    No("nothing is withdrawn after settling", at("settled"), r.WITHDRAW, "resident", "case.wrong_stage"),
]  # fmt: skip

WHISTLE_AND_DISPATCH = [
    No("a worker does not whistle", at("registered"), r.WHISTLE, "worker", "actor.wrong_role"),
    No("a street does not whistle for its community", at("registered"), r.WHISTLE, "dispatcher", "actor.wrong_role"),
    No("another community does not whistle", at("registered"), r.WHISTLE, "far-community",
       "actor.wrong_organisation"),
    No("nobody whistles twice", at("whistled"), r.WHISTLE, "community", "case.wrong_stage"),
    No("nobody whistles before the case has a place", unplaced, r.WHISTLE, "community", "case.not_placed", "grid"),
    No("nobody whistles for no department", at("registered"), but(r.WHISTLE, departments=[]), "community",
       "whistle.no_department", "departments"),
    No("nobody whistles for a department twice", at("registered"), but(r.WHISTLE, departments=[LEAD, LEAD]),
       "community", "department.twice", "departments"),
    No("nobody whistles for a department nobody knows", at("registered"), but(r.WHISTLE, departments=["D99"]),
       "community", "department.unknown", "departments"),
    No("nobody whistles for a community", at("registered"), but(r.WHISTLE, departments=["C02"]), "community",
       "department.unknown", "departments"),
    No("nobody approves one's own whistle", at("registered"), but(r.WHISTLE, approver="community"), "community",
       "whistle.own_approver", "approver"),
    No("nobody unknown approves", at("registered"), but(r.WHISTLE, approver="nobody"), "community",
       "person.unknown", "approver"),
    No("a community does not dispatch", at("whistled"), r.DISPATCH, "community", "actor.wrong_role"),
    No("another street does not dispatch", at("whistled"), r.DISPATCH, FAR_DISPATCHER, "actor.wrong_organisation"),
    No("nothing is dispatched without a whistle", at("registered"), r.DISPATCH, "dispatcher", "case.wrong_stage"),
    No("nothing is dispatched twice", at("dispatched"), r.DISPATCH, "dispatcher", "case.wrong_stage"),
    No("the lead is not its own helper", at("whistled"), but(r.DISPATCH, helpers=[LEAD]), "dispatcher",
       "department.twice", "helpers"),
    No("no lead nobody knows", at("whistled"), but(r.DISPATCH, lead="D99"), "dispatcher", "department.unknown",
       "lead"),
    No("no helper nobody knows", at("whistled"), but(r.DISPATCH, helpers=["D99"]), "dispatcher",
       "department.unknown", "helpers"),
    No("no helper twice", at("whistled"), but(r.DISPATCH, helpers=[OTHER, OTHER]), "dispatcher", "department.twice"),
]  # fmt: skip

HANDLING = [
    *(No(f"a department without a part does not {command['kind']}", at("dispatched"), command, "other",
         "task.not_yours", "actor.organisation")
      for command in (r.ACCEPT, r.ARRIVE, r.PROGRESS, r.RETURN, r.STRIKE_OFF)),
    *(No(f"a worker does not {command['kind']} for a department", at("dispatched"), command, "worker",
         "actor.wrong_role")
      for command in (r.ACCEPT, r.ARRIVE, r.PROGRESS, r.RETURN, r.STRIKE_OFF)),
    *(No(f"a helper that is done does not {command['kind']} again", at("helper struck off"), command, "helper",
         "task.done")
      for command in (r.ACCEPT, r.ARRIVE, r.PROGRESS, r.RETURN, r.STRIKE_OFF)),
    *(No(f"nobody can {command['kind']} before accepting", at("dispatched"), command, "handler", "task.not_accepted")
      for command in (r.PROGRESS, r.STRIKE_OFF)),
    *(No(f"nobody can {command['kind']} once the result is claimed", at("struck_off"), command, "handler",
         "case.wrong_stage")
      for command in (r.ACCEPT, r.ARRIVE, r.PROGRESS, r.RETURN, r.STRIKE_OFF)),
    No("nobody accepts twice", at("handling"), r.ACCEPT, "department-head", "task.already_accepted"),
    No("the lead does not conclude before its helpers", at("handling"), r.STRIKE_OFF, "handler",
       "strike_off.helpers_open"),
    No("nothing is struck off without evidence", at("handling"), but(r.STRIKE_OFF, evidence=[]), "helper",
       "evidence.missing", "evidence"),
    No("nothing is struck off without workload", at("handling"), but(r.STRIKE_OFF, workload=...), "helper",
       "field.missing", "workload"),
    No("no workload below nothing", at("handling"), but(r.STRIKE_OFF, workload={**r.WORK, "people": -1}), "helper",
       "field.invalid", "workload.people"),
    No("a returned task is not accepted", returned, r.ACCEPT, "handler", "task.not_yours"),
    No("a dispatch is not on the spot", at("whistled"), but(r.DISPATCH, mode="on_the_spot"), "dispatcher",
       "field.invalid", "mode"),
    No("nobody proposes a department nobody knows", at("handling"), but(r.RETURN, proposed="D99"), "handler",
       "department.unknown", "proposed"),
    No("nothing is returned without a legal basis", at("handling"), but(r.RETURN, legal_basis=...), "handler",
       "field.missing", "legal_basis"),
]  # fmt: skip

CHECKING = [
    No("a community does not verify", at("struck_off"), r.VERIFY, "community", "actor.wrong_role"),
    No("a worker of another grid does not verify", at("struck_off"), r.VERIFY, "other-worker", "actor.wrong_grid"),
    No("nobody verifies one's own work", at("struck_off"), r.VERIFY, HANDLER_AS_WORKER, "verify.own_work",
       "actor.person"),
    No("nothing is verified without going there", at("struck_off"), but(r.VERIFY, evidence=[]), "checker",
       "evidence.missing", "evidence"),
    No("nothing is verified before it is claimed", at("handling"), r.VERIFY, "checker", "case.wrong_stage"),
    No("nobody signs before the check", at("struck_off"), {"kind": "sign", "digest": DIGEST}, "captain",
       "case.wrong_stage"),
    No("a worker does not sign", at("verified"), r.sign, "worker", "actor.wrong_role"),
    No("a head of another grid does not sign", at("verified"), r.sign, FAR_HEAD, "actor.wrong_grid"),
    No("a handler does not sign", at("verified"), r.sign, HANDLER_AS_HEAD, "sign.handler", "actor.person"),
    No("the verifier does not sign", at("verified"), r.sign, CHECKER_AS_HEAD, "sign.verifier", "actor.person"),
    No("the same person does not sign in two roles", at("captain signed"), r.sign, SAME_CAPTAIN, "sign.same_person",
       "actor.person"),
    No("the same role does not sign by two persons", at("captain signed"), r.sign, SECOND_CAPTAIN, "sign.same_role",
       "actor.role"),
    No("nobody signs another result", at("verified"), {"kind": "sign", "digest": DIGEST}, "captain",
       "sign.other_result", "digest"),
    No("nobody signs no digest", at("verified"), {"kind": "sign", "digest": "A" * 64}, "captain",
       "digest.malformed", "digest"),
    No("nobody signs a third time", at("signed"), r.sign, "head", "case.wrong_stage"),
    No("a handler does not refuse to sign either", at("verified"), r.REFUSE, HANDLER_AS_HEAD, "sign.handler"),
    No("the verifier does not refuse either", at("verified"), r.REFUSE, CHECKER_AS_HEAD, "sign.verifier"),
    No("nobody refuses what one has signed", at("captain signed"), r.REFUSE, "captain", "sign.same_person"),
    No("a department does not feed back", at("signed"), r.TELL_RESIDENT, "handler", "actor.wrong_role"),
    No("another community does not feed back", at("signed"), r.TELL_RESIDENT, "far-community",
       "actor.wrong_organisation"),
    No("nobody is told twice", at("department told"), r.TELL_DEPARTMENT, "checker", "feed_back.already", "to"),
    No("nobody is told before both signatures", at("captain signed"), r.TELL_DEPARTMENT, "checker",
       "case.wrong_stage"),
]  # fmt: skip

THE_RESIDENTS_WORD = [
    No("another worker does not visit", at("fed_back"), r.CONTENT, "checker", "actor.wrong_role"),
    No("another community does not visit", at("fed_back"), r.CONTENT, "far-community", "actor.wrong_organisation"),
    No("a department does not ask for its own praise", at("fed_back"), r.CONTENT, "handler", "actor.wrong_role"),
    No("a grade without a verdict", at("fed_back"), but(r.CONTENT, solved=...), "worker", "visit.verdict",
       "satisfaction"),
    No("a verdict without a grade", at("fed_back"), but(r.CONTENT, satisfaction=...), "worker", "visit.verdict"),
    No("an answer with neither", at("fed_back"), but(r.SILENT, answered=True), "worker", "visit.verdict"),
    No("a grade without an answer", at("fed_back"), but(r.CONTENT, answered=False), "worker", "visit.verdict"),
    No("a verdict of no without an answer", at("fed_back"), but(r.SILENT, solved=False), "worker", "visit.verdict"),
    No("a resident who speaks directly cannot be unreached", at("fed_back"), r.SILENT, RESIDENT, "visit.verdict"),
    No("a resident does not speak before the result is told", at("signed"), r.CONTENT, RESIDENT, "case.wrong_stage"),
    No("a resident speaks once", at("settled"), r.CONTENT, RESIDENT, "case.wrong_stage"),
    No("two attempts within the hour", tried_once, r.SILENT, "worker", "visit.too_soon", "answered", "1h"),
    No("nobody is asked before the result is told", at("signed"), r.CONTENT, "worker", "case.wrong_stage"),
    No("nobody is asked again", at("settled"), r.CONTENT, "worker", "case.wrong_stage"),
    No("a worker does not appraise", at("settled"), r.APPRAISE, "worker", "actor.wrong_role"),
    No("another community does not appraise", at("settled"), r.APPRAISE, "far-community",
       "actor.wrong_organisation"),
    No("a department does not appraise itself", at("settled"), r.APPRAISE, "handler", "actor.wrong_role"),
    No("no department without a part is appraised", at("settled"), but(r.APPRAISE, department=OTHER), "community",
       "appraise.not_involved", "department"),
    No("nobody is appraised twice", at("lead appraised"), r.APPRAISE, "community", "appraise.already", "department"),
    No("nobody is appraised before the resident has spoken", at("fed_back"), r.APPRAISE, "community",
       "case.wrong_stage"),
    No("no score above a hundred", at("settled"), but(r.APPRAISE, scores={**r.SCORES, "speed": 101}), "community",
       "field.invalid", "scores.speed"),
    No("a community that did not visit does not reopen", at("settled"), r.REOPEN, "community", "reopen.not_allowed",
       "actor.person"),
    No("a community does not reopen what the resident settled and the registrar would have asked about", heard,
       r.REOPEN, "community", "reopen.not_allowed", "actor.person"),
    No("a colleague of the registrar does not either", heard, r.REOPEN, "checker", "reopen.not_allowed"),
    No("nobody reopens after the window", at("settled"), r.REOPEN, "resident", "reopen.too_late", "kind", "7d"),
    No("nobody reopens what is open", at("fed_back"), r.REOPEN, "resident", "case.wrong_stage"),
    No("no reopening of a sealed dossier", archived, r.REOPEN, "resident", "case.finished"),
    No("no reopening of a dossier that time has sealed unseen", at("appraised"), r.REOPEN, "resident",
       "case.finished", None, "7d"),
]  # fmt: skip

THE_RECORD = [
    No("no correction of nothing", at("registered"), {"kind": "correct", "reason": "无"}, "dispatcher",
       "correct.nothing", "grid"),
    No("a department corrects nothing", at("handling"), r.CORRECT, "handler", "actor.wrong_role"),
    No("another community corrects nothing", at("registered"), r.CORRECT, "far-community",
       "actor.wrong_organisation"),
    No("a worker of another grid corrects nothing", at("registered"), r.CORRECT, "other-worker", "actor.wrong_grid"),
    No("a worker does not place a case that lies nowhere", unplaced, but(r.CORRECT, grid=GRID), "worker",
       "actor.wrong_role"),
    No("a community does not take a case that lies nowhere", unplaced, but(r.CORRECT, grid=GRID), "community",
       "actor.wrong_role"),
    No("no correction to a grid nobody knows", at("registered"), but(r.CORRECT, grid="G99"), "dispatcher",
       "grid.unknown", "grid"),
    No("no correction to a category nobody knows", at("registered"), but(r.CORRECT, category="K99"), "dispatcher",
       "category.unknown", "category"),
    No("no correction after settling", at("settled"), r.CORRECT, "dispatcher", "case.wrong_stage"),
    No("no comment with a name in it", at("registered"), but(r.COMMENT, text="我叫张三,住这里"), "resident",
       "text.not_redacted", "text"),
    No("no attachment of nothing", at("registered"), {"kind": "attach"}, "worker", "field.missing", "evidence"),
    *(No(f"no {command['kind']} once the dossier is sealed", archived, command, "community", "case.finished")
      for command in (r.COMMENT, r.ATTACH, r.CORRECT, r.WHISTLE, r.APPRAISE, r.WITHDRAW)),
    No("no comment on a declined case",
       lambda: until("registered").when(r.DECLINE, "community").happens(), r.COMMENT, "community", "case.finished"),
    No("no comment on a withdrawn case",
       lambda: until("registered").when(r.WITHDRAW, "resident").happens(), r.COMMENT, "community", "case.finished"),
]  # fmt: skip

TABLE = [
    *REGISTERING,
    *SHORT_WAY,
    *WHISTLE_AND_DISPATCH,
    *HANDLING,
    *CHECKING,
    *THE_RESIDENTS_WORD,
    *THE_RECORD,
]


@pytest.mark.parametrize("case", TABLE, ids=[each.sentence for each in TABLE])
def test_refuses(case: No) -> None:
    step = case.story().when(case.command, case.by, after=case.after)
    if case.field is None:
        step.then_refused(case.code)
    else:
        step.then_refused(case.code, field=case.field)


def test_limits_in_working_time_need_a_calendar() -> None:
    rows = tuple(
        row.model_copy(update={"limits": {**row.limits, "place": "4wh"}}).model_dump(mode="json")
        for row in NATURAL_BOOK.rows
    )
    book = RuleBook.model_validate({**NATURAL_BOOK.model_dump(mode="json"), "version": "working", "rows": rows})
    story = given().in_world(rule_books={"working": book}, current_rules="working")
    story.when(r.REGISTER, "worker").then("registered", clocks="+place")
    blind = story.in_world(calendars={}, current_calendar=None)
    blind.when(r.REGISTER, "worker").then_refused("limit.needs_calendar", value="4wh")


def test_a_time_of_discovery_a_few_minutes_ahead_is_a_clock_not_a_mistake() -> None:
    story = Story(at=NOON)
    story.when(but(r.REGISTER, found_at="2026-11-23T04:05:00Z"), "worker", after=None).then("registered")
    story.when(but(r.REGISTER, found_at="2026-11-23T04:05:01Z"), "worker", after=None).then_refused(
        "register.found_later", found_at="2026-11-23T04:05:01+00:00"
    )


def test_the_stages_that_would_do_are_named_in_their_order() -> None:
    names = [zh for stage, (zh, _) in STAGE_NAMES.items() if stage not in ("settled", "appraised")]
    open_stages = "、".join(names[: names.index("已归档")])
    until("settled").when(r.CORRECT, "dispatcher").then_refused("case.wrong_stage", allowed=open_stages)


def test_the_roles_that_would_do_are_named() -> None:
    until("verified").when(r.sign, "worker").then_refused(
        "actor.wrong_role", role="网格员", allowed="先锋队长、网格长", allowed_en="vanguard captain, grid head"
    )


def test_the_validator_needs_no_knowledge_to_refuse_and_refuses_nothing_for_lack_of_it() -> None:
    for name in ("registered", "whistled", "handling", "helper struck off", "struck_off", "settled"):
        story = replace(until(name), world=World())
        index = [place for place, _, _ in r.LONG_WAY].index(name)
        _, by, raw = r.LONG_WAY[index + 1]
        story.when(raw, by).happens()
    replace(until("handling"), world=World()).when(r.ACCEPT, "handler").then_refused("task.already_accepted")
    replace(until("registered"), world=World()).when(r.CORRECT, "dispatcher").then("corrected")


def test_who_registered_a_category_that_is_retired_since_can_still_correct_the_rest() -> None:
    gone = [{**row, "valid_to": NOON.date().isoformat()} for row in REGISTRY["categories"]]
    story = until("registered").in_world(registry=registry_of(raw_registry(categories=gone)))
    story.when(r.CORRECT, "dispatcher", after="30h").then("corrected")
    replace(story, events=()).when(r.REGISTER, "worker", after="30h").then_refused("category.unknown")
