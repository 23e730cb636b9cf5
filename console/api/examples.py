"""Examples of the API's documentation: one for each command, as somebody would send it."""

from typing import Any

DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

REGISTER: dict[str, Any] = {
    "title": "路灯不亮",
    "text": "巷口第二盏路灯昨晚起不亮，老人出门看不清台阶。",
    "grid": "G01",
    "category": "K04",
    "urgency": "general",
    "reporter": {"name": "王小明", "phone": "13800001234"},
}

_AFTER = {"kind": "after", "ref": "file-9f86d081884c7d65", "digest": DIGEST}
_BEFORE = {**_AFTER, "kind": "before"}

_FIELDS: dict[str, dict[str, Any]] = {
    "whistle": {"reason": "reflected", "departments": ["D01"], "approver": "C01-2", "urgency": "general"},
    "dispatch": {"lead": "D01", "helpers": ["D02"], "mode": "within_limit", "instruction": "请先到现场查看。"},
    "accept": {},
    "arrive": {"note": "已到现场"},
    "report_progress": {"text": "材料已到，明天上午施工。", "contacted": True},
    "hand_over": {"to": "D01-2"},
    "add_helper": {"department": "D02", "reason": "需要清运"},
    "return_task": {"reason": "不属本单位职责。", "legal_basis": "职责清单第三条", "proposed": "D04"},
    "arbitrate": {"decision": "name_lead", "lead": "D04", "reason": "树木归园林绿化所管。"},
    "request_extension": {"length": "2wd", "reason": "材料后天到货。"},
    "decide_extension": {"granted": True, "reason": "情况属实。", "length": "1wd"},
    "suspend": {"reason": "construction_period", "explanation": "路面养护需要时间。"},
    "resume": {"reason": "养护期满"},
    "shelve": {"reason": "权属不清，待区里明确。", "approver": "S01-3", "reviews": ["2027-01-15T09:00:00+08:00"]},
    "unshelve": {"reason": "权属已明确"},
    "ask_resident": {"question": "是哪一盏路灯？"},
    "record_reply": {"text": "巷口第二盏。"},
    "strike_off": {"measures": "更换灯泡和镇流器。", "workload": {"people": 2, "minutes": 45}, "evidence": [_AFTER]},
    "verify": {"passed": True, "evidence": [_AFTER]},
    "sign": {"digest": DIGEST},
    "refuse_signature": {"reason": "夜里仍不亮"},
    "feed_back": {"to": "resident", "text": "路灯已修好。"},
    "visit": {"answered": True, "satisfaction": "satisfied", "solved": True, "word": "亮了，谢谢。"},
    "appraise": {"department": "D01", "scores": {"speed": 90, "quality": 92, "attitude": 95}},
    "reopen": {"reason": "又不亮了"},
    "handle_on_spot": {"measures": "当场清走杂物。", "evidence": [_BEFORE, _AFTER]},
    "decline": {"reason": "not_in_scope", "explanation": "属于小区内部事务，由业委会处理。"},
    "withdraw": {"reason": "已自行解决"},
    "urge": {"text": "请尽快联系居民。"},
    "supervise": {"to": "D01", "text": "请书面说明进展。", "reply_within": "1wd"},
    "reply_supervision": {"order": 1, "text": "明天完工。"},
    "comment": {"text": "已在业主群答复。", "public": True},
    "attach": {"evidence": {**_AFTER, "kind": "document"}},
    "correct": {"reason": "位置写错", "grid": "G02"},
    "adopt_rules": {"calendar": "cn-2027-1", "reason": "新的放假安排"},
}

COMMANDS: dict[str, Any] = {kind: {"kind": kind, **fields} for kind, fields in _FIELDS.items()}

WISH: dict[str, Any] = {"title": "想要一副老花镜", "text": "看药盒上的字看不清。", "grid": "G01"}

WISH_COMMANDS: dict[str, Any] = {
    "claim_wish": {"kind": "claim_wish", "promise": "周末送到"},
    "fulfil_wish": {"kind": "fulfil_wish", "text": "已送到，度数合适。"},
    "thank_for_wish": {"kind": "thank_for_wish", "word": "谢谢志愿者。"},
}
