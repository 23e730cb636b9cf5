"""The details of the security log are told in words, whatever wrote them."""

from typing import Any

import pytest

from console import output, words
from console.security_sheet import detail_of
from ledger.security import Kind, Line
from tests.domain.spec import moment


def line(kind: Kind, **detail: Any) -> Line:
    return Line(
        id=1, at=moment("11-23 09:00"), kind=kind, actor="P01", outcome="ok", place="-", source="-", subject="-",
        detail=detail, hash="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "zh", "en"),
    [
        (line(Kind.ACCOUNT_ADDED, administrator=False), "管理员 否", "administrator no"),
        (line(Kind.SIGN_IN, by="provider"), "经由 统一身份认证", "by the identity provider"),
        (line(Kind.RULES_STORED, new=True, chosen=True), "新增 是，设为现用 是", "new yes, made current yes"),
        (line(Kind.ACCESS_REFUSED, right="case.read"), "权限 查看诉求", "right see cases"),
        (
            line(Kind.REVEALED, reason="visit", role="grid_worker", door="api"),
            "理由 回访，身份 网格员，入口 接口",
            None,
        ),
        (line(Kind.ERASED, reason="retention"), "理由 保存期满", "reason kept long enough"),
        (line(Kind.KEY_ROTATED, wrapped=3), "重新加密的密钥数 3", "keys wrapped anew 3"),
        (line(Kind.SIGN_OUT), "-", "-"),
    ],
)
def test_details_are_told_in_words(given: Line, zh: str, en: str | None) -> None:
    with output.speaking("zh"):
        assert detail_of(given) == zh
    with output.speaking("en"):
        assert en in (None, detail_of(given))
        assert not any(name in words.DETAIL and words.DETAIL[name][1] not in detail_of(given) for name in given.detail)


def test_what_has_no_word_is_shown_as_it_stands() -> None:
    with output.speaking("zh"):
        assert detail_of(line(Kind.ACCESS_REFUSED, later="x", role="-")) == "later x，身份 -"
