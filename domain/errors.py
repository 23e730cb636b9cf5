"""How the product says no.

Owns the one exception people ever see, ``Refused``. Every refusal has a stable code, a Chinese and an English
sentence and a remedy; the texts live in ``domain.refusals``. Must not know where a refusal is shown.

    Refused            a rule, a value or a state does not allow this; the sender can do something about it
"""

import os
import re
from collections.abc import Mapping
from datetime import datetime

from domain.base import Recalled
from domain.refusals import CATALOGUE
from domain.zone import office_minute

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def _told(text: str) -> str:
    """A parameter as it stands in a sentence: an instant by the office's clock, to the minute; all else as it is."""
    if not _INSTANT.fullmatch(text):
        return text
    try:
        return office_minute(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text


class Refusal(Recalled):
    """A refusal as data: what crosses the wire, is shown to people and compared in tests."""

    code: str
    message: str
    remedy: str
    message_en: str
    remedy_en: str
    field: str | None = None
    params: Mapping[str, str] = {}

    def sentence(self, language: str = "zh") -> str:
        """The message followed by its remedy in ``zh`` (default) or ``en``."""
        if language == "en":
            return f"{self.message_en} {self.remedy_en}".strip()
        return f"{self.message}{self.remedy}"


class Refused(Exception):  # noqa: N818 - the word of the trade, not an error of the program
    """Raised when an act, a value or a request is refused; nothing has been changed.

    ``code`` must stand in ``domain.refusals.CATALOGUE``; ``field`` names the offending field in the sender's
    words; ``params`` fill the placeholders of the sentences and must never hold personal data. Where one has a
    counterpart that ends in ``_en``, the English sentence takes that. Instants (ISO 8601 with offset) are told in
    Beijing time, by which offices live; ``params`` keep them as they were given.

    Raises ``KeyError`` for a code that is not in the catalogue: that is a mistake of ours, not of the sender.
    """

    def __init__(self, code: str, field: str | None = None, **params: object) -> None:
        entry = CATALOGUE[code]
        texts = {name: str(value) for name, value in params.items()}
        shown = {"field": field or "", **{name: _told(text) for name, text in texts.items()}}
        english = {**shown, **{name.removesuffix("_en"): text for name, text in shown.items() if name.endswith("_en")}}
        self.refusal = Refusal(
            code=code,
            message=entry.zh.format_map(shown),
            remedy=entry.remedy_zh.format_map(shown),
            message_en=entry.en.format_map(english),
            remedy_en=entry.remedy_en.format_map(english),
            field=field,
            params=texts,
        )
        super().__init__(f"{code}: {self.refusal.message}")

    @property
    def code(self) -> str:
        """The stable code, for instance ``case.wrong_stage``."""
        return self.refusal.code

    @classmethod
    def from_refusal(cls, refusal: Refusal) -> "Refused":
        """The same refusal raised again on this side of a wire; the texts are taken as they came."""
        self = cls.__new__(cls)
        self.refusal = refusal
        Exception.__init__(self, f"{refusal.code}: {refusal.message}")
        return self


def unreadable(path: object, error: OSError) -> Refused:
    """The refusal ``file.unreadable`` of a file that the system does not give, with the reason in both languages."""
    match error:
        case FileNotFoundError():
            zh, en = "没有这个文件", "no such file"
        case IsADirectoryError():
            zh, en = "这是一个文件夹", "this is a folder"
        case PermissionError():
            zh, en = "没有读取权限", "no permission to read it"
        case _:
            zh = en = error.strerror or os.strerror(error.errno or 0)
    return Refused("file.unreadable", path=path, reason=zh, reason_en=en)
