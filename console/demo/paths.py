"""The paths a request can take, each a function that reads like the process, with the ending it must have.

Owns the scripts. What a path claims about its ending is checked against the ledger, see ``console.demo.checking``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.demo.people import Matter, People, Person, refused
from console.demo.rules import DEMO_BOOK
from domain.people import Role

Play = Callable[[Matter, People], Awaitable[None]]


@dataclass(frozen=True)
class Path:
    """A way through a process: its names, its script, and what the ledger must say afterwards.

    ``ends`` is the last stage; ``holds`` are fields of the state with their values; ``facts`` counts events by kind
    (0 for a kind that must not occur); ``refusals`` are the codes of the acts the rules had to refuse, in order.
    """

    name: str
    zh: str
    en: str
    play: Play
    ends: str
    process: str = "case"
    holds: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[str, ...] = ()


PATHS: dict[str, Path] = {}
"""Every path by its name, in the order in which a newcomer should read them."""


def _path(zh: str, en: str, **ending: Any) -> Callable[[Play], Play]:
    def enter(play: Play) -> Play:
        name = getattr(play, "__name__", "")
        PATHS[name] = Path(name=name, zh=zh, en=en, play=play, **ending)
        return play

    return enter


# --- steps that many paths share --------------------------------------------------------------------------------


async def _until_handling(case: Matter, people: People) -> Person:
    """Register, whistle, dispatch, accept; the answer is who handles it."""
    lead = case.request.lead
    await people.worker.register(case)
    await people.community.whistle(case, lead, approver=people.approver)
    await people.dispatcher.dispatch(case, lead)
    handler = people.department(lead)
    await handler.accept(case)
    return handler


async def _check_and_sign(case: Matter, people: People) -> None:
    await people.checker.verify(case)
    await people.captain.sign(case)
    await people.head.sign(case)


async def _tell_both(case: Matter, people: People) -> None:
    await people.worker.feed_back(case, to="department")
    await people.worker.feed_back(case, to="resident")


async def _until_settled(case: Matter, people: People) -> None:
    """Check, two signatures, two feedbacks, and a resident who is content."""
    await _check_and_sign(case, people)
    await _tell_both(case, people)
    await people.worker.visit(case, "satisfied", "修好了，谢谢你们。")


# --- the two ways in --------------------------------------------------------------------------------------------


@_path("能办即办", "on the spot", ends="settled", holds={"mode": "on_the_spot", "satisfaction": "very_satisfied"})
async def on_the_spot(case: Matter, people: People) -> None:
    """The grid worker settles an everyday matter at once; nobody is whistled for."""
    await people.worker.register(case)
    await people.worker.handle_on_spot(case)
    await people.worker.visit(case, "very_satisfied", "说一声就来了。")


@_path("完整闭环", "plain loop", ends="appraised", holds={"rework_count": 0, "was_overdue": False})
async def plain(case: Matter, people: People) -> None:
    """The six steps, one after the other, with nothing in the way."""
    lead = case.request.lead
    await people.worker.register(case)
    await people.community.whistle(case, lead, approver=people.approver)
    await people.dispatcher.dispatch(case, lead)
    handler = people.department(lead)
    await handler.accept(case)
    await handler.strike_off(case)
    await people.checker.verify(case)
    await people.captain.sign(case)
    await people.head.sign(case)
    await people.worker.feed_back(case, to="department")
    await people.worker.feed_back(case, to="resident")
    await people.worker.visit(case, "satisfied", "修好了，谢谢你们。")
    await people.community.appraise(case, lead)


@_path("到期归档", "sealed by the timer", ends="archived", facts={"archived": 1}, holds={"rework_count": 0})
async def sealed_by_the_timer(case: Matter, people: People) -> None:
    """A plain loop whose reopening window is short: time itself seals the dossier."""
    await plain(case, people)
    await people.street.until(case, "archived")


# --- several departments, and the wrong one ---------------------------------------------------------------------


@_path("多部门协同", "helpers", ends="appraised", facts={"arrived": 1}, refusals=("strike_off.helpers_open",))
async def with_helpers(case: Matter, people: People) -> None:
    """Helpers finish first; only then may the lead conclude. Everybody is scored."""
    lead, helpers = case.request.lead, case.request.helpers
    await people.worker.register(case)
    await people.community.whistle(case, lead, *helpers, approver=people.approver)
    await people.dispatcher.dispatch(case, lead, *helpers)
    team = [people.department(code) for code in (lead, *helpers)]
    for handler in team:
        await handler.accept(case)
    await team[0].arrive(case)
    await team[0].report_progress(case, "已到现场，和居民当面说好了怎么弄。")
    await refused(case, "strike_off.helpers_open", team[0].strike_off(case))
    for helper in team[1:]:
        await helper.strike_off(case)
    await team[0].strike_off(case)
    await _until_settled(case, people)
    for code in (lead, *helpers):
        await people.community.appraise(case, code)


@_path("退单改派", "returned, then to the right hands", ends="appraised", facts={"task_returned": 1, "dispatched": 2})
async def to_the_right_hands(case: Matter, people: People) -> None:
    """The department says whose it is, and the street sends it there."""
    wrong, right = case.request.lead, case.request.right
    await people.worker.register(case)
    await people.community.whistle(case, wrong, approver=people.approver)
    await people.dispatcher.dispatch(case, wrong)
    await people.department(wrong).return_task(case, "现场看过，不归我们管，附了管线图。", proposed=right)
    await people.dispatcher.dispatch(case, right)
    await people.department(right).accept(case)
    await people.department(right).strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, right)


@_path("系统对接办结", "done by a connected system", ends="appraised", facts={"accepted": 1, "struck_off": 1})
async def handled_by_their_own_system(case: Matter, people: People) -> None:
    """The street lamps' own system takes the task from its queue and strikes it off; nobody types anything."""
    lead = case.request.lead
    await people.worker.register(case)
    await people.community.whistle(case, lead, approver=people.approver)
    await people.dispatcher.dispatch(case, lead)
    await people.street.until(case, "struck_off")
    await _until_settled(case, people)
    await people.community.appraise(case, lead)


