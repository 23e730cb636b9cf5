"""Every act a person may send has a form, and what a form sends is what was offered."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.datastructures import FormData

from console.forms.fields import FORMS, Asked, Widget, names_of
from console.forms.models import MODELS, bounds, field_of, is_required, longest
from console.forms.reading import read, sent, value_of
from console.forms.showing import ShownForm, only_changes, show
from domain.case import CASE
from domain.case.offers import offers
from domain.errors import Refused
from domain.offers import Offer
from domain.parsing import parse_command
from domain.rights import ACTS
from domain.text import LINE_LIMIT, TEXT_LIMIT
from tests.domain.crowd import PEOPLE
from tests.domain.routes import disputed, until, working_until
from tests.domain.spec import Story
from tests.neighbourhood import registry

REGISTRY = registry()


class _Sender:
    """A person whose forms carry no files."""

    person = "worker"
    office: Any = None


def given(story: Story, who: str, name: str) -> Offer:
    found = offers(story.state, PEOPLE[who], story.at + timedelta(minutes=1), story.world)
    return next(each for each in found if each.name == name)


def shown(offer: Offer, **more: Any) -> ShownForm:
    return show([offer], REGISTRY, action="/acts", **more)


def filled(form: ShownForm, **written: str | list[str]) -> FormData:
    """The form as a browser sends it: what it carries, what it begins with, and what somebody wrote."""
    fields: list[tuple[str, Any]] = list(form.hidden)
    for field in form.fields:
        fields += [(field.name, value) for value in field.values if field.name not in written]
        if field.unit_code:
            fields.append((f"{field.name}.unit", field.unit_code))
    for name, value in written.items():
        fields += [(name, each) for each in ([value] if isinstance(value, str) else value)]
    return FormData(fields)


async def command_of(form: ShownForm, **written: str | list[str]) -> dict[str, Any]:
    data = filled(form, **written)
    return await read(data, sent(data, form.kind), _Sender())


def paths(model: type[BaseModel], before: str = "") -> set[str]:
    """The paths of all fields, those of a value inside included; lists are one field."""
    found = set()
    for name, field in model.model_fields.items():
        if name == "kind" and not before:
            continue
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and inner.__name__ != "Limit":
            found |= paths(inner, f"{before}{name}.")
        else:
            found.add(f"{before}{name}")
    return found


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_every_field_of_every_command_is_asked_for_settled_or_left_out_for_a_reason(kind: str) -> None:
    assert names_of(kind)
    for name in names_of(kind):
        form = FORMS[name]
        asked = {each.name for each in form.asked if each.widget is not Widget.FILE}
        known = paths(MODELS[kind])
        assert asked <= known, "nobody is asked for what does not exist"
        assert set(form.unasked) <= known
        settled = {"decision", "granted", "passed", "digest", "to", "answered", "public"} & known
        shut = {"length", "lead", "helpers", "satisfaction", "solved"} if ":" in name else set()
        assert known - asked - set(form.unasked) <= settled | shut, name


def test_every_act_of_the_matrix_has_a_form_and_every_form_is_an_act() -> None:
    assert {name.partition(":")[0] for name in FORMS} == set(ACTS) == set(MODELS)


def test_the_looks_into_the_models_say_what_the_models_check() -> None:
    assert longest("whistle", "explanation") == TEXT_LIMIT
    assert longest("resume", "reason") == LINE_LIMIT
    assert longest("strike_off", "workload.people") is None
    assert bounds("appraise", "scores.speed") == (0, 100)
    assert is_required("strike_off", "workload.people")
    assert not is_required("strike_off", "workload.vehicles")
    assert not is_required("whistle", "explanation")
    with pytest.raises(KeyError):
        field_of("accept", "nothing")


@pytest.mark.parametrize(
    ("story", "who", "name", "written"),
    [
        (until("registered"), "community", "whistle",
         {"reason": "other", "departments": ["D01", "D02"], "approver": "approver"}),
        (until("whistled"), "dispatcher", "dispatch", {"lead": "D01", "helpers": ["D02"]}),
        (until("dispatched"), "handler", "accept", {}),
        (until("handling"), "handler", "report_progress", {"text": "明天开工", "contacted": "true"}),
        (until("handling"), "handler", "return_task", {"reason": "不归我们", "legal_basis": "清单", "proposed": "D03"}),
        (working_until("handling"), "handler", "request_extension", {"reason": "材料未到"}),
        (until("handling"), "dispatcher", "suspend",
         {"reason": "force_majeure", "explanation": "台风", "until": "2026-11-25T09:00"}),
        (until("handling"), "dispatcher", "shelve",
         {"reason": "等管线", "approver": "supervisor", "reviews": ["2026-12-08", ""]}),
        (until("handling"), "supervisor", "supervise",
         {"to": "D01", "text": "请说明", "reply_within": "2", "reply_within.unit": "wd"}),
        (until("handling"), "dispatcher", "urge", {"text": "请抓紧"}),
        (disputed(), "dispatcher", "arbitrate:force", {"reason": "属其职责"}),
        (disputed(), "dispatcher", "arbitrate:redispatch", {"reason": "属园林", "lead": "D03"}),
        (until("verified"), "captain", "sign", {}),
        (until("verified"), "captain", "refuse_signature", {"reason": "照片不对"}),
        (until("signed"), "worker", "feed_back:resident", {"text": "修好了"}),
        (until("fed_back"), "worker", "visit:answered", {"satisfaction": "satisfied", "solved": "true"}),
        (until("fed_back"), "worker", "visit:unanswered", {}),
        (until("settled"), "community", "appraise",
         {"department": "D01", "scores.speed": "90", "scores.quality": "80", "scores.attitude": "100"}),
        (until("registered"), "dispatcher", "correct", {"reason": "写错了", "urgency": "livelihood"}),
        (until("registered"), "worker", "comment:public", {"text": "已在群里答复"}),
    ],
)  # fmt: skip
async def test_a_form_filled_in_by_a_clerk_is_a_command_that_is_accepted(
    story: Story, who: str, name: str, written: dict[str, str | list[str]]
) -> None:
    offer = given(story, who, name)
    form = shown(offer)
    for field in form.fields:
        assert not field.required or field.name in written or field.values

    raw = only_changes(offer, await command_of(form, **written))

    at = story.at + timedelta(minutes=1)
    assert CASE.decide(story.state, parse_command(CASE, raw), offer.actor, at, story.world)


async def test_a_correction_sends_only_what_differs() -> None:
    offer = given(until("registered"), "dispatcher", "correct")
    raw = await command_of(shown(offer), reason="写错了", urgency="livelihood")
    assert only_changes(offer, raw) == {"kind": "correct", "reason": "写错了", "urgency": "livelihood"}


def asked(name: str, key: str) -> Asked:
    return next(each for each in FORMS[name].asked if each.key == key)


def test_money_is_written_in_yuan_and_sent_in_fen() -> None:
    cost = asked("strike_off", "workload.cost_fen")
    assert value_of(cost, {"workload.cost_fen": ["120.50"]}) == 12_050
    assert value_of(cost, {"workload.cost_fen": [" "]}) is None
    for wrong in ("1.005", "-1", "NaN", "1e99", "十元"):
        with pytest.raises(Refused) as caught:
            value_of(cost, {"workload.cost_fen": [wrong]})
        assert caught.value.refusal.field == "workload.cost_fen"


@pytest.mark.parametrize(
    ("name", "key", "written"),
    [
        ("suspend", "until", {"until": ["tomorrow"]}),
        ("shelve", "reviews", {"reviews": ["2026-12-01", "2026-13-01"]}),
        ("supervise", "reply_within", {"reply_within": ["0"], "reply_within.unit": ["wd"]}),
        ("supervise", "reply_within", {"reply_within": ["2"], "reply_within.unit": ["years"]}),
        ("appraise", "scores.speed", {"scores.speed": ["ninety"]}),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_field(name: str, key: str, written: dict[str, list[str]]) -> None:
    with pytest.raises(Refused) as caught:
        value_of(asked(name, key), written)
    assert (caught.value.code, caught.value.refusal.field) == ("field.invalid", key)


def test_moments_are_those_of_the_office() -> None:
    assert value_of(asked("suspend", "until"), {"until": ["2026-11-25T09:00"]}) == "2026-11-25T09:00:00+08:00"
    assert value_of(asked("shelve", "reviews"), {"reviews": ["2026-12-08"]}) == ["2026-12-08T09:00:00+08:00"]


def test_a_refusal_stands_at_its_field_and_what_was_written_comes_back() -> None:
    offer = given(until("whistled"), "dispatcher", "dispatch")
    data = FormData([("lead", "D09"), ("instruction", "尽快"), ("_command_id", "f" * 32)])
    refusal = Refused("department.unknown", field="lead", department="D09").refusal
    form = shown(offer, given=sent(data, "dispatch"), refusal=refusal)

    by_name = {field.name: field for field in form.fields}
    assert by_name["lead"].refusal == refusal
    assert by_name["helpers"].refusal is None
    assert by_name["instruction"].value == "尽快"
    assert form.command_id == "f" * 32
    assert form.refusal == refusal


def test_a_file_that_will_not_do_is_told_at_the_field_it_was_chosen_in() -> None:
    offer = given(until("struck_off"), "checker", "verify:passed")
    refusal = Refused("file.wrong_type", field="evidence.after", place=1).refusal
    (photos, note) = shown(offer, refusal=refusal).fields
    assert (photos.refusal, note.refusal) == (refusal, None)


def test_a_person_with_several_roles_is_told_which_one_acts_and_may_choose() -> None:
    worker = given(until("signed"), "worker", "feed_back:resident")
    community = given(until("signed"), "community", "feed_back:resident")
    one = show([worker], REGISTRY, action="/", held=2)
    assert (one.several_roles, one.as_role) == (True, "网格员（东塘一网格）")
    assert ("_as", "grid_worker@G01") in one.hidden
    both = show([worker, community], REGISTRY, action="/", held=2)
    assert [each.code for each in both.actors] == ["grid_worker@G01", "community@C01"]


def test_nowhere_but_on_this_site_leads_a_form_onward() -> None:
    assert sent(FormData([("_next", "/dispatch?x=1")]), "accept").onward == "/dispatch?x=1"
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert sent(FormData([("_next", elsewhere)]), "accept").onward is None


async def test_an_act_there_is_not_and_a_value_no_offer_settles_are_refused() -> None:
    for data, kind in ((FormData(), "explode"), (FormData([("_variant", "x")]), "verify")):
        with pytest.raises(Refused) as caught:
            await read(data, sent(data, kind), _Sender())
        assert caught.value.code == "request.not_found"
    data = FormData([("=nothing", "1")])
    with pytest.raises(Refused) as caught:
        await read(data, sent(data, "accept"), _Sender())
    assert caught.value.code == "field.unknown"


def test_the_choices_of_a_form_carry_names_and_the_latest_moments() -> None:
    form = shown(given(until("handling"), "dispatcher", "suspend"))
    reasons = next(field for field in form.fields if field.name == "reason")
    assert reasons.options[0].text == "等待当事人"
    assert "最晚到" in reasons.options[0].under
