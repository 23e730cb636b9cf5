"""A process begins without the garbage collector, and works with it."""

import gc
import subprocess
import sys
from pathlib import Path

from runtime.begin import uncollected

ROOT = Path(__file__).resolve().parents[2]

CLERK = """
import gc, sys

assert not gc.isenabled(), "an import is not walked through"


def main():
    assert gc.isenabled() and gc.get_freeze_count() > 0
    print(*sys.argv)
"""


def test_a_module_is_imported_without_the_collector_and_runs_with_it(tmp_path: Path) -> None:
    (tmp_path / "clerk.py").write_text(CLERK, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-P", "-m", "runtime.begin", "clerk", "--slowly"],
        env={"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "clerk --slowly\n", "")


def test_the_collector_is_as_it_was_after_an_import_that_failed() -> None:
    assert gc.isenabled()
    try:
        with uncollected():
            assert not gc.isenabled()
            raise ImportError
    except ImportError:
        assert gc.isenabled()

    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