@_path("系统对接退单", "returned by a connected system", ends="appraised", facts={"task_returned": 1, "dispatched": 2})
async def returned_by_their_own_system(case: Matter, people: People) -> None:
    """The same system finds that a task is none of its business."""
    wrong, right = case.request.lead, case.request.right
    await people.worker.register(case)
    await people.community.whistle(case, wrong, approver=people.approver)
    await people.dispatcher.dispatch(case, wrong)
    await people.street.until(case, "returned")
    await people.dispatcher.dispatch(case, right)
    await people.department(right).accept(case)
    await people.department(right).strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, right)


@_path(
    "退单仲裁",
    "returned twice, then arbitrated",
    ends="appraised",
    facts={"task_returned": 2, "dispatched": 2, "arbitrated": 1},
    refusals=("dispatch.needs_arbitration", "return.final"),
)
async def arbitrated(case: Matter, people: People) -> None:
    """Two departments point at each other; the street decides for good, and the budget has run through all of it."""
    first, second = case.request.lead, case.request.right
    await people.worker.register(case)
    await people.community.whistle(case, first, approver=people.approver)
    await people.dispatcher.dispatch(case, first)
    await people.department(first).return_task(case, "设施不在我们的台账上。", proposed=second)
    await people.dispatcher.dispatch(case, second)
    await people.department(second).return_task(case, "我们只管地下的部分。", proposed=first)
    await refused(case, "dispatch.needs_arbitration", people.dispatcher.dispatch(case, first))
    await people.dispatcher.arbitrate(case, "name_lead", "三方到现场划了界，地面部分归这边牵头。", lead=first)
    handler = people.department(first)
    await refused(case, "return.final", handler.return_task(case, "还是觉得不归我们。", proposed=second))
    await handler.accept(case)
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, first, points=66)


# --- not good enough --------------------------------------------------------------------------------------------


