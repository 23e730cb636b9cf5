"""``bihuan``, the command line: finds the command, runs it, and says in one line what went wrong.

Owns the list of commands, the options all of them share, and the exit codes. A command is a function ``command`` or a
``typer.Typer`` ``app`` in ``console.commands``; its module is imported when the command is used, so that help is
quick and one command never pays for what another needs.

Exit codes: 0 done, 1 refused, 2 wrong use, 3 the answer is late, 4 a server or the instance is not there, 70 a
mistake of ours, 130 interrupted.
"""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import typer
import typer.core

from console import failing
from console.session import SHARED, Options, options, use
from domain.errors import Refused
from ledger.whence import Whence, coming_from
from runtime.begin import uncollected


class Entry(NamedTuple):
    """One command: where it is and what it is for."""

    target: str
    zh: str
    en: str


COMMANDS: dict[str, Entry] = {
    "up": Entry("console.commands.up:command", "在本机启动全部组件，Ctrl-C 停止", "run everything on this machine"),
    "demo": Entry("console.commands.demo:command", "用虚构街道演示一个工作日", "play a day of an invented street"),
    "doctor": Entry("console.commands.doctor:command", "逐项体检，给出处理办法", "check every part, with remedies"),
    "case": Entry("console.commands.case:app", "诉求：列表、详情、流水、登记、办理", "requests: list, show, act"),
    "task": Entry("console.commands.task:app", "待办事项", "what waits to be done"),
    "wish": Entry("console.commands.wish:app", "微心愿：列表、详情、发布、办理", "wishes: list, show, publish, act"),
    "notice": Entry("console.commands.notice:app", "通知：送达、已读、重新投递", "notices: delivered, seen, try again"),
    "import": Entry("console.commands.import_:command", "从文件批量导入诉求", "import requests from a file"),
    "registry": Entry(
        "console.commands.registry:app", "登记册：单位、网格、类别、人员", "organisations, grids, people"
    ),
    "calendar": Entry("console.commands.calendar:app", "工作日历：放假安排、推算到期", "days off, due times"),
    "rules": Entry("console.commands.rules:app", "规则：检查、导入、查看各项时限", "limits, ladder, channels"),
    "rehearse": Entry("console.commands.rehearse:command", "用已办结的诉求试算规则或日历", "try rules on closed cases"),
    "feed": Entry("console.commands.feed:command", "按顺序读出全部流水", "read all events in order"),
    "rebuild": Entry("console.commands.rebuild:command", "用账本重建查询表", "rebuild the read models from the log"),
    "seed": Entry("console.commands.seed:command", "生成虚构城市的历史数据", "fill a new ledger with an invented city"),
    "rehydrate": Entry("console.commands.rehydrate:command", "用账本恢复流程", "bring workflows back from the ledger"),
    "dossier": Entry("console.commands.dossier:app", "卷宗：出具、离线核验", "closed cases as files, judged anywhere"),
    "audit": Entry("console.commands.audit:app", "核验账本有没有被改动", "is the ledger what was written"),
    "backup": Entry("console.commands.backup:app", "备份：制作、验证、恢复", "backups: make, prove, restore"),
    "migrate": Entry("console.commands.migrate:command", "升级数据库结构", "bring the database up to date"),
    "namespace": Entry("console.commands.namespace:command", "准备 Temporal 命名空间", "prepare Temporal's namespace"),
    "capacity": Entry("console.commands.capacity:command", "推算要多少机器", "reckon the machines an office needs"),
    "upgrade": Entry("console.commands.upgrade:command", "升级前检查未结诉求，切换版本", "check and switch releases"),
    "connector": Entry("console.commands.connector:command", "运行部门对接程序示例", "run the example of a department"),
    "user": Entry("console.commands.user:app", "账号：添加、停用、重置密码、访问令牌", "who may sign in, tokens"),
    "key": Entry("console.commands.key:app", "保密库主密钥：查看、检查、轮换", "the master key: show, check, rotate"),
    "reveal": Entry("console.commands.reveal:command", "谁查看过反映人资料", "who was shown what residents told"),
    "subject": Entry("console.commands.subject:app", "为本人导出所存的个人资料", "what is kept about one resident"),
    "erase": Entry("console.commands.erase:command", "销毁一件已办结诉求的个人资料", "destroy what a request keeps"),
    "retention": Entry("console.commands.retention:command", "销毁保存期满的个人资料", "destroy what was kept long"),
    "security": Entry("console.commands.security:app", "安全日志：查看、校验、清理", "the security log: read, verify"),
    "openapi": Entry("console.commands.openapi:command", "输出 HTTP 接口文档", "print the document of the HTTP API"),
    "settings": Entry("console.commands.settings:command", "全部设置、默认值和含义", "every setting and its meaning"),
}

