"""Refusals: their sentences in both languages, instants by the office's clock, files that cannot be read."""

import re

import pytest

from domain.errors import Refused, unreadable
from domain.refusals import CATALOGUE

HALF_WIDTH = re.compile("[\u4e00-\u9fff\u201d}] ?[,:;?!()]|[,:;?!()] ?[\u4e00-\u9fff\u201c]")


def test_instants_are_told_by_the_office_clock_and_kept_as_given() -> None:
    refusal = Refused("question.open", until="2026-11-27T04:19:01.755621+00:00").refusal
    assert "至 2026-11-27 12:19。" in refusal.message
    assert "2026-11-27 12:19" in refusal.message_en
    assert refusal.params == {"until": "2026-11-27T04:19:01.755621+00:00"}


@pytest.mark.parametrize("text", ["2026-11-27", "2026-11-27T04:19:01", "9999-12-31T23:59:59Z", "2026-13-27T04:19:01Z"])
def test_what_is_no_instant_stays_as_it_is(text: str) -> None:
    assert text in Refused("question.open", until=text).refusal.message


def test_an_english_parameter_stands_in_the_english_sentence_only() -> None:
    refusal = Refused("file.unreadable", path="a.csv", reason="没有这个文件", reason_en="no such file").refusal
    assert refusal.message == "读不了文件 a.csv（没有这个文件）。"
    assert refusal.message_en == "Cannot read a.csv: no such file."
    assert (
        Refused("file.unreadable", path="a.csv", reason="> 64 MB").refusal.message_en == "Cannot read a.csv: > 64 MB."
    )


@pytest.mark.parametrize(
    ("error", "zh", "en"),
    [
        (FileNotFoundError(2, "x"), "没有这个文件", "no such file"),
        (PermissionError(13, "x"), "没有读取权限", "no permission to read it"),
        (IsADirectoryError(21, "x"), "这是一个文件夹", "this is a folder"),
        (OSError(5, "Input/output error"), "Input/output error", "Input/output error"),
    ],
)
def test_a_file_the_system_does_not_give_is_told_in_both_languages(error: OSError, zh: str, en: str) -> None:
    refusal = unreadable("a.csv", error).refusal
    assert (refusal.code, refusal.params["reason"], refusal.params["reason_en"]) == ("file.unreadable", zh, en)


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_chinese_sentences_have_chinese_punctuation(code: str) -> None:
    assert not HALF_WIDTH.search(CATALOGUE[code].zh)
    assert not HALF_WIDTH.search(CATALOGUE[code].remedy_zh)
