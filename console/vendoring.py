"""Fetches the vendored files of the pages again, exactly the versions ``vendor/vendor.toml`` names. For maintainers.

Needs npm; run it as ``python -m console.vendoring``. Users never do: the files are part of the release. After
raising a version, run it with ``--accept`` to write the new digests, and look at the pages in the oldest browser before
committing.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).parent / "static" / "vendor"
LIST = VENDOR / "vendor.toml"


def packed(package: str, version: str, folder: Path) -> Path:
    """The archive of the package, as the registry has it."""
    done = subprocess.run(
        ["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True, capture_output=True, text=True
    )
    return folder / done.stdout.strip().splitlines()[-1]


def member(archive: Path, name: str) -> bytes:
    """One file of the archive."""
    with tarfile.open(archive) as opened:
        found = opened.extractfile(f"package/{name}")
        if found is None:
            raise SystemExit(f"{archive.name}: {name} is not a file")
        return found.read()


def refresh(entry: dict[str, Any], folder: Path, *, accept: bool) -> str | None:
    """Write the file of ``entry`` and its licence; the new digest when it is another one and that is accepted."""
    archive = packed(entry["package"], entry["version"], folder)
    content = member(archive, entry["source"])
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry["sha256"] and not accept:
        raise SystemExit(f"{entry['file']}: digest is {digest}, vendor.toml says {entry['sha256']}")
    (VENDOR / entry["file"]).write_bytes(content)
    for name, target in entry["licence_files"].items():
        (VENDOR / "licences" / target).write_bytes(member(archive, name))
    return digest if digest != entry["sha256"] else None


def main() -> None:
    """Refresh every file of the list."""
    accept = sys.argv[1:] == ["--accept"]
    text = LIST.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for entry in tomllib.loads(text)["vendored"]:
            digest = refresh(entry, Path(folder), accept=accept)
            if digest is not None:
                text = re.sub(re.escape(entry["sha256"]), digest, text)
    LIST.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