@_path("核查不过返工", "failed check", ends="appraised", holds={"rework_count": 1}, facts={"verified": 2})
async def failed_check(case: Matter, people: People) -> None:
    """“Done” is a claim; the field decides."""
    handler = await _until_handling(case, people)
    await handler.strike_off(case)
    await people.checker.verify(case, passed=False, note="边角没有收拾干净，照片里看不出来。")
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, case.request.lead, points=80)


@_path("拒签返工", "refused signature", ends="appraised", holds={"rework_count": 1}, facts={"signature_refused": 1})
async def refused_signature(case: Matter, people: People) -> None:
    """The captain has signed, the grid head will not: back it goes, and the first signature is void."""
    handler = await _until_handling(case, people)
    await handler.strike_off(case)
    await people.checker.verify(case)
    await people.captain.sign(case)
    await people.head.refuse_signature(case, "还有一处没有处理，我不能签。")
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, case.request.lead, points=78)


@_path(
    "不满意返工",
    "dissatisfied, handled again",
    ends="appraised",
    holds={"rework_count": 1, "satisfaction": "satisfied", "level": "community"},
    facts={"visited": 2, "rework_ordered": 1, "settled": 1},
)
async def dissatisfied(case: Matter, people: People) -> None:
    """Signed, told, and still not right: the resident's word counts more than two signatures."""
    handler = await _until_handling(case, people)
    await handler.strike_off(case)
    await _check_and_sign(case, people)
    await _tell_both(case, people)
    await people.worker.visit(case, "dissatisfied", "好了两天，又和从前一样。")
    await handler.report_progress(case, "重新看了现场，这回从根上治。")
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, case.request.lead, points=70)


@_path(
    "返工超限升级",
    "one level up",
    ends="appraised",
    holds={"rework_count": DEMO_BOOK.rework_most + 1, "level": "street"},
    facts={"level_raised": 1, "rework_ordered": DEMO_BOOK.rework_most + 1},
)
async def up_one_level(case: Matter, people: People) -> None:
    """Sent back once more than the rules allow: from now on the street answers for it."""
    handler = await _until_handling(case, people)
    for _ in range(DEMO_BOOK.rework_most + 1):
        await handler.strike_off(case)
        await people.checker.verify(case, passed=False, note="枯枝还在头顶上。")
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, case.request.lead, points=60)


# --- time and silence -------------------------------------------------------------------------------------------


@_path(
    "三访未遇",
    "nobody answers",
    ends="appraised",
    holds={"satisfaction": None, "solved": None},
    facts={"visited": DEMO_BOOK.visit_attempts, "settled": 1},
)
async def nobody_answers(case: Matter, people: People) -> None:
    """Three visits in vain: settled, and marked as not reached."""
    handler = await _until_handling(case, people)
    await handler.strike_off(case)
    await _check_and_sign(case, people)
    await _tell_both(case, people)
    for attempt in range(DEMO_BOOK.visit_attempts):
        if attempt:
            await asyncio.sleep(DEMO_BOOK.visit_gap.natural().total_seconds() + 0.2)
        await people.worker.visit_in_vain(case)
    await people.community.appraise(case, case.request.lead)


@_path(
    "超期后办结",
    "overdue, then done",
    ends="archived",
    holds={"was_overdue": True},
    facts={"clock_warned": 1, "clock_expired": 1, "archived": 1},
)
async def overdue(case: Matter, people: People) -> None:
    """The department's clock warns, runs out, and stays run out; the work is done all the same."""
    handler = await _until_handling(case, people)
    await people.street.until_overdue(case)
    await people.community.comment(case, "红灯亮了，社区先派人守在井口。")
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, case.request.lead, points=55)
    await people.street.until(case, "archived")


