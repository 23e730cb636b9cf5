"""``bihuan notice``: what people were told, whether it reached them, and whether they have seen it."""

from collections import Counter
from typing import Annotated
from uuid import UUID

import typer

from console import output, words
from console.acts import find_stream
from console.paging import show_next
from console.session import SHARED, ledger, run
from domain.errors import Refused
from domain.notices import NOTICE_KINDS, sentence
from domain.people import Role
from ledger import outbox
from ledger.log import Connection
from ledger.outbox import INBOX, NOBODY, DeliveryRow, Listed, NoticeFilter, NoticePage
from ledger.rows import NoticeRow

app = typer.Typer(help="通知：发给谁、送到没有、看过没有 / notices", epilog=SHARED, add_completion=False)

CHANNELS: words.Words = {
    INBOX: ("站内", "inbox"),
    outbox.EMAIL: ("邮件", "e-mail"),
    "webhook": ("回调", "webhook"),
    "apprise": ("其他", "others"),
}
"""What the channels are called."""

_Person = Annotated[str, typer.Option("--as", metavar="人员编号", help="以谁的身份 / person")]
_Number = Annotated[str, typer.Argument(metavar="通知编号", help="至少前四位 / at least four digits of its number")]


@app.callback()
def notices() -> None:
    """通知：发给谁、送到没有、看过没有。

    What people were told, and whether it reached them.
    """


@app.command("list", epilog=SHARED)
def list_(
    person: Annotated[str | None, typer.Option("--as", metavar="人员编号", help="谁的收件箱 / whose inbox")] = None,
    unseen: Annotated[bool, typer.Option("--unseen", help="只看未读 / not seen yet")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="只看投递失败 / failed deliveries")] = False,
    case: Annotated[str | None, typer.Option("--case", metavar="编号", help="只看这一件 / of this case")] = None,
    limit: Annotated[int, typer.Option(min=1, max=outbox.PAGE_LIMIT, help="每页几条 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """通知列表，最新的在前。

    Notices, the youngest first.
    """
    run(_list(person, case, unseen=unseen, failed=failed, limit=limit, cursor=cursor))


async def _list(
    person: str | None, case: str | None, *, unseen: bool, failed: bool, limit: int, cursor: str | None
) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        stream = None
        if case is not None:
            stream = await find_stream(conn, "wish" if case.startswith("wish-") else "case", case)
        wanted = NoticeFilter(stream=stream, person=person, unseen=unseen, failed=failed)
        page = await outbox.list_notices(conn, wanted, limit=limit, cursor=cursor)
    value = {"items": [_as_json(each) for each in page.items], "next": page.next}
    output.result(value, lambda: _draw(page, person))


def _as_json(listed: Listed) -> dict[str, object]:
    notice = listed.notice
    return {
        **notice.model_dump(mode="json"),
        "zh": _sentence(notice, "zh"),
        "en": _sentence(notice, "en"),
        "deliveries": [each.model_dump(mode="json", exclude={"notice"}) for each in listed.deliveries],
    }


def _sentence(notice: NoticeRow, language: str) -> str:
    # A newer release may have written a kind that this one has no words for.
    return sentence(notice.kind, notice.params, language) if notice.kind in NOTICE_KINDS else notice.kind


def _draw(page: NoticePage, person: str | None) -> None:
    if not page.items:
        output.line("没有通知。", "No notices.")
        return
    columns = [
        ("时间（北京时间）", "when (Beijing)"),
        ("通知", "notice"),
        ("事项", "case"),
        ("发给", "to"),
        ("送达", "delivered"),
        ("编号", "number"),
    ]
    output.table(columns, (_row(each, person) for each in page.items))
    show_next(page.next)


def _row(listed: Listed, person: str | None) -> tuple[object, ...]:
    notice = listed.notice
    return (
        notice.at,
        _sentence(notice, output.language()),
        notice.stream[:13],
        _to(notice),
        _delivered(listed.deliveries, person),
        str(notice.id)[:8],
    )


def _to(notice: NoticeRow) -> str:
    if notice.person is not None:
        return notice.person
    role = words.role(notice.role) if notice.role in set(Role) else notice.role or "-"
    place = notice.grid or notice.organisation
    return f"{role} {place}" if place else role


def _delivered(deliveries: tuple[DeliveryRow, ...], person: str | None) -> str:
    """How the notice went out; for one person only what concerns them and what goes to everybody."""
    personal = (INBOX, outbox.EMAIL)
    shown = [each for each in deliveries if person in (None, each.receiver) or each.channel not in personal]
    if not shown:
        return output.say("待分发", "to be routed")
    channels = dict.fromkeys([*CHANNELS, *(each.channel for each in shown)])
    parts = [_channel(name, own) for name in channels if (own := [each for each in shown if each.channel == name])]
    return output.say("；", "; ").join(parts)


def _channel(name: str, deliveries: list[DeliveryRow]) -> str:
    called, states = words.word(CHANNELS, name), Counter(each.state for each in deliveries)
    troubled = next((each for each in deliveries if each.last_error), None)
    if troubled is not None and troubled.last_error == NOBODY:
        return output.say(f"{called} 无人接收", f"{called} nobody there")
    seen = sum(each.seen_at is not None for each in deliveries)
    parts = []
    if states["delivered"]:
        parts.append(output.say(f"已送达 {states['delivered']}", f"{states['delivered']} delivered"))
    if name == INBOX:
        parts.append(output.say(f"已读 {seen}", f"{seen} seen"))
    if states["waiting"]:
        parts.append(output.say(f"待送 {states['waiting']}", f"{states['waiting']} waiting"))
    if states["failed"]:
        parts.append(output.say(f"失败 {states['failed']}", f"{states['failed']} failed"))
    if troubled is not None:
        parts.append(str(troubled.last_error))
    return f"{called} {output.say('，', ', ').join(parts)}"


@app.command(epilog=SHARED)
def seen(number: _Number, person: _Person) -> None:
    """标为已读。

    Mark a notice as seen.
    """
    run(_seen(number, person))


async def _seen(number: str, person: str) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        notice = await _find(conn, number)
        if not await outbox.mark_seen(conn, notice, person):
            raise Refused("notice.not_theirs", field="--as", person=person)
    output.result({"notice": notice, "seen": True}, lambda: output.line("已标为已读。", "Marked as seen."))


@app.command(epilog=SHARED)
def retry(number: _Number) -> None:
    """重新投递失败的通知。

    Try failed deliveries of a notice again.
    """
    run(_retry(number))


async def _retry(number: str) -> None:
    async with ledger() as pool, pool.acquire() as conn:
        notice = await _find(conn, number)
        count = await outbox.retry(conn, notice)
        if count == 0:
            raise Refused("notice.nothing_failed", field="number")
    output.result(
        {"notice": notice, "deliveries": count},
        lambda: output.line(f"将重新投递 {count} 份。", f"{count} deliveries will be tried again."),
    )


async def _find(conn: Connection, number: str) -> UUID:
    """The notice whose number begins like this. Raises ``Refused`` ``notice.unknown`` and ``cli.ambiguous``."""
    try:
        found = await outbox.notices_beginning(conn, number) if len(number) >= 4 else []
    except ValueError:
        found = []
    if not found:
        raise Refused("notice.unknown", field="number")
    if len(found) > 1:
        raise Refused("cli.ambiguous", prefix=number)
    return found[0]
