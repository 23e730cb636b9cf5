"""Clients act over HTTP while processes are killed and paused and wires are cut: nothing is lost, nothing doubled.

make chaos MINUTES=30            longer, by hand
make chaos SEED=17               the faults of an earlier run again
"""

import random
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.chaos.play import play, told

_SECONDS = 120
"""Of load and faults; with start, settling and judging the whole is about three minutes."""


@pytest.mark.timeout(900)
async def test_whatever_fails_nothing_acknowledged_is_lost_and_nothing_happens_twice() -> None:
    seed = random.SystemRandom().randrange(10**6)
    sys.stdout.write(f"seed {seed}\n")
    folder = Path(tempfile.mkdtemp(prefix="bihuan-chaos-"))
    report = await play(folder, seed=seed, seconds=_SECONDS)
    sys.stdout.write(told(report) + "\n")

    assert report.findings == [], f"seed {seed}; the run is kept in {folder}"
    # Otherwise this run has not tested what it is for.
    assert report.acknowledged >= 10, told(report)
    assert sum(report.faults.values()) >= 2, told(report)
    shutil.rmtree(folder)
