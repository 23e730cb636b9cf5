"""The API over a whole office: what a program sends is recorded by a workflow, once, and answered in words."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from console.desk import Desk, Pending
from console.http.pace import Pace
from domain.people import Actor
from domain.process import Answer
from tests.console.http.doors import Doors
from tests.neighbourhood import GRID, LEAD, ORDINARY
from tests.workflows.office import Office

ASKED: dict[str, Any] = {"title": "路面破损", "text": "我叫柳春分，门口路面有坑", "grid": GRID, "category": ORDINARY}
WHISTLE: dict[str, Any] = {"kind": "whistle", "reason": "reflected", "departments": [LEAD], "approver": "approver"}


class LosesAnswers(Desk):
    """A desk whose acts take effect and whose answers never come in time."""

    def __init__(self, desk: Desk) -> None:
        vars(self).update(vars(desk))

    async def submit(
        self, stream: str, actor: Actor, command: Mapping[str, Any], *, command_id: str | None = None
    ) -> Answer:
        answer = await super().submit(stream, actor, command, command_id=command_id)
        raise Pending("command.pending", command_id=answer.command_id)


def key() -> dict[str, str]:
    """A fresh number for an act."""
    return {"Idempotency-Key": str(uuid.uuid4())}


async def test_a_registration_is_201_once_and_200_with_the_same_body_after_that(doors: Doors) -> None:
    program, number = doors.program("worker"), key()
    asked = {**ASKED, "reporter": {"name": "柳春分", "phone": "13900001234"}}

    first = await program.post("/api/v1/cases", json=asked, headers=number)
    again = await program.post("/api/v1/cases", json=asked, headers=number)

    assert (first.status_code, again.status_code) == (201, 200), (first.text, again.text)
    assert again.json() == first.json()
    assert first.json()["masked"] == ["text"]
    assert "柳春分" not in first.text
    assert "13900001234" not in first.text
    assert (await program.get(first.headers["location"])).json()["stage"] == "registered"


async def test_a_command_answers_the_new_case_and_its_events_and_the_same_again(
    doors: Doors, working_office: Office
) -> None:
    case, program, number = await working_office.register(), doors.program("community"), key()

    first = await program.post(f"/api/v1/cases/{case}/commands", json=WHISTLE, headers=number)
    await working_office.do(case, "dispatcher", "dispatch", lead=LEAD)
    again = await program.post(f"/api/v1/cases/{case}/commands", json=WHISTLE, headers=number)

    assert first.status_code == 200, first.text
    assert first.json()["case"]["stage"] == "whistled"
    assert "whistled" in [each["kind"] for each in first.json()["events"]]
    assert again.json() == first.json()


async def test_a_late_answer_is_202_and_found_where_it_says(doors: Doors, working_office: Office) -> None:
    case, program, number = await working_office.register(), doors.program("community"), key()
    doors.office.desk = LosesAnswers(working_office.desk)

    late = await program.post(f"/api/v1/cases/{case}/commands", json=WHISTLE, headers=number)
    found = await program.get(late.headers["location"])

    assert late.status_code == 202
    assert late.json()["command_id"] == number["Idempotency-Key"]
    assert int(late.headers["retry-after"]) > 0
    assert found.status_code == 200, found.text
    assert "whistled" in [each["kind"] for each in found.json()["events"]]


async def test_each_way_to_say_no_has_its_status_and_its_code(doors: Doors, working_office: Office) -> None:
    case = await working_office.register()
    there = f"/api/v1/cases/{case}/commands"
    community, handler = doors.program("community"), doors.program("handler")
    used = key()
    await community.post(there, json={"kind": "comment", "text": "已联系"}, headers=used)

    told = {
        "wrong stage": await community.post(there, json={"kind": "appraise", **_SCORES}, headers=key()),
        "no right": await handler.post(there, json=WHISTLE, headers=key()),
        "unknown": await community.post("/api/v1/cases/case-0000/commands", json=WHISTLE, headers=key()),
        "a value": await community.post(there, json={**WHISTLE, "reason": "because"}, headers=key()),
        "reused": await community.post(there, json={"kind": "comment", "text": "另一件"}, headers=used),
        "no number": await community.post(there, json=WHISTLE),
        "no json": await community.post(there, content="{", headers={**key(), "content-type": "application/json"}),
        "signed out": await doors.browser().client.get("/api/v1/cases"),
        "method": await community.put("/api/v1/cases"),
    }

    assert {name: answer.status_code for name, answer in told.items()} == {
        "wrong stage": 409,
        "no right": 403,
        "unknown": 404,
        "a value": 422,
        "reused": 409,
        "no number": 422,
        "no json": 400,
        "signed out": 401,
        "method": 405,
    }
    for name, answer in told.items():
        assert answer.headers["content-type"] == "application/problem+json", name
        assert answer.json()["code"], name
        assert answer.json()["title"], name


_SCORES = {"department": LEAD, "scores": {"speed": 90, "quality": 90, "attitude": 90}}


async def test_who_asks_too_often_is_told_when_to_come_back(reading_doors: Doors) -> None:
    reading_doors.app.state.pace = Pace(3)
    program = reading_doors.program("worker")

    answers = [await program.get("/api/v1/cases") for _ in range(4)]

    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_free_task_is_claimed_by_signing_for_it(doors: Doors, working_office: Office) -> None:
    case = await working_office.register()
    await working_office.do(case, "community", "whistle", **{k: v for k, v in WHISTLE.items() if k != "kind"})
    await working_office.do(case, "dispatcher", "dispatch", lead=LEAD)
    program = doors.program("handler")
    (task,) = (await program.get("/api/v1/tasks")).json()["items"]

    claimed = await program.post(f"/api/v1/tasks/{case}/{task['id'].replace('#', '%23')}/claim", headers=key())

    assert claimed.status_code == 200, claimed.text
    assert "accepted" in [each["kind"] for each in claimed.json()["events"]]


@pytest.mark.parametrize("given", ["0", "0.5", "1e9", "-3", "yesterday", "2026-11-26T10:00:00"])
async def test_a_number_or_a_time_without_its_offset_is_no_instant(reading_doors: Doors, given: str) -> None:
    answer = await reading_doors.program("worker").get("/api/v1/cases", params={"from": given})

    assert answer.status_code == 422
    assert answer.json()["field"] == "from"
