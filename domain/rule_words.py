"""What offices call the parts of a rule book in their tables, Chinese and English, and our codes for them.

Owns the words of sheets, columns and cells. Must not know where they stand.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

from domain.ladder import CLOCK_NAMES, ClockKind, RungAction, RungAudience
from domain.rules import SUSPEND_REASON_NAMES, SuspendReason, Urgency

K = TypeVar("K", bound=StrEnum)


def plain(text: str) -> str:
    """The word without blanks and colons, in half-width lower-case letters."""
    return re.sub(r"[\s*:：]+", "", unicodedata.normalize("NFKC", text)).casefold()


def _words(kinds: Iterable[K], more: Mapping[K, tuple[str, ...]]) -> dict[str, K]:
    found = {kind.value: kind for kind in kinds}
    for kind, names in more.items():
        found |= dict.fromkeys(map(plain, names), kind)
    return found


URGENCIES = _words(
    Urgency,
    {
        Urgency.EMERGENCY: ("紧急", "特急", "应急"),
        Urgency.LIVELIHOOD: ("民生保障", "民生"),
        Urgency.GENERAL: ("一般", "普通"),
        Urgency.COMPLEX: ("疑难", "复杂"),
    },
)

ALL = frozenset({"all", "全部", "所有"})
"""A cell that stands for every urgency."""

DEFAULT = frozenset({"*", "default", "通用", "默认"})
"""A cell for the category that stands for none: the row is that of its urgency."""

CLOCKS = _words(
    (kind for kind in ClockKind if kind is not ClockKind.STEP),
    {
        ClockKind.PLACE: ("分拨", "研判", "落格"),
        ClockKind.DISPATCH: ("派单", "派遣"),
        ClockKind.SIGN_FOR: ("签收", "sign for"),
        ClockKind.CONTACT: ("联系", "联系诉求人", "联系居民"),
        ClockKind.HANDLE: ("处置", "办理", "办结", "handling"),
        ClockKind.VERIFY: ("核查", "核实", "verification"),
        ClockKind.SIGN: ("签字", "双签字", "双签", "signing"),
        ClockKind.FEED_BACK: ("反馈", "双向反馈", "feedback", "feed back"),
        ClockKind.VISIT: ("回访",),
        ClockKind.APPRAISE: ("考评", "评价", "appraisal"),
        ClockKind.PUBLISH: ("公开答复", "public answer"),
        ClockKind.REPLY: ("督办回复", "催办回复"),
    },
)

RUNG_CLOCKS = CLOCKS | dict.fromkeys(("step", "分步"), ClockKind.STEP)
"""The clocks a rung may stand on."""

STEPS = frozenset({"step", "steps", "分步", "处置", "handle"})
"""What stands before the dot in the heading of a step, for instance ``处置.制止``."""

ACTIONS = _words(
    RungAction,
    {
        RungAction.REMIND: ("提醒", "提示"),
        RungAction.YELLOW: ("黄灯", "预警"),
        RungAction.RED: ("红灯", "超期"),
        RungAction.URGE: ("催办", "催办通知书"),
        RungAction.CIRCULAR: ("通报",),
        RungAction.INTERVIEW: ("约谈",),
    },
)

AUDIENCES = _words(
    RungAudience,
    {
        RungAudience.HANDLER: ("承办人", "经办人"),
        RungAudience.HEAD: ("负责人", "部门负责人"),
        RungAudience.LEADER: ("分管领导", "领导"),
        RungAudience.SUPERVISOR: ("督办员", "督办"),
    },
)

REASONS = _words(SuspendReason, {reason: (zh,) for reason, (zh, _en) in SUSPEND_REASON_NAMES.items()})

TRUTH = {
    **dict.fromkeys(("true", "yes", "1", "是", "√", "y"), True),
    **dict.fromkeys(("false", "no", "0", "否", "×", "n"), False),
}

NO_CLOCK = frozenset({"-", "--", "—", "——", "–", "/", "无", "不计", "none"})
"""A cell that says that no clock runs, where a blank one takes the limit of the base."""


def _columns(names: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for meaning, words in names.items():
        found |= dict.fromkeys((plain(meaning), *map(plain, words)), meaning)
    return found


SHEETS = _columns(
    {
        "rows": ("时限", "时限表", "规则", "规则行", "limits"),
        "ladder": ("督办阶梯", "督办", "阶梯"),
        "channels": ("渠道",),
        "settings": ("常量", "设置", "参数"),
        "categories": ("类别", "类别目录", "事项类别"),
    }
)

ROW_COLUMNS = _columns(
    {
        "urgency": ("紧急程度",),
        "category": ("类别", "类别编码", "类别代码", "事项类别"),
        "condition": ("条件", "情形"),
        "extension": ("延期", "延期上限", "最长延期"),
        "reopen_window": ("重开", "重开期限"),
        "": ("类别名称", "category name", "备注", "说明", "依据", "note", "remark", "序号"),
    }
)

LADDER_COLUMNS = _columns(
    {
        "code": ("编码", "代码"),
        "name": ("名称",),
        "at": ("时点", "何时"),
        "action": ("动作", "措施"),
        "clocks": ("时限", "适用时限", "时钟"),
        "to": ("告知", "对象", "通知对象"),
        "unless_replied": ("已回复则不", "已回复不再"),
        "level_up": ("升级", "提级"),
        "": ("备注", "说明", "依据", "note", "remark", "序号"),
    }
)

CHANNEL_COLUMNS = _columns(
    {"channel": ("渠道", "渠道编码"), "": ("渠道名称", "备注", "说明", "依据", "note", "remark", "序号")}
)

SETTING_COLUMNS = _columns(
    {
        "name": ("名称", "常量", "参数"),
        "value": ("值", "取值", "数值"),
        "": ("备注", "说明", "依据", "note", "remark", "序号"),
    }
)

CATEGORY_COLUMNS = _columns({"code": ("编码", "类别编码", "代码"), "name": ("名称", "类别名称"), "parent": ("上级",)})

TABLE_COLUMNS = _columns(
    {
        "kind": ("sheet", "类型", "大类类型", "部件事件", "部件/事件"),
        "class": ("大类代码", "大类编码", "大类编号"),
        "item": ("小类代码", "小类编码", "小类编号"),
        "item_name": ("小类名称",),
        "urgency": ("紧急程度",),
        "condition": ("立案条件",),
        "limit": ("处置时限", "处理时限", "处置时间", "办结时限"),
    }
)
"""The columns of a city's public table of deadline standards; it has others, which say nothing about limits."""

