"""A wish from its publication to the thanks, by the pages."""

import re

import pytest

from tests.console.http.doors import Browser, Doors
from tests.neighbourhood import FAR_GRID, GRID
from tests.workflows.office import Office


async def _published(browser: Browser) -> str:
    answer = await browser.post("/wishes", {"title": "旧轮椅", "text": "我叫王小燕，想要一把旧轮椅", "grid": GRID})
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"]).partition("?")[0]


async def test_a_wish_is_published_claimed_fulfilled_and_thanked_for(working_office: Office, doors: Doors) -> None:
    worker, community = doors.browser("worker"), doors.browser("community")
    wish = await _published(worker)
    page = (await community.get(wish)).text
    assert "王小燕" not in page
    assert "claim_wish" in page
    assert "fulfil_wish" not in page

    await community.post(f"{wish}/claim_wish", {"promise": "本周送到"})
    await community.post(f"{wish}/fulfil_wish", {"text": "已送到"})
    await worker.post(f"{wish}/thank_for_wish", {"word": "谢谢"})

    stream = wish.rpartition("/")[2]
    assert await working_office.kinds(stream) == ["wish_published", "wish_claimed", "wish_fulfilled", "wish_thanked"]
    done = (await worker.get(wish)).text
    assert "已致谢" in done
    assert "旧轮椅" in (await community.get("/wishes?stage=thanked")).text
    assert "旧轮椅" not in (await community.get("/wishes?stage=published")).text


async def test_a_form_sent_twice_is_one_act(working_office: Office, doors: Doors) -> None:
    worker = doors.browser("worker")
    page = (await worker.get("/wishes/new")).text
    found = re.search(r'name="_command_id" value="([^"]+)"', page)
    assert found is not None
    fields = {"title": "修椅子", "text": "想修椅子", "grid": GRID, "_command_id": found.group(1)}

    first, second = await worker.post("/wishes", fields), await worker.post("/wishes", fields)

    assert first.headers["location"] == second.headers["location"]
    assert (await worker.get("/wishes")).text.count("修椅子") == 1


async def test_what_was_written_comes_back_with_the_reason(working_office: Office, doors: Doors) -> None:
    answer = await doors.browser("worker").post("/wishes", {"title": "旧轮椅", "grid": GRID})

    assert answer.status_code == 422
    assert 'value="旧轮椅"' in answer.text
    assert "field-wrong" in answer.text


async def test_two_who_claim_at_once_get_one_wish_and_one_reason(working_office: Office, doors: Doors) -> None:
    worker = doors.browser("worker")
    wish = await _published(worker)
    await doors.browser("community").post(f"{wish}/claim_wish")

    late = await doors.browser("approver").post(f"{wish}/claim_wish")

    assert late.status_code == 409
    assert "已认领" in late.text


@pytest.mark.parametrize("person", ["far-community", "other-worker"])
async def test_wishes_of_other_places_are_not_shown(working_office: Office, doors: Doors, person: str) -> None:
    wish = await _published(doors.browser("worker"))
    stranger = doors.browser(person)

    assert "旧轮椅" not in (await stranger.get("/wishes")).text
    assert (await stranger.get(wish)).status_code == 403
    assert (await stranger.post(f"{wish}/claim_wish")).status_code == 403


async def test_only_grids_within_reach_are_offered(reading_doors: Doors) -> None:
    page = (await reading_doors.browser("community").get("/wishes/new")).text

    assert f'value="{GRID}"' in page
    assert f'value="{FAR_GRID}"' not in page
