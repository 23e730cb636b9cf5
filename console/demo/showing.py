"""What people see of the demo: progress while it runs, the table at its end, and where to look next.

Owns the layout. Must not know how anything is played. Progress goes to standard error, the outcome to standard
output, so that a program reading the one is not disturbed by the other.
"""

from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from console import output, words
from console.demo.checking import Verdict
from console.demo.logins import Login
from console.demo.paths import PATHS
from console.demo.people import Matter
from domain.processes import PROCESSES

_BAR = 12


def stage_name(process: str, stage: str) -> str:
    """The stage in the reader's language; the code itself for one that has no name."""
    names = {key.value: value for key, value in PROCESSES[process].stage_names.items()}
    zh, en = names.get(stage, (stage, stage))
    return output.say(zh, en)


class Progress:
    """Shows the requests on their way: a live table on a terminal, a line for each finished request elsewhere."""

    def __init__(self, cast: Sequence[Matter]) -> None:
        self._total = Counter(matter.path for matter in cast)
        self._finished: Counter[str] = Counter()
        self._spoilt: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._acts = 0
        self._console = output.console(stderr=True)
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def told(self, matter: Matter, stage: str) -> None:
        """A request has come to ``stage``."""
        self._acts += 1
        self._last[matter.path] = f"{stage_name(PATHS[matter.path].process, stage)} · {matter.request.title}"

    def done(self, verdict: Verdict) -> None:
        """A request has come to its end and has been judged."""
        path = PATHS[verdict.path]
        self._finished[verdict.path] += 1
        self._spoilt[verdict.path] += not verdict.as_scripted
        if self._console.is_terminal:
            return
        mark = "✓" if verdict.as_scripted else "✗"
        count = f"{self._finished.total()}/{self._total.total()}"
        stage = stage_name(path.process, verdict.stage)
        parts = [mark, count, output.say(path.zh, path.en), verdict.id, stage, *verdict.deviations]
        self._console.print("  ".join(parts), soft_wrap=True)

    def _draw(self) -> Group:
        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for name, path in PATHS.items():
            total, finished = self._total[name], self._finished[name]
            filled = _BAR * finished // total if total else 0
            colour = "red" if self._spoilt[name] else "green" if finished == total else "yellow"
            bar = Text("━" * filled, style=colour) + Text("━" * (_BAR - filled), style="dim")
            last = Text(self._last.get(name, ""), style="dim", overflow="ellipsis", no_wrap=True)
            shown.add_row(output.say(path.zh, path.en), bar, f"{finished}/{total}", last)
        head = output.say(
            f"萤溪街道的一天：{self._finished.total()}/{self._total.total()} 件，{self._acts} 次操作",
            f"A day in Firefly Street: {self._finished.total()}/{self._total.total()} requests, {self._acts} acts",
        )
        return Group(Text(head, style="bold"), shown)


def show_outcome(verdicts: Sequence[Verdict], seconds: int) -> None:
    """The table of every request with its outcome, and one sentence on all of them."""
    columns = [
        ("路径", "path"),
        ("编号", "id"),
        ("最后阶段", "last stage"),
        ("账本事件", "ledger events"),
        ("历史事件", "history events"),
        ("被拒操作", "refused acts"),
        ("与脚本一致", "as scripted"),
    ]
    output.table(columns, [_line(verdict) for verdict in verdicts])
    for verdict in verdicts:
        for deviation in verdict.deviations:
            output.line(f"✗ {verdict.id}：{deviation}", f"✗ {verdict.id}: {deviation}")
    good, events = sum(verdict.as_scripted for verdict in verdicts), sum(verdict.events for verdict in verdicts)
    output.line(
        f"共 {len(verdicts)} 件，{good} 件与脚本一致；账本 {events} 条事件；用时 {seconds} 秒。",
        f"{len(verdicts)} requests, {good} as scripted; {events} events in the ledger; {seconds} seconds.",
    )


def _line(verdict: Verdict) -> list[object]:
    path = PATHS[verdict.path]
    good = output.styled(output.say("是", "yes"), "green") if verdict.as_scripted else None
    return [
        output.say(path.zh, path.en),
        verdict.id,
        stage_name(path.process, verdict.stage),
        verdict.events,
        verdict.history_events,
        len(verdict.refusals) or "",
        good or output.styled(output.say("否", "NO"), "bold red"),
    ]


def show_logins(url: str | None, logins: Sequence[Login]) -> None:
    """Where the pages are, and how to sign in to them in each role."""
    output.line(f"\n网页：{url}", f"\nThe pages: {url}")
    columns = [("角色", "role"), ("登录名", "user"), ("姓名", "name"), ("口令", "password"), ("接口令牌", "API token")]
    output.table(
        columns,
        [(words.role(each.role), each.user, each.name, each.password, each.token) for each in logins],
    )


def show_what_next(folder: str, ui: str | None, verdicts: Sequence[Verdict]) -> None:
    """Where to look now that everything stands still but the servers."""
    sent_back = next((each.id for each in verdicts if each.path == "up_one_level"), verdicts[0].id)
    # A beginning is enough to name a request, and short lines can be copied.
    example = sent_back[: len("case-") + 8]
    here = f"--data {folder}"
    own = '{"title": "门口的路灯不亮", "text": "今晚起不亮了", "grid": "G01", "category": "K04"}'
    rows = [
        ("每件诉求都是一个工作流", "every request is a workflow", ui or "-"),
        ("所有诉求", "all requests", f"bihuan case list {here}"),
        ("返工三次、升到街道的那件", "the one sent back three times", f"bihuan case show {example} {here}"),
        ("它走过的每一步", "its every step", f"bihuan case history {example} {here}"),
        ("亲手登记一件", "register one yourself", f"echo '{own}' | bihuan case new - --as G01-1 {here}"),
        ("然后看看社区的待办", "and see it wait for the community", f"bihuan task list --organisation C01 {here}"),
    ]
    output.line("\n现在可以看看（再开一个窗口）：", "\nLook around, in another window:")
    for zh, en, where in rows:
        output.line(f"  {zh}\n    {where}", f"  {en}\n    {where}")
    output.line("按 Ctrl-C 停止。", "Ctrl-C stops everything.")
