"""``bihuan connector``: the worked example of a department with its own system, as a process of its own.

The example is a worker and no part of the doors, so it is run, not imported. It takes the place of this process:
signals and the exit code are its own.
"""

import os
import sys
from typing import Annotated

import typer

from console.session import options, settings
from runtime.settings import find_endpoints


def command(
    department: Annotated[str, typer.Argument(metavar="部门编码", help="登记册里的部门 / department")],
    work_seconds: Annotated[int, typer.Option(min=0, max=86_400, help="处理一件要几秒 / seconds of work")] = 5,
    person: Annotated[
        str | None, typer.Option(metavar="人员编号", help="以谁的账号报告，默认部门经办人 / account that reports")
    ] = None,
    queue: Annotated[str | None, typer.Option(help="任务队列，默认 department.<编码> / task queue")] = None,
    returns: Annotated[
        list[str] | None,
        typer.Option(metavar="词", help="类别编码或文中词语，遇到即退单，可写多次 / what is not its job"),
    ] = None,
    proposes: Annotated[str | None, typer.Option(metavar="部门编码", help="退单时建议的部门 / whose job it is")] = None,
) -> None:
    """运行部门对接程序示例：收任务、办理、报告或退单。各部门可照抄 activities/connector.py。

    Run the example of a department's own system; copy activities/connector.py for your own.
    """
    chosen = settings()
    arguments = [sys.executable, "-P", "-m", "activities.connector", department, "--work-seconds", str(work_seconds)]
    for flag, value in (("--person", person), ("--queue", queue), ("--proposes", proposes)):
        arguments += [flag, value] if value is not None else []
    for each in returns or ():
        arguments += ["--returns", each]
    environment = {**os.environ, "BIHUAN_DATA": str(chosen.data)}
    if person is None or chosen.temporal_address is None:
        environment |= find_endpoints(chosen).as_environment()
    if options().json:
        environment["BIHUAN_LOG_FORMAT"] = "json"
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, arguments, environment)
