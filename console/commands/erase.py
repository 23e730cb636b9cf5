"""``bihuan erase``: what was kept of a resident in one finished request is destroyed for good."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from console import output, words
from console.acts import find_stream, role_holder
from console.session import ledger, options, run, settings
from domain.errors import Refused
from domain.privacy import EraseReason
from domain.rights import Permission

if TYPE_CHECKING:
    from ledger.erasure import Erasure


def command(
    name: Annotated[str, typer.Argument(metavar="编号", help="诉求或心愿编号 / id of the request")],
    reason: Annotated[
        EraseReason,
        typer.Option("--reason", help="subject_request 本人要求；order 依法责令；mistake 误录；other 其他 / why"),
    ],
    person: Annotated[str, typer.Option("--as", metavar="人员编号", help="以哪位管理员的身份 / the administrator")],
    said: Annotated[str, typer.Option("--words", metavar="文字", help="说明，不写个人信息 / in words")] = "",
    confirm: Annotated[
        str | None, typer.Option("--confirm", metavar="编号", help="再写一遍完整编号以确认 / the full id once more")
    ] = None,
) -> None:
    """销毁一件已办结诉求的个人资料和照片：不可恢复，流水仍可校验。

    Destroy what was kept of the resident of a finished request, and its photographs. There is no way back.
    """
    run(_erase(name, reason, person, said, confirm))


async def _erase(name: str, reason: EraseReason, person: str, said: str, confirm: str | None) -> None:
    from console.files.keeping import Files
    from console.personal import erase_one

    async with ledger() as pool, pool.acquire() as conn:
        await role_holder(conn, person, Permission.PERSONAL_ERASE)
        stream = await find_stream(conn, "wish" if name.startswith("wish-") else "case", name)
        if not await conn.fetchval(
            "select exists (select from case_row where id = $1) or exists (select from wish where id = $1)", stream
        ):
            raise Refused("case.unknown")
        if (confirm if confirm is not None else _ask(stream)) != stream:
            raise Refused("erase.not_confirmed", field="--confirm", stream=stream)
        store = Files.of(settings()).store
        done = await erase_one(conn, store, stream, person=person, reason=reason, words=said)
    output.result(done.model_dump(mode="json"), lambda: _draw(done))


def _ask(stream: str) -> str:
    """The id, typed once more by somebody at a terminal; nobody else is asked."""
    if options().json or not sys.stdin.isatty():
        return ""
    output.note(
        f"将销毁 {stream} 的姓名、电话、住址、原话和照片，无法恢复。",
        f"Name, number, address, wording and photographs of {stream} will be destroyed for good.",
    )
    return str(typer.prompt(output.say("请输入完整编号以确认", "Type the full id to confirm"))).strip()


def _draw(done: "Erasure") -> None:
    output.line(
        f"{done.stream} 的个人资料已按规定删除（{words.word(words.ERASE, done.reason)}），照片 {done.files} 张。",
        f"What was kept for {done.stream} has been erased ({words.word(words.ERASE, done.reason)}), "
        f"{done.files} photographs.",
    )
