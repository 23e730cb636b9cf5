"""``bihuan demo``: an invented street lives through a working day on servers of its own."""

from typing import Annotated

import typer


def command(
    once: Annotated[
        bool, typer.Option("--once", help="演完即停，全部与脚本一致才返回 0 / stop at the end; 0 only if all went well")
    ] = False,
) -> None:
    """用虚构的萤溪街道演示一个工作日：四十多件诉求走遍每条路径 / play a day of an invented street.

    默认用临时目录，演完后保持运行，供查看；--data 指定一个空目录。
    """
    import asyncio

    from console.demo.running import run_demo

    code = asyncio.run(run_demo(once=once))
    if code:
        raise typer.Exit(code)
