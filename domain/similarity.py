"""How alike two requests are: a hint for a clerk who looks for the same request reported twice.

Owns the reduced form in which words are compared and searched, and the score. Suggests and never decides: two
residents may well report different holes in the same road.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

from rapidfuzz import fuzz

COMPARED = 500
"""How many characters of a text are compared: what a request is about stands at its beginning."""

ALIKE = 0.5
"""The score from which two requests are worth showing side by side."""

_CAPITALS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_MARKS = re.compile(
    "[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u2000-\u206f\u2190-\u2bff"
    "\u3000-\u3004\u3008-\u3020\u3030\ufe10-\ufe6f\ufffd]+"
)

T = TypeVar("T")


class Scored(NamedTuple, Generic[T]):
    """Something found alike, and how much: 0 for nothing in common, 1 for the same words."""

    thing: T
    score: float


def plain(text: str) -> str:
    """The text without what two people write differently: widths, capitals, punctuation, blanks.

    The twin of ``cjk_plain`` in the database, by which search works.
    """
    return _MARKS.sub("", unicodedata.normalize("NFKC", text).translate(_CAPITALS))


def grams(text: str) -> frozenset[str]:
    """The pairs of neighbouring characters of a text in its plain form."""
    return frozenset(a + b for a, b in pairwise(text))


def score(one: str, other: str) -> float:
    """How alike two texts are, from 0 to 1, whichever comes first.

    The mean of two views: how many letters must change to make one out of the other, and how many of the pairs of the
    shorter one stand in the longer one as well, so that a short report of the same thing is found too.
    """
    a, b = plain(one)[:COMPARED], plain(other)[:COMPARED]
    if not a or not b:
        return 0.0
    few, many = sorted((grams(a), grams(b)), key=len)
    contained = len(few & many) / len(few) if few else float(a in b or b in a)
    return (fuzz.ratio(a, b) / 100 + contained) / 2


def alike(title: str, text: str, others: Iterable[tuple[str, str, T]], *, at_least: float = ALIKE) -> list[Scored[T]]:
    """Those of ``others`` (title, text, thing) that are alike, best first; equals in the order given.

    Titles are compared with titles and everything with everything; the better view counts.
    """
    found = list(_scored(title, text, others))
    return sorted((each for each in found if each.score >= at_least), key=lambda each: -each.score)


def _scored(title: str, text: str, others: Iterable[tuple[str, str, T]]) -> Iterator[Scored[T]]:
    for other_title, other_text, thing in others:
        whole = score(f"{title}{text}", f"{other_title}{other_text}")
        yield Scored(thing, max(whole, score(title, other_title) if title and other_title else 0.0))
