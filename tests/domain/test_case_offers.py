"""What a page may show somebody: exactly the acts that would be accepted from them, with exactly the choices."""

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from domain.case import CASE
from domain.case.offers import menu, offers
from domain.errors import Refused
from domain.offers import Offer
from domain.parsing import parse_command
from domain.people import Actor, Role
from domain.registry_check import registry_of
from domain.rules import Urgency
from domain.wish import WISH
from domain.wish_offers import menu as wish_menu
from domain.wish_offers import offers as wish_offers
from tests.domain import routes as r
from tests.domain.crowd import CASE_WORLD, PEOPLE
from tests.domain.routes import archived, disputed, returned, spot_until, until, wish_until, working_until
from tests.domain.spec import Story
from tests.domain.test_chart import CaseMachine
from tests.neighbourhood import ACTORS, EVERYDAY, HELPER, LEAD, NOON, OTHER, REGISTRY, WORLD, raw_registry

NARROWED = frozenset({"approver", "grid"})
"""Fields whose choices are those nearby; the rules would accept others."""


def raw_of(offer: Offer) -> dict[str, Any]:
    """The probe of an offer as a form would send it."""
    raw = offer.probe.model_dump(mode="json")
    assert isinstance(raw, dict)
    return raw


def accepted(state: Any, raw: Any, actor: Actor, at: datetime, world: Any, process: Any = CASE) -> bool:
    try:
        process.decide(state, parse_command(process, raw), actor, at, world)
    except Refused:
        return False
    return True


def with_choice(offer: Offer, name: str, code: str) -> dict[str, Any]:
    """The probe with another value in one field; nobody helps themselves."""
    raw = raw_of(offer)
    if name in ("departments", "helpers"):
        raw[name] = [code]
        if raw.get("lead") == code:
            raw["lead"] = next(each.code for each in offer.choices["lead"] if each.code != code)
    else:
        raw[name] = int(code) if name == "order" else code
    return raw


def check_sound(given: tuple[Offer, ...], state: Any, at: datetime, world: Any) -> None:
    """Each probe is accepted, with each of the choices, and says what the offer says."""
    for offer in given:
        raw = raw_of(offer)
        assert raw["kind"] == offer.kind
        assert accepted(state, raw, offer.actor, at, world), offer
        assert offer.settled.items() <= raw.items()
        assert all(raw[name] in (None, []) for name in offer.shut)
        for name, choices in offer.choices.items():
            for choice in choices:
                assert accepted(state, with_choice(offer, name, choice.code), offer.actor, at, world), (name, choice)
    assert len({(each.name, each.actor) for each in given}) == len(given)


def covers(offer: Offer, raw: dict[str, Any]) -> bool:
    """Whether the accepted command could have been written with this offer."""
    for name, value in offer.settled.items():
        if raw.get(name) != value:
            return False
    for name, choices in offer.choices.items():
        value = raw.get(name)
        chosen = value if isinstance(value, list) else [value] if value is not None else []
        if name not in NARROWED and not {str(each) for each in chosen} <= {each.code for each in choices}:
            return False
    return not any(raw.get(name) for name in offer.shut) and all(
        raw.get(name) not in (None, []) for name in offer.needed
    )


def as_told(raw: dict[str, Any], state: Any) -> dict[str, Any]:
    """The command without what it says in vain: the rules a case has already, the length of a denial."""
    if raw["kind"] == "adopt_rules":
        has = {"rules": state.rules.version, "calendar": state.rules.calendar}
        return raw | {name: None for name, value in has.items() if raw[name] == value}
    if raw["kind"] == "decide_extension" and not raw["granted"]:
        return raw | {"length": None}
    return raw