@_path(
    "延期与停表",
    "more time, asked for",
    ends="appraised",
    holds={"extensions": 1, "was_overdue": False},
    facts={"extension_requested": 1, "extension_decided": 1, "clock_extended": 1, "suspended": 1, "resumed": 1},
    refusals=("actor.wrong_role", "extension.used_up"),
)
async def more_time(case: Matter, people: People) -> None:
    """More time is asked for and granted once; a department cannot stop its own clock, the dispatcher can."""
    lead = case.request.lead
    handler = await _until_handling(case, people)
    await handler.request_extension(case, "5wd", "苗木要等到雨停才能栽。")
    await people.dispatcher.decide_extension(case, "同意，已告知报事人。")
    await refused(case, "actor.wrong_role", handler.suspend(case, "awaiting_party", "等户主回来开门。"))
    await people.dispatcher.suspend(case, "awaiting_party", "户主出差，约好回来开院门。", requested_by=lead)
    await people.dispatcher.resume(case, "户主已回来。")
    await refused(case, "extension.used_up", handler.request_extension(case, "2wd", "再宽限两天。"))
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, lead, points=88)


@_path(
    "超时督办",
    "urged by the ladder, then supervised",
    ends="archived",
    holds={"was_overdue": True},
    facts={"supervision_ordered": 2, "supervision_replied": 2, "archived": 1},
)
async def supervised(case: Matter, people: People) -> None:
    """The clock runs out, a written urging goes out by itself, a supervisor asks too; both are answered in writing."""
    lead = case.request.lead
    handler = await _until_handling(case, people)
    await people.street.until_urged(case)
    await handler.reply_supervision(case, 1, "备件已到，今天下午更换。")
    await people.supervisor.supervise(case, lead, "请说明为何没有先设围挡。")
    await handler.reply_supervision(case, 2, "围挡已补设，值守到换好为止。")
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, lead, points=58)
    await people.street.until(case, "archived")


# --- not taken on, taken back, taken up again -------------------------------------------------------------------


@_path("不予受理", "declined", ends="declined", facts={"declined": 1}, refusals=("case.finished",))
async def declined(case: Matter, people: People) -> None:
    """Not for the street to decide: said openly, with a reason; then nothing more can happen."""
    await people.worker.register(case)
    await people.community.decline(case, "not_in_scope")
    await refused(case, "case.finished", people.community.comment(case, "补一句。"))


@_path("撤回", "withdrawn", ends="withdrawn", facts={"withdrawn": 1}, refusals=("withdraw.not_reporter",))
async def withdrawn(case: Matter, people: People) -> None:
    """Only the reporter may take a request back, here in different stages."""
    if case.request.lead:
        await _until_handling(case, people)
    else:
        await people.worker.register(case)
    await refused(case, "withdraw.not_reporter", people.community.withdraw(case))
    await people.resident.withdraw(case)


@_path("期内重启", "reopened", ends="appraised", facts={"reopened": 1, "settled": 2}, holds={"rework_count": 0})
async def reopened(case: Matter, people: People) -> None:
    """Settled and scored, and then it drips again: within the window the resident takes it up once more."""
    handler = await _until_handling(case, people)
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, case.request.lead)
    await people.resident.reopen(case, "夜里又响起来了。")
    await handler.strike_off(case)
    await _until_settled(case, people)
    await people.community.appraise(case, case.request.lead, points=75)


# --- where it belongs -------------------------------------------------------------------------------------------


@_path("更正网格", "corrected", ends="appraised", facts={"corrected": 1}, refusals=("actor.wrong_grid",))
async def corrected(case: Matter, people: People) -> None:
    """It lies on the other side of the path: the other grid's people take over."""
    asked = case.request
    assert asked.right_grid is not None
    await people.worker.register(case)
    await people.community.correct(
        case, "到现场核对，在小路另一侧。", grid=asked.right_grid, category=asked.right_category
    )
    there = people.street.people(asked.right_grid)
    await there.community.whistle(case, asked.lead, approver=there.approver)
    await there.dispatcher.dispatch(case, asked.lead)
    await there.department(asked.lead).accept(case)
    await there.department(asked.lead).strike_off(case)
    await refused(case, "actor.wrong_grid", people.checker.verify(case))
    await _check_and_sign(case, there)
    await _tell_both(case, there)
    await people.worker.visit(case, "satisfied")
    await there.community.appraise(case, asked.lead)


