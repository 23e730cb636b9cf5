"""What codes are called in sentences for people, Chinese and English.

Owns the words of the doors only; the words of roles and stages are the domain's.
"""

from collections.abc import Mapping
from typing import Any

from console.output import local, say, styled
from domain.case.state import Signature
from domain.case.vocabulary import LEVEL_NAMES, STAGE_NAMES
from domain.ladder import CLOCK_NAMES
from domain.people import ROLE_NAMES, Actor, Role
from domain.rules import SUSPEND_REASON_NAMES

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
STAGE: Words = {stage.value: names for stage, names in STAGE_NAMES.items()}
STANDING: Words = {
    "confirmed": ("凭密码确认，签名有效", "confirmed by password, valid"),
    "unconfirmed": ("未经密码确认", "not confirmed by password"),
    "other_key": ("由另一把密钥签名", "signed with another key"),
    "forged": ("签名与内容不符", "does not belong to what it stands on"),
}
LEVEL: Words = {level.value: names for level, names in LEVEL_NAMES.items()}
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
    "arbitrate": ("仲裁退单", "arbitrate the return"),
    "decide_extension": ("审批延期", "decide on an extension"),
    "review_shelf": ("复核挂账", "review the shelf"),
    "reply_supervision": ("回复督办", "reply to the supervision"),
    "answer_publicly": ("公开答复", "answer in public"),
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
CLOCK: Words = {kind.value: (f"{zh}时限", f"{en} limit") for kind, (zh, en) in CLOCK_NAMES.items()}
SUSPEND: Words = {reason.value: names for reason, names in SUSPEND_REASON_NAMES.items()}
ARBITRATION: Words = {
    "force": ("直派", "forced"),
    "redispatch": ("改派", "dispatched again"),
    "name_lead": ("指定牵头", "lead named"),
    "take_over": ("兜底", "taken over by the street"),
}
FINDING: Words = {
    "chain.seq": ("缺少记录或位置不对", "missing or out of place"),
    "chain.prev": ("与前一条接不上", "does not follow the one before"),
    "chain.hash": ("内容与写入时不同", "not what was written"),
    "chain.body": ("栏目与正文不符", "column differs from the body"),
    "chain.command": ("与操作记录不符", "does not match the commands"),
    "chain.position": ("顺序号不是本机给出的", "place in the feed not given here"),
    "anchor.rewritten": ("检查点之后被重写", "rewritten since a checkpoint"),
    "anchor.backwards": ("少于检查点所记", "ends before a checkpoint says"),
    "anchor.removed": ("整个流水被删", "the whole stream is gone"),
    "anchor.checkpoint": ("检查点被改动或缺失", "checkpoint changed or missing"),
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
    "arbitrated": ("仲裁", "arbitrated"),
    "handed_over": ("转办", "handed over"),
    "helper_added": ("增加协办", "helper added"),
    "extension_requested": ("申请延期", "extension asked for"),
    "extension_decided": ("审批延期", "extension decided"),
    "suspended": ("停表", "suspended"),
    "resumed": ("恢复计时", "resumed"),
    "shelved": ("挂账", "shelved"),
    "shelf_review_came": ("挂账复核到期", "shelf review due"),
    "backlog_marked": ("计入积存", "counted as backlog"),
    "unshelved": ("销挂", "off the shelf"),
    "resident_asked": ("询问居民", "resident asked"),
    "resident_replied": ("居民回复", "resident replied"),
    "question_lapsed": ("居民逾期未复", "question lapsed"),
    "urged": ("催办", "urged"),
    "supervision_ordered": ("督办", "supervision ordered"),
    "supervision_replied": ("督办回复", "supervision replied"),
    "rung_reached": ("督办阶梯", "rung reached"),
    "rules_adopted": ("采用新规则", "rules adopted"),
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
    "clock_extended": ("延长时限", "clock extended"),
    "clock_warned": ("临期提醒", "clock warned"),
    "clock_expired": ("超期", "clock expired"),
    "wish_published": ("发布心愿", "wish published"),
    "wish_claimed": ("认领心愿", "wish claimed"),
    "wish_fulfilled": ("实现心愿", "wish fulfilled"),
    "wish_thanked": ("致谢", "wish thanked"),
    "wish_lapsed": ("心愿过期", "wish lapsed"),
    "wish_closed": ("心愿办结", "wish closed"),
}
CHANNEL: Words = {
    "grid": ("网格巡查", "found on the round"),
    "visit": ("居民来访", "the resident came"),
    "phone": ("电话反映", "by telephone"),
    "chat_group": ("居民群", "residents' chat group"),
    "community": ("社区发现", "found by the community"),
    "street": ("街道发现", "found by the street"),
    "hotline": ("热线转办", "hotline"),
    "resident": ("居民自报", "by the resident"),
    "import": ("批量导入", "import"),
}
EVIDENCE: Words = {
    "before": ("处置前", "before"),
    "after": ("处置后", "after"),
    "document": ("文件", "document"),
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
SECURITY: Words = {
    "sign_in": ("登录", "signed in"),
    "sign_out": ("退出", "signed out"),
    "session_ended": ("结束会话", "sessions ended"),
    "password_confirmed": ("签字时确认了密码", "confirmed by password"),
    "sessions_ended_by_administrator": ("管理员结束会话", "sessions ended by an administrator"),
    "password_changed": ("修改密码", "password changed"),
    "password_reset": ("重置密码", "password reset"),
    "account_added": ("添加账号", "account added"),
    "account_disabled": ("停用账号", "account disabled"),
    "account_enabled": ("恢复账号", "account enabled"),
    "token_issued": ("签发令牌", "token made"),
    "token_revoked": ("撤销令牌", "token revoked"),
    "access_refused": ("越权被拒", "access refused"),
    "registry_loaded": ("更新登记册", "registry loaded"),
    "rules_stored": ("更新规则", "rule book stored"),
    "calendar_stored": ("更新日历", "calendar stored"),
    "rules_adopted": ("规则用于在办诉求", "rules carried to open cases"),
    "board_link_made": ("生成大屏地址", "board address made"),
    "exported": ("导出", "exported"),
    "revealed": ("查看完整信息", "full data shown"),
    "subject_exported": ("导出本人信息", "a person's data exported"),
    "erased": ("销毁个人信息", "personal data destroyed"),
    "key_rotated": ("更换密钥", "key changed"),
    "backup_made": ("备份", "backup made"),
    "backup_verified": ("校验备份", "backup verified"),
    "backup_restored": ("恢复备份", "backup restored"),
    "log_verified": ("校验安全日志", "security log verified"),
    "log_cut": ("清理到期日志", "old lines let go"),
}
OUTCOME: Words = {"ok": ("成功", "done"), "refused": ("被拒", "refused")}
PERMISSION: Words = {
    "case.read": ("查看诉求", "see cases"),
    "case.register": ("登记诉求", "register cases"),
    "case.act": ("办理诉求", "act on cases"),
    "case.export": ("导出诉求", "export cases"),
    "security.read": ("查看安全日志", "see the security log"),
    "case.reporter": ("查看反映人信息", "see who reported"),
    "desk.dispatch": ("派单台", "dispatch desk"),
    "desk.supervise": ("督办台", "supervision desk"),
    "wish.read": ("查看微心愿", "see wishes"),
    "wish.act": ("办理微心愿", "act on wishes"),
    "task.read": ("查看待办", "see tasks"),
    "file.upload": ("上传文件", "upload files"),
    "feed.read": ("读取流水", "read the feed"),
    "stats.read": ("查看统计", "see statistics"),
    "board.read": ("查看督办墙", "see the board"),
    "board.link": ("生成看板地址", "give out the board's address"),
    "registry.read": ("查看登记册", "see the registry"),
    "registry.write": ("修改登记册", "change the registry"),
    "rules.read": ("查看规则", "see the rules"),
    "rules.write": ("修改规则", "change the rules"),
    "calendar.read": ("查看日历", "see the calendar"),
    "calendar.write": ("修改日历", "change the calendar"),
    "account.manage": ("管理账号", "manage accounts"),
    "account.own": ("自己的账号", "the own account"),
    "reveal.read": ("查看谁看过反映人资料", "see who was shown what residents told"),
    "personal.erase": ("销毁个人资料", "destroy personal data"),
    "temporal.decode": ("在流程引擎页面上看明文", "see the engine's data in clear"),
    "personal.export": ("为本人导出个人资料", "export personal data for the person"),
}
REVEAL: Words = {
    "visit": ("回访", "visit by telephone"),
    "contact": ("联系办理", "contact about the matter"),
    "on_site": ("上门处置", "going there"),
    "complaint": ("处理投诉", "a complaint"),
    "subject_request": ("本人申请", "asked for by the person"),
    "inspection": ("监督检查", "inspection"),
    "other": ("其他", "other"),
}
ERASE: Words = {
    "retention": ("保存期满", "kept long enough"),
    "subject_request": ("本人要求", "asked for by the person"),
    "order": ("依法责令", "ordered by law"),
    "mistake": ("误录", "entered by mistake"),
    "other": ("其他", "other"),
}
DETAIL: Words = {
    "administrator": ("管理员", "administrator"),
    "by": ("经由", "by"),
    "calendar": ("日历", "calendar"),
    "chosen": ("设为现用", "made current"),
    "code": ("原因代码", "code"),
    "days": ("天数", "days"),
    "door": ("入口", "door"),
    "files": ("文件数", "files"),
    "filters": ("筛选条件数", "filters"),
    "findings": ("问题数", "findings"),
    "hour": ("小时", "hour"),
    "lines": ("记录数", "lines"),
    "new": ("新增", "new"),
    "reason": ("理由", "reason"),
    "repeated": ("同类合计", "of the same kind"),
    "revision": ("版次", "revision"),
    "right": ("权限", "right"),
    "role": ("身份", "role"),
    "roles_added": ("任职增加", "roles added"),
    "roles_changed": ("任职变更", "roles changed"),
    "roles_removed": ("任职撤销", "roles removed"),
    "rows": ("行数", "rows"),
    "rules": ("规则", "rules"),
    "sessions": ("会话数", "sessions"),
    "hash": ("摘要", "hash"),
    "through": ("截至序号", "through"),
    "token": ("令牌编号", "token"),
    "what": ("内容", "what"),
    "wrapped": ("重新加密的密钥数", "keys wrapped anew"),
}
"""What the details of a line of the security log are called."""
DOOR: Words = {"page": ("网页", "page"), "api": ("接口", "API"), "command": ("命令行", "command line")}


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
    if actor.role == Role.SYSTEM:
        return say(*ROLE_NAMES[actor.role])
    return say(f"{actor.person}（{role(actor.role)}）", f"{actor.person} ({role(actor.role)})")


def light(code: str | None) -> Any:
    """A light in its word and colour."""
    colours = {"green": "green", "yellow": "yellow", "red": "bold red"}
    return styled(word(LIGHT, code), colours.get(code or "", ""))


def signature(given: Signature) -> str:
    """When somebody signed, and whether they confirmed it."""
    confirmed = say("（已凭密码确认）", " (confirmed by password)") if given.confirmed else ""
    return f"{local(given.at)}{confirmed}"
