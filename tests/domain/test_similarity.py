"""How alike requests are: the same thing in other words is found, another thing is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.similarity import ALIKE, alike, plain, score

LIFT = "12号楼电梯停运，老人上下楼困难"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LIFT, "12号楼的电梯停运了，老人没法上下楼"),
        (LIFT, "１２号楼电梯停运"),
        ("电梯坏了", "12号楼电梯坏了，已经三天没有人来修，老人孩子出行都很困难，请尽快处理"),
        ("小区东门路灯不亮", "东门路灯不亮"),
        ("LED灯不亮!", "led 灯不亮"),
    ],
)
def test_the_same_thing_in_other_words_is_alike(one: str, other: str) -> None:
    assert score(one, other) >= ALIKE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LIFT, "路口井盖松动，车辆经过有响声"),
        (LIFT, "12号楼楼道堆放杂物，占用消防通道"),
        ("东门路灯不亮", "东门垃圾桶满溢"),
        ("", LIFT),
        ("！！", "！！"),
    ],
)
def test_another_thing_is_not_alike(one: str, other: str) -> None:
    assert score(one, other) < ALIKE


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_score_is_a_share_and_looks_from_both_sides_alike(one: str, other: str) -> None:
    assert 0 <= score(one, other) <= 1
    assert score(one, other) == pytest.approx(score(other, one))
    assert score(one, one) == (1 if plain(one) else 0)


def test_the_best_come_first_and_what_is_not_alike_not_at_all() -> None:
    others = [("路灯", "不亮", "other"), ("", "12号楼电梯停运", "near"), ("电梯停运", LIFT, "same")]

    found = alike("电梯停运", LIFT, others)

    assert [each.thing for each in found] == ["same", "near"]
    assert found[0].score == 1
    assert alike("电梯停运", LIFT, others, at_least=0.99) == found[:1]
