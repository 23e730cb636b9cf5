"""Showing the history of a process and submitting acts to it: what ``case`` and ``wish`` have in common.

Owns the sub-commands ``history``, ``do`` and ``new`` of both. Must not know the stages of either.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from console import output, words
from console.acts import actor_for, clean, find_stream, new_command_id, read_command, read_secret
from console.session import hand_out, ledger, open_desk, settings
from domain.errors import Refused
from domain.limits import limit
from domain.people import Actor
from domain.process import Answer
from domain.processes import PROCESSES
from ledger.log import Recorded, history

if TYPE_CHECKING:
    import asyncpg

_HERE = "127.0.0.1"
"""Where attempts with a password at the command line come from."""

_QUIET = frozenset(
    {"kind", "at", "by", "rules", "evidence", "wording", "reporter", "place", "found_at", "channel", "rules_version"}
    | {"everyday", "limits", "concluding", "external_id", "rungs", "reckoning", "told", "warn_at", "clocks", "kept"}
    | {"rung", "old_calendar", "justified", "to_arbitration", "provisional", "followed", "about", "action"}
    | {"confirmation"}
)
_LIMIT = re.compile(r"[1-9][0-9]{0,3}(?:m|h|d|wh|wd|wd/min)")
_TRUTH: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "lead": (("主办", "lead"), ("协办", "helper")),
    "passed": (("通过", "passed"), ("不通过", "failed")),
    "answered": (("接通", "answered"), ("未接通", "not answered")),
    "solved": (("已解决", "solved"), ("未解决", "not solved")),
    "contacted": (("已联系居民", "resident contacted"), ("", "")),
    "reached": (("", ""), ("未能联系", "not reached")),
    "granted": (("同意", "granted"), ("不同意", "denied")),
    "deemed": (("逾期视为签收", "deemed received"), ("", "")),
    "automatic": (("自动", "automatic"), ("", "")),
    "urging": (("催办通知书", "written urging"), ("", "")),
    "final": (("终局", "final"), ("", "")),
    "skipped": (("已跳过", "skipped"), ("", "")),
    "public": (("公开答复", "in public"), ("", "")),
}
_MEASURES: dict[str, tuple[str, str]] = {
    "people": ("{} 人", "{} people"),
    "minutes": ("{} 分钟", "{} min"),
    "vehicles": ("{} 辆车", "{} vehicle(s)"),
    "speed": ("速度 {}", "speed {}"),
    "quality": ("质量 {}", "quality {}"),
    "attitude": ("态度 {}", "attitude {}"),
}
_INSTANTS: dict[str, tuple[str, str]] = {
    "due_at": ("截止", "due"),
    "return_until": ("可退单至", "may be returned until"),
    "until": ("至", "until"),
    "since": ("自", "since"),
    "stood_at": ("位于", "at"),
    "reply_by": ("回复截止", "reply by"),
    "backlog_at": ("计入积存", "backlog from"),
    "review": ("复核", "review"),
    "charged_from": ("计时自", "charged from"),
    "reopen_until": ("可重开至", "may be reopened until"),
}
_LABELS: dict[str, tuple[str, str]] = {
    "proposed": ("建议", "proposed"),
    "approver": ("批准", "approved by"),
    "charged_to": ("计入", "charged to"),
    "requested_by": ("由其提出", "requested by"),
    "order": ("督办号", "order no."),
    "step": ("分步", "step"),
}
_CODES: dict[str, words.Words] = {
    "urgency": words.URGENCY,
    "mode": words.MODE,
    "level": words.LEVEL,
    "satisfaction": words.SATISFACTION,
    "reason": {**words.REASON, **words.SUSPEND},
    "cause": words.REASON,
    "to": words.AUDIENCE,
    "decision": words.ARBITRATION,
}


async def show_history(process: str, name: str) -> None:
    """Print every fact of a process in order. Raises ``Refused`` ``<process>.unknown``."""
    async with ledger() as pool, pool.acquire() as conn:
        stream = await find_stream(conn, process, name)
        events = await history(conn, stream)
    if not events:
        raise Refused(f"{process}.unknown")
    value = {"id": stream, "events": [event_json(each) for each in events]}
    output.result(value, lambda: draw_events(events))


def event_json(event: Recorded) -> dict[str, Any]:
    """An event as programs are shown it."""
    return {
        "stream": event.stream,
        "seq": event.seq,
        "id": event.id,
        "kind": event.kind,
        "at": event.at,
        "actor": event.actor,
        "command_id": event.command_id,
        "body": event.body,
        "hash": event.hash,
    }


def draw_events(events: list[Recorded]) -> None:
    """Print events as a table."""
    columns = [("序号", "no."), ("时间", "time"), ("事实", "fact"), ("何人", "who"), ("内容", "content")]
    rows = [
        (
            event.seq,
            event.at,
            words.word(words.EVENT, event.kind),
            words.person(Actor.model_validate(event.body["by"])),
            summary(event.body),
        )
        for event in events
    ]
    output.table(columns, rows)


_UNITS = frozenset({"lead", "helpers", "departments", "department", "proposed", "to", "requested_by", "charged_to"})
_PEOPLE = frozenset({"approver", "to"})


def summary(body: Mapping[str, Any], named: Callable[[str], str] = str, *, cut: int = 60) -> str:
    """The values of an event in one short line; long ones are cut, lists of files are counted.

    ``named`` turns the code of a unit or a person into what they are called.
    """
    clock = body.get("clock")
    if isinstance(clock, dict):
        kind = words.word(words.CLOCK, str(clock["kind"]))
        due = output.local(datetime.fromisoformat(str(clock["due_at"])))
        whose = named(str(clock["organisation"])) if clock.get("organisation") else clock.get("step")
        return " ".join(part for part in (kind, whose, output.say("截止", "due"), due) if part)
    parts: list[str] = []
    for name, value in body.items():
        if name in _QUIET or value in (None, "", [], {}):
            continue
        if isinstance(value, bool):
            parts.append(output.say(*_TRUTH[name][0 if value else 1]) if name in _TRUTH else "")
        elif name in _INSTANTS:
            parts.append(f"{output.say(*_INSTANTS[name])} {output.local(datetime.fromisoformat(str(value)))}")
        elif name in _CODES:
            known = _CODES[name]
            parts.append(words.word(known, str(value)) if value in known else named(str(value)))
        elif name == "reviews":
            dates = "、".join(output.local(datetime.fromisoformat(str(each)))[:10] for each in value)
            parts.append(f"{output.say('复核', 'reviews')} {dates}")
        elif name == "changes":
            parts.append(output.say(f"{len(value)} 个时限有变", f"{len(value)} limit(s) moved"))
        elif name == "clock_id":
            parts.append(_clock_name(str(value), named))
        elif isinstance(value, dict):
            parts.append(" / ".join(_measure(key, each) for key, each in value.items() if each not in (None, 0)))
        else:
            values = value if isinstance(value, list) else [_limit_text(str(value))]
            called = named if name in _UNITS | _PEOPLE else str
            shown = " ".join("、".join(called(str(each)) for each in values).split())
            label = f"{output.say(*_LABELS[name])} " if name in _LABELS else ""
            parts.append(label + (shown if len(shown) <= cut else shown[: cut - 3] + "…"))
    parts += _counted(body)
    return " · ".join(part for part in parts if part)


def _counted(body: Mapping[str, Any]) -> Iterator[str]:
    """What is told without its content."""
    if body.get("confirmation"):
        yield output.say("已凭密码确认", "confirmed by password")
    if body.get("evidence"):
        number = len(body["evidence"]) if isinstance(body["evidence"], list) else 1
        yield output.say(f"证据 {number} 件", f"{number} piece(s) of evidence")


def _measure(key: str, value: Any) -> str:
    """One of several numbers that belong together, as people say it."""
    if key == "cost_fen":
        return output.say(f"{value / 100:.2f} 元", f"{value / 100:.2f} yuan")
    if key in _MEASURES:
        return output.say(*_MEASURES[key]).format(value)
    return f"{key} {value}"


def _clock_name(clock_id: str, named: Callable[[str], str] = str) -> str:
    """``sign_for:D01#1`` as people say it: the second clock for D01 to sign for."""
    name, _, later = clock_id.partition("#")
    kind, _, whose = name.partition(":")
    number = output.say(f"第{int(later) + 1}次", f"#{int(later) + 1}") if later.isdecimal() else ""
    return " ".join(part for part in (words.word(words.CLOCK, kind), named(whose), number) if part)


