"""What may hang on a wall: neither a person nor a number nor a door gets there."""

import pytest

from domain.publishing import public_title


@pytest.mark.parametrize(
    "title",
    ["路面破损", "周边居民反映夜间施工", "黄河路路灯不亮", "24小时营业噪音", "东塘社区门口积水", "马路坑洼"],
)
def test_what_speaks_of_things_stays_as_it_is(title: str) -> None:
    assert public_title(title) == title


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("12号楼3单元电梯停运", "〔略〕电梯停运"),
        ("幸福里5栋漏水", "幸福里〔略〕漏水"),
        ("A座电梯异响", "〔略〕电梯异响"),
        ("二单元下水道堵塞", "〔略〕下水道堵塞"),
        ("解放路88号门前井盖松动", "解放路〔略〕门前井盖松动"),
        ("５０１室漏水", "〔略〕漏水"),
        ("工单 20261126 催办", "工单 〔略〕 催办"),
    ],
)
def test_doors_and_numbers_are_left_out(title: str, shown: str) -> None:
    assert public_title(title) == shown


@pytest.mark.parametrize(
    "title",
    [
        "张女士反映楼上噪音",
        "王建国投诉占道",
        "老张家漏水",
        "欧阳先生求助",
        "买买提·艾力家停水",
        "联系人见附件",
        "501室",
        "1380000",
        None,
    ],
)
def test_a_title_that_may_speak_of_a_person_or_says_nothing_is_not_shown(title: str | None) -> None:
    assert public_title(title) is None


@pytest.mark.parametrize("canary", ["13912345678", "110101199003078515", "沪A12345", "zhang@example.com"])
def test_no_number_of_a_person_gets_through_whatever_stands_around_it(canary: str) -> None:
    for title in (f"路灯不亮{canary}", f"{canary}路灯不亮", f"路灯{canary}不亮"):
        assert canary not in (public_title(title) or "")
