"""Examples of the API's document: each command as somebody would send it, each answer, and how answers lead on."""

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


# --- answers -------------------------------------------------------------------------------------------------------

CASE_ID, WISH_ID = "case-3f9c0a1b2c3d4e5f60718293a4b5c6d7", "wish-0d2e4f6a8b0c1d3e5f7a9b1c3d5e7f90"
KEY = "5f0c7a52-52a5-4f0e-9d0b-4f3f7f0f7a11"
_AT, _DUE, _LATER = "2026-11-26T01:20:00Z", "2026-11-26T09:20:00Z", "2026-11-27T02:00:00Z"
_WORKER = {"person": "G01-1", "role": "grid_worker", "organisation": None, "grid": "G01"}
_HANDLER = {"person": "D01-1", "role": "department_handler", "organisation": "D01", "grid": None}

_FACT: dict[str, Any] = {
    "stream": CASE_ID,
    "seq": 4,
    "id": "0190f5f0-7c1e-7a77-8f0e-1d2c3b4a5968",
    "kind": "accepted",
    "at": _AT,
    "actor": "D01-1",
    "command_id": KEY,
    "body": {"kind": "accepted", "at": _AT, "by": _HANDLER, "department": "D01"},
    "hash": DIGEST,
}
_TASK: dict[str, Any] = {
    "id": "handle:D01#0.1",
    "kind": "handle",
    "role": "department_handler",
    "organisation": "D01",
    "opened_at": _AT,
    "due_at": _LATER,
}
_ROW: dict[str, Any] = {
    "id": CASE_ID,
    "seq": 4,
    "stage": "handling",
    "suspended": False,
    "shelved": False,
    "street": "S01",
    "community": "C01",
    "grid": "G01",
    "category": "K04",
    "urgency": "general",
    "mode": "within_limit",
    "channel": "grid",
    "title": "路灯不亮",
    "text": "巷口第二盏路灯昨晚起不亮。",
    "found_at": _AT,
    "registered_at": _AT,
    "due_at": _LATER,
    "light": "green",
    "lead": "D01",
    "departments": ["D01"],
    "level": "community",
    "was_overdue": False,
    "finished": False,
    "rules_version": "example-1",
    "calendar_version": "cn-2026-1",
    "opened_by": "G01-1",
    "updated_at": _AT,
}
_PLACE = {"street": "S01", "community": "C01", "grid": "G01"}
_SHEET: dict[str, Any] = {
    "id": CASE_ID,
    "seq": 4,
    "stage": "handling",
    "finished": False,
    "due_at": _LATER,
    "light": "green",
    "departments": ["D01"],
    "tasks": [_TASK],
    "case": {
        "stage": "handling",
        "title": "路灯不亮",
        "text": "巷口第二盏路灯昨晚起不亮。",
        "channel": "grid",
        "place": _PLACE,
        "category": "K04",
        "urgency": "general",
        "registered_by": _WORKER,
        "registered_at": _AT,
        "found_at": _AT,
        "rules": {
            "version": "example-1",
            "row": {"urgency": "general", "limits": {"handle": "5wd"}},
            "rework_most": 2,
            "visit_attempts": 3,
            "visit_gap": "2h",
        },
        "assignments": [{"department": "D01", "lead": True, "assigned_at": _AT, "accepted_at": _AT}],
        "waiting_since": _AT,
    },
}
_DONE: dict[str, Any] = {
    "command_id": KEY,
    "actor": _HANDLER,
    "kinds": ["accepted"],
    "masked": [],
    "events": [_FACT],
    "case": _SHEET,
}
_WISH_ROW: dict[str, Any] = {
    "id": WISH_ID,
    "seq": 1,
    "stage": "published",
    "street": "S01",
    "community": "C01",
    "grid": "G01",
    "title": "想要一副老花镜",
    "text": "看药盒上的字看不清。",
    "published_at": _AT,
    "lapses_at": "2026-12-26T01:20:00Z",
    "finished": False,
    "updated_at": _AT,
}
_WISH_SHEET: dict[str, Any] = {
    "id": WISH_ID,
    "seq": 1,
    "stage": "published",
    "finished": False,
    "tasks": [{"id": "claim_wish", "kind": "claim_wish", "role": "community", "organisation": "C01", "opened_at": _AT}],
    "wish": {
        "stage": "published",
        "title": "想要一副老花镜",
        "text": "看药盒上的字看不清。",
        "grid": "G01",
        "published_by": _WORKER,
        "published_at": _AT,
        "rules_version": "example-1",
        "limits": {"claim_within": "14d", "fulfil_within": "30d", "thank_within": "7d"},
        "lapses_at": "2026-12-26T01:20:00Z",
        "waiting_since": _AT,
    },
}
_WISH_FACT = {**_FACT, "stream": WISH_ID, "seq": 1, "kind": "wish_published", "actor": "G01-1"}
_WISH_FACT["body"] = {"kind": "wish_published", "at": _AT, "by": _WORKER, "title": "想要一副老花镜", "grid": "G01"}
_WISH_DONE = {**_DONE, "actor": _WORKER, "kinds": ["wish_published"], "events": [_WISH_FACT], "wish": _WISH_SHEET}
del _WISH_DONE["case"]
_CURSOR = "WyJyZWdpc3RlcmVkIiwiMjAyNi0xMS0yNiIsImNhc2UtM2Y5YyJd"
_CAUSE = {"seq": 3, "kind": "dispatched", "at": _AT, "by": _WORKER, "reason": None}
_DUE_SET = {
    "cause": _CAUSE,
    "limit": "5wd",
    "rules": "example-1",
    "calendar": "cn-2026-1",
    "due_at": "2026-12-03T18:00:00+08:00",
    "provisional": False,
}
_CLOCK: dict[str, Any] = {
    "id": "handle",
    "kind": "handle",
    "organisation": None,
    "step": None,
    "step_name": None,
    "status": "running",
    "started": _CAUSE,
    "started_at": "2026-11-26T09:20:00+08:00",
    "finished": None,
    "stopped_at": None,
    "limit": "5wd",
    "whole_limit": "5wd",
    "due_at": "2026-12-03T18:00:00+08:00",
    "provisional": False,
    "unpublished": None,
    "agrees": True,
    "light": "green",
    "late": False,
    "counting": "working_days",
    "whole": 5,
    "used": 1,
    "remaining": 4,
    "over": 0,
    "overtime_permille": None,
    "rules": ["example-1"],
    "calendars": ["cn-2026-1"],
    "dues": [_DUE_SET],
    "standings": [],
    "extensions": [],
    "adoptions": [],
    "marks": [],
    "ahead": [],
    "holders": [],
    "on_time": None,
    "limit_text": "5个工作日",
    "notes": [],
    "steps": None,
}
_OFFERS: dict[str, Any] = {
    "offers": [
        {
            "kind": "report_progress",
            "actor": _HANDLER,
            "choices": {"step": []},
            "task": "handle:D01#0.1",
        },
        {"kind": "strike_off", "actor": _HANDLER, "needed": ["evidence"], "task": "handle:D01#0.1"},
    ],
    "withheld": [],
}

