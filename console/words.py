"""What codes are called in sentences for people, Chinese and English.

Owns the words of the command line only; the words of roles and stages are the domain's.
"""

from collections.abc import Mapping
from typing import Any

from console.output import say, styled
from domain.people import ROLE_NAMES, Actor, Role

Words = Mapping[str, tuple[str, str]]

URGENCY: Words = {
    "emergency": ("紧急", "emergency"),
    "livelihood": ("民生保障", "livelihood"),
    "general": ("一般", "general"),
    "complex": ("疑难", "complex"),
}
MODE: Words = {
    "on_the_spot": ("能办即办", "on the spot"),
    "within_limit": ("限时结办", "within a limit"),
    "consultation": ("协调商办", "by consultation"),
}
LIGHT: Words = {"green": ("正常", "in time"), "yellow": ("临期", "due soon"), "red": ("超期", "overdue")}
LEVEL: Words = {"community": ("社区", "community"), "street": ("街道", "street"), "district": ("区", "district")}
SATISFACTION: Words = {
    "very_satisfied": ("非常满意", "very satisfied"),
    "satisfied": ("满意", "satisfied"),
    "fair": ("一般", "fair"),
    "dissatisfied": ("不满意", "dissatisfied"),
    "very_dissatisfied": ("非常不满意", "very dissatisfied"),
}
TASK: Words = {
    "place": ("指定网格", "place in a grid"),
    "triage": ("研判、吹哨", "triage, whistle"),
    "handle_on_spot": ("现场办结", "handle on the spot"),
    "dispatch": ("派单", "dispatch"),
    "handle": ("处置", "handle"),
    "verify": ("核查", "verify"),
    "sign": ("签字", "sign"),
    "feed_back_department": ("向部门反馈", "feed back to the department"),
    "feed_back_resident": ("向居民反馈", "feed back to the resident"),
    "visit": ("回访", "visit"),
    "appraise": ("考评", "appraise"),
    "claim_wish": ("认领心愿", "claim the wish"),
    "fulfil_wish": ("实现心愿", "fulfil the wish"),
    "thank_for_wish": ("致谢", "say thanks"),
}
CLOCK: Words = {
    "place": ("研判时限", "to be triaged"),
    "dispatch": ("派单时限", "to be dispatched"),
    "sign_for": ("签收时限", "to be signed for"),
    "contact": ("联系居民时限", "resident to be contacted"),
    "handle": ("处置时限", "to be handled"),
    "verify": ("核查时限", "to be verified"),
    "sign": ("双签时限", "to be signed"),
    "feed_back": ("反馈时限", "to be fed back"),
    "visit": ("回访时限", "to be visited"),
    "appraise": ("考评时限", "to be appraised"),
}
EVENT: Words = {
    "registered": ("登记", "registered"),
    "handled_on_spot": ("现场办结", "handled on the spot"),
    "declined": ("不予受理", "declined"),
    "withdrawn": ("撤回", "withdrawn"),
    "whistled": ("吹哨", "whistled"),
    "dispatched": ("派单", "dispatched"),
    "accepted": ("签收", "accepted"),
    "arrived": ("到场", "arrived"),
    "progress_reported": ("报告进展", "progress reported"),
    "task_returned": ("退单", "returned"),
    "struck_off": ("销账", "struck off"),
    "verified": ("核查", "verified"),
    "signed": ("签字", "signed"),
    "signature_refused": ("拒签", "signature refused"),
    "fed_back": ("反馈", "fed back"),
    "visited": ("回访", "visited"),
    "settled": ("结账", "settled"),
    "rework_ordered": ("返工", "rework ordered"),
    "level_raised": ("提级", "level raised"),
    "appraised": ("考评", "appraised"),
    "reopened": ("重开", "reopened"),
    "archived": ("归档", "archived"),
    "commented": ("备注", "commented"),
    "attached": ("附件", "attached"),
    "corrected": ("更正", "corrected"),
    "clock_started": ("开始计时", "clock started"),
    "clock_stopped": ("停止计时", "clock stopped"),
    "clock_resumed": ("继续计时", "clock resumed"),
    "clock_warned": ("临期提醒", "clock warned"),
    "clock_expired": ("超期", "clock expired"),
    "wish_published": ("发布心愿", "wish published"),
    "wish_claimed": ("认领心愿", "wish claimed"),
    "wish_fulfilled": ("实现心愿", "wish fulfilled"),
    "wish_thanked": ("致谢", "wish thanked"),
    "wish_lapsed": ("心愿过期", "wish lapsed"),
    "wish_closed": ("心愿办结", "wish closed"),
}
REASON: Words = {
    "reflected": ("反映突出", "reflected"),
    "joint_enforcement": ("综合执法", "joint enforcement"),
    "emergency_response": ("应急处置", "emergency response"),
    "other": ("其他", "other"),
    "not_in_scope": ("不属受理范围", "not in scope"),
    "no_facts": ("缺少事实", "no facts"),
    "in_court": ("已进入司法程序", "in court"),
    "already_answered": ("已答复过", "already answered"),
    "check_failed": ("核查未通过", "check failed"),
    "signature_refused": ("拒签", "signature refused"),
    "resident_dissatisfied": ("居民不满意", "resident dissatisfied"),
}
AUDIENCE: Words = {"department": ("部门", "department"), "resident": ("居民", "resident")}
ORGANISATION: Words = {
    "district": ("区", "district"),
    "street": ("街道", "street"),
    "community": ("社区", "community"),
    "department": ("部门", "department"),
    "partner": ("共建单位", "partner"),
}


def word(words: Words, code: str | None) -> str:
    """What ``code`` is called in the person's language; the code itself when there is no word, ``-`` for none."""
    if code is None:
        return "-"
    return say(*words[code]) if code in words else code


def role(code: str) -> str:
    """What a role is called."""
    return say(*ROLE_NAMES[Role(code)])


def person(actor: Actor) -> str:
    """An actor by the code of the registry and the role of the act."""
    return say(*ROLE_NAMES[actor.role]) if actor.role == Role.SYSTEM else f"{actor.person}({role(actor.role)})"


def light(code: str | None) -> Any:
    """A light in its word and colour."""
    colours = {"green": "green", "yellow": "yellow", "red": "bold red"}
    return styled(word(LIGHT, code), colours.get(code or "", ""))
