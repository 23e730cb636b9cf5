"""How files of tests are handed out to several workers: the longest first, so that all end at about the same time.

A file stays with one worker, so that what its tests share is made once; the tests of the pages all share one street and
its browsers and stay together.
"""

from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

_TOGETHER = "tests/browser"

_FIRST: Sequence[str] = (
    _TOGETHER,
    "tests/console/test_lost_engine.py",
    "tests/console/api/test_schemathesis.py",
    "tests/console/test_demo.py",
    "tests/runtime/test_embedded.py",
    "tests/console/test_import.py",
    "tests/faults/test_outage.py",
    "tests/workflows/test_hand_over.py",
    "tests/workflows/test_rehydration.py",
    "tests/console/http/test_rights_matrix.py",
    "tests/faults/test_ladder_kill.py",
    "tests/console/test_cli_adopt.py",
    "tests/workflows/test_ladder.py",
    "tests/console/test_leaks.py",
    "tests/console/test_cli.py",
    "tests/workflows/test_paths.py",
    "tests/console/http/test_guard.py",
    "tests/faults/test_kill.py",
    "tests/console/backup",
    "tests/activities",
    "tests/workflows",
    "tests/console/http",
    "tests/console",
)
"""Files and folders whose turn comes first, as ``--durations`` showed them; the order changes no result."""


def by_turns(items: list[pytest.Item]) -> None:
    """Put the tests into the order in which they are handed out."""

    def turn(item: pytest.Item) -> int:
        return next((place for place, name in enumerate(_FIRST) if item.nodeid.startswith(name)), len(_FIRST))

    items.sort(key=turn)


class ByFiles(LoadFileScheduling):  # type: ignore[misc]
    """Hands out file by file in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return _TOGETHER if nodeid.startswith(_TOGETHER) else str(super()._split_scope(nodeid))
