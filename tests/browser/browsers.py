"""The browsers of the tests: Debian's Chromium of today and Chromium 86, the oldest the product promises to work in.

Owns where they are found and how they are got. Run as a script (``make browser``) it installs what is missing: the
first by apt when it may, the second from npm into a folder beside the installed packages. Under CI nothing missing is
overlooked.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

OLD = Path(sys.prefix) / "chromium-86" / "chromium"
"""Where Chromium 86 lies once it has been fetched."""

_PACKAGE = "chrome-aws-lambda@5.3.1"
_DIGEST = "e258e73f4d5957f39de30f6343a2f44de425d978d8058631e4e9d20111c2222a"
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FONTS = "fonts-noto-cjk"

QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
)
"""How today's Chromium is started: talking to nobody but us; without a sandbox, for a root user has none."""

QUIET_OLD = ("--no-sandbox", "--disable-gpu", "--disable-software-rasterizer", "--disable-dev-shm-usage")
"""How Chromium 86 is started."""


def todays() -> Path | None:
    """Today's Chromium, where there is one."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    return Path(found) if found else None


def oldest() -> Path | None:
    """Chromium 86, where it has been fetched."""
    return OLD if OLD.exists() else None


def is_ci() -> bool:
    """Whether a missing browser is a failure."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _apt(*packages: str) -> bool:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for line in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            _say(f"{' '.join(line)}: {done.stderr.strip()[-400:]}")
            return False
    return True


def _has_chinese_letters() -> bool:
    if shutil.which("fc-list") is None:
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True, text=True, check=False).stdout.strip())


def _install_todays() -> None:
    if todays() is None or not _has_chinese_letters():
        _apt("chromium", _FONTS, "fontconfig")


def _install_oldest() -> None:
    if oldest() is not None or sys.platform != "linux":
        return
    if shutil.which("npm") is None and not _apt("npm"):
        _say("npm is needed to fetch Chromium 86")
        return
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["npm", "pack", "--silent", _PACKAGE], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            _say(f"npm pack {_PACKAGE}: {done.stderr.strip()[-400:]}")
            return
        archive = Path(folder) / done.stdout.strip().splitlines()[-1]
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != _DIGEST:
            raise SystemExit(f"{_PACKAGE}: digest is {digest}, not {_DIGEST}")
        _unpack(archive, OLD.parent)


def _unpack(archive: Path, folder: Path) -> None:
    """The browser of the package; complete or not there at all, however this ends."""
    import brotli  # type: ignore[import-untyped]

    draft = folder.with_name(folder.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with tarfile.open(archive) as package:
        for name in ("chromium", "swiftshader.tar"):
            packed = package.extractfile(f"package/bin/{name}.br")
            assert packed is not None, f"{archive.name} holds no {name}"
            content = brotli.decompress(packed.read())
            if name.endswith(".tar"):
                with tarfile.open(fileobj=io.BytesIO(content)) as inner:
                    inner.extractall(draft, filter="data")
            else:
                (draft / name).write_bytes(content)
                (draft / name).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)


def main() -> None:
    """Install what is missing; under CI fail when that is impossible."""
    _install_todays()
    _install_oldest()
    missing = [name for name, path in (("Chromium", todays()), ("Chromium 86 (npm)", oldest())) if path is None]
    if missing:
        _say(f"*** missing: {', '.join(missing)}; the tests of the pages in it will be skipped ***")
        if is_ci():
            raise SystemExit(1)


if __name__ == "__main__":
    main()
