"""A row becomes a request: which column means what, and what of it goes where.

Owns the names of columns, Chinese and English, and the split of a row: cleaned and masked text for the command,
names, phones, addresses, the wording as read and all other columns for the vault. Nothing is dropped.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from console.importing.readers import Row
from console.importing.times import read_time
from domain.errors import Refused
from domain.rules import Urgency
from domain.text import CODE_LIMIT, LINE_LIMIT, TEXT_LIMIT, normalise, redact

COLUMNS: dict[str, tuple[str, ...]] = {
    "external_id": ("message_no", "external_id", "编号", "工单号", "工单编号", "留言编号", "诉求编号"),
    "source": ("src", "source", "来源", "诉求来源"),
    "title": ("title", "标题", "主题", "留言主题"),
    "text": ("detail", "text", "内容", "正文", "诉求内容", "留言详情"),
    "found_at": ("found_at", "发现时间", "time", "时间", "留言时间", "登记时间"),
    "label": ("class1", "label", "一级分类", "一级标签", "分类"),
    "category": ("category", "类别编码"),
    "grid": ("grid", "网格编码", "网格"),
    "street": ("street", "街道编码", "街道"),
    "urgency": ("urgency", "紧急程度"),
    "channel": ("channel", "渠道"),
    "reporter_name": ("reporter", "user", "姓名", "联系人"),
    "reporter_phone": ("phone", "电话", "手机", "手机号", "联系电话"),
    "reporter_address": ("address", "地址", "联系地址"),
}
"""What each field may be called; where a file has several of these columns, the first of them that has content."""

URGENCIES: dict[str, Urgency] = {
    **{each.value: each for each in Urgency},
    **dict.fromkeys(("紧急", "特急", "urgent"), Urgency.EMERGENCY),
    **dict.fromkeys(("民生", "民生保障"), Urgency.LIVELIHOOD),
    **dict.fromkeys(("一般", "普通", "normal"), Urgency.GENERAL),
    **dict.fromkeys(("疑难", "复杂"), Urgency.COMPLEX),
}

CHANNEL = "hotline"
"""The channel of requests whose file does not name one."""

_FIELD_OF = {name: meaning for meaning, names in COLUMNS.items() for name in names}
_PRIVATE = ("reporter_name", "reporter_phone", "reporter_address")
_NOT_A_CODE = re.compile(r"[^\w.\-:/#]+")


@dataclass(frozen=True)
class Request:
    """A row understood. ``content`` are the fields of the command that come from the row, ``private`` what belongs
    to the vault; ``headers`` say what the sender calls each field; ``own_number`` whether the sender numbered it."""

    row: int
    source: str
    number: str
    own_number: bool
    content: Mapping[str, Any]
    private: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def matter(self) -> str:
        """What the sender filed the message under, if anything."""
        return str(self.content.get("label") or self.content.get("category") or "")

    @property
    def sender(self) -> tuple[tuple[str, str], ...]:
        """Who sent it and in which words; never to leave the vault."""
        return tuple(sorted((name, text) for name, text in self.private.items() if name != "unmapped"))

    @property
    def words(self) -> tuple[str, str]:
        """The message itself."""
        return str(self.content["title"]), str(self.content["text"])


def source_of_file(stem: str) -> str:
    """The source of rows that name none: the name of their file, as far as a code may hold it."""
    return _NOT_A_CODE.sub("-", stem).strip("-")[:CODE_LIMIT] or "file"


def check_header(headers: Iterable[str]) -> None:
    """Raises ``Refused`` ``import.no_text_column`` for a table that has neither titles nor texts."""
    if not {_FIELD_OF.get(_plain(header)) for header in headers} & {"title", "text"}:
        raise Refused("import.no_text_column")


def headers_of(row: Row) -> dict[str, str]:
    """Which header of the row stands for which field: the first in the order of ``COLUMNS`` that has content."""
    named: dict[str, dict[str, str]] = {}
    for header in row.cells:
        meaning = _FIELD_OF.get(_plain(header))
        if meaning is not None:
            named.setdefault(meaning, {}).setdefault(_plain(header), header)
    chosen: dict[str, str] = {}
    for meaning, headers in named.items():
        order = [headers[name] for name in COLUMNS[meaning] if name in headers]
        chosen[meaning] = next((header for header in order if normalise(row.cells[header])), order[0])
    return chosen


def understand(row: Row, source: str) -> Request:
    """The request in a row; ``source`` is that of rows without one.

    Raises ``Refused`` naming the sender's own header: ``text.blank``, ``text.too_long``, ``import.time_unreadable``,
    ``field.invalid``. Values that only the registry can judge are judged later.
    """
    headers = headers_of(row)
    try:
        return _request(row, headers, source)
    except Refused as refused:
        raise in_words_of(headers, refused) from None


def in_words_of(headers: Mapping[str, str], refused: Refused) -> Refused:
    """The same refusal with the sender's name of the field."""
    name = refused.refusal.field
    if name is None or name not in headers:
        return refused
    return Refused(refused.code, **{**refused.refusal.params, "field": headers[name]})


