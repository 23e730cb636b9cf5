"""How the command line shows what is wrong with a file, or with some cases: one line each, with its remedy.

Owns the layout. What a place looks like is known to whoever found the problem.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pydantic import BaseModel

from console import output
from console.session import options
from domain.errors import Refused


class Explained(Protocol):
    """A sentence and a remedy, each in both languages: a problem, a refusal."""

    @property
    def message(self) -> str:
        """What is wrong, in Chinese."""

    @property
    def message_en(self) -> str:
        """What is wrong, in English."""

    @property
    def remedy(self) -> str:
        """What to do about it, in Chinese."""

    @property
    def remedy_en(self) -> str:
        """What to do about it, in English."""


def draw_explained(
    columns: Sequence[tuple[str, str]],
    rows: Iterable[tuple[Sequence[object], Explained]],
    *,
    what: tuple[str, str] = ("问题", "problem"),
) -> None:
    """A table: the cells of each row under ``columns``, then the sentence (headed ``what``) and the remedy."""
    output.table(
        [*columns, what, ("怎么办", "remedy")],
        ((*cells, output.say(it.message, it.message_en), output.say(it.remedy, it.remedy_en)) for cells, it in rows),
    )


def show_refused(refused: Refused, draw: Callable[[], None], **found: Sequence[BaseModel]) -> None:
    """Show what was refused: ``draw`` and the refusal for people, one error object with all ``found`` for programs."""
    if options().json:
        output.print_json({"error": {**refused.refusal.model_dump(mode="json"), **found}})
        return
    draw()
    output.show_error(refused.refusal)