_SPAN = {"begin": "2026-10-01", "end": "2026-11-01"}
_FIGURE = {"measure": "on_time", "base": 40, "hit": 36, "apart": {}}

_WHERE = {"community": "C01", "category": "K04", "lead": "D01"}
_HERE = {**_WHERE, "street": "S01", "grid": "G01", "light": "green", "apart": None, "rules": "example-1"}

STATS: dict[str, Any] = {
    "rates": {
        **_SPAN,
        "by": "community",
        "measures": [
            {
                "code": "on_time",
                "name": "按时办结率",
                "name_en": "done in time",
                "formula": "按时办结 ÷ 应办结",
                "formula_en": "done in time ÷ due",
                "basis": "DOMAIN §6",
                "kind": "share",
            }
        ],
        "total": {},
        "groups": {},
        "months": {},
    },
    "cases_of_rate": {
        "items": [
            {
                **_HERE,
                "id": CASE_ID,
                "title": "路灯不亮",
                "stage": "settled",
                "at": _AT,
                "base": 1,
                "hit": 1,
                "overtime_permille": None,
            }
        ],
        "next": None,
    },
    "open_ledger": {
        **_SPAN,
        "lines": [{"community": "C01", "registered": 52, "struck_off": 49, "published": 49, "settled": 46, "open": 6}],
    },
    "cases_of_ledger": {
        "items": [{**_WHERE, "id": CASE_ID, "title": "路灯不亮", "stage": "settled", "at": _AT}],
        "next": None,
    },
    "board": {
        **_SPAN,
        "at": _AT,
        "counts": {
            "open": 12,
            "new_today": 3,
            "due_today": 2,
            "overdue": 1,
            "settled_today": 4,
            "lights": {"green": 9, "yellow": 2, "red": 1},
        },
        "rates": [_FIGURE],
        "communities": [{"code": "C01", "open": 6, "red": 1, "figures": {}}],
        "departments": [{"code": "D01", "open": 5, "red": 0, "figures": {}}],
        "lines": [
            {
                **_WHERE,
                "title": "路灯不亮",
                "urgency": "general",
                "stage": "handling",
                "light": "green",
                "due_at": _LATER,
            }
        ],
    },
}

