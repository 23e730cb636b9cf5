"""Browsers and a running street, once for all tests of the pages."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.browsers import QUIET, QUIET_OLD, is_ci, oldest, todays
from tests.browser.town import Town, open_town

# How long a page may take is not what these tests ask; the usual five seconds are soon over on a machine that is busy.
expect.set_options(timeout=60_000)


def _needed(found: Path | None, name: str) -> str:
    if found is not None:
        return str(found)
    hint = f"{name} is missing: `make browser` installs it"
    if is_ci():
        pytest.fail(hint)
    pytest.skip(hint)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Today's Chromium."""
    path = _needed(todays(), "Chromium")
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def chromium_86() -> AsyncIterator[Browser]:
    """The oldest browser promised."""
    path = _needed(oldest(), "Chromium 86")
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=path, args=list(QUIET_OLD))
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def town() -> AsyncIterator[Town]:
    """The street, with requests in every stage."""
    with tempfile.TemporaryDirectory(prefix="bihuan-town-") as folder:
        async with open_town(Path(folder)) as opened:
            yield opened