class OfferMachine(CaseMachine):
    """Random people try random things; whatever is accepted had been offered, whatever is offered is accepted."""

    def act(self, raw: dict[str, Any], actor: Actor, after: timedelta = timedelta(0)) -> bool:
        state, at = self.state, self.at + after
        given = offers(state, actor, at, self.world)
        check_sound(given, state, at, self.world)
        done = super().act(raw, actor, after)
        if done:
            full = as_told(parse_command(CASE, raw).model_dump(mode="json"), state)
            assert any(offer.kind == raw["kind"] and covers(offer, full) for offer in given), (raw, given)
        return done


OfferMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
TestOffers = OfferMachine.TestCase


def named(story: Story, who: str) -> list[str]:
    """What is offered to somebody a minute after the story, without what anybody may do at any time."""
    given = offers(story.state, PEOPLE[who], story.at + timedelta(minutes=1), story.world)
    return [each.name for each in given if each.name not in ("comment", "attach")]


def the(story: Story, who: str, name: str, after: timedelta = timedelta(minutes=1)) -> Offer:
    """The one offer of this name."""
    given = offers(story.state, PEOPLE[who], story.at + after, story.world)
    (found,) = [each for each in given if each.name == name]
    return found


def codes(offer: Offer, name: str) -> list[str]:
    return [each.code for each in offer.choices[name]]


REGISTERED = until("registered")
HANDLING = until("handling")


@pytest.mark.parametrize(
    ("story", "who", "expected"),
    [
        (REGISTERED, "worker", ["correct", "withdraw", "comment:public"]),
        (REGISTERED, "checker", ["correct", "comment:public"]),
        (REGISTERED, "community", ["whistle", "ask_resident", "urge", "correct", "decline", "comment:public"]),
        (REGISTERED, "far-community", []),
        (REGISTERED, "dispatcher", ["urge", "correct", "decline", "comment:public"]),
        (REGISTERED, "supervisor", ["urge", "supervise"]),
        (REGISTERED, "handler", []),
        (REGISTERED, "resident", ["withdraw"]),
        (spot_until("registered"), "worker", ["handle_on_spot", "correct", "withdraw", "comment:public"]),
        (until("whistled"), "dispatcher", ["dispatch", "urge", "correct", "decline", "comment:public"]),
        (until("dispatched"), "handler", ["accept", "arrive", "hand_over", "return_task"]),
        (until("dispatched"), "other", []),
        (HANDLING, "handler",
         ["report_progress", "arrive", "ask_resident", "hand_over", "add_helper", "return_task"]),
        (HANDLING, "helper", ["strike_off", "report_progress", "arrive", "ask_resident", "return_task"]),
        (HANDLING, "dispatcher", ["urge", "suspend", "shelve", "correct", "comment:public"]),
        (returned(), "dispatcher", [
            "dispatch", "arbitrate:force", "arbitrate:redispatch", "arbitrate:name_lead", "arbitrate:take_over",
            "urge", "shelve", "correct", "comment:public"]),
        (disputed(), "dispatcher", [
            "arbitrate:force", "arbitrate:redispatch", "arbitrate:name_lead", "arbitrate:take_over",
            "urge", "shelve", "correct", "comment:public"]),
        (until("helper struck off"), "handler",
         ["strike_off", "report_progress", "arrive", "ask_resident", "hand_over", "add_helper", "return_task"]),
        (until("struck_off"), "checker", ["verify:passed", "verify:failed", "correct", "comment:public"]),
        (until("struck_off"), "handler", []),
        (until("verified"), "captain", ["sign", "refuse_signature"]),
        (until("verified"), "head", ["sign", "refuse_signature", "comment:public"]),
        (until("captain signed"), "captain", []),
        (until("signed"), "worker",
         ["feed_back:department", "feed_back:resident", "correct", "withdraw", "comment:public"]),
        (until("department told"), "worker", ["feed_back:resident", "correct", "withdraw", "comment:public"]),
        (until("fed_back"), "worker", ["visit:answered", "visit:unanswered", "correct", "comment:public"]),
        (until("fed_back"), "resident", ["visit:answered"]),
        (until("settled"), "community", ["appraise", "urge", "comment:public"]),
        (until("settled"), "resident", ["reopen"]),
        (until("settled"), "worker", ["reopen", "comment:public"]),
        (until("appraised"), "resident", ["reopen"]),
        (spot_until("on_the_spot"), "worker", ["visit:answered", "visit:unanswered", "correct", "comment:public"]),
    ],
)  # fmt: skip
def test_everybody_is_offered_what_they_may_do_at_this_stage_and_no_more(
    story: Story, who: str, expected: list[str]
) -> None:
    assert named(story, who) == expected


