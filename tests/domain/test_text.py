"""What people write: cleaned without loss, masked where it is personal, left alone where it only looks so."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.text import CODE_LIMIT, LINE_LIMIT, TEXT_LIMIT, Code, Line, Text, normalise, redact

TEXT: TypeAdapter[str] = TypeAdapter(Text)
LINE: TypeAdapter[str] = TypeAdapter(Line)
CODE: TypeAdapter[str] = TypeAdapter(Code)

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "requests_labelled.jsonl"

PERSONAL = {
    "a phone": ("请打13812345678找我", "请打〔手机号〕找我"),
    "a phone in groups": ("电话138 1234 5678。", "电话〔手机号〕。"),
    "a phone with dashes": ("138-1234-5678", "〔手机号〕"),
    "a phone with its country": ("+86 13812345678", "〔手机号〕"),
    "a phone with its country and a dash": ("+86-138-1234-5678", "〔手机号〕"),
    "a phone with its country run together": ("8613812345678", "〔手机号〕"),
    "a phone dialled from abroad": ("008613812345678", "〔手机号〕"),
    "a phone in full-width digits": (
        "\uff11\uff13\uff18\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "〔手机号〕",
    ),
    "a phone in mixed digits": ("\uff11\uff1381234567\uff18", "〔手机号〕"),
    "two phones": ("13812345678,13987654321", "〔手机号〕,〔手机号〕"),
    "a number at home": ("0592-2012345", "〔电话〕"),
    "a number at home run together": ("010 62345678", "〔电话〕"),
    "an identity number": ("身份证350203199003074512", "身份证〔证件号〕"),
    "an identity number with X": ("35020319900307451X,", "〔证件号〕,"),
    "an identity number in groups": ("350203 1990 0307 4512", "〔证件号〕"),
    "a bank card": ("卡号6222 0212 3456 7890 123", "卡号〔卡号〕"),
    "a plate": ("闽D12345乱停", "〔车牌〕乱停"),
    "a green plate": ("浙A·D12345堵住消防通道", "〔车牌〕堵住消防通道"),
    "a plate with a space": ("京A 12345", "〔车牌〕"),
    "a mail address": ("写信到 zhang.san@example.com.cn 即可", "写信到 〔邮箱〕 即可"),
    "an account": ("加微信abc_12345联系", "加微信〔账号〕联系"),
    "an account with a full-width colon": ("微信号\uff1aabc_12345", "微信号\uff1a〔账号〕"),
    "another account": ("QQ:123456789", "QQ:〔账号〕"),
    "a door": ("住3号楼2单元501室,漏水", "住〔门牌〕,漏水"),
    "a door without entrance": ("5栋1203房", "〔门牌〕"),
    "a door in full-width digits": ("\uff15栋\uff11\uff12\uff10\uff13室", "〔门牌〕"),
    "a name that runs on into a verb": ("我叫王芳住在东门", "我叫〔姓名〕在东门"),
    "a name of two family letters": ("我叫欧阳明华说过", "我叫〔姓名〕说过"),
    "an introduced name": ("我叫张三,住这里", "我叫〔姓名〕,住这里"),
    "a name in a form": ("姓名:李小四 性别:男", "姓名:〔姓名〕 性别:男"),
    "a name in a form with full-width signs": ("联系人\uff1a王五\uff0c请回复", "联系人\uff1a〔姓名〕\uff0c请回复"),
    "a name in brackets' company": ("我叫张三\uff08业主\uff09", "我叫〔姓名〕\uff08业主\uff09"),
    "a long name": ("户主:欧阳明月。", "户主:〔姓名〕。"),
    "a name of several parts": ("我叫阿依古丽·买买提。", "我叫〔姓名〕。"),
}


@pytest.mark.parametrize(("said", "masked"), PERSONAL.values(), ids=PERSONAL)
def test_masks(said: str, masked: str) -> None:
    assert redact(said) == masked
    with pytest.raises(ValidationError, match=r"text\.not_redacted"):
        TEXT.validate_python(said)
    assert TEXT.validate_python(masked) == masked


HARMLESS = {
    "a year": "2025年至今没有修",
    "a date": "2025-09-30 17:00 停水",
    "a price": "物业费每平方米1.80元,共收了199.99元",
    "a hotline": "已打过12345和12315",
    "an emergency number": "打了110和119",
    "an order number": "工单20250930001至今未结",
    "a long order number": "编号202509300000123",
    "a service number": "4008001234没人接",
    "a building without a room": "3号楼门口积水,5栋楼下也是",
    "an entrance without a room": "3号楼2单元电梯停了",
    "a road": "前埔路12号对面",
    "a route": "27路公交改道",
    "households": "这里住着1203户",
    "a company at an at sign": "@物业 请回复",
    "being called something": "这条路叫什么我不知道",
    "a chat group": "微信群里没人理",
    "a class of road": "国道G324和省道S201",
    "a province and a letter": "闽D牌照的车很多",
}


@pytest.mark.parametrize("said", HARMLESS.values(), ids=HARMLESS)
def test_leaves_alone(said: str) -> None:
    assert redact(said) == said
    assert TEXT.validate_python(said) == said


@pytest.mark.parametrize(
    "hidden", ["138\u200b1234\u200b5678", "138\u30001234\u30005678", "138\u00a01234  5678", "1381234_x200B_5678"]
)
def test_an_invisible_mark_inside_a_number_hides_nothing(hidden: str) -> None:
    with pytest.raises(ValidationError, match=r"text\.not_redacted"):
        TEXT.validate_python(f"请打{hidden}")


def test_numbers_that_touch_are_both_masked() -> None:
    once = redact("qq1234567890123456789013812345678")
    assert redact(once) == once
    assert "13812345678" not in once


CLEANED = {
    "spreadsheet escapes": ("一_x000D_\n二_x0009_三_x200B_", "一\n二 三"),
    "an escape that is text": ("序号_x4E2D_", "序号_x4E2D_"),
    "an escape with an invisible mark inside": ("一_x00\u200b0D_二", "一\n二"),
    "line ends of every system": ("一\r\n二\r三\u2028四\u0085五", "一\n二\n三\n四\n五"),
    "indentation": ("\n\t\u3000\u3000一 \n  二\u00a0\u00a0三\n", "一\n二 三"),
    "many empty lines": ("一\n\n\n\n\n二", "一\n\n二"),
    "invisible marks": ("\ufeff一\u200b二\u202e三\u00ad四", "一二三四"),
    "control characters": ("一\x00二\x07三\x7f四\x9b五", "一二三四五"),
    "half a character": ("一\ud800二", "一\ufffd二"),
    "full-width letters and digits": ("\uff21\uff11号", "\uff21\uff11号"),
    "nothing but space": (" \u3000\n\t ", ""),
}


@pytest.mark.parametrize(("typed", "clean"), CLEANED.values(), ids=CLEANED)
def test_cleans(typed: str, clean: str) -> None:
    assert normalise(typed) == clean


# Pieces that people paste, glued together without regard for sense.
PIECES = st.sampled_from(
    [each for pair in PERSONAL.values() for each in pair]
    + list(HARMLESS.values())
    + [typed for typed, _ in CLEANED.values()]
    + [
        "138",
        "1234",
        "5678",
        "86",
        "+",
        "-",
        " ",
        "X",
        "@",
        ".cn",
        "qq",
        "微信",
        "姓名:",
        "3号楼",
        "501室",
        "\u3000",
        "_x",
        "000D_",
    ]
)
MIXED = st.lists(PIECES | st.text(max_size=6), max_size=12).map("".join)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(MIXED)
def test_normalise_is_idempotent(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@settings(deadline=None, derandomize=True, max_examples=300)
@given(MIXED)
def test_redact_is_idempotent_and_what_it_leaves_is_accepted(text: str) -> None:
    clean = normalise(text)
    once = redact(clean)
    assert redact(once) == once
    if once.strip():
        assert TEXT.validate_python(once) == once


@settings(deadline=None, derandomize=True, max_examples=300)
@given(MIXED.filter(lambda text: "_x" not in text))
def test_normalise_drops_nothing_that_can_be_read(text: str) -> None:
    def readable(words: str) -> list[str]:
        return [letter for letter in words if letter.isalnum()]

    assert readable(normalise(text)) == readable(text)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    st.text(alphabet="住在东塘小区楼下,。", max_size=8),
    st.sampled_from(sorted(PERSONAL)),
    st.text(alphabet="请尽快处理,。", max_size=8),
)
def test_a_planted_number_is_found_wherever_it_stands(before: str, what: str, after: str) -> None:
    said, masked = PERSONAL[what]
    if "name" in what:
        return  # a name is known by what stands around it
    assert redact(before + "。" + said + "。" + after) == before + "。" + masked + "。" + after


@pytest.mark.skipif(not SAMPLES.exists(), reason="the collected requests are not beside this checkout")
def test_collected_requests_can_be_cleaned_masked_and_accepted() -> None:
    with SAMPLES.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            clean = normalise(row["detail"])
            assert normalise(clean) == clean
            masked = redact(clean)
            assert redact(masked) == masked
            if masked:
                TEXT.validate_python(masked[:TEXT_LIMIT])


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (TEXT, "路" * (TEXT_LIMIT + 1), "text.too_long"),
        (LINE, "路" * (LINE_LIMIT + 1), "text.too_long"),
        (CODE, "k" * (CODE_LIMIT + 1), "text.too_long"),
        (TEXT, "", "text.blank"),
        (LINE, "\u3000", "text.blank"),
        (TEXT, "一\x00", "text.control_characters"),
        (TEXT, "一\r\n", "text.control_characters"),
        (TEXT, "一\ud800", "text.control_characters"),
        (LINE, "一\n二", "text.control_characters"),
        (CODE, "", "code.malformed"),
        (CODE, "D 01", "code.malformed"),
        (CODE, "D01\n", "code.malformed"),
        (CODE, "D01;", "code.malformed"),
    ],
)
def test_refuses(kind: TypeAdapter[str], value: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kind.validate_python(value)
    assert caught.value.errors()[0]["type"] == code


@pytest.mark.parametrize("value", ["D01", "东塘-1", "a.b_c:d/e#1", "k" * CODE_LIMIT])
def test_codes_of_offices_are_codes(value: str) -> None:
    assert CODE.validate_python(value) == value


def test_the_longest_text_is_accepted() -> None:
    assert len(TEXT.validate_python("路" * TEXT_LIMIT)) == TEXT_LIMIT
    assert len(LINE.validate_python("路" * LINE_LIMIT)) == LINE_LIMIT