@_path("街道落图", "placed by the street", ends="appraised", facts={"corrected": 1}, refusals=("case.not_placed",))
async def placed_by_the_street(case: Matter, people: People) -> None:
    """The hotline knows no grid; the request waits until the street has placed it."""
    asked = case.request
    await people.hotline.register(case, channel="hotline")
    await refused(case, "case.not_placed", people.community.whistle(case, asked.lead, approver=people.approver))
    await people.dispatcher.correct(case, "电话里问清了位置。", grid=asked.right_grid, category=asked.right_category)
    await people.community.whistle(case, asked.lead, approver=people.approver)
    await people.dispatcher.dispatch(case, asked.lead)
    await people.department(asked.lead).accept(case)
    await people.department(asked.lead).strike_off(case)
    await _check_and_sign(case, people)
    await _tell_both(case, people)
    await people.community.visit(case, "fair", "声音是小了，就是曲子还是那几首。")
    await people.community.appraise(case, asked.lead)


# --- what must not be done --------------------------------------------------------------------------------------


@_path(
    "越权与回避",
    "against the rules",
    ends="appraised",
    holds={"rework_count": 0},
    facts={"whistled": 1, "accepted": 1, "struck_off": 1, "verified": 1, "signed": 2, "appraised": 1},
    refusals=(
        "actor.wrong_role",
        "whistle.own_approver",
        "case.wrong_stage",
        "verify.own_work",
        "actor.role_not_held",
        "sign.verifier",
        "sign.same_person",
        "sign.other_result",
        "appraise.not_involved",
    ),
)
async def against_the_rules(case: Matter, people: People) -> None:
    """A plain loop in which everybody first tries what they must not."""
    lead = case.request.lead
    sweeper = people.acting("G02-5", Role.DEPARTMENT_HANDLER, organisation=lead)
    sweeper_walking = people.acting("G02-5", Role.GRID_WORKER, grid="G02")
    await people.worker.register(case)
    await refused(case, "actor.wrong_role", people.worker.whistle(case, lead, approver=people.approver))
    await refused(case, "whistle.own_approver", people.community.whistle(case, lead, approver=people.community))
    await refused(case, "case.wrong_stage", sweeper.strike_off(case))
    await people.community.whistle(case, lead, approver=people.approver)
    await people.dispatcher.dispatch(case, lead)
    await sweeper.accept(case)
    await sweeper.strike_off(case)
    await refused(case, "verify.own_work", sweeper_walking.verify(case))
    await people.checker.verify(case)
    captain_by_night = people.acting(people.worker.actor.person, Role.VANGUARD_CAPTAIN, grid="G02")
    await refused(case, "actor.role_not_held", captain_by_night.sign(case))
    checker_signing = people.acting(people.checker.actor.person, Role.GRID_HEAD, grid="G02")
    await refused(case, "sign.verifier", checker_signing.sign(case))
    await people.captain.sign(case)
    await refused(case, "sign.same_person", people.captain.sign(case))
    await refused(case, "sign.other_result", people.head.act(case, "sign", digest="0" * 64))
    await people.head.sign(case)
    await _tell_both(case, people)
    await people.worker.visit(case, "satisfied")
    await refused(case, "appraise.not_involved", people.community.appraise(case, "D01"))
    await people.community.appraise(case, lead)


# --- wishes -----------------------------------------------------------------------------------------------------


@_path("微心愿圆梦", "wish come true", process="wish", ends="thanked", facts={"wish_fulfilled": 1, "wish_lapsed": 0})
async def wish_come_true(wish: Matter, people: People) -> None:
    """Published, claimed by a neighbour, fulfilled, thanked for."""
    neighbour = people.acting("resident-next-door", Role.RESIDENT)
    await people.resident.publish_wish(wish)
    await neighbour.claim_wish(wish, "周六上午我来。")
    await neighbour.fulfil_wish(wish)
    await people.resident.thank_for_wish(wish, "一下子亮堂了，谢谢你。")


@_path("微心愿过期", "wish lapsed", process="wish", ends="lapsed", facts={"wish_lapsed": 1, "wish_claimed": 0})
async def wish_lapsed(wish: Matter, people: People) -> None:
    """Nobody comes; after its time the wish lapses by itself."""
    await people.resident.publish_wish(wish)
    await people.street.until(wish, "lapsed")
