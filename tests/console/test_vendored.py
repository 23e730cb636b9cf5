"""The files of others that the pages load are exactly those the list names."""

import hashlib
import tomllib

import pytest

from console.http.rendering import STATIC

VENDOR = STATIC / "vendor"
LIST = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))["vendored"]


@pytest.mark.parametrize("entry", LIST, ids=lambda entry: entry["file"])
def test_a_vendored_file_is_the_one_its_publisher_released(entry: dict[str, str]) -> None:
    assert hashlib.sha256((VENDOR / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]


@pytest.mark.parametrize("entry", LIST, ids=lambda entry: entry["file"])
def test_a_vendored_file_says_its_version_licence_and_origin(entry: dict[str, str]) -> None:
    assert entry["version"]
    assert entry["licence"]
    assert entry["origin"].endswith(entry["package"])
    for name in entry["licence_files"].values():  # type: ignore[attr-defined]
        assert (VENDOR / "licences" / name).stat().st_size > 0


def test_no_vendored_file_is_missing_from_the_list() -> None:
    there = {path.name for path in VENDOR.iterdir() if path.is_file()} - {"vendor.toml"}

    assert there == {entry["file"] for entry in LIST}


def test_the_versions_are_those_the_oldest_browser_understands() -> None:
    # Chromium 86 shows newer Tabler without borders and buttons, and htmx 4 does nothing in it at all.
    versions = {entry["package"]: entry["version"] for entry in LIST}

    assert versions["@tabler/core"] == "1.0.0"
    assert versions["htmx.org"] == "2.0.11"
    assert versions["echarts"].startswith("6.")
