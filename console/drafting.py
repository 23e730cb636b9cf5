"""Files that administrators upload, look at and confirm: kept in between, laid out where the readers find them.

Owns the limits and the names. Must not judge what is in a file.
"""

import base64
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

from domain.errors import Refused
from ledger.administration import Draft, keep_draft
from ledger.log import Connection

MOST_FILES = 8
MOST_BYTES = 6 * 2**20
"""All files of one upload together."""

_UNSAFE = re.compile(r"[^\w.-]+")


class Uploaded(Protocol):
    """A file as a form carries it."""

    @property
    def filename(self) -> str | None: ...  # noqa: D102
    async def read(self, size: int = -1) -> bytes: ...  # noqa: D102


async def take_in(
    conn: Connection, kind: str, person: str, uploads: Sequence[Uploaded | str], options: Mapping[str, Any]
) -> UUID:
    """Keep the files until ``person`` has looked at them.

    Raises ``Refused``: ``draft.no_file``, ``import.file_too_large``.
    """
    files: dict[str, str] = {}
    size = 0
    for upload in uploads:
        if isinstance(upload, str) or not upload.filename:
            continue
        content = await upload.read(MOST_BYTES - size + 1)
        size += len(content)
        if size > MOST_BYTES or len(files) == MOST_FILES:
            limit = f"{MOST_BYTES // 2**20} MB"
            raise Refused("import.file_too_large", path=_name(upload.filename), size=f"> {limit}", limit=limit)
        files[_name(upload.filename)] = base64.b64encode(content).decode()
    if not files:
        raise Refused("draft.no_file", field="file")
    draft = Draft(
        id=uuid4(), kind=kind, person=person, created_at=datetime.now(UTC), options=dict(options), files=files
    )
    await keep_draft(conn, draft)
    return draft.id


def _name(given: str) -> str:
    """The name without folders or anything a file system might take for more than a name."""
    last = given.replace("\\", "/").rpartition("/")[2]
    return _UNSAFE.sub("_", last).lstrip(".")[-80:] or "file"


@contextmanager
def laid_out(draft: Draft) -> Iterator[Path]:
    """The one file of the draft, or the folder of its files, for as long as it is being read."""
    with tempfile.TemporaryDirectory(prefix="bihuan-draft-") as folder:
        for name, content in draft.files.items():
            (Path(folder) / name).write_bytes(base64.b64decode(content))
        only = list(draft.files)
        alone = len(only) == 1 and not (draft.kind == "registry" and only[0].lower().endswith(".csv"))
        yield Path(folder) / only[0] if alone else Path(folder)
