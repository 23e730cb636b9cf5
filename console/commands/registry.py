"""``bihuan registry``: organisations, grids, categories and people."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from console import output, words
from console.problems import show_refused
from console.registry_sheet import draw_changes, draw_problems, tally
from console.session import SHARED, ledger, run
from domain.errors import Refused
from domain.registry import Organisation, Registry
from domain.registry_check import check
from domain.registry_problem import Problem, RawRegistry
from domain.zone import office_day
from ledger.registry import Change, changes, load_registry, read_registry
from ledger.registry_files import read_registry_files

app = typer.Typer(help="登记册：单位、网格、类别、人员 / the registry", epilog=SHARED, add_completion=False)


@app.command(epilog=SHARED)
def load(
    path: Annotated[
        Path, typer.Argument(metavar="路径", help="YAML 文件，或放 CSV 的文件夹 / YAML file or CSV folder")
    ],
    by: Annotated[str, typer.Option("--by", metavar="人员编号", help="由谁载入 / who loads it")] = "administrator",
    drop: Annotated[bool, typer.Option("--drop", help="允许删去已有编码 / codes may disappear")] = False,
) -> None:
    """检查并载入整本登记册；有问题逐条列出，一条也不载入。

    Check and load the whole registry; all problems are listed, and then nothing is loaded.
    """
    raw = read_registry_files(path)
    problems = check(raw)
    if problems:
        _show_problems(problems)
        raise typer.Exit(1)
    run(_load(raw, by, drop=drop))


async def _load(raw: RawRegistry, by: str, *, drop: bool) -> None:
    async with ledger(owner=True) as pool, pool.acquire() as conn:
        before = await read_registry(conn)
        revision = await load_registry(conn, raw, by, drop=drop)
        after = await read_registry(conn, revision)
    found = changes(before, after)
    value = {"revision": revision, "changed": revision != before.revision, "changes": found, **_counts(after)}
    output.result(value, lambda: _draw_load(revision, found, after))


def _counts(registry: Registry) -> dict[str, int]:
    return {
        "organisations": len(registry.organisations),
        "grids": len(registry.grids),
        "categories": len(registry.categories),
        "people": len(registry.persons),
        "assignments": len(registry.assignments),
    }


def _show_problems(problems: list[Problem]) -> None:
    first = problems[0]
    message, message_en = first.message, first.message_en
    refused = Refused("registry.unsound", count=len(problems), where=first.where, first=message, first_en=message_en)
    show_refused(refused, lambda: draw_problems(problems), problems=problems)


def _draw_load(revision: int, found: tuple[Change, ...], registry: Registry) -> None:
    counts = _counts(registry)
    if not found:
        output.line(
            f"内容与现行第 {revision} 版相同，没有变化。", f"Nothing changed; revision {revision} stays in force."
        )
        return
    zh, en = tally(found)
    output.line(f"已载入第 {revision} 版：{zh}。", f"Loaded as revision {revision}: {en}.")
    output.line(
        f"现有单位 {counts['organisations']}、网格 {counts['grids']}、类别 {counts['categories']}、"
        f"人员 {counts['people']}、任职 {counts['assignments']}。",
        ", ".join(f"{number} {name}" for name, number in counts.items()),
    )
    if revision > 1:
        draw_changes(found)


@app.command(epilog=SHARED)
def show() -> None:
    """现行登记册。

    The registry in force.
    """
    run(_show())


async def _show() -> None:
    async with ledger() as pool, pool.acquire() as conn:
        registry = await read_registry(conn)
    output.result(registry, lambda: _draw(registry))


def _draw(registry: Registry) -> None:
    if registry.revision == 0:
        output.line("还没有登记册；请用 bihuan registry load 载入。", "There is none yet: bihuan registry load.")
        return
    today = office_day(datetime.now(UTC))
    counts = _counts(registry)
    output.line(
        f"登记册第 {registry.revision} 版：人员 {counts['people']}、任职 {counts['assignments']}",
        f"Registry revision {registry.revision}: {counts['people']} people, {counts['assignments']} assignments",
    )
    roots = [each for each in registry.organisations if each.parent is None and each.valid(today)]
    rows = [row for root in roots for row in _tree(registry, root, 0)]
    output.table([("单位与网格", "organisations and grids"), ("编码", "code"), ("类别", "kind"), ("说明", "")], rows)
    output.line("\n事项类别", "\nCategories")
    categories = [each for each in registry.categories if each.valid(today)]
    output.table(
        [("名称", "name"), ("编码", "code"), ("能办即办", "on the spot"), ("紧急程度", "urgency")],
        [
            (
                each.name,
                each.code,
                output.say("是", "yes") if each.on_the_spot else "",
                words.word(words.URGENCY, each.urgency),
            )
            for each in categories
        ],
    )


def _tree(registry: Registry, unit: Organisation, depth: int) -> list[tuple[object, ...]]:
    today = office_day(datetime.now(UTC))
    indent = "  " * depth
    queue = output.say(f"对接队列 {unit.queue}", f"queue {unit.queue}") if unit.queue else ""
    rows: list[tuple[object, ...]] = [(indent + unit.name, unit.code, words.word(words.ORGANISATION, unit.kind), queue)]
    for grid in registry.grids:
        if grid.community == unit.code and grid.valid(today):
            size = output.say(f"{grid.households or '-'} 户 {grid.people or '-'} 人", f"{grid.households} households")
            rows.append((f"{indent}  {grid.name}", grid.code, output.say("网格", "grid"), size))
    for below in registry.organisations:
        if below.parent == unit.code and below.valid(today) and depth < 10:
            rows += _tree(registry, below, depth + 1)
    return rows