def test_nothing_is_offered_on_a_sealed_dossier_and_every_act_says_why() -> None:
    story = archived()
    found = menu(story.state, [ACTORS["community"]], story.at, story.world)
    assert found.offers == ()
    assert {each.refusal.code for each in found.withheld} == {"case.finished"}


def test_before_the_beginning_only_registering_is_offered() -> None:
    given = offers(None, ACTORS["worker"], NOON, WORLD)
    assert [each.name for each in given] == ["register"]
    assert codes(given[0], "urgency") == [each.value for each in Urgency]
    assert offers(None, ACTORS["handler"], NOON, WORLD) == ()
    assert menu(None, [ACTORS["handler"]], NOON, WORLD).withheld[0].refusal.code == "actor.wrong_role"


def test_a_whistle_offers_departments_and_approvers_by_name_and_never_oneself() -> None:
    offer = the(REGISTERED, "community", "whistle")
    assert codes(offer, "departments") == [LEAD, HELPER, OTHER]
    assert offer.choices["departments"][0].name == "城市管理"
    assert codes(offer, "approver") == ["approver", "head", "dispatcher"]
    assert offer.suggested == {"urgency": "general"}
    assert offer.needed == {"departments"}


def test_without_any_department_the_reason_is_told_instead_of_an_empty_list() -> None:
    units = [each for each in REGISTRY["organisations"] if each["kind"] != "department"]
    staff = [each for each in REGISTRY["assignments"] if each.get("organisation") not in (LEAD, HELPER, OTHER)]
    bare = registry_of(raw_registry(organisations=units, assignments=staff))
    world = replace(WORLD, registry=bare)
    found = menu(until("whistled").state, [ACTORS["dispatcher"]], until("whistled").at, world)
    assert "dispatch" not in {each.kind for each in found.offers}
    assert {each.kind: each.refusal.code for each in found.withheld}["dispatch"] == "department.unknown"


def test_each_decision_of_an_arbitration_asks_for_what_it_needs() -> None:
    force, other = (
        the(disputed(), "dispatcher", "arbitrate:force"),
        the(disputed(), "dispatcher", "arbitrate:redispatch"),
    )
    assert force.shut == {"lead", "helpers"}
    assert (set(other.needed), codes(other, "lead")) == ({"lead"}, [HELPER, OTHER])
    assert codes(the(disputed(), "dispatcher", "arbitrate:name_lead"), "lead") == [LEAD, HELPER, OTHER]
    over = the(disputed(), "dispatcher", "arbitrate:take_over")
    assert over.shut == {"lead"}
    assert codes(over, "helpers") == [LEAD, HELPER, OTHER]


def test_departments_the_case_knows_are_asked_about_one_by_one() -> None:
    assert codes(the(HANDLING, "handler", "add_helper"), "department") == [OTHER]
    assert codes(the(HANDLING, "handler", "return_task"), "proposed") == [HELPER, OTHER]
    assert the(HANDLING, "handler", "return_task").needed == {"proposed"}
    assert the(HANDLING, "helper", "return_task").needed == frozenset()


def test_a_task_is_handed_over_to_a_colleague_and_to_nobody_else() -> None:
    assert codes(the(HANDLING, "handler", "hand_over"), "to") == ["department-head"]


