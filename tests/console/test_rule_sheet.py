"""The differences between two rule books as people are shown them."""

from collections.abc import Iterator

import pytest

from console.rule_sheet import draw_changes
from console.session import Options, use
from domain.rule_changes import RuleChange

CHANGES = [
    RuleChange(part="rows", key="general", field="handle", before="5wd", after="3wd"),
    RuleChange(part="rows", key="general", field="extension", before="10wd", after=None),
    RuleChange(part="rows", key="complex K06", field="handle", before=None, after="7wd"),
    RuleChange(part="rows", key="complex K06", field="step.stop", before=None, after="制止 4wh"),
    RuleChange(part="ladder", key="circular", field="", before="due+5wd circular head,leader place unless_replied",
               after="due circular supervisor place,dispatch level_up"),
    RuleChange(part="suspensions", key="force_majeure", field="", before="30d", after="10d"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_options() -> Iterator[None]:
    yield
    use(Options())


def shown(capsys: pytest.CaptureFixture[str], language: str, most: int = 60) -> list[str]:
    use(Options(language=language))
    draw_changes(CHANGES, most)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_changes_are_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "zh")[1:] == [
        "变更 时限 一般 处置 5个工作日 3个工作日",
        "删去 时限 一般 最长延期 10个工作日 -",
        "新增 时限 疑难 K06 - 处置 7个工作日；分步 制止 4工作时",
        "变更 督办阶梯 circular 到期后5个工作日 通报 负责人、分管领导 分拨 已回复则不 到期 通报 督办员 分拨、派单 升级",
        "变更 停表 不可抗力 30天 10天",
    ]


def test_changes_in_english_hold_no_chinese_but_names(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, "en")[1:]
    assert lines[2] == "added limits complex K06 - handling 7wd; step 制止 4wh"
    assert lines[3].startswith(
        "changed ladder circular due + 5wd circular head, leader in charge placing unless replied"
    )
    assert lines[4] == "changed suspensions force majeure 30d 10d"


def test_the_rest_is_counted_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "zh", most=2)[-1] == "另有 3 处；全部见 --json。"
