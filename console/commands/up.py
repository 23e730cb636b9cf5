"""``bihuan up``: the embedded instance in the foreground."""

import logging
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from console import output
from console.access.accounts import NewPassword
from console.access.door import Access
from console.healing import heal
from console.instance import find_door, make_instance, make_keys
from console.session import open_ledger, options, run, settings
from runtime.endpoints import Endpoints
from runtime.logging import set_up_logging
from runtime.settings import Settings

_PARTS = {
    "postgres": ("PostgreSQL 数据库", "PostgreSQL"),
    "ledger": ("账本结构与规则", "ledger and rule book"),
    "temporal": ("Temporal 流程引擎", "Temporal"),
    "worker": ("办理进程与网页", "worker and console"),
}


class _Progress:
    """Tells a person which part has become ready, and after how long."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def told(self, part: str) -> None:
        zh, en = _PARTS[part]
        output.note(f"  ✓ {zh}（{self.seconds} 秒）", f"  ✓ {en} ({self.seconds} s)")

    @property
    def seconds(self) -> str:
        """Whole and tenth seconds since the beginning."""
        tenths = int((time.monotonic() - self._began) * 10)
        return f"{tenths // 10}.{tenths % 10}"


def command(
    no_ui: Annotated[bool, typer.Option("--no-ui", help="不启动 Temporal 网页 / without Temporal's web pages")] = False,
) -> None:
    """在本机启动全部组件：PostgreSQL、Temporal、办理进程、网页；Ctrl-C 停止。

    Run everything on this machine until Ctrl-C.
    """
    chosen = settings()
    progress = _Progress()
    _log_to(chosen)
    output.note(f"正在启动，数据目录 {chosen.data}", f"Starting on {chosen.data}")
    make_keys(chosen)
    instance = make_instance(chosen.data, ui=not no_ui, told=progress.told, door=find_door(chosen))

    async def ready(endpoints: Endpoints) -> None:
        progress.told("worker")
        first = await _first_administrator(chosen, endpoints)
        output.result(_as_json(chosen, endpoints, progress, first), lambda: _draw(chosen, endpoints, first))
        await heal(chosen, endpoints, ended_violently=instance.ended_violently)

    run(instance.run(ready))
    output.note("已停止。", "Stopped.")


async def _first_administrator(chosen: Settings, endpoints: Endpoints) -> NewPassword | None:
    """The administrator a new office begins with; None where there is one already."""
    pool = await open_ledger(endpoints)
    try:
        return await Access.open(pool, chosen).accounts.first_administrator()
    finally:
        await pool.close()


def _log_to(chosen: Settings) -> None:
    """Logs go into a file; only what an operator must see at once appears on the screen too."""
    logs = chosen.data / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    file: Path = logs / "instance.log"
    set_up_logging(chosen.log_level, chosen.log_format, file.open("a", encoding="utf-8"))
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.WARNING)
    screen.setFormatter(logging.getLogger().handlers[0].formatter)
    logging.getLogger().addHandler(screen)


def _as_json(
    chosen: Settings, endpoints: Endpoints, progress: _Progress, first: NewPassword | None
) -> dict[str, object]:
    return {
        "ready": True,
        "data": str(chosen.data),
        "pid": endpoints.pid,
        "postgres": endpoints.postgres,
        "temporal": endpoints.temporal,
        "temporal_ui": endpoints.ui,
        "url": endpoints.console,
        "administrator": {"user": first.account.login, "password": first.password} if first else None,
        "master_key": str(chosen.key_file),
        "seconds": progress.seconds,
    }


def _draw(chosen: Settings, endpoints: Endpoints, first: NewPassword | None) -> None:
    folder = "" if options().data is None else f" --data {chosen.data}"
    output.line("\n已就绪。\n", "\nReady.\n")
    output.fields(
        [
            ("网页", "pages", output.styled(endpoints.console or "-", "bold")),
            ("数据目录", "data folder", chosen.data),
            ("主密钥", "master key", f"{chosen.key_file} {output.say('（请另行备份）', '(back it up elsewhere)')}"),
            ("Temporal", "Temporal", endpoints.temporal),
            ("Temporal 网页", "Temporal pages", endpoints.ui),
            ("日志", "logs", chosen.data / "logs"),
        ]
    )
    if first is not None:
        output.line(
            f"\n第一个管理员：登录名 {first.account.login}，一次性口令 {first.password}\n"
            "  口令只显示这一次，首次登录须修改；其他人的账号由管理员在网页上开通。",
            f"\nThe first administrator: user {first.account.login}, one-time password {first.password}\n"
            "  It is shown this once and must be changed at the first sign-in; other accounts are made on the pages.",
        )
    output.line(
        f"\n接下来（另开一个窗口）：\n"
        f"  bihuan registry load 登记册.yaml{folder}   载入单位、网格、人员\n"
        f"  bihuan import 诉求.xlsx{folder}            批量导入诉求\n"
        f"  bihuan case list{folder}                   查看诉求\n"
        f"  bihuan doctor{folder}                      体检\n"
        f"按 Ctrl-C 停止。",
        f"\nNext, in another window:\n"
        f"  bihuan registry load FILE{folder}   organisations, grids, people\n"
        f"  bihuan import FILE{folder}          requests from a file\n"
        f"  bihuan case list{folder}            look at them\n"
        f"  bihuan doctor{folder}               check everything\n"
        f"Ctrl-C stops.",
    )
