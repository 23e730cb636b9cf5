"""``bihuan capacity``: what an office needs, reckoned from measured figures. Asks nobody and needs no server."""

from typing import Annotated

import typer

from console import output
from domain.capacity import FIGURES, Line, Load, capacity

_UNITS = {
    "acts": "次", "cases": "件", "cores": "核", "events": "条", "pages": "页", "processes": "个", "shards": "个",
    "timers": "个", "writes": "次", "/s": "每秒",
}  # fmt: skip
"""Units in Chinese; the others are the same in both languages."""

_KINDS = {"measured": ("实测", "measured"), "read": ("引用", "read"), "assumed": ("假定", "assumed")}


def command(
    requests_per_day: Annotated[
        int, typer.Option("--requests-per-day", min=1, max=10_000_000, help="每天多少件诉求 / requests a day")
    ],
    days_open: Annotated[
        int, typer.Option("--days-open", min=1, max=1000, help="一件平均多少天办结 / days a request is open")
    ] = 14,
    acts: Annotated[int, typer.Option("--acts", min=1, max=100, help="一件几次人的操作 / acts of people each")] = 12,
    busiest: Annotated[
        int, typer.Option("--busiest", min=5, max=100, help="最忙一小时占全天的百分比 / per cent in the busiest hour")
    ] = 25,
    use: Annotated[
        int, typer.Option("--use", min=10, max=90, help="处理器打算用到百分之几 / per cent of a processor to use")
    ] = 50,
    retention: Annotated[
        int, typer.Option("--retention", min=1, max=3650, help="Temporal 把办结的历史留多少天 / days Temporal keeps")
    ] = 30,
    years: Annotated[int, typer.Option("--years", min=1, max=50, help="账本算几年 / years of the ledger")] = 1,
    figures: Annotated[
        bool, typer.Option("--figures", help="列出所用的数据和来源 / show the figures behind it")
    ] = False,
) -> None:
    """按每天的诉求量推算要多少机器：办理进程、网页、Temporal、PostgreSQL。

    Reckon the machines an office needs: workers, consoles, Temporal, PostgreSQL; docs/operations/city.md explains it.
    """
    load = Load(requests_per_day, days_open, acts, busiest, use, retention, years)
    lines = capacity(load)
    value = {
        "load": vars(load),
        "needs": {line.code: {"value": line.value, "unit": line.unit, "formula": line.formula} for line in lines},
        "figures": {
            each.code: {"value": each.value, "unit": each.unit, "kind": each.kind, "source": each.source}
            for each in FIGURES
        },
    }
    output.result(value, lambda: _draw(lines, figures=figures))


def _draw(lines: tuple[Line, ...], *, figures: bool) -> None:
    rows = [(output.say(*line.meaning), _shown(line.value), _unit(line.unit), line.formula) for line in lines]
    output.table([("需要", "need"), ("数量", "amount"), ("单位", "unit"), ("算法", "formula")], rows)
    if figures:
        known = [
            (
                output.say(*each.meaning),
                each.code,
                _shown(each.value),
                _unit(each.unit),
                output.say(*_KINDS[each.kind]),
                each.source,
            )
            for each in FIGURES
        ]
        columns = [("数据", "figure"), ("代号", "code"), ("数值", "value"), ("单位", "unit"), ("性质", "kind")]
        output.table([*columns, ("来源", "source")], known)
    else:
        output.note(
            "这是起点，不是保证：所用数据加 --figures 列出，上线后对照运行指标。",
            "A beginning and no promise: --figures shows what it stands on; compare with the metrics later.",
        )


def _unit(unit: str) -> str:
    return output.say(_UNITS.get(unit, unit), unit)


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"
