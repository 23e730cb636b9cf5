"""What the doors count: answers, how long they took, what was refused.

Owns the division of addresses into doors. Labels are doors, statuses and codes of refusals, all of them few; an address
itself is never one.
"""

import time
from collections.abc import Mapping
from types import MappingProxyType

from starlette.types import Scope

from domain.refusals import CATALOGUE
from runtime.metrics import Metrics

PAGES, API, BOARD, RESIDENTS, FILES, PROBES = "pages", "api", "board", "residents", "static", "probes"

_DOORS: Mapping[str, str] = MappingProxyType(
    {"api": API, "board": BOARD, "tracking": RESIDENTS, "static": FILES, "healthz": PROBES, "readyz": PROBES}
)
"""The door by the first part of an address; what is not listed is a page."""

_READING = frozenset({"GET", "HEAD", "OPTIONS"})

THROTTLES: tuple[tuple[str, str], ...] = (
    (PAGES, "access.slow_down"),
    (PAGES, "sign.slow_down"),
    (API, "access.slow_down"),
    (API, "sign.slow_down"),
    (API, "request.too_many"),
    (RESIDENTS, "tracking.slow_down"),
)
"""Doors and the codes by which they slow somebody down; their series exist from the beginning."""


class Tally:
    """Counts one request after the other into ``metrics``."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        for door, code in THROTTLES:
            metrics.count("bihuan_door_refusals_total", 0, door=door, code=code)
        for door in (PAGES, API, BOARD, RESIDENTS):
            metrics.count("bihuan_door_answers_total", 0, door=door, status="500")

    def begin(self, scope: Scope) -> "Counted":
        """Begin to count a request."""
        return Counted(self._metrics, scope)


class Counted:
    """One request under way."""

    def __init__(self, metrics: Metrics, scope: Scope) -> None:
        self._metrics, self._scope, self._began = metrics, scope, time.perf_counter()

    def answered(self, status: int) -> None:
        """The answer begins now, with this status."""
        metrics = self._metrics
        if not metrics.are_kept:
            return
        door = door_of(self._scope["path"])
        asked = "read" if self._scope["method"] in _READING else "write"
        metrics.record("bihuan_door_answer_seconds", time.perf_counter() - self._began, door=door, asked=asked)
        metrics.count("bihuan_door_answers_total", door=door, status=str(status))
        refusal = self._scope.get("state", {}).get("refused")
        if refusal is not None:
            code = refusal.code if refusal.code in CATALOGUE else "unknown"
            metrics.count("bihuan_door_refusals_total", door=door, code=code)


def door_of(path: str) -> str:
    """The door an address belongs to."""
    return _DOORS.get(path.split("/", 2)[1] if path.startswith("/") else "", PAGES)