def test_steps_still_owed_are_offered_by_name_to_the_lead() -> None:
    world = replace(CASE_WORLD, current_rules=working_until("registered").world.current_rules)
    story = Story(world=world)
    for who, raw in (("worker", {**r.REGISTER, "category": "E0101"}), ("community", r.WHISTLE),
                     ("dispatcher", r.DISPATCH), ("handler", r.ACCEPT), ("helper", r.ACCEPT)):  # fmt: skip
        story = story.when(raw, who).happens()
    assert codes(the(story, "handler", "report_progress"), "step") == ["stop", "penalty", "removal"]
    assert codes(the(story, "helper", "report_progress"), "step") == []
    story = story.when({**r.PROGRESS, "step": "stop"}, "handler").happens()
    assert codes(the(story, "handler", "report_progress"), "step") == ["penalty", "removal"]


def test_more_time_is_offered_up_to_the_longest_extension_and_decided_by_the_dispatcher() -> None:
    story = working_until("handling")
    offer = the(story, "handler", "request_extension")
    assert offer.longest is not None
    assert offer.suggested == {"length": str(offer.longest)}
    asked = story.when(r.MORE_TIME, "handler").happens()
    granted = the(asked, "dispatcher", "decide_extension:granted")
    assert (granted.suggested, str(granted.longest)) == ({"length": "3wd"}, "3wd")
    assert the(asked, "dispatcher", "decide_extension:denied").shut == {"length"}
    assert granted.task is not None
    assert "request_extension" not in named(asked, "handler")


def test_each_reason_for_standing_still_says_until_when_at_the_latest() -> None:
    offer = the(HANDLING, "dispatcher", "suspend")
    at = HANDLING.at + timedelta(minutes=1)
    until_when = {each.code: each.until - at for each in offer.choices["reason"] if each.until}
    assert until_when["awaiting_party"] == timedelta(days=15)
    assert until_when["court_proceedings"] == timedelta(days=180)
    assert codes(offer, "requested_by") == [LEAD, HELPER]


def test_a_reason_that_is_used_up_is_no_longer_offered() -> None:
    story = HANDLING.when(r.SUSPEND, "dispatcher").happens().later("16d").happens()
    assert "awaiting_party" not in codes(the(story, "dispatcher", "suspend"), "reason")


def test_an_order_to_somebody_else_hides_none_of_ones_own() -> None:
    story = HANDLING.when(r.SUPERVISE, "supervisor", reply_within="2d").happens()
    story = story.when(r.SUPERVISE, "supervisor", to="C01", reply_within="2d").happens()

    assert codes(the(story, "handler", "reply_supervision"), "order") == ["1"]
    assert codes(the(story, "community", "reply_supervision"), "order") == ["2"]


def test_the_shelf_needs_a_supervisor_and_a_review_in_time() -> None:
    offer = the(HANDLING, "dispatcher", "shelve")
    assert codes(offer, "approver") == ["supervisor"]
    assert offer.latest == HANDLING.at + timedelta(minutes=1) + timedelta(days=30)


def test_signing_carries_the_digest_that_lies_before_the_signer() -> None:
    story = until("verified")
    assert the(story, "captain", "sign").settled == {"digest": story.state.digest}


def test_open_orders_are_offered_to_whoever_owes_the_reply() -> None:
    story = HANDLING.when(r.SUPERVISE, "supervisor", reply_within="2d").happens()
    offer = the(story, "handler", "reply_supervision")
    assert [(each.code, each.name) for each in offer.choices["order"]] == [("1", "城市管理")]
    assert offer.choices["order"][0].until == story.at + timedelta(days=2)
    assert "reply_supervision" not in named(story, "helper")
    assert the(HANDLING, "supervisor", "supervise").needed == {"reply_within"}


def test_departments_still_to_be_appraised_are_offered_by_name() -> None:
    assert codes(the(until("settled"), "community", "appraise"), "department") == [LEAD, HELPER]
    assert codes(the(until("lead appraised"), "community", "appraise"), "department") == [HELPER]


