"""Where figures go: progress to standard error, one object to standard output, a file for the page of all figures.

Owns the folder ``build/bench`` and the form of its files. Every command of the bench ends here.
"""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "build" / "bench"
"""One file for each command, written anew by every run."""


def say(line: str) -> None:
    """Show progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


def keep(name: str, figures: Any, folder: Path = FOLDER) -> None:
    """Write the figures of the command ``name`` for the page, with the machine and the moment they are of."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = {
        "name": name,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "load": round(os.getloadavg()[0], 1),
        },
        "figures": figures,
    }
    text = json.dumps(kept, ensure_ascii=False, indent=1)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def hand_out(name: str, figures: Any, *, as_json: bool, folder: Path = FOLDER) -> None:
    """Keep the figures and, when asked to, print them as the one object on standard output."""
    keep(name, figures, folder)
    if as_json:
        print(json.dumps(figures, ensure_ascii=False))
