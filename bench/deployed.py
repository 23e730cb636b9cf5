"""The services of ``deploy/compose`` as processes of this machine: their commands and settings, by the same names.

Owns what stands for a container: its places in this machine's folders and ports. What is left out is named here and
nowhere else: certificates of Temporal, for the development server speaks no TLS, and mail.
"""

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SITE = "office.example"
OURS = ("domain", "workflows", "activities", "ledger", "console", "runtime", "worker.py")

Json = dict[str, Any]

_LEFT_OUT = ("BIHUAN_TEMPORAL_TLS", "BIHUAN_SMTP")


@cache
def compose() -> Json:
    """The Compose file with its anchors resolved and ``${…}`` as a prepared folder has it."""
    text = (
        (DEPLOY / "compose" / "compose.yaml").read_text("utf-8").replace("${SITE:?the name people type, in .env}", SITE)
    )
    found: Json = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text))
    return found


@dataclass(frozen=True)
class Release:
    """A release of the program: the folder its code lies in, None for the one that is installed, and its name."""

    name: str
    code: Path | None = None

    def as_environment(self) -> Mapping[str, str]:
        """What lets a process run this release."""
        return {} if self.code is None else {"PYTHONPATH": str(self.code)}


def next_release(folder: Path) -> Release:
    """A copy of the program with one more migration, which adds what this release does not know, as the next may."""
    folder.mkdir()
    for name in OURS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy2(source, folder / name)
    migrations = folder / "ledger" / "migrations"
    number = max(int(each.name[:4]) for each in migrations.glob("[0-9]*.sql")) + 1
    (migrations / f"{number:04}_of_the_next_release.sql").write_text(
        "-- Known to the next release alone; the one before it goes on beside it.\n"
        "alter table case_row add column of_the_next_release text;\n"
        "create table of_the_next_release (stream text primary key);\n",
        "utf-8",
    )
    return Release("next", folder)


@dataclass(frozen=True)
class Machine:
    """Where everything is on this machine."""

    folder: Path
    database_url: str
    temporal: str

    @property
    def keys(self) -> Path:
        """The folder of the keys."""
        return self.folder / "keys"

    def command(self, service: str) -> list[str]:
        """What the container runs."""
        given = compose()["services"][service]
        words = [*given.get("entrypoint", ()), *given.get("command", ())] or _of_the_image()
        return [str(Path(sys.executable).with_name(words[0])), *map(str, words[1:])]

    def environment(self, service: str, release: Release, **places: str) -> dict[str, str]:
        """The settings of the service; ``places`` are those that differ from process to process."""
        given: Mapping[str, Any] = compose()["services"][service]["environment"]
        ours = {name: self._here(name, str(value)) for name, value in given.items()}
        ours = {name: value for name, value in ours.items() if not name.startswith(_LEFT_OUT)}
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("BIHUAN_", "PYTHONPATH"))}
        data = {"BIHUAN_DATA": str(self.folder / "data"), "BIHUAN_LOG_FORMAT": "json"}
        return {**bare, **data, **ours, **release.as_environment(), **places}

    def _here(self, name: str, value: str) -> str:
        if name == "BIHUAN_TEMPORAL_ADDRESS":
            return self.temporal
        if name == "BIHUAN_DATABASE_URL_FILE":
            return str(self.folder / "database_url")
        if name in ("BIHUAN_CONSOLE_HOST", "BIHUAN_TRUSTED_PROXIES"):
            return "127.0.0.1"
        if name == "BIHUAN_PAYLOAD_KEY_FILE":
            return str(self.keys / "payload.key")
        for there, here in (("/etc/bihuan/keys", self.keys), ("/var/lib/bihuan", self.folder / "data")):
            if value.startswith(there):
                return f"{here}{value.removeprefix(there)}"
        return value


@cache
def _of_the_image() -> Sequence[str]:
    text = (DEPLOY / "image" / "Dockerfile").read_text("utf-8")
    found = re.findall(r"^CMD (\[.*\])$", text, re.M)
    words: list[str] = yaml.safe_load(found[-1])
    return words
