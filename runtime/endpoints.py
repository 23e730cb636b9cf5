"""Where a running instance can be reached.

Owns the file ``<data>/endpoints.json``: its shape, how it is written and how it is read. Must not start anything.
"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

FILE_NAME = "endpoints.json"


class TemporalTls(BaseModel):
    """The files by which client and Temporal server know each other; they are read anew for each connection.

    Without ``ca_file`` the authorities of the system are believed, without a certificate of its own the client shows
    none. ``name`` is the one in the server's certificate where it is not that of the address.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    name: str | None = None


class Endpoints(BaseModel):
    """The addresses of one running instance; ``started_at`` is UTC.

    ``ui`` is absent when Temporal runs headless, ``console`` (the pages people use) when none was started. ``tls`` is
    that of a Temporal server of one's own; the embedded one listens on loopback, in plain text.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    postgres: str
    temporal: str
    namespace: str
    tls: TemporalTls | None = None
    ui: str | None = None
    console: str | None = None
    started_at: datetime

    def as_environment(self) -> Mapping[str, str]:
        """The settings that let a child process reach this instance without reading the file."""
        return {
            "BIHUAN_DATABASE_URL": self.postgres,
            "BIHUAN_TEMPORAL_ADDRESS": self.temporal,
            "BIHUAN_TEMPORAL_NAMESPACE": self.namespace,
        }


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in one step, mode 0600; a crash leaves the old or the new content."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(path)


def write_endpoints(data: Path, endpoints: Endpoints) -> None:
    """Publish ``endpoints`` in the data folder, mode 0600, atomically."""
    write_private(data / FILE_NAME, endpoints.model_dump_json(indent=2) + "\n")


def remove_endpoints(data: Path) -> None:
    """Withdraw the published endpoints; nothing happens when there are none."""
    (data / FILE_NAME).unlink(missing_ok=True)


def read_endpoints(data: Path) -> Endpoints | None:
    """The endpoints of the instance that runs on ``data``, or ``None`` when none runs there.

    A file left behind by an instance that was killed counts as none.
    """
    try:
        text = (data / FILE_NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        endpoints = Endpoints.model_validate_json(text)
    except ValidationError:
        return None
    return endpoints if psutil.pid_exists(endpoints.pid) else None
