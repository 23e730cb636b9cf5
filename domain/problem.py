"""The shape of a problem in what somebody wrote: a stable code, its place, and what to do about it.

Owns how the sentences are filled in. Must not know any sentence or what a place looks like: each kind of file has its
own (``domain.registry_problem``, ``domain.rule_problem``, ``ledger.calendar_files``).
"""

from collections.abc import Mapping
from typing import Generic, NamedTuple, Self, TypeVar

from domain.base import Frozen

PlaceT = TypeVar("PlaceT", bound=Frozen)

_VALUE_MOST = 80


class ProblemText(NamedTuple):
    """The sentences of a problem; ``{field}``, ``{value}`` and ``{hint}`` are filled in."""

    zh: str
    en: str
    remedy_zh: str
    remedy_en: str


class ProblemAt(Frozen, Generic[PlaceT]):
    """Something wrong or worth knowing: a stable code, the place, and what to do about it, Chinese first."""

    code: str
    where: PlaceT
    field: str
    value: str
    message: str
    message_en: str
    remedy: str
    remedy_en: str

    @classmethod
    def of(
        cls, texts: Mapping[str, ProblemText], code: str, where: PlaceT, field: str, value: object, hint: object
    ) -> Self:
        """The problem ``code`` in the words of ``texts``; the value on one line and cut to 80 characters.

        Raises ``KeyError`` for a code without sentences: that is a mistake of ours, not of the writer.
        """
        text = texts[code]
        params = {"field": field, "value": " ".join(str(value).split())[:_VALUE_MOST], "hint": str(hint)}
        return cls(
            code=code,
            where=where,
            field=field,
            value=params["value"],
            message=text.zh.format_map(params),
            message_en=text.en.format_map(params),
            remedy=text.remedy_zh.format_map(params),
            remedy_en=text.remedy_en.format_map(params),
        )
