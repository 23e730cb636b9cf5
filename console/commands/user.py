"""``bihuan user``: who may sign in."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from console import output
from console.paging import show_next
from console.session import SHARED, ledger, run, settings
from domain.errors import Refused

if TYPE_CHECKING:
    from console.access.accounts import NewPassword
    from console.access.tokens import NewToken
    from ledger.access import AccountRow, TokenRow

app = typer.Typer(help="账号：添加、停用、重置密码、访问令牌 / who may sign in", epilog=SHARED, add_completion=False)

Login = Annotated[str, typer.Argument(metavar="登录名", help="登录名 / login name")]
By = Annotated[str, typer.Option("--by", metavar="人员编号", help="由谁操作 / who does it")]
_BY = "administrator"


@app.command(epilog=SHARED)
def add(
    person: Annotated[str, typer.Argument(metavar="人员编号", help="登记册中的人员编号 / code in the registry")],
    login: Annotated[str | None, typer.Option(metavar="登录名", help="默认与人员编号相同 / default: the code")] = None,
    administrator: Annotated[
        bool, typer.Option("--administrator", help="可以管理账号、登记册和规则 / may administer")
    ] = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="只用统一身份认证登录 / signs in by the identity provider only")
    ] = False,
    by: By = _BY,
) -> None:
    """添加账号，显示一次性密码（只显示这一次，首次登录须修改）。

    Add an account and show its one-time password, once.
    """
    run(_add(person, login, administrator, no_password, by))


async def _add(person: str, login: str | None, administrator: bool, no_password: bool, by: str) -> None:
    from console.access.door import Access
    from ledger.registry import read_registry

    async with ledger() as pool:
        async with pool.acquire() as conn:
            registry = await read_registry(conn)
        if registry.person(person) is None and not administrator:
            raise Refused("person.unknown", field="person", person=person)
        made = await Access.open(pool, settings()).accounts.add(
            person, by=by, login=login, is_administrator=administrator, with_password=not no_password
        )
    _show_password(made)


def _show_password(made: "NewPassword") -> None:
    output.result({**made.account.model_dump(mode="json"), "password": made.password}, lambda: _draw_password(made))


def _draw_password(made: "NewPassword") -> None:
    output.fields(
        [
            ("登录名", "login name", made.account.login),
            ("人员", "person", made.account.person),
            ("一次性密码", "one-time password", made.password),
        ]
    )
    if made.password is not None:
        output.note(
            "密码只显示这一次，请当面交给本人；首次登录须修改。",
            "Shown this once only: hand it over in person. It must be changed at the first sign-in.",
        )


@app.command("list", epilog=SHARED)
def list_(
    disabled: Annotated[bool | None, typer.Option("--disabled/--enabled", help="已停用/有效 / disabled or not")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几个 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """列出账号。

    List the accounts.
    """
    run(_list(disabled, limit, cursor))


async def _list(disabled: bool | None, limit: int, cursor: str | None) -> None:
    from console.access.door import Access

    async with ledger() as pool:
        items, after = await Access.open(pool, settings()).accounts.list(disabled=disabled, limit=limit, after=cursor)
    output.result({"items": items, "next": after}, lambda: _draw_list(items, after))


def _draw_list(items: "tuple[AccountRow, ...]", after: str | None) -> None:
    if not items:
        output.line("没有账号；请用 bihuan user add 添加。", "There are no accounts: bihuan user add.")
        return
    columns = [("登录名", "login"), ("人员", "person"), ("状态", "state"), ("添加时间", "added")]
    output.table(columns, [(each.login, each.person, _state(each), each.created_at) for each in items])
    show_next(after)


def _state(account: "AccountRow") -> str:
    parts = [output.say("管理员", "administrator")] if account.is_administrator else []
    if account.disabled_at is not None:
        parts.append(output.say("已停用", "disabled"))
    elif not account.has_password:
        parts.append(output.say("统一身份认证", "identity provider"))
    elif account.must_change:
        parts.append(output.say("待改密码", "password to be changed"))
    return output.say("，", ", ").join(parts) or output.say("有效", "in force")


@app.command(epilog=SHARED)
def disable(login: Login, by: By = _BY) -> None:
    """停用账号：立即退出登录，令牌全部撤销。

    Keep an account out at once; its tokens are revoked.
    """
    run(_switch(login, by, disabled=True))


@app.command(epilog=SHARED)
def enable(login: Login, by: By = _BY) -> None:
    """恢复账号，密码不变。

    Let an account in again, with the password it had.
    """
    run(_switch(login, by, disabled=False))


async def _switch(login: str, by: str, *, disabled: bool) -> None:
    from console.access.door import Access

    async with ledger() as pool:
        accounts = Access.open(pool, settings()).accounts
        account = await (accounts.disable(login, by=by) if disabled else accounts.enable(login, by=by))
    output.result(
        account,
        lambda: output.line(
            f"账号 {account.login} {'已停用' if disabled else '已恢复'}。",
            f"{account.login} is {'disabled' if disabled else 'in force'}.",
        ),
    )


@app.command("sign-out", epilog=SHARED)
def sign_out(login: Login, by: By = _BY) -> None:
    """结束账号的全部会话；账号仍可重新登录。

    End all sessions of an account; it may sign in again.
    """
    run(_sign_out(login, by))


async def _sign_out(login: str, by: str) -> None:
    from console.access.door import Access

    async with ledger() as pool:
        ended = await Access.open(pool, settings()).accounts.end_sessions(login, by=by)
    output.result(
        {"sessions": ended},
        lambda: output.line(f"已结束 {ended} 个会话。", f"{ended} sessions ended."),
    )


@app.command(epilog=SHARED)
def reset(login: Login, by: By = _BY) -> None:
    """重置密码：显示一次性密码，原有登录和令牌失效。

    Give an account a one-time password; its sessions end and its tokens are revoked.
    """
    run(_reset(login, by))


async def _reset(login: str, by: str) -> None:
    from console.access.door import Access

    async with ledger() as pool:
        made = await Access.open(pool, settings()).accounts.reset(login, by=by)
    _show_password(made)


@app.command(epilog=SHARED)
def token(
    login: Login,
    name: Annotated[str, typer.Option(metavar="用途", help="令牌用途 / what it is for")],
    permissions: Annotated[
        list[str], typer.Option("--permission", metavar="权限", help="可重复，如 case.read / may be repeated")
    ],
    days: Annotated[int, typer.Option(min=1, max=366, help="有效天数 / days it lasts")] = 90,
    by: By = _BY,
) -> None:
    """签发访问令牌（只显示这一次）；权限不超过本人当日的权限。

    Issue a token for programs, shown once; it never reaches further than its person.
    """
    run(_token(login, name, permissions, days, by))


async def _token(login: str, name: str, permissions: list[str], days: int, by: str) -> None:
    from console.access.accounts import login_name
    from console.access.door import Access

    async with ledger() as pool:
        made = await Access.open(pool, settings()).tokens.issue(
            login_name(login), name=name, permissions=permissions, lasts=timedelta(days=days), by=by
        )
    output.result({**made.row.model_dump(mode="json"), "token": made.token}, lambda: _draw_token(made))


def _draw_token(made: "NewToken") -> None:
    output.fields(
        [
            ("令牌", "token", made.token),
            ("编号", "id", made.row.id),
            ("权限", "permissions", ", ".join(made.row.permissions)),
            ("有效至", "until", output.local(made.row.ends_at)),
        ]
    )
    output.note("令牌只显示这一次，请妥善保存。", "Shown this once only: keep it safe.")


@app.command(epilog=SHARED)
def tokens(
    login: Login,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几个 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """列出账号的访问令牌。

    List the tokens of an account.
    """
    run(_tokens(login, limit, cursor))


async def _tokens(login: str, limit: int, cursor: str | None) -> None:
    from console.access.door import Access

    async with ledger() as pool:
        access = Access.open(pool, settings())
        account = await access.accounts.find(login)
        items, after = await access.tokens.own(account.login, limit=limit, after=_id(cursor, "--cursor"))
    output.result({"items": items, "next": after}, lambda: _draw_tokens(items, after))


def _draw_tokens(items: "tuple[TokenRow, ...]", after: UUID | None) -> None:
    columns = [
        ("编号", "id"),
        ("用途", "name"),
        ("权限", "permissions"),
        ("有效至", "until"),
        ("最近使用", "last used"),
    ]
    rows = [(each.id, each.name, ", ".join(each.permissions), _until(each), each.last_used_at) for each in items]
    output.table(columns, rows)
    show_next(str(after) if after else None)


def _until(row: "TokenRow") -> str:
    return output.say("已撤销", "revoked") if row.revoked_at else output.local(row.ends_at)


@app.command(epilog=SHARED)
def revoke(
    login: Login,
    number: Annotated[str, typer.Argument(metavar="编号", help="令牌编号 / id of the token")],
    by: By = _BY,
) -> None:
    """撤销访问令牌。

    Revoke a token.
    """
    run(_revoke(login, number, by))


async def _revoke(login: str, number: str, by: str) -> None:
    from console.access.accounts import login_name
    from console.access.door import Access

    chosen = _id(number, "编号")
    assert chosen is not None, "an argument is always given"
    async with ledger() as pool:
        await Access.open(pool, settings()).tokens.revoke(login_name(login), chosen, by=by)
    output.result({"id": chosen, "revoked": True}, lambda: output.line("令牌已撤销。", "The token is revoked."))


@app.command(epilog=SHARED)
def record(
    login: Annotated[str | None, typer.Argument(metavar="登录名", help="只看此账号 / this account only")] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几条 / rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """登录与账号变更记录，最新的在前。

    Who signed in, was refused, added, disabled or reset, the youngest first.
    """
    run(_record(login, limit, cursor))


async def _record(login: str | None, limit: int, cursor: str | None) -> None:
    from console.access.door import Access
    from console.security_sheet import draw_lines

    async with ledger() as pool:
        found = await Access.open(pool, settings()).accounts.record(login, limit=limit, cursor=cursor)
    output.result({"items": found.items, "next": found.next}, lambda: draw_lines(found))


def _id(text: str | None, name: str) -> UUID | None:
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise Refused("cli.bad_value", field=name, name=name, reason="UUID") from None
