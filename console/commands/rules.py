"""``bihuan rules``: the office's rule books – check one in a file, import it, look at it.

Owns options and outcome. Reading is ``ledger.rule_files``, judging ``domain.rule_check``, layout
``console.rule_sheet``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console import output
from console.commands.adopt import command as adopt
from console.paging import show_next
from console.problems import show_refused
from console.rule_sheet import category_rows, draw_book, draw_changes, draw_problems
from console.session import SHARED, ledger, run
from console.versions import By, Cursor, Rows, person_code, show_versions
from domain.errors import Refused
from domain.rule_changes import rule_changes
from domain.rule_check import Checked, check_rules
from domain.rule_problem import RawBook
from domain.rules import RuleBook
from ledger.rule_files import (
    TABLE_SUFFIXES,
    YAML_SUFFIXES,
    check_rule_file,
    example_book,
    read_rule_file,
    rule_book_yaml,
)

if TYPE_CHECKING:
    from ledger.log import Connection

app = typer.Typer(help="规则：检查、导入、查看各项时限 / the rule books", epilog=SHARED, add_completion=False)
app.command("adopt", epilog=SHARED)(adopt)

_File = Annotated[
    Path, typer.Argument(metavar="文件", help="规则文件：.yaml .xlsx .xls .ods .csv / the file", show_default=False)
]
_Base = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="版本|文件", help="表格没写的内容取自它，默认为示例规则 / gives what a table leaves open"
    ),
]
_Version = Annotated[
    str | None, typer.Option("--version", metavar="版本", help="改用这个版本号 / use this version instead")
]
_Shown = Annotated[
    str | None,
    typer.Argument(metavar="版本", help="默认为现行版本 / the version in force by default", show_default=False),
]


@app.command(epilog=SHARED)
def check(file: _File, base: _Base = None, version: _Version = None) -> None:
    """检查规则文件：有问题逐条列出位置和改法；不需要启动实例，启动后还会对照登记册的类别。

    Check a file; needs no instance, but compares the categories with the registry of a running one.
    """
    raw = read_rule_file(file)
    checked = run(_check(raw, base, version))
    _refuse_unsound(checked)
    book = checked.sound()
    named = {row.category for row in book.rows if row.category is not None}
    value = {
        "sound": True,
        "version": book.version,
        "name": book.name,
        "rows": len(book.rows),
        "categories": len(named),
        "rungs": len(book.ladder),
        "channels": len(book.channels),
        "checked_against": checked.against,
        "notes": checked.notes,
    }

    def draw() -> None:
        _draw_notes(checked)
        output.line(
            f"没有问题：版本 {book.version}，{len(book.rows)} 行，{len(named)} 个类别，阶梯 {len(book.ladder)} 级。",
            f"Sound: version {book.version}, {len(book.rows)} rows, {len(named)} categories, {len(book.ladder)} rungs.",
        )

    output.result(value, draw)


async def _check(raw: RawBook, base: str | None, version: str | None) -> Checked:
    try:
        async with ledger() as pool, pool.acquire() as conn:
            return await _judged(conn, raw, base, version)
    except Refused as refused:
        if refused.code != "instance.not_running":
            raise
        if base is not None and not _is_file(base) and base != example_book().version:
            raise
    return check_rules(raw, _known_base(base), version=version)


async def _judged(conn: "Connection", raw: RawBook, base: str | None, version: str | None) -> Checked:
    from console.rule_judging import judge
    from ledger.rule_books import read_rule_book

    known = base is None or _is_file(base) or base == example_book().version
    book = _known_base(base) if known else await read_rule_book(conn, base)
    return await judge(conn, raw, book, version)


def _is_file(base: str) -> bool:
    return Path(base).suffix.lower() in (*YAML_SUFFIXES, *TABLE_SUFFIXES)


def _known_base(base: str | None) -> RuleBook:
    """The base that needs no ledger. Raises ``Refused`` as the check of its file does."""
    if base is None or not _is_file(base):
        return example_book()
    return check_rule_file(Path(base)).sound()


def _refuse_unsound(checked: Checked) -> None:
    """Nothing for a sound book; else lists everything that is wrong and ends the command."""
    if checked.book is not None:
        return
    refused = checked.refused()
    show_refused(refused, lambda: draw_problems(checked.problems), problems=checked.problems, notes=checked.notes)
    raise typer.Exit(1)


def _draw_notes(checked: Checked) -> None:
    if checked.notes:
        output.line("请留意：", "Worth knowing:")
        draw_problems(checked.notes)


@app.command("import", epilog=SHARED)
def import_(
    file: _File,
    version: _Version = None,
    base: _Base = None,
    choose: Annotated[
        bool, typer.Option("--choose/--no-choose", help="新登记的诉求即按它办理 / new cases live by it from now on")
    ] = True,
    by: By = "administrator",
) -> None:
    """检查并导入规则为新版本，列出与现行版本的差异；已受理的诉求不变。

    Check a file and keep it as a new version; shows what differs. Open cases stay as they are.
    """
    raw = read_rule_file(file)
    run(_import(raw, base, version, person_code(by), choose=choose))


async def _import(raw: RawBook, base: str | None, version: str | None, by: str, *, choose: bool) -> None:
    from ledger.rule_books import choose_rule_book, current_version, read_rule_book
    from ledger.versions import RULE_BOOKS, open_cases_elsewhere

    async with ledger(owner=True) as pool, pool.acquire() as conn:
        checked = await _judged(conn, raw, base, version)
        _refuse_unsound(checked)
        book = checked.sound()
        before = await read_rule_book(conn) if await current_version(conn) else None
        found = rule_changes(before, book)
        await choose_rule_book(conn, book, by, choose=choose)
        chosen = await current_version(conn) == book.version
        elsewhere = await open_cases_elsewhere(conn, RULE_BOOKS, book.version)
    value: dict[str, Any] = {
        "version": book.version,
        "previous": before.version if before else None,
        "chosen": chosen,
        "changes": [{"change": each.change, **each.model_dump(mode="json")} for each in found],
        "notes": checked.notes,
        "open_cases": elsewhere,
        "hint": "bihuan rules adopt" if chosen and elsewhere else None,
    }

    def draw() -> None:
        _draw_notes(checked)
        if found:
            draw_changes(found)
        _draw_outcome(value)

    output.result(value, draw)


def _draw_outcome(value: dict[str, Any]) -> None:
    version, previous = value["version"], value["previous"] or "-"
    if value["chosen"]:
        output.line(
            f"规则 {version} 已生效，此前为 {previous}；新登记的诉求按它办理。",
            f"Rule book {version} is in force (before: {previous}); new cases live by it.",
        )
    else:
        output.line(
            f"规则 {version} 已保存，未启用；现行 {previous}。",
            f"Rule book {version} is kept, not chosen; in force: {previous}.",
        )
    if value["hint"]:
        output.line(
            f"{value['open_cases']} 件未结诉求仍按原来的规则；如需改按新规则：{value['hint']}",
            f"{value['open_cases']} open cases keep their rules; to move them: {value['hint']}",
        )


@app.command(epilog=SHARED)
def show(
    version: _Shown = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="每页几行类别 / category rows of a page")] = 50,
    cursor: Annotated[str | None, typer.Option(help="上一页给出的续读位置 / cursor of the last page")] = None,
) -> None:
    """一版规则：各紧急程度和类别的时限、督办阶梯、渠道、常量。

    A rule book: limits by urgency and category, ladder, channels, settings; with --json the whole book.
    """
    run(_show(version, limit, cursor))


async def _show(version: str | None, limit: int, cursor: str | None) -> None:
    from ledger.registry import read_registry
    from ledger.rule_books import current_version, read_rule_book

    async with ledger() as pool, pool.acquire() as conn:
        book, current = await read_rule_book(conn, version), await current_version(conn)
        names = {each.code: each.name for each in (await read_registry(conn)).categories}
    rows = category_rows(book)
    start = 0 if cursor is None else int(cursor) if cursor.isascii() and cursor.isdigit() else -1
    if not 0 <= start <= len(rows):
        raise Refused("feed.bad_cursor", field="cursor")

    def draw() -> None:
        shown = rows[start : start + limit]
        draw_book(book, shown, names, current=book.version == current, first=not start)
        show_next(str(start + limit) if start + limit < len(rows) else None)

    output.result(book, draw)


@app.command("list", epilog=SHARED)
def list_(limit: Rows = 50, cursor: Cursor = None) -> None:
    """全部规则版本，新的在前。

    All versions, the newest first.
    """
    run(_list(limit, cursor))


async def _list(limit: int, cursor: str | None) -> None:
    from ledger.versions import RULE_BOOKS

    await show_versions(RULE_BOOKS, limit, cursor, added=True)


@app.command(epilog=SHARED)
def export(
    version: _Shown = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="文件", help="写入这个 .yaml 文件，不写则打印 / the file to write")
    ] = None,
) -> None:
    """把一版规则写成 YAML 文件，改好后可再导入。

    Write a rule book as YAML, to be changed and imported again.
    """
    run(_export(version, to))


async def _export(version: str | None, to: Path | None) -> None:
    from ledger.rule_books import read_rule_book

    async with ledger() as pool, pool.acquire() as conn:
        book = await read_rule_book(conn, version)
    text = rule_book_yaml(book)
    if to is None:
        output.result(book, lambda: typer.echo(text, nl=False))
        return
    try:
        # Somebody's work of an afternoon may stand there.
        with to.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Refused("rules.not_written", field="--to", path=to, reason=error.strerror) from None
    done = {"version": book.version, "file": str(to)}
    output.result(done, lambda: output.line(f"已写入 {to}。", f"Written to {to}."))
