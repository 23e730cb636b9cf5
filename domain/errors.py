"""How the product says no.

Owns the one exception people ever see, ``Refused``. Every refusal has a stable code, a Chinese and an English
sentence and a remedy; the texts live in ``domain.refusals``. Must not know where a refusal is shown.

    Refused            a rule, a value or a state does not allow this; the sender can do something about it
"""

from collections.abc import Mapping

from domain.base import Frozen
from domain.refusals import CATALOGUE


class Refusal(Frozen):
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
    words; ``params`` fill the placeholders of the sentences and must never hold personal data.

    Raises ``KeyError`` for a code that is not in the catalogue: that is a mistake of ours, not of the sender.
    """

    def __init__(self, code: str, field: str | None = None, **params: object) -> None:
        entry = CATALOGUE[code]
        texts = {name: str(value) for name, value in params.items()}
        shown = {"field": field or "", **texts}
        self.refusal = Refusal(
            code=code,
            message=entry.zh.format_map(shown),
            remedy=entry.remedy_zh.format_map(shown),
            message_en=entry.en.format_map(shown),
            remedy_en=entry.remedy_en.format_map(shown),
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