def test_a_correction_begins_with_what_is_recorded_and_offers_the_grids_of_the_street() -> None:
    offer = the(REGISTERED, "dispatcher", "correct")
    assert offer.suggested == {"grid": "G01", "category": "K02", "urgency": "general"}
    assert [(each.code, each.group) for each in offer.choices["grid"]] == [
        ("G01", "东塘社区"), ("G02", "东塘社区"), ("G11", "西塘社区")]  # fmt: skip
    assert codes(offer, "category") == [EVERYDAY, "K02"]


def test_what_the_case_waits_for_from_somebody_comes_first() -> None:
    given = offers(until("struck_off").state, PEOPLE["checker"], until("struck_off").at, WORLD)
    assert [(each.name, each.task) for each in given[:3]] == [
        ("verify:passed", "verify#0"), ("verify:failed", "verify#0"), ("correct", None)]  # fmt: skip
    silent = offers(HANDLING.state, PEOPLE["dispatcher"], HANDLING.at, WORLD)
    assert [each.task for each in silent if each.task] == []


def test_a_person_with_two_roles_gets_the_offers_of_both_each_naming_its_role() -> None:
    both = (ACTORS["checker"], Actor(person="checker", role=Role.COMMUNITY, organisation="C01"))
    story = until("signed")
    found = menu(story.state, both, story.at, story.world)
    told = [(each.name, each.actor.role) for each in found.offers if each.kind == "feed_back"]
    assert ("feed_back:resident", Role.GRID_WORKER) in told
    assert ("feed_back:resident", Role.COMMUNITY) in told
    assert {each.kind for each in found.withheld}.isdisjoint(each.kind for each in found.offers)


def test_what_is_withheld_says_why_in_a_sentence_of_a_clerk() -> None:
    story = until("verified")
    found = menu(story.state, [PEOPLE["checker"]], story.at, story.world, kinds=("verify", "visit"))
    assert found.offers == ()
    assert {each.kind for each in found.withheld} == {"verify", "visit"}
    assert all(each.refusal.sentence().endswith("。") for each in found.withheld)


def test_offers_see_what_time_has_made_true_meanwhile() -> None:
    story = until("appraised")
    assert "reopen" in named(story, "resident")
    assert offers(story.state, PEOPLE["resident"], story.at + timedelta(days=8), WORLD) == ()


def test_offering_is_fast_enough_for_a_page() -> None:
    story = working_until("handling")
    spent = []
    for _ in range(20):
        begun = time.process_time()
        offers(story.state, ACTORS["dispatcher"], story.at, story.world)
        spent.append(time.process_time() - begun)
    assert sorted(spent)[10] < 0.015, "2 to 3 ms of a quiet processor"


@pytest.mark.parametrize(
    ("place", "who", "expected"),
    [
        ("published", "community", ["claim_wish"]),
        ("published", "resident", []),
        ("claimed", "community", ["fulfil_wish"]),
        ("claimed", "worker", []),
        ("done", "resident", ["thank_for_wish"]),
        ("done", "community", []),
    ],
)
def test_a_wish_offers_what_its_people_may_do(place: str, who: str, expected: list[str]) -> None:
    story = wish_until(place)
    given = wish_offers(story.state, ACTORS[who], story.at, WORLD)
    assert [each.name for each in given] == expected
    for offer in given:
        assert offer.task == offer.kind
        assert accepted(story.state, raw_of(offer), ACTORS[who], story.at, WORLD, WISH)


def test_a_wish_is_published_in_a_grid_of_ones_own() -> None:
    (offer,) = wish_offers(None, ACTORS["worker"], NOON, WORLD)
    assert codes(offer, "grid") == ["G01"]
    (offer,) = wish_offers(None, ACTORS["community"], NOON, WORLD)
    assert codes(offer, "grid") == ["G01", "G02"]
    assert accepted(None, raw_of(offer), ACTORS["community"], NOON, WORLD, WISH)
    assert wish_menu(None, [ACTORS["handler"]], NOON, WORLD).withheld[0].refusal.code == "actor.wrong_role"