def _request(row: Row, headers: Mapping[str, str], source: str) -> Request:
    read = {meaning: row.cells[header] for meaning, header in headers.items()}
    clean = {meaning: normalise(text) for meaning, text in read.items()}
    title, text = _words(clean.get("title", ""), clean.get("text", ""))
    content: dict[str, Any] = {"title": title, "text": text, "channel": clean.get("channel") or CHANNEL}
    for name in ("category", "grid", "street"):
        if clean.get(name):
            content[name] = clean[name]
    if clean.get("found_at"):
        content["found_at"] = read_time(clean["found_at"]).isoformat()
    if clean.get("label"):
        content["label"] = line(clean["label"])
    if clean.get("urgency"):
        content["urgency"] = _urgency(clean["urgency"])
    source = clean.get("source") or source
    numbered = clean.get("external_id", "")
    number = numbered or _own_number(source, content)
    return Request(row.number, source, number, bool(numbered), content, _private(row, headers, read), headers)


def _words(title: str, text: str) -> tuple[str, str]:
    """Title and text of the command: each stands in for the other, and a long title is kept whole in the text."""
    if not title and not text:
        raise Refused("text.blank", field="text")
    masked, body = redact(" ".join(title.split())), redact(text or title)
    if len(masked) > LINE_LIMIT and text:
        body = f"{masked}\n{body}"
    if len(body) > TEXT_LIMIT:
        raise Refused("text.too_long", field="text", length=len(body), limit=TEXT_LIMIT)
    return line(masked or text.split("\n", 1)[0]), body


def line(text: str) -> str:
    """The text as one masked line of at most 200 characters, cut with an ellipsis where it is longer."""
    whole = redact(" ".join(text.split()))
    if len(whole) <= LINE_LIMIT:
        return whole
    # Where a line is cut, a number that was too long to be one may become one.
    for length in range(LINE_LIMIT - 1, 0, -1):
        cut = redact(whole[:length].rstrip()) + "…"
        if len(cut) <= LINE_LIMIT and redact(cut) == cut:
            return cut
    return "…"


def _urgency(text: str) -> str:
    known = URGENCIES.get(text.casefold())
    if known is None:
        raise Refused("field.invalid", field="urgency", reason=" / ".join(URGENCIES))
    return known.value


def _own_number(source: str, content: Mapping[str, Any]) -> str:
    """The number of a message that came without one. Masked text only: a digest of a phone number can be guessed."""
    parts = json.dumps([source, content["title"], content["text"], content.get("found_at")], ensure_ascii=False)
    return f"auto-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"


def _private(row: Row, headers: Mapping[str, str], read: Mapping[str, str]) -> dict[str, str]:
    wording = "\n".join(read[name] for name in ("title", "text") if read.get(name))
    private = {"wording": wording, **{name: read[name] for name in _PRIVATE if normalise(read.get(name, ""))}}
    used = set(headers.values())
    others = {header: text for header, text in row.cells.items() if header not in used and normalise(text)}
    if others:
        private["unmapped"] = json.dumps(others, ensure_ascii=False, sort_keys=True)
    return private


def _plain(header: str) -> str:
    return re.sub(r"[\s**::]+", "", normalise(header)).casefold()