def _limit_text(text: str) -> str:
    """A limit as the reader says it; any other text as it is."""
    return output.say(limit(text).chinese, text) if _LIMIT.fullmatch(text) else text


async def do(
    process: str,
    name: str,
    source: str,
    *,
    person: str,
    role: str | None,
    command_id: str | None,
    password_file: str | None = None,
) -> None:
    """Submit the command in the file ``source`` to a process and print the answer.

    ``password_file`` holds the password by which ``person`` confirms a signature; without one the operator answers for
    it, where the office's settings allow that. Raises ``Refused`` and ``Pending`` (the command id of the message may be
    given again).
    """
    from console.confirming import refuse_foreign  # brings cryptography with it, which a list must not wait for

    given, chosen = read_command(source), new_command_id(command_id)
    refuse_foreign(given)
    cleaned = clean(PROCESSES[process], given)
    async with ledger() as pool:
        async with pool.acquire() as conn:
            stream = await find_stream(conn, process, name)
            actor = await actor_for(conn, PROCESSES[process], stream, cleaned.command, person=person, role=role)
        command = await _confirmed(pool, stream, actor, cleaned.command, chosen, password_file)
        desk = await open_desk(pool)
        answer = await desk.submit(stream, actor, command, command_id=chosen)
    _show_answer(process, answer, cleaned.masked, actor, kept=False)


