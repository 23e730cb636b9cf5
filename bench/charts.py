"""What the page of all figures is made of: goals, charts, tables, facts, and the section of one command.

Owns the shapes only. Must know neither what is measured nor how it is drawn.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Goal:
    """One promise with what was measured; ``at_most`` says on which side of ``bar`` it is kept."""

    zh: str
    en: str
    value: float
    bar: float
    unit: str = ""
    at_most: bool = False

    @property
    def kept(self) -> bool:
        """Whether the bar is reached."""
        return self.value <= self.bar if self.at_most else self.value >= self.bar


@dataclass(frozen=True)
class Part:
    """A piece of a bar: how long, and what it stands for (the number of its colour)."""

    value: float
    kind: int = 0


@dataclass(frozen=True)
class Bar:
    """One line of a chart; ``own`` is ours, which the others are compared with."""

    zh: str
    en: str
    parts: tuple[Part, ...]
    text: str
    note: str = ""
    own: bool = False


@dataclass(frozen=True)
class Chart:
    """Bars of one unit beside each other; ``limit`` is a bar that must be reached or kept."""

    zh: str
    en: str
    bars: list[Bar]
    legend: list[tuple[str, str]] = field(default_factory=list)
    limit: float | None = None

    @property
    def longest(self) -> float:
        """What fills the width."""
        return max([sum(part.value for part in bar.parts) for bar in self.bars] + [self.limit or 0, 1e-9])


@dataclass(frozen=True)
class Rows:
    """A table: names of its columns, texts of its lines."""

    zh: str
    en: str
    head: list[str]
    lines: list[list[str]]


@dataclass(frozen=True)
class Fact:
    """One figure on its own."""

    zh: str
    en: str
    text: str


@dataclass
class Section:
    """What one command found; ``command`` repeats it."""

    zh: str
    en: str
    command: str
    at: str
    machine: str
    goals: list[Goal] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    tables: list[Rows] = field(default_factory=list)
    say: str = ""
