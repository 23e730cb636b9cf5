"""Small disks that can be filled."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.console.conftest import call, new_office, no_instance

__all__ = ["call", "new_office", "no_instance"]


class SmallDisk(Protocol):
    """Mounts a disk of so many megabytes."""

    def __call__(self, megabytes: int) -> Path: ...


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """Disks in memory, gone after the test; only root may have them, so for others the test is skipped, and told so."""
    mounted: list[Path] = []

    def mount(megabytes: int) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="bihuan-disk-"))
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)],
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            folder.rmdir()
            reason = f"a small disk cannot be mounted here: {done.stderr.strip()}"
            # Where everything is tested this must not go unnoticed.
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
        folder.rmdir()


@contextmanager
def filled(folder: Path, *, leave: int) -> Iterator[None]:
    """All but ``leave`` bytes of the disk taken by somebody else."""
    filler = folder / "filler"
    with filler.open("wb") as file:
        left = shutil.disk_usage(folder).free - leave
        while left > 0:
            left -= file.write(b"\0" * min(left, 2**20))
    try:
        yield
    finally:
        filler.unlink()
