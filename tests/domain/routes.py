"""The ways a case and a wish go in the neighbourhood, as stories to begin with."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from domain.wish import WISH
from tests.domain.spec import Raw, Story, given
from tests.neighbourhood import AFTER, BEFORE, EVERYDAY, GRID, HELPER, LEAD, ORDINARY, OTHER, WORKING_WORLD

WORK = {"people": 2, "minutes": 90, "vehicles": 1, "cost_fen": 12_000}
SCORES = {"speed": 90, "quality": 85, "attitude": 100}

REGISTER: Mapping[str, Any] = {
    "kind": "register",
    "title": "路面破损",
    "text": "小区门口路面破损,雨天积水",
    "grid": GRID,
    "category": ORDINARY,
    "found_at": "2026-11-23T11:30:00+08:00",
}
UNPLACED: Mapping[str, Any] = {key: value for key, value in REGISTER.items() if key not in ("grid", "category")}
ON_THE_SPOT: Mapping[str, Any] = {"kind": "handle_on_spot", "measures": "当场清理", "evidence": [BEFORE, AFTER]}
DECLINE: Mapping[str, Any] = {"kind": "decline", "reason": "in_court", "explanation": "已进入诉讼程序"}
WITHDRAW: Mapping[str, Any] = {"kind": "withdraw", "reason": "已自行解决"}
WHISTLE: Mapping[str, Any] = {
    "kind": "whistle",
    "reason": "joint_enforcement",
    "departments": [LEAD],
    "approver": "approver",
}
DISPATCH: Mapping[str, Any] = {"kind": "dispatch", "lead": LEAD, "helpers": [HELPER]}
ACCEPT: Mapping[str, Any] = {"kind": "accept"}
ARRIVE: Mapping[str, Any] = {"kind": "arrive"}
PROGRESS: Mapping[str, Any] = {"kind": "report_progress", "text": "已联系居民,明日开工", "contacted": True}
RETURN: Mapping[str, Any] = {
    "kind": "return_task",
    "reason": "不属本部门职责",
    "legal_basis": "职责清单第三条",
    "proposed": OTHER,
}
STRIKE_OFF: Mapping[str, Any] = {
    "kind": "strike_off",
    "measures": "路面已修补",
    "workload": WORK,
    "evidence": [AFTER],
}
VERIFY: Mapping[str, Any] = {"kind": "verify", "passed": True, "evidence": [AFTER]}
FAIL: Mapping[str, Any] = {**VERIFY, "passed": False, "note": "仍有积水"}
REFUSE: Mapping[str, Any] = {"kind": "refuse_signature", "reason": "照片不是同一处"}
TELL_DEPARTMENT: Mapping[str, Any] = {"kind": "feed_back", "to": "department", "text": "核查通过"}
TELL_RESIDENT: Mapping[str, Any] = {"kind": "feed_back", "to": "resident", "text": "已修好,请查看"}
CONTENT: Mapping[str, Any] = {"kind": "visit", "answered": True, "satisfaction": "very_satisfied", "solved": True}
UNHAPPY: Mapping[str, Any] = {"kind": "visit", "answered": True, "satisfaction": "dissatisfied", "solved": True}
SILENT: Mapping[str, Any] = {"kind": "visit", "answered": False}
APPRAISE: Mapping[str, Any] = {"kind": "appraise", "department": LEAD, "scores": SCORES}
APPRAISE_HELPER: Mapping[str, Any] = {**APPRAISE, "department": HELPER}
REOPEN: Mapping[str, Any] = {"kind": "reopen", "reason": "又出现积水"}
COMMENT: Mapping[str, Any] = {"kind": "comment", "text": "请尽快"}
ATTACH: Mapping[str, Any] = {"kind": "attach", "evidence": {**AFTER, "kind": "document"}}
CORRECT: Mapping[str, Any] = {"kind": "correct", "reason": "登记有误", "urgency": "livelihood"}
HAND_OVER: Mapping[str, Any] = {"kind": "hand_over", "to": "department-head"}
ADD_HELPER: Mapping[str, Any] = {"kind": "add_helper", "department": OTHER, "reason": "需园林配合"}
ARBITRATE: Mapping[str, Any] = {"kind": "arbitrate", "reason": "属道路管养范围", "legal_basis": "职责清单第一条"}
FORCE: Mapping[str, Any] = {**ARBITRATE, "decision": "force"}
REDISPATCH: Mapping[str, Any] = {**ARBITRATE, "decision": "redispatch", "lead": OTHER}
NAME_LEAD: Mapping[str, Any] = {**ARBITRATE, "decision": "name_lead", "lead": OTHER}
TAKE_OVER: Mapping[str, Any] = {**ARBITRATE, "decision": "take_over"}
MORE_TIME: Mapping[str, Any] = {"kind": "request_extension", "length": "3wd", "reason": "材料未到"}
GRANT: Mapping[str, Any] = {"kind": "decide_extension", "granted": True, "reason": "同意"}
DENY: Mapping[str, Any] = {"kind": "decide_extension", "granted": False, "reason": "不同意"}
SUSPEND: Mapping[str, Any] = {"kind": "suspend", "reason": "awaiting_party", "explanation": "等当事人返回"}
RESUME: Mapping[str, Any] = {"kind": "resume", "reason": "当事人已返回"}
SHELVE: Mapping[str, Any] = {
    "kind": "shelve",
    "reason": "需等管线改造",
    "approver": "supervisor",
    "reviews": ["2026-12-08T09:00:00+08:00"],
}
UNSHELVE: Mapping[str, Any] = {"kind": "unshelve", "reason": "管线改造完成"}
ASK: Mapping[str, Any] = {"kind": "ask_resident", "question": "方便什么时候入户？"}
REPLY: Mapping[str, Any] = {"kind": "record_reply", "text": "周末都在家"}
URGE: Mapping[str, Any] = {"kind": "urge", "text": "请抓紧办理"}
SUPERVISE: Mapping[str, Any] = {"kind": "supervise", "to": LEAD, "text": "请书面说明进展"}
ANSWER_ORDER: Mapping[str, Any] = {"kind": "reply_supervision", "order": 1, "text": "已安排施工"}
ADOPT: Mapping[str, Any] = {"kind": "adopt_rules", "reason": "新规则施行"}


def sign(state: Any) -> dict[str, Any]:
    """A signature for the result that lies before the signers."""
    return {"kind": "sign", "digest": state.digest}


LONG_WAY: tuple[tuple[str, str, Raw], ...] = (
    ("registered", "worker", REGISTER),
    ("whistled", "community", WHISTLE),
    ("dispatched", "dispatcher", DISPATCH),
    ("helper accepted", "helper", ACCEPT),
    ("handling", "handler", ACCEPT),
    ("helper struck off", "helper", STRIKE_OFF),
    ("struck_off", "handler", STRIKE_OFF),
    ("verified", "checker", VERIFY),
    ("captain signed", "captain", sign),
    ("signed", "head", sign),
    ("department told", "checker", TELL_DEPARTMENT),
    ("fed_back", "checker", TELL_RESIDENT),
    ("settled", "worker", CONTENT),
    ("lead appraised", "community", APPRAISE),
    ("appraised", "community", APPRAISE_HELPER),
)
SHORT_WAY: tuple[tuple[str, str, Raw], ...] = (
    ("registered", "worker", {**REGISTER, "category": EVERYDAY}),
    ("on_the_spot", "worker", ON_THE_SPOT),
    ("settled", "worker", CONTENT),
)
WISH_WAY: tuple[tuple[str, str, Raw], ...] = (
    ("published", "resident", {"kind": "publish_wish", "title": "旧轮椅", "text": "想要一把旧轮椅", "grid": GRID}),
    ("claimed", "community", {"kind": "claim_wish", "promise": "本周送到"}),
    ("done", "community", {"kind": "fulfil_wish", "text": "已送到"}),
    ("thanked", "resident", {"kind": "thank_for_wish", "word": "谢谢"}),
)


def _until(way: tuple[tuple[str, str, Raw], ...], place: str, story: Story) -> Story:
    for name, by, raw in way:
        story = story.when(raw, by).happens()
        if name == place:
            return story
    raise KeyError(place)


@cache
def until(place: str) -> Story:
    """The long way of a case (lead and helper) up to the named place."""
    return _until(LONG_WAY, place, given())


@cache
def working_until(place: str) -> Story:
    """The long way up to the named place by the rules that ship with the product, in working time."""
    return _until(LONG_WAY, place, Story(world=WORKING_WORLD))


@cache
def spot_until(place: str) -> Story:
    """The short way of an everyday matter up to the named place."""
    return _until(SHORT_WAY, place, given())


@cache
def wish_until(place: str) -> Story:
    """The way of a wish up to the named place."""
    return _until(WISH_WAY, place, Story(process=WISH))


@cache
def returned() -> Story:
    """The lead gave the case back unsigned; the helper has accepted, and a plain dispatch still does."""
    return until("helper accepted").when(RETURN, "handler").then("task_returned", stage="returned")


@cache
def disputed() -> Story:
    """The lead gave the case back after accepting it; only an arbitration names who leads."""
    return until("handling").when(RETURN, "handler").then("task_returned", stage="returned")


@cache
def archived() -> Story:
    """A case whose dossier is sealed."""
    return until("appraised").later("8d").then("archived", stage="archived")
