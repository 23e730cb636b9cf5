"""What every request passes, whatever the page."""

import pytest

from console.http.app import API, PAGES
from tests.console.http.doors import Doors


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