GROUPS = frozenset(name for name, entry in COMMANDS.items() if entry.target.endswith(":app"))
"""The commands that have sub-commands."""


class LazyCommand(typer.core.TyperCommand):
    """Stands for a command in lists and help; becomes the command itself when it is used."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=f"{entry.zh} / {entry.en}")
        self._entry = entry

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """The context of the real command."""
        command = load(str(self.name), self._entry)
        return command.make_context(info_name, [*_own_shared(command), *args], parent=parent, **extra)


def load(name: str, entry: Entry) -> Any:
    """The real command. Raises ``Refused`` ``cli.not_available`` when this installation has no such module."""
    module, _, attribute = entry.target.partition(":")
    if find_spec(module) is None:
        raise Refused("cli.not_available", field=name, name=name)
    with uncollected():
        target = getattr(import_module(module), attribute)
    if isinstance(target, typer.Typer):
        app = target
    else:
        app = typer.Typer(add_completion=False)
        app.command(name=name, epilog=SHARED)(target)
    command: Any = typer.main.get_command(app)
    return command


def _own_shared(command: Any) -> list[str]:
    """The shared options given, for a command that declares them itself."""
    declared = {flag for parameter in command.params for flag in parameter.opts}
    given = options()
    own: list[str] = []
    if given.json and "--json" in declared:
        own.append("--json")
    if given.data is not None and "--data" in declared:
        own += ["--data", str(given.data)]
    return own


def take_shared(arguments: Sequence[str]) -> Options:
    """Take the shared options out of the command line, wherever they stand before ``--``.

    Raises ``Refused`` ``cli.missing_value`` and ``cli.bad_value``.
    """
    found: dict[str, Any] = {}
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            rest += [word, *waiting]
            break
        name, equals, value = word.partition("=")
        if name in ("--data", "--lang"):
            if not equals:
                if not waiting or waiting[0].startswith("--"):
                    raise Refused("cli.missing_value", field=name, name=name)
                value = waiting.pop(0)
            found[name] = value
        elif word in ("--json", "--debug"):
            found[word] = True
        else:
            rest.append(word)
    if found.get("--lang") not in (None, "zh", "en"):
        raise Refused("cli.bad_value", field="--lang", name="--lang", reason="zh | en")
    data = found.get("--data")
    return Options(
        data=Path(data) if data else None,
        json="--json" in found,
        language=found.get("--lang"),
        debug="--debug" in found,
        arguments=tuple(rest),
    )


def root() -> Any:
    """The command ``bihuan`` with all its sub-commands."""
    return typer.core.TyperGroup(
        name="bihuan",
        commands={name: LazyCommand(name, entry) for name, entry in COMMANDS.items()},
        help="闭环：从发现到结账，居民诉求一件不漏 / closed-loop handling of residents' requests.\n\n"
        "先运行 bihuan up，再开一个窗口使用其他命令 / start with: bihuan up",
        epilog=SHARED,
    )


def _name_panels() -> None:
    """Name the parts of a help page in both languages."""
    from typer import rich_utils

    rich_utils.ARGUMENTS_PANEL_TITLE = "参数 Arguments"
    rich_utils.OPTIONS_PANEL_TITLE = "选项 Options"
    rich_utils.COMMANDS_PANEL_TITLE = "命令 Commands"


def _name_of(words: Sequence[str]) -> str:
    """The command without what was given to it."""
    return " ".join(("bihuan", *words[: 2 if words[0] in GROUPS else 1]))


def execute(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; everything that goes wrong has been said."""
    # So that a mistake in the shared options themselves is already told in the wanted form.
    use(Options(json="--json" in arguments, debug="--debug" in arguments))
    try:
        use(take_shared(arguments))
        words = list(options().arguments) or ["--help"]
        if len(words) == 1 and words[0] in GROUPS:
            words.append("--help")
        if not words[0].startswith("-") and words[0] not in COMMANDS:
            raise Refused("cli.unknown_command", field=words[0], name=words[0], known=", ".join(COMMANDS))
        if "--help" in words:
            _name_panels()
        with coming_from(lambda: Whence(place=_name_of(words), source="local")):
            code = root().main(args=words, prog_name="bihuan", standalone_mode=False)
    except BaseException as error:  # noqa: BLE001 - the last place where anything can be said
        return failing.tell(error)
    return code if isinstance(code, int) else 0


def main() -> None:
    """The entry point ``bihuan``."""
    from runtime.leaving import leave

    # What libraries say about lost connections is for --debug; a clerk is told once, by the error line.
    logging.getLogger().addHandler(logging.StreamHandler() if "--debug" in sys.argv else logging.NullHandler())
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show Chinese must not turn an answer into an error.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace", **({} if stream.isatty() else {"encoding": "utf-8"}))
    leave(execute(sys.argv[1:]))


if __name__ == "__main__":
    main()
