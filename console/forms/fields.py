"""What each kind of command asks a person for: labels, hints and the way a value is given.

Owns the words of the forms, for every page that shows one. What may be chosen right now an offer says
(``domain.offers``); what a value must be the command's own model says. A test goes through all commands: every field
has a place in a form or a reason why nobody is asked for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from console import words

Say = tuple[str, str]
"""A text in Chinese and English."""


class Widget(StrEnum):
    """How a value is given."""

    TEXT = "text"
    LINE = "line"
    CHOICE = "choice"
    CARDS = "cards"
    CHOICES = "choices"
    TRUTH = "truth"
    FLAG = "flag"
    NUMBER = "number"
    MONEY = "money"
    LENGTH = "length"
    MOMENT = "moment"
    DAYS = "days"
    FILES = "files"
    FILE = "file"


@dataclass(frozen=True)
class Asked:
    """One thing a form asks for; ``name`` is the path in the command.

    ``names`` are those of the codes that can be chosen. ``shows`` is what uploaded files show,
    one field for each.
    ``truth`` are the two answers of a question. ``unit`` stands behind a number.
    """

    name: str
    label: Say
    widget: Widget = Widget.TEXT
    hint: Say | None = None
    names: words.Words = field(default_factory=dict)
    shows: str = ""
    truth: tuple[Say, Say] | None = None
    unit: Say | None = None

    @property
    def key(self) -> str:
        """The name of the field in the form; files of one list that show different things have a field each."""
        return f"{self.name}.{self.shows}" if self.shows else self.name


@dataclass(frozen=True)
class ActForm:
    """The form of one kind of command, or of one way of doing it.

    ``title`` names the act, ``button`` what pressing it does, ``says`` what follows from it. ``tone`` is ``danger``
    for what ends or undoes something. ``unasked`` names the fields nobody is asked for, each with the reason.
    """

    title: Say
    button: Say
    asked: tuple[Asked, ...] = ()
    says: Say | None = None
    tone: str = "primary"
    unasked: Mapping[str, str] = field(default_factory=dict)
    only_changes: bool = False


_OFFER = "the offer settles it"
_BEFORE, _AFTER, _PAPER = "before", "after", "document"


def _text(name: str, zh: str, en: str, hint: Say | None = None) -> Asked:
    return Asked(name, (zh, en), hint=hint)


def _line(name: str, zh: str, en: str, hint: Say | None = None) -> Asked:
    return Asked(name, (zh, en), Widget.LINE, hint=hint)


def _choice(name: str, zh: str, en: str, hint: Say | None = None, words: words.Words | None = None) -> Asked:
    return Asked(name, (zh, en), Widget.CHOICE, hint=hint, names=words or {})


def _cards(name: str, zh: str, en: str, words: words.Words, hint: Say | None = None) -> Asked:
    return Asked(name, (zh, en), Widget.CARDS, hint=hint, names=words)


def _photos(shows: str, zh: str, en: str, hint: Say | None = None, name: str = "evidence") -> Asked:
    return Asked(name, (zh, en), Widget.FILES, hint=hint, shows=shows)


_PHOTO_HINT: Say = (
    "可拍照或从相册选取，可多张；照片里的定位信息会自动去掉。",
    "Take or choose one or more; places recorded in a photo are taken out.",
)

_REGISTER = ActForm(
    ("登记诉求", "Register a request"),
    ("登记", "Register"),
    (
        _line("title", "标题", "Title", ("一句话说清是什么事。", "In one sentence: what is it about.")),
        _text(
            "text", "情况", "What happened", ("地点、情形、居民的要求。", "Where, what, and what the resident wants.")
        ),
        _photos(_BEFORE, "现场照片", "Photos of the site", _PHOTO_HINT),
        _choice("grid", "网格", "Grid"),
        _choice("street", "街道", "Street", ("不知道网格时才选。", "Only where the grid is not known.")),
        _choice("category", "类别", "Category"),
        _line(
            "condition",
            "具体情形",
            "Condition",
            ("规则表里写明的情形，没有就不填。", "As the rules name it, if they do."),
        ),
        _cards("urgency", "紧急程度", "Urgency", words.URGENCY),
        Asked("found_at", ("发现时间", "Found at"), Widget.MOMENT, ("不填就按现在。", "Now where left out.")),
        _line("label", "标签", "Label"),
    ),
    unasked={
        "channel": "the door knows by which way a request came",
        "source": "only other systems have numbers of their own, and they come by import or API",
        "external_id": "only other systems have numbers of their own, and they come by import or API",
        "wording": "the door writes what was said into the vault and refers to it",
        "reporter": "the door writes who reported into the vault and refers to it",
    },
)

_ARBITRATE = (
    _choice("lead", "主办部门", "Lead department"),
    Asked("helpers", ("协办部门", "Helping departments"), Widget.CHOICES),
    _text("reason", "理由", "Reason"),
    _line("legal_basis", "依据", "Legal basis", ("职责清单、法规条款等。", "List of duties, articles of law.")),
)
_VISIT = (
    _cards("satisfaction", "居民评价", "The resident's grade", words.SATISFACTION),
    Asked(
        "solved", ("问题解决了吗", "Is it solved"), Widget.TRUTH, truth=(("已解决", "Solved"), ("没解决", "Not solved"))
    ),
    _text("word", "居民怎么说", "In the resident's words"),
)
_CHECK = (
    _photos(_AFTER, "现场核查照片", "Photos of the check", _PHOTO_HINT),
    _text("note", "核查情况", "What was found"),
)
_EXTENSION = (
    Asked("length", ("延长多久", "How much longer"), Widget.LENGTH),
    _text("reason", "理由", "Reason"),
)

FORMS: Mapping[str, ActForm] = {
    "register": _REGISTER,
    "handle_on_spot": ActForm(
        ("现场办结", "Handle on the spot"),
        ("现场办结", "Done on the spot"),
        (
            _photos(_BEFORE, "处置前照片", "Photos before", _PHOTO_HINT),
            _photos(_AFTER, "处置后照片", "Photos after"),
            _text("measures", "怎么处置的", "What was done"),
        ),
        ("当场解决，随后回访居民。", "Settled at once; the resident is asked afterwards."),
    ),
    "decline": ActForm(
        ("不予受理", "Decline"),
        ("不予受理", "Decline"),
        (_choice("reason", "理由", "Reason", words=words.REASON), _text("explanation", "说明", "Explanation")),
        ("事项就此结束，不再办理。", "The request ends here."),
        tone="danger",
    ),
    "withdraw": ActForm(
        ("撤回诉求", "Withdraw"),
        ("撤回", "Withdraw"),
        (_line("reason", "撤回原因", "Why"),),
        ("诉求人不再要求办理，事项就此结束。", "The reporter takes the request back; it ends here."),
        tone="danger",
    ),
    "whistle": ActForm(
        ("吹哨", "Whistle"),
        ("吹哨", "Whistle"),
        (
            _cards("reason", "吹哨原因", "Reason", words.REASON),
            Asked("departments", ("需要哪些部门", "Departments wanted"), Widget.CHOICES),
            _choice("approver", "批准人", "Approved by", ("不能是本人。", "Not yourself.")),
            _choice("urgency", "紧急程度", "Urgency", words=words.URGENCY),
            _text("explanation", "补充说明", "Further words"),
        ),
        ("报到街道，由街道派单。", "Goes to the street, which dispatches it."),
    ),
    "dispatch": ActForm(
        ("派单", "Dispatch"),
        ("派单", "Dispatch"),
        (
            _choice("lead", "主办部门", "Lead department"),
            Asked("helpers", ("协办部门", "Helping departments"), Widget.CHOICES),
            _cards("mode", "办理方式", "Mode", words.MODE),
            _text("instruction", "办理要求", "Instruction"),
        ),
        ("部门的办理时限从派单时起算。", "The departments' time begins with the dispatch."),
    ),
    "accept": ActForm(("签收", "Accept"), ("签收", "Accept"), says=("接下任务，开始处置。", "Take the task on.")),
    "arrive": ActForm(("到场", "Arrive"), ("已到场", "On the site"), (_line("note", "备注", "Note"),)),
    "report_progress": ActForm(
        ("报告进展", "Report progress"),
        ("报告进展", "Report"),
        (
            _text("text", "办到哪一步了", "How far it is"),
            _choice("step", "完成的分步", "Step done", ("这次完成了哪一步。", "Done with this report.")),
            Asked("contacted", ("已联系居民", "The resident was contacted"), Widget.FLAG),
        ),
    ),
    "hand_over": ActForm(
        ("转办", "Hand over"),
        ("转办", "Hand over"),
        (_choice("to", "转给谁", "To whom"),),
        ("转给本单位同事，时限不变。", "To a colleague of your unit; the limits stay."),
    ),
    "add_helper": ActForm(
        ("增加协办部门", "Add a helper"),
        ("增加协办", "Add"),
        (_choice("department", "协办部门", "Department"), _line("reason", "需要配合什么", "What for")),
    ),
    "return_task": ActForm(
        ("退单", "Return"),
        ("退单", "Return"),
        (
            _text("reason", "为什么不归本单位", "Why it is not yours"),
            _line("legal_basis", "依据", "Legal basis", ("职责清单、法规条款等。", "List of duties, articles of law.")),
            _choice("proposed", "建议由谁办", "Proposed instead"),
        ),
        ("交回街道另行派单；退单期间时限照走。", "Back to the street; the time runs on meanwhile."),
        tone="danger",
    ),
    "arbitrate:force": ActForm(
        ("直派", "Send it back"),
        ("直派原部门", "Back to the same department"),
        _ARBITRATE[2:],
        ("退单不成立，仍由原部门办理，耽误的时间计入该部门。", "The return is refused, the lost time is theirs."),
    ),
    "arbitrate:redispatch": ActForm(
        ("改派", "Dispatch elsewhere"), ("改派", "Dispatch"), _ARBITRATE,
        ("退单成立，改由其他部门办理。", "The return is right; another department handles it."),
    ),
    "arbitrate:name_lead": ActForm(
        ("指定牵头", "Name the lead"), ("指定牵头", "Name"), _ARBITRATE,
        ("终局决定：由指定部门牵头，不得再退。", "Final: the department named leads and cannot return it."),
    ),
    "arbitrate:take_over": ActForm(
        ("街道兜底", "Take it over"), ("街道兜底", "Take over"), _ARBITRATE[1:],
        ("由街道自己办理。", "The street handles it itself."),
    ),
    "request_extension": ActForm(
        ("申请延期", "Ask for more time"), ("申请延期", "Ask"), _EXTENSION,
        ("到期前申请，由街道审批，居民会被告知。", "Before it is due; the street decides, the resident is told."),
    ),
    "decide_extension:granted": ActForm(
        ("同意延期", "Grant more time"), ("同意延期", "Grant"), _EXTENSION,
        ("可以少于申请的时长。", "May be less than was asked for."),
    ),
    "decide_extension:denied": ActForm(
        ("不同意延期", "Deny more time"), ("不同意延期", "Deny"), _EXTENSION[1:], tone="danger"
    ),
    "suspend": ActForm(
        ("停表", "Suspend"),
        ("停表", "Suspend"),
        (
            _choice("reason", "停表理由", "Reason", words=words.SUSPEND),
            _text("explanation", "说明", "Explanation"),
            Asked(
                "until", ("停到什么时候", "Until"), Widget.MOMENT,
                ("不填就停到该理由允许的最晚时间。", "As long as the reason allows where left out."),
            ),
            _choice("requested_by", "哪个部门提出", "Requested by"),
            _photos(_PAPER, "证明材料", "Proof"),
        ),
        ("部门的时限停止计时，到时自动恢复。", "The departments' clocks stand still and run on by themselves."),
    ),
    "resume": ActForm(("恢复计时", "Resume"), ("恢复计时", "Resume"), (_line("reason", "原因", "Why"),)),
    "shelve": ActForm(
        ("挂账", "Shelve"),
        ("挂账", "Shelve"),
        (
            _text("reason", "挂账理由", "Reason"),
            _choice("approver", "同意的督办员", "Supervisor who agrees"),
            Asked("reviews", ("复核日期", "Review dates"), Widget.DAYS, ("到时会提醒复核。", "One at least.")),
        ),
        ("疑难事项暂时挂起，按期复核，对外公开。", "A hard case waits, is reviewed on the dates and shown publicly."),
    ),
    "unshelve": ActForm(("销挂", "Take off the shelf"), ("销挂", "Take off"), (_line("reason", "原因", "Why"),)),
    "ask_resident": ActForm(
        ("询问居民", "Ask the resident"),
        ("发出询问", "Ask"),
        (_text("question", "问题", "Question"),),
        ("等待回复期间联系时限停止计时。", "The contact clock stands still until the answer."),
    ),
    "record_reply": ActForm(
        ("记录居民回复", "Record the reply"), ("记录", "Record"), (_text("text", "居民怎么答", "The answer"),)
    ),
    "urge": ActForm(
        ("催办", "Urge"),
        ("催办", "Urge"),
        (
            _choice("to", "催哪个单位", "Whom", ("不选就催当前该办的单位。", "Whoever it waits for where left out.")),
            _text("text", "催办内容", "Words"),
        ),
    ),
    "supervise": ActForm(
        ("督办", "Order supervision"),
        ("下达督办", "Order"),
        (
            _choice("to", "督办哪个单位", "Whom"),
            _text("text", "督办要求", "Order"),
            Asked(
                "reply_within", ("多久内书面回复", "Reply within"), Widget.LENGTH,
                ("不填就按规则。", "As the rules say where left out."),
            ),
        ),
        ("被督办单位须在时限内书面回复。", "The unit must reply in writing in time."),
    ),
    "reply_supervision": ActForm(
        ("回复督办", "Reply to the order"),
        ("回复", "Reply"),
        (_cards("order", "回复哪一号", "Which order", {}), _text("text", "书面回复", "Reply")),
    ),
    "adopt_rules": ActForm(
        ("采用新规则", "Adopt other rules"),
        ("采用", "Adopt"),
        (
            _choice("rules", "规则版本", "Rule book", ("不选就不变。", "As it is where left out.")),
            _choice("calendar", "日历版本", "Calendar", ("不选就不变。", "As it is where left out.")),
            _line("reason", "原因", "Why"),
        ),
        ("只改还在走的时限，每处变动都记入流水。", "Moves running clocks only; every change is recorded."),
        tone="danger",
    ),
    "strike_off": ActForm(
        ("销账", "Strike off"),
        ("销账", "Strike off"),
        (
            _text("measures", "采取的措施", "Measures"),
            _photos(_AFTER, "处置后照片", "Photos after", _PHOTO_HINT),
            Asked("workload.people", ("出动人数", "People"), Widget.NUMBER, unit=("人", "")),
            Asked("workload.minutes", ("用时", "Time spent"), Widget.NUMBER, unit=("分钟", "min")),
            Asked("workload.vehicles", ("车辆", "Vehicles"), Widget.NUMBER, unit=("辆", "")),
            Asked("workload.cost_fen", ("费用", "Cost"), Widget.MONEY, unit=("元", "yuan")),
        ),
        ("报告已办完，由网格员现场核查。", "Claims that it is done; a grid worker checks in the field."),
    ),
    "verify:passed": ActForm(("核查通过", "Check passed"), ("核查通过", "Passed"), _CHECK),
    "verify:failed": ActForm(
        ("核查不通过", "Check failed"), ("核查不通过", "Failed"), _CHECK,
        ("退回部门返工。", "Goes back to the department."), tone="danger",
    ),
    "sign": ActForm(
        ("签字", "Sign"),
        ("同意并签字", "Agree and sign"),
        says=("对处置结果和核查证据负责；另一人签字后生效。", "For result and evidence; two signatures."),
        unasked={"confirmation": "the door makes it of the password, which is no field of the command"},
    ),
    "refuse_signature": ActForm(
        ("拒签", "Refuse to sign"), ("拒签", "Refuse"), (_line("reason", "理由", "Reason"),),
        ("退回部门返工。", "Goes back to the department."), tone="danger",
    ),
    "feed_back:department": ActForm(
        ("向部门反馈", "Tell the department"), ("已反馈部门", "Told"), (_text("text", "反馈内容", "What was told"),)
    ),
    "feed_back:resident": ActForm(
        ("向居民反馈", "Tell the resident"), ("已反馈居民", "Told"), (_text("text", "反馈内容", "What was told"),)
    ),
    "visit:answered": ActForm(
        ("回访（已接通）", "Visit (answered)"), ("记录回访", "Record"), _VISIT,
        ("居民满意且已解决才结账，否则返工。", "Settled when the resident is content, else handled again."),
    ),
    "visit:unanswered": ActForm(
        ("回访（未接通）", "Visit (no answer)"), ("记录未接通", "Record no answer"), _VISIT[2:],
        ("换个时段再联系；多次未接通按“未能联系”结账。", "Try at another hour; settled unreached after several."),
    ),
    "appraise": ActForm(
        ("考评部门", "Appraise"),
        ("提交考评", "Appraise"),
        (
            _cards("department", "考评哪个部门", "Department", {}),
            Asked("scores.speed", ("速度", "Speed"), Widget.NUMBER, unit=("分（0–100）", "of 100")),
            Asked("scores.quality", ("质量", "Quality"), Widget.NUMBER, unit=("分（0–100）", "of 100")),
            Asked("scores.attitude", ("态度", "Attitude"), Widget.NUMBER, unit=("分（0–100）", "of 100")),
            _text("word", "评语", "A word"),
        ),
    ),
    "reopen": ActForm(
        ("重开", "Reopen"), ("重开", "Reopen"), (_line("reason", "原因", "Why"),),
        ("重新办理，时限接着算。", "Handled again; the time runs on."), tone="danger",
    ),
    "comment": ActForm(("备注", "Comment"), ("写入备注", "Write"), (_text("text", "备注", "Comment"),)),
    "comment:public": ActForm(
        ("公开答复", "Answer in public"), ("记录公开答复", "Record"), (_text("text", "答复内容", "Answer"),),
        ("记录已在诉求提出的地方（如居民群）公开答复。", "Records an answer given where the request was made."),
    ),
    "attach": ActForm(
        ("添加附件", "Attach"),
        ("添加", "Attach"),
        (
            Asked("evidence", ("照片", "Photo"), Widget.FILE, _PHOTO_HINT),
            _cards("evidence.kind", "这张照片是", "It shows", words.EVIDENCE),
            _line("evidence.note", "说明", "Note"),
        ),
        unasked={
            "evidence.ref": "the store of files gives it",
            "evidence.digest": "the store of files gives it",
        },
    ),
    "correct": ActForm(
        ("更正", "Correct"),
        ("更正", "Correct"),
        (
            _choice("grid", "网格", "Grid"),
            _choice("category", "类别", "Category"),
            _line("condition", "具体情形", "Condition", ("规则表里写明的情形，没有就不填。", "As the rules name it.")),
            _choice("urgency", "紧急程度", "Urgency", words=words.URGENCY),
            _line("reason", "更正原因", "Why"),
        ),
        ("只改有出入的几项；此后开始的时限按新的类别和紧急程度计。", "Later clocks follow the new row."),
        only_changes=True,
    ),
    "publish_wish": ActForm(
        ("发布心愿", "Publish a wish"),
        ("发布", "Publish"),
        (_line("title", "心愿", "Wish"), _text("text", "详细情况", "Details"), _choice("grid", "网格", "Grid")),
        unasked={"wording": "the door writes what was said into the vault and refers to it"},
    ),
    "claim_wish": ActForm(
        ("认领心愿", "Claim the wish"), ("认领", "Claim"), (_line("promise", "承诺", "Promise"),)
    ),
    "fulfil_wish": ActForm(
        ("心愿已实现", "The wish came true"), ("已实现", "Done"), (_text("text", "怎么实现的", "How"),)
    ),
    "thank_for_wish": ActForm(("致谢", "Say thanks"), ("致谢", "Thank"), (_text("word", "想说的话", "Words"),)),
}  # fmt: skip
"""The forms by the name of an offer: its kind, and behind a colon the variant where there are several ways."""


def form_of(name: str) -> ActForm:
    """The form of an offer by its name. Raises ``KeyError`` for what is no act."""
    return FORMS[name]


@cache
def names_of(kind: str) -> tuple[str, ...]:
    """The names of all ways to do a kind of act."""
    return tuple(name for name in FORMS if name.partition(":")[0] == kind)
