"""One page with charts of everything the commands of the bench have kept; ``python -m bench --report FILE``.

Owns how the page is made. It is one file: no script, no request to anywhere; its charts are boxes, so it reads on a
phone and prints. What it shows stands in ``bench.chapters``.
"""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench import chapters
from bench.charts import Section
from bench.results import FOLDER

_MARK = Path(__file__).parent.parent / "console" / "static" / "mark.svg"


def write(path: Path, folder: Path = FOLDER) -> None:
    """Make the page of what lies in ``folder``; an empty folder makes a page that says how to begin."""
    kept = {each.stem: json.loads(each.read_text(encoding="utf-8")) for each in sorted(folder.glob("*.json"))}
    order = [*(name for name in chapters.SECTIONS if name in kept), *sorted(kept.keys() - chapters.SECTIONS.keys())]
    sections = [_section(name, kept[name]) for name in order]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("page.html").render(
        sections=sections,
        goals=[goal for section in sections for goal in section.goals],
        mark=_MARK.read_text(encoding="utf-8"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _section(name: str, kept: dict[str, Any]) -> Section:
    machine = kept["machine"]
    about = (
        f"{machine['cores']} 核 cores · Python {machine['python']} · {machine['system']} · 负载 load {machine['load']}"
    )
    section = Section(*chapters.title_of(name), kept["at"], about)
    chapters.fill(section, name, kept["figures"])
    return section
