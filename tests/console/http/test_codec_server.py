"""Temporal's own pages are told what is in a payload, for who may see it, from one origin only."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload, Payloads

from domain.people import Role
from runtime.codec import EncryptingCodec, PayloadKeys
from tests.console.http.two_streets import NEAR, Streets, person

UI, ELSEWHERE = "http://127.0.0.1:8233", "http://evil.example"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data='{"title":"路灯不亮"}'.encode())


@pytest.fixture
def asked_from(streets: Streets) -> Iterator[Streets]:
    """The streets, whose payloads pages of ``UI`` may ask for."""
    office = streets.doors.office
    before = office.settings
    office.settings = before.model_copy(update={"temporal_ui_origin": UI})
    yield streets
    office.settings = before


async def _sent(streets: Streets) -> dict[str, Any]:
    keys = PayloadKeys(streets.doors.office.key.payload_keys)
    return dict(MessageToDict(Payloads(payloads=await EncryptingCodec(keys).encode([PLAIN]))))


async def _decode(streets: Streets, role: Role, origin: str | None, **kwargs: Any) -> httpx.Response:
    headers = {"origin": origin} if origin else {}
    kwargs.setdefault("json", await _sent(streets))
    return await streets.ask(
        streets.people[person(role, NEAR)],
        "POST",
        "/temporal/decode",
        headers={**headers, "x-csrf-token": ""},
        **kwargs,
    )


async def test_pages_of_the_configured_origin_read_payloads(asked_from: Streets) -> None:
    answer = await _decode(asked_from, Role.ADMINISTRATOR, UI)

    assert answer.status_code == 200
    assert answer.json() == MessageToDict(Payloads(payloads=[PLAIN]))
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("origin", [ELSEWHERE, None, f"{UI}.evil.example", "null"])
async def test_nobody_else_does(asked_from: Streets, origin: str | None) -> None:
    answer = await _decode(asked_from, Role.ADMINISTRATOR, origin)

    assert answer.status_code == 403
    assert "路灯" not in answer.text
    assert "access-control-allow-origin" not in answer.headers


async def test_the_right_is_needed_and_the_origin_must_be_configured(asked_from: Streets, streets: Streets) -> None:
    assert (await _decode(asked_from, Role.SUPERVISOR, UI)).status_code == 403
    office = streets.doors.office
    office.settings = office.settings.model_copy(update={"temporal_ui_origin": None})
    assert (await _decode(streets, Role.ADMINISTRATOR, UI)).status_code == 403


async def test_a_browser_that_asks_first_is_told_so_for_that_origin_only(asked_from: Streets) -> None:
    for origin, allowed in ((UI, UI), (ELSEWHERE, None)):
        answer = await asked_from.ask(None, "OPTIONS", "/temporal/decode", headers={"origin": origin})
        assert (answer.status_code, answer.headers.get("access-control-allow-origin")) == (204, allowed)


@pytest.mark.parametrize("content", [b"", b"[", b'{"payloads": 3}', b"3", b"[" * 100_000])
async def test_what_are_no_payloads_is_refused(asked_from: Streets, content: bytes) -> None:
    answer = await _decode(asked_from, Role.ADMINISTRATOR, UI, json=None, content=content)

    assert answer.status_code in (400, 422)


async def test_too_much_is_refused(asked_from: Streets) -> None:
    for content in (b'{"payloads": [' + b",".join([b"{}"] * 501) + b"]}", b" " * (4 * 1024 * 1024 + 1)):
        assert (await _decode(asked_from, Role.ADMINISTRATOR, UI, json=None, content=content)).status_code == 413


async def test_a_payload_of_another_key_is_refused(asked_from: Streets) -> None:
    other = EncryptingCodec(PayloadKeys(lambda: (b"x" * 32,)))
    sent = MessageToDict(Payloads(payloads=await other.encode([PLAIN])))

    assert (await _decode(asked_from, Role.ADMINISTRATOR, UI, json=sent)).status_code == 503
