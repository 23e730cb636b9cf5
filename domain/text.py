"""What people write: cleaned, bounded and without personal data.

Owns normalisation and redaction of free text. Residents' own wording belongs to the vault; what reaches commands,
events, lists and Temporal is the redacted text, and the types below refuse anything else.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

TEXT_LIMIT = 20_000
"""Longest free text in characters; also the limit that messages to people name."""

LINE_LIMIT = 200
"""Longest title, reason or other one-line text in characters."""

CODE_LIMIT = 64

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u206a-\u206f\ufeff\u00ad]")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_CONTROL = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile("[^\\S\n]+")
_DIGIT = "0-9\uff10-\uff19"


def normalise(text: str) -> str:
    """The text as a clerk would retype it; nothing that can be read is dropped.

    Spreadsheet escapes (``_x000D_``) become what they stand for, line ends become ``\\n``, no-break and ideographic
    spaces and tabs become one space, zero-width and directional marks and other control characters go,
    indentation and empty lines at the edges go. Full-width digits and letters stay as written. Idempotent.
    """
    before = None
    while before != text:
        # What one pass uncovers, for instance an escape with an invisible mark inside, the next one cleans.
        before, text = text, _normalised_once(text)
    return text


def _normalised_once(text: str) -> str:
    text = _ESCAPED.sub(_unescape, text)
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    text = text.replace("\u0085", "\n").replace("\x0b", "\n").replace("\x0c", "\n")
    text = _INVISIBLE.sub("", text)
    text = _CONTROL.sub("", _SURROGATE.sub("\ufffd", text))
    lines = [_BLANKS.sub(" ", line).strip() for line in text.split("\n")]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip()


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match.group(1), 16))
    # Only characters that cannot be typed are spreadsheet escapes; "_x4E2D_" in a serial number stays as it is.
    return character if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} else match.group(0)


FAMILY_NAMES = (
    "欧阳|司马|上官|诸葛|司徒|东方|夏侯|皇甫|[王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董"
    "潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武"
    "钱戴严莫孔向常汤]"
)
"""A pattern: the hundred most frequent family names of the 2020 census, and the usual double ones."""

_SEP = r"[ \-\u2010-\u2015]?"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Citizen numbers first: they contain runs that look like other numbers.
    (
        re.compile(
            rf"(?<![{_DIGIT}A-Za-z])[{_DIGIT}]{{6}}{_SEP}(?:[{_DIGIT}]{{4}}{_SEP}[{_DIGIT}]{{4}}{_SEP}"
            rf"[{_DIGIT}]{{3}}[{_DIGIT}Xx\uff38\uff58])(?![{_DIGIT}])"
        ),
        "〔证件号〕",
    ),
    (
        re.compile(
            rf"(?<![{_DIGIT}])(?:[{_DIGIT}]{{4}}{_SEP}){{3}}[{_DIGIT}]{{4}}"
            rf"(?:[{_DIGIT}]{{1,3}}|{_SEP}[{_DIGIT}]{{3}})?(?![{_DIGIT}])"
        ),
        "〔卡号〕",
    ),
    (
        re.compile(
            rf"(?<![{_DIGIT}])(?:(?:[+\uff0b]|00)?(?:86|\uff18\uff16){_SEP})?[1\uff11][3-9\uff13-\uff19][{_DIGIT}]{_SEP}"
            rf"[{_DIGIT}]{{4}}{_SEP}[{_DIGIT}]{{4}}(?![{_DIGIT}])"
        ),
        "〔手机号〕",
    ),
    (re.compile(rf"(?<![{_DIGIT}])[0\uff10][{_DIGIT}]{{2,3}}{_SEP}[{_DIGIT}]{{7,8}}(?![{_DIGIT}])"), "〔电话〕"),
    (re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"), "〔邮箱〕"),
    (
        re.compile(
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·.\s]?[A-HJ-NP-Z0-9]{4,5}"
            r"[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])"
        ),
        "〔车牌〕",
    ),
    (
        re.compile(r"(?i)(?<![A-Za-z])((?:微信号?|wechat|qq号?)[:\uff1a\s]{0,3})[A-Za-z0-9][A-Za-z0-9_-]{4,19}"),
        r"\1〔账号〕",
    ),
    (
        # Somebody says a name: a usual family name and the one or two letters after it, whatever follows them.
        re.compile(rf"((?:我叫|我的名字是|本人姓名|我姓名是)\s?)(?:{FAMILY_NAMES})[\u4e00-\u9fff]{{1,2}}"),
        r"\1〔姓名〕",
    ),
    (
        re.compile(
            r"((?:我叫|我是业主|我的名字是|本人姓名|姓名[:\uff1a]|联系人[:\uff1a]|户主[:\uff1a])\s?)"
            r"(?:[\u4e00-\u9fff]{1,8}(?:·[\u4e00-\u9fff]{1,8})+|[\u4e00-\u9fff]{2,4})"
            r"(?=[,\uff0c。;\uff1b、\s(\uff08)\uff09!\uff01?\uff1f]|$)"
        ),
        r"\1〔姓名〕",
    ),
    (
        re.compile(
            r"[0-9\uff10-\uff19A-Za-z]{1,4}(?:号楼|栋|幢|座)[ ,\uff0c]?"
            r"(?:[0-9\uff10-\uff19一二三四五六七八九十]{1,3}单元[ ,\uff0c]?)?"
            r"[0-9\uff10-\uff19]{3,4}(?:室|号|户|房)"
        ),
        "〔门牌〕",
    ),
)


def redact(text: str) -> str:
    """The text with numbers, plates, accounts, door numbers and introduced names masked. Idempotent.

    A pattern can never know every name; a clerk sees the result before it is sent and may edit it.
    """
    before = None
    while before != text:
        # A number that touched another one stands alone once that one is masked.
        before = text
        for pattern, mask in _PATTERNS:
            text = pattern.sub(mask, text)
    return text


def _checked(text: str, limit: int) -> str:
    if len(text) > limit:
        raise PydanticCustomError("text.too_long", "{length} > {limit}", {"length": len(text), "limit": limit})
    if _CONTROL.search(text) or _SURROGATE.search(text):
        raise PydanticCustomError("text.control_characters", "control characters")
    if not text.strip():
        raise PydanticCustomError("text.blank", "blank")
    # Judged as people read it: an invisible mark inside a number hides nothing.
    cleaned = normalise(text)
    if redact(cleaned) != cleaned:
        raise PydanticCustomError("text.not_redacted", "personal data")
    return text


def _check_text(text: str) -> str:
    return _checked(text, TEXT_LIMIT)


def _check_line(text: str) -> str:
    if "\n" in text:
        raise PydanticCustomError("text.control_characters", "line break")
    return _checked(text, LINE_LIMIT)


def _check_code(text: str) -> str:
    if len(text) > CODE_LIMIT:
        raise PydanticCustomError("text.too_long", "{length} > {limit}", {"length": len(text), "limit": CODE_LIMIT})
    if not re.fullmatch(r"[\w.\-:/#]+", text):
        raise PydanticCustomError("code.malformed", "malformed code")
    return text


Text = Annotated[
    str,
    AfterValidator(_check_text),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": TEXT_LIMIT}),
]
"""Free text: 1 to 20,000 characters, no control characters but line ends and tabs, already redacted."""

Line = Annotated[
    str,
    AfterValidator(_check_line),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": LINE_LIMIT}),
]
"""One line: 1 to 200 characters, no control characters, already redacted."""

Code = Annotated[
    str,
    AfterValidator(_check_code),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": CODE_LIMIT, "pattern": r"^[\w.\-:/#]+$"}),
]
"""A code out of a registry or an office's own numbering: letters, digits and ``._-:/#``, at most 64 characters."""