async def _confirmed(
    pool: "asyncpg.Pool",
    stream: str,
    actor: Actor,
    command: dict[str, Any],
    command_id: str,
    password_file: str | None,
) -> dict[str, Any]:
    """The command, with the confirmation of the signer where one is given or asked for."""
    from console.access.door import Access
    from console.confirming import confirmed, is_asked
    from ledger.signing import SigningKey

    chosen = settings()
    if command.get("kind") != "sign" or not (password_file or is_asked(chosen, "sign", operator=True)):
        return command
    return await confirmed(
        SigningKey.load(chosen.signing_file),
        Access.open(pool, chosen).sessions.confirm,
        stream,
        actor,
        command,
        command_id=command_id,
        password=read_secret(password_file) if password_file else None,
        client=_HERE,
    )


async def new(process: str, kind: str, source: str, *, person: str, role: str | None, command_id: str | None) -> None:
    """Open a process with the command in the file ``source``; ``kind`` may be left out there.

    What was written, and the ``reporter`` (name, phone, address) when given, go to the vault; see
    ``console.opening.prepare_opening``.
    """
    from console.opening import prepare_opening  # brings Temporal with it, which reading a history must not wait for

    given = read_command(source)
    opening = prepare_opening(process, kind, given, new_command_id(command_id) if command_id else None)
    async with ledger() as pool:
        async with pool.acquire() as conn:
            actor = await actor_for(conn, PROCESSES[process], opening.stream, opening.command, person=person, role=role)
        desk = await open_desk(pool)
        answer = await desk.open(
            opening.stream, actor, opening.command, command_id=opening.command_id, private=opening.private
        )
        code = None
        if process == "case":
            async with pool.acquire() as conn:
                code = await hand_out(conn, opening.stream, opening.private.get("reporter_phone"), actor.person)
    _show_answer(process, answer, opening.masked, actor, kept=True, code=code)


def _show_answer(
    process: str, answer: Answer, masked: tuple[str, ...], actor: Actor, *, kept: bool, code: str | None = None
) -> None:
    zh, en = PROCESSES[process].stage_names[answer.stage]

    def draw() -> None:
        told = [kind for kind in dict.fromkeys(answer.kinds) if not kind.startswith("clock_")]
        facts = "、".join(words.word(words.EVENT, kind) for kind in told)
        output.line(
            f"已记入账本：{facts}。当前阶段：{zh}。以 {words.person(actor)} 办理。",
            f"Recorded: {facts}. Stage: {en}. Acted as {words.person(actor)}.",
        )
        output.line(
            f"编号 {answer.stream}  第 {answer.seq_from}–{answer.seq_to} 条  命令编号 {answer.command_id}",
            f"id {answer.stream}  events {answer.seq_from}–{answer.seq_to}  command id {answer.command_id}",
        )

        if code is not None:
            output.line(f"居民查询码 {code}，请交给居民。", f"Tracking code for the resident: {code}")

    told = {} if code is None else {"tracking_code": code}
    output.result({**answer.model_dump(mode="json"), "actor": actor, "masked": masked, **told}, draw)
    if masked:
        where = "、".join(masked)
        rest = ("原文已存入保密库。", "the original is in the vault") if kept else ("原文未保存。", "it was not kept")
        output.note(f"已遮盖个人信息：{where}；{rest[0]}", f"Personal data was masked in {where}; {rest[1]}.")
