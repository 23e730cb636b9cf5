"""What people are told: notices as data, and the sentences they become.

Owns the kinds of notices and their wording in both languages. A notice names its receivers by role and place, or by the
code of one person; who holds the role is looked up when it is delivered. Must not know how it is delivered.
"""

from collections.abc import Mapping
from datetime import datetime
from string import Formatter
from typing import NamedTuple

from pydantic import Field

from domain.base import Recalled
from domain.people import Role
from domain.zone import office_minute


class Notice(Recalled):
    """One message to whoever holds a role in an organisation or grid, or to one person; no personal data."""

    kind: str
    role: Role | None = None
    organisation: str | None = None
    grid: str | None = None
    person: str | None = None
    params: Mapping[str, str] = Field(default_factory=dict)


class Wording(NamedTuple):
    """The sentence of one kind of notice; names in braces are filled from its parameters."""

    zh: str
    en: str


NOTICE_KINDS: dict[str, Wording] = {
    "remind": Wording(
        "提醒：“{title}”的{clock}正在计时，截止 {due_at}，请抓紧办理。",
        "Reminder: '{title}', {clock_en} is due {due_at}.",
    ),
    "warned": Wording(
        "黄灯：“{title}”的{clock}时限将到，截止 {due_at}。",
        "Yellow: '{title}', {clock_en} is due {due_at}.",
    ),
    "expired": Wording(
        "红灯：“{title}”的{clock}已超时，应于 {due_at} 完成。",
        "Red: '{title}', {clock_en} was due {due_at}.",
    ),
    "urged": Wording(
        "催办通知书：“{title}”的{clock}已超时，请书面说明，回复截止 {reply_by}。",
        "Written urging: '{title}', {clock_en} is overdue; reply in writing by {reply_by}.",
    ),
    "urged_open": Wording(
        "催办通知书：“{title}”的{clock}已超时，请书面说明。",
        "Written urging: '{title}', {clock_en} is overdue; reply in writing.",
    ),
    "urged_by_hand": Wording("催办：“{title}”。{text}", "Urged: '{title}'. {text}"),
    "circular": Wording(
        "通报：“{title}”的{clock}超时后既无回复也无结果。",
        "Circular: '{title}', {clock_en} is overdue with neither reply nor result.",
    ),
    "interview": Wording("约谈：“{title}”的{clock}长期超时。", "Interview: '{title}', {clock_en} is long overdue."),
    "level_raised": Wording(
        "升级：“{title}”改由{level}负责。",
        "Level up: '{title}' is now answered for by the {level_en}.",
    ),
    "supervision_ordered": Wording(
        "督办：“{title}”。{text} 回复截止 {reply_by}。",
        "Supervision order: '{title}'. {text} Reply by {reply_by}.",
    ),
    "supervision_replied": Wording("督办回复：“{title}”。{text}", "Reply to supervision: '{title}'. {text}"),
    "deemed_received": Wording(
        "“{title}”逾期未签收，视为已签收。",
        "'{title}' was not signed for in time and is deemed received.",
    ),
    "extension_requested": Wording(
        "申请延期：“{title}”，申请 {length}。{reason}",
        "Extension asked for: '{title}', {length}. {reason}",
    ),
    "extension_granted": Wording(
        "同意延期：“{title}”，新的截止时间 {due_at}。{reason}",
        "Extension granted: '{title}', now due {due_at}. {reason}",
    ),
    "extension_denied": Wording("不同意延期：“{title}”。{reason}", "Extension denied: '{title}'. {reason}"),
    "suspended": Wording(
        "停表：“{title}”，事由：{reason}，至 {until}。",
        "Suspended: '{title}', {reason_en}, until {until}.",
    ),
    "resumed": Wording("恢复计时：“{title}”。", "The clocks run again: '{title}'."),
    "shelved": Wording("挂账：“{title}”，复核时间 {review}。", "Shelved: '{title}', to be reviewed {review}."),
    "shelf_review": Wording("挂账复核：“{title}”到了复核时间。", "Shelf review: '{title}' is to be reviewed."),
    "backlog": Wording("积存：“{title}”挂账已满期限。", "Backlog: '{title}' has been shelved for too long."),
    "unshelved": Wording("销挂：“{title}”恢复办理。", "Off the shelf: '{title}' is handled again."),
    "resident_asked": Wording(
        "请补充：“{title}”。{text} 请于 {until} 前回复。",
        "Please answer: '{title}'. {text} Reply by {until}.",
    ),
    "resident_replied": Wording("居民已回复：“{title}”。", "The resident has replied: '{title}'."),
    "question_lapsed": Wording("居民未按时回复：“{title}”。", "The resident has not replied in time: '{title}'."),
    "task_returned": Wording(
        "退单：{department} 退回“{title}”。{reason}",
        "Returned: {department} gives '{title}' back. {reason}",
    ),
    "arbitrated": Wording(
        "仲裁：“{title}”由 {lead} 牵头办理。{reason}",
        "Arbitrated: {lead} leads '{title}'. {reason}",
    ),
    "helper_added": Wording("请协办：“{title}”。{reason}", "Your help is asked for: '{title}'. {reason}"),
    "handed_over": Wording("转办：“{title}”转由您办理。", "Handed over: '{title}' is yours now."),
    "rules_adopted": Wording(
        "规则调整：“{title}”的时限有变，新的截止时间 {due_at}。",
        "Rules changed: '{title}' is now due {due_at}.",
    ),
}
"""Every kind of notice with its sentence."""

_INSTANTS = ("due_at", "reply_by", "until", "review")


def sentence(kind: str, params: Mapping[str, str], language: str = "zh") -> str:
    """The notice as people read it in ``zh`` (default) or ``en``; instants are shown in the office's zone.

    Raises ``KeyError`` for a kind that is none of ``NOTICE_KINDS``. A parameter that is absent is left blank.
    """
    wording = NOTICE_KINDS[kind]
    text = wording.en if language == "en" else wording.zh
    names = {name for _, name, _, _ in Formatter().parse(text) if name}
    return text.format_map({name: _shown(name, params.get(name, "")) for name in names}).strip()


def _shown(name: str, value: str) -> str:
    if name not in _INSTANTS or not value:
        return value
    return office_minute(datetime.fromisoformat(value))