KINDS = {"部件": "C", "事件": "E"}
"""Letters before the codes of components and events, which share their numbers."""

SETTINGS = _columns(
    {
        "version": ("版本", "版本号"),
        "name": ("名称", "规则名称"),
        "rework_most": ("返工次数", "返工上限"),
        "visit_attempts": ("回访次数", "未接通回访次数"),
        "visit_gap": ("回访间隔",),
        "extension_most": ("延期次数", "延期次数上限"),
        "return_within": ("退单期限", "退单时限"),
        "returns_per_unit": ("单位退单次数", "每单位退单次数"),
        "returns_per_case": ("事项退单次数", "每件退单次数"),
        "ask_within": ("询问居民期限", "居民答复期限"),
        "ask_most": ("询问居民停表次数",),
        "shelf_review_within": ("挂账复核期限", "挂账复核"),
        "backlog_after": ("积存期限", "积存"),
        "wish.claim_within": ("心愿认领期限",),
        "wish.fulfil_within": ("心愿实现期限",),
        "wish.thank_within": ("心愿致谢期限",),
    }
)

SUSPENSION = frozenset({"suspension", "suspensions", "停表"})
"""What stands before the dot in the setting of a reason to stand still, for instance ``停表.等待当事人``."""


def shown_clocks() -> str:
    """Every clock a column may have, for remedies."""
    return "、".join(f"{zh} {kind.value}" for kind, (zh, _en) in CLOCK_NAMES.items() if kind is not ClockKind.STEP)


def shown(columns: Mapping[str, str]) -> str:
    """Every column of a sheet by its first names, for remedies."""
    names: dict[str, list[str]] = {}
    for word, meaning in columns.items():
        names.setdefault(meaning, []).append(word)
    return "、".join(" ".join(dict.fromkeys(reversed(words[:2]))) for meaning, words in names.items() if meaning)
