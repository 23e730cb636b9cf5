"""``python -m tests.chaos``: a run of the chaos suite by hand, or the judgement of a kept one.

python -m tests.chaos --minutes 30 --seed 7 --keep FOLDER
python -m tests.chaos --judge FOLDER
python -m tests.chaos --recovery 2000     how soon each process is back, with so many cases open
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

from bench.diary import History
from runtime.leaving import leave
from runtime.logging import set_up_logging
from tests.chaos.dump import Ledger
from tests.chaos.play import Report, play, report_on, told
from tests.chaos.recovery import measure


def main() -> None:
    """The exit code is 0 when nothing was found, 1 otherwise; a failing run is kept and its folder named."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0, help="minutes of load and faults")
    parser.add_argument("--seed", type=int, default=None, help="the seed of an earlier run; drawn when not given")
    parser.add_argument("--keep", type=Path, default=None, help="keep history, ledger and logs in this new folder")
    parser.add_argument("--judge", type=Path, default=None, help="judge the kept run in this folder again")
    parser.add_argument("--recovery", type=int, default=None, help="measure recovery with so many open cases instead")
    given = parser.parse_args()
    set_up_logging("error")
    if given.judge is not None:
        history, ledger = History.read(given.judge / "history.jsonl"), Ledger.read(given.judge / "ledger.json.gz")
        leave(_tell(report_on(history, ledger, seed=given.seed or 0, minutes=0.0, settled=0.0)))
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    folder = given.keep or Path(tempfile.mkdtemp(prefix="bihuan-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    if given.recovery is not None:
        sys.stdout.write(asyncio.run(measure(folder, open_cases=given.recovery, seed=seed)).told() + "\n")
        shutil.rmtree(folder)
        leave(0)
    code = _tell(asyncio.run(play(folder, seed=seed, seconds=given.minutes * 60)))
    if code == 0 and given.keep is None:
        shutil.rmtree(folder)
    else:
        sys.stdout.write(f"kept in {folder}\n")
    leave(code)


def _tell(report: Report) -> int:
    sys.stdout.write(told(report) + "\n")
    for finding in report.findings[:200]:
        sys.stdout.write(f"FOUND {finding.code} {finding.where}: {finding.what[:400]}\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    main()
