"""What every request passes, whatever the page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.desk import Desk
from console.http.app import API, PAGES
from console.output import language
from ledger.vault import MasterKey, Vault
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.console.http.doors import Doors, open_doors


async def test_every_answer_carries_the_security_headers(reading_doors: Doors) -> None:
    answer = await reading_doors.browser().get("/healthz")

    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_console_without_temporal_says_that_it_is_not_ready(reading_doors: Doors) -> None:
    answer = await reading_doors.program("worker").get("/api/v1/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "request.not_found"


async def test_the_language_is_kept_and_leads_back_to_the_same_site_only(reading_doors: Doors) -> None:
    browser = reading_doors.browser()

    chosen = await browser.post("/preferences", {"lang": "en", "next": "//elsewhere.example/x"})

    assert chosen.status_code == 303
    assert chosen.headers["location"] == "/"
    assert "lang=en" in chosen.headers["set-cookie"]


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}])
async def test_a_form_sent_from_elsewhere_is_refused(reading_doors: Doors, headers: dict[str, str]) -> None:
    answer = await reading_doors.browser().post("/preferences", {"lang": "en"}, headers=headers)

    assert answer.status_code == 403


async def test_a_form_without_its_token_is_refused(reading_doors: Doors) -> None:
    answer = await reading_doors.browser().client.post("/preferences", data={"lang": "en"})

    assert answer.status_code == 403


def test_every_module_of_the_doors_is_listed_once() -> None:
    assert len(set(API)) == len(API)
    assert len(set(PAGES)) == len(PAGES)


@pytest.fixture
async def narrow_doors(furnished_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    key = MasterKey.load(tmp_path / "master.key", create=True)
    settings = Settings.load(data=tmp_path, database_url=furnished_database, temporal_address="127.0.0.1:9")
    pool = await open_pool(furnished_database, size=2, role="bihuan_app")
    no_temporal: Desk = Desk(None, pool, Vault(key))  # type: ignore[arg-type]
    async with open_doors(pool, no_temporal, key, settings.model_copy(update={"body_limit": 2000})) as doors:
        yield doors
    await pool.close()


async def _in_pieces() -> AsyncIterator[bytes]:
    for _ in range(10):
        yield b"x" * 1000


@pytest.mark.parametrize("content", [b"x" * 2001, _in_pieces()], ids=["announced", "in pieces"])
async def test_a_body_beyond_the_limit_is_refused(narrow_doors: Doors, content: bytes) -> None:
    answer = await narrow_doors.browser().client.post(
        "/preferences", content=content, headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 413


@pytest.mark.parametrize("field", ["x" * 300_000, "\udcff"])
async def test_a_form_that_is_too_much_or_unreadable_is_refused(reading_doors: Doors, field: str) -> None:
    raw = b"lang=" + field.encode(errors="surrogateescape")
    answer = await reading_doors.browser().client.post(
        "/preferences", content=raw, headers={"content-type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code in (400, 403, 413, 422)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/%00", "/cases/%ff", "/static/nothing/x.css", "//", "/..%2f..%2fetc/passwd"]
)
async def test_what_there_is_not_is_told_on_a_page(reading_doors: Doors, path: str) -> None:
    answer = await reading_doors.browser("worker").get(path)

    assert answer.status_code in (303, 404)
    assert "traceback" not in answer.text.lower()


async def test_a_page_that_asks_again_by_itself_is_told_when_it_would_show_the_same(reading_doors: Doors) -> None:
    browser = reading_doors.browser()
    first = await browser.get("/sign-in", headers={"x-refresh": "yes"})
    tag = first.headers["etag"]

    again = await browser.get("/sign-in", headers={"x-refresh": "yes", "if-none-match": tag})
    english = await browser.get("/sign-in", headers={"x-refresh": "yes", "if-none-match": tag, "cookie": "lang=en"})
    by_hand = await browser.get("/sign-in", headers={"if-none-match": tag})

    assert (again.status_code, again.content) == (304, b"")
    assert english.status_code == 200
    assert by_hand.status_code == 200
    assert "etag" not in by_hand.headers


async def test_the_language_of_a_reader_ends_with_their_request(reading_doors: Doors) -> None:
    before = language()
    browser = reading_doors.browser()
    browser.client.cookies.set("lang", "en")

    page = await browser.get("/sign-in")

    assert "Sign in" in page.text
    assert language() == before == "zh"


class _FullPool:
    """Connections that do not come about in time, as when the server stands still."""

    def acquire(self) -> "_FullPool":
        return self

    async def __aenter__(self) -> None:
        raise TimeoutError

    async def __aexit__(self, *_raised: object) -> None:
        return None


async def test_a_ledger_that_does_not_answer_in_time_is_away_and_no_mistake(reading_doors: Doors) -> None:
    reading_doors.office.pool = _FullPool()  # type: ignore[assignment]

    answer = await reading_doors.program("worker").get("/api/v1/cases")

    assert (answer.status_code, answer.json()["code"]) == (503, "postgres.unreachable")