ANSWERS: dict[str, Any] = {
    **STATS,
    "late": {
        "command_id": KEY,
        "matter": CASE_ID,
        "status_url": f"/api/v1/commands/{KEY}?matter={CASE_ID}",
    },
    "register_case": {**_DONE, "masked": ["text"], "tracking_code": "4KXN7-Q2MDR"},
    "act_on_case": _DONE,
    "list_cases": {"items": [_ROW], "next": _CURSOR},
    "show_case": _SHEET,
    "case_history": {"items": [_FACT], "next": None},
    "case_deadlines": {
        "id": CASE_ID,
        "at": "2026-11-26T10:00:00+08:00",
        "rules": "example-1",
        "calendar": "cn-2026-1",
        "clocks": [_CLOCK],
    },
    "case_offers": _OFFERS,
    "show_command": _DONE,
    "list_tasks": {"items": [{**_TASK, "stream": CASE_ID, "process": "case", "case": _ROW}], "next": None},
    "claim_task": _DONE,
    "list_wishes": {"items": [_WISH_ROW], "next": None},
    "publish_wish": _WISH_DONE,
    "show_wish": _WISH_SHEET,
    "wish_history": {"items": [_WISH_FACT], "next": None},
    "wish_offers": {"offers": [{"kind": "claim_wish", "actor": _WORKER}], "withheld": []},
    "act_on_wish": _WISH_DONE,
    "feed": {"items": [_FACT], "next": "812.4", "more": False},
    "upload_files": {"evidence": [_AFTER]},
    "attach_file": _DONE,
    "case_files": {
        "items": [
            {
                "digest": DIGEST,
                "thumb": DIGEST,
                "media_type": "image/jpeg",
                "bytes": 183200,
                "width": 1920,
                "height": 1440,
                "stream": CASE_ID,
                "uploaded_by": "D01-1",
                "uploaded_at": _AT,
                "url": f"/api/v1/cases/{CASE_ID}/files/{DIGEST}",
            }
        ]
    },
    "show_reporter": {"name": "王小明", "phone": "13800001234", "address": "", "erased": False},
    "list_reveals": {
        "items": [
            {
                "id": "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d",
                "at": "2026-11-26T02:00:00Z",
                "person": "G01-1",
                "role": "grid_worker",
                "door": "page",
                "stream": CASE_ID,
                "reason": "visit",
                "words": "",
            }
        ],
        "next": None,
    },
    "security_log": {
        "items": [
            {
                "id": 5121,
                "at": "2026-11-20T01:05:09.120000Z",
                "kind": "access_refused",
                "actor": "D01-1",
                "outcome": "refused",
                "place": "GET /accounts",
                "source": "10.20.3.0/24",
                "subject": "-",
                "detail": {"code": "access.denied", "right": "account.manage"},
                "hash": DIGEST,
            }
        ],
        "next": None,
    },
    "me": {
        "person": "D01-1",
        "name": "周工",
        "roles": [_HANDLER],
        "permissions": ["act.accept", "case.act", "case.read"],
        "by_token": True,
    },
}
"""One answer for each operation, and the one that is late."""


# --- links ---------------------------------------------------------------------------------------------------------


def _to(id_: str, *operations: str) -> dict[str, Any]:
    """Links by which the id in an answer leads to what is done with it."""
    return {name: {"operationId": name, "parameters": {"path.id": id_}} for name in operations}


_WITH_CASE = (
    "show_case",
    "case_history",
    "case_deadlines",
    "case_offers",
    "case_files",
    "act_on_case",
    "attach_file",
)
_WITH_WISH = ("show_wish", "wish_history", "wish_offers", "act_on_wish")
_BY_COMMAND = _to("$response.body#/command_id", "show_command")

LINKS: dict[str, dict[str, Any]] = {
    "register_case": {**_to("$response.body#/case/id", *_WITH_CASE), **_BY_COMMAND},
    "act_on_case": {**_to("$response.body#/case/id", "show_case", "case_history"), **_BY_COMMAND},
    "list_cases": _to("$response.body#/items/0/id", *_WITH_CASE),
    "list_tasks": {
        "claim_task": {
            "operationId": "claim_task",
            "parameters": {"path.id": "$response.body#/items/0/stream", "path.task": "$response.body#/items/0/id"},
        }
    },
    "publish_wish": {**_to("$response.body#/wish/id", *_WITH_WISH), **_BY_COMMAND},
    "list_wishes": _to("$response.body#/items/0/id", *_WITH_WISH),
    "case_files": {
        "read_file": {
            "operationId": "read_file",
            "parameters": {
                "path.id": "$response.body#/items/0/stream",
                "path.digest": "$response.body#/items/0/digest",
            },
        }
    },
}
