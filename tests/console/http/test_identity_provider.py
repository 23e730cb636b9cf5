"""Signing in with the office's own identity provider, a process of its own on loopback."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from console.access.oidc import Memory, Provider
from domain.errors import Refused
from runtime.settings import Settings
from tests.console.http import identity_provider
from tests.console.http.signing import Front, Visitor
from tests.waiting import eventually


@asynccontextmanager
async def running(folder: Path, claims: dict[str, str], fault: str = "") -> AsyncIterator[str]:
    """The provider as a process; its address."""
    said = folder / "issuer"
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(identity_provider.__file__), str(said), json.dumps(claims), fault
    )

    async def address() -> str | None:
        return said.read_text(encoding="utf-8") if said.exists() else None

    try:
        yield str(await eventually(address, "the provider listens"))
    finally:
        process.kill()
        await process.wait()


def use(front: Front, issuer: str, claim: str = "employee") -> None:
    """Let the doors use the provider."""
    front.doors.office.settings = front.doors.office.settings.model_copy(
        update={
            "oidc_issuer": issuer,
            "oidc_client_id": identity_provider.CLIENT,
            "oidc_client_secret": SecretStr(identity_provider.SECRET),
            "oidc_person_claim": claim,
        }
    )


async def there_and_back(visitor: Visitor, wanted: str = "/account") -> httpx.Response:
    """Follow the link to the provider and back to us, as a browser does."""
    gone = await visitor.get(f"/sign-in/provider?next={wanted}")
    assert gone.status_code == 303, gone.text
    async with httpx.AsyncClient() as outside:
        sent_back = await outside.get(gone.headers["location"])
    return await visitor.get(sent_back.headers["location"])


async def test_who_the_provider_knows_and_has_an_account_is_signed_in(front: Front, tmp_path: Path) -> None:
    await front.access.accounts.add("worker", by="admin", with_password=False)
    visitor = front.visitor()
    async with running(tmp_path, {"employee": "worker"}) as issuer:
        use(front, issuer)
        assert "统一身份认证" in (await visitor.get("/sign-in")).text

        answer = await there_and_back(visitor)

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert "worker" in (await visitor.get("/account")).text


async def test_a_one_time_password_does_not_stand_in_the_way(front: Front, tmp_path: Path) -> None:
    await front.access.accounts.add("worker", by="admin")
    visitor = front.visitor()
    async with running(tmp_path, {"employee": "worker"}) as issuer:
        use(front, issuer)
        await there_and_back(visitor)

    assert (await visitor.get("/account")).status_code == 200


async def test_the_claim_may_be_told_by_the_second_question(front: Front, tmp_path: Path) -> None:
    await front.access.accounts.add("worker", by="admin", with_password=False)
    async with running(tmp_path, {"employee_at_userinfo": "worker"}) as issuer:
        use(front, issuer)

        assert (await there_and_back(front.visitor())).status_code == 303


@pytest.mark.parametrize(
    ("claims", "code"), [({"employee": "stranger"}, "access.no_account"), ({}, "access.provider_failed")]
)
async def test_the_provider_adds_nobody(front: Front, tmp_path: Path, claims: dict[str, str], code: str) -> None:
    visitor = front.visitor()
    async with running(tmp_path, claims) as issuer:
        use(front, issuer)

        answer = await there_and_back(visitor)

    assert answer.status_code == 403
    assert code in answer.text
    assert "session" not in visitor.client.cookies


async def test_a_disabled_account_stays_out(front: Front, tmp_path: Path) -> None:
    await front.access.accounts.add("worker", by="admin", with_password=False)
    await front.access.accounts.disable("worker", by="admin")
    async with running(tmp_path, {"employee": "worker"}) as issuer:
        use(front, issuer)

        answer = await there_and_back(front.visitor())

    assert answer.status_code == 403
    assert "access.disabled" in answer.text


@pytest.mark.parametrize("fault", ["audience", "late", "nonce", "forged", "secret"])
async def test_an_answer_that_cannot_be_believed_is_refused(front: Front, tmp_path: Path, fault: str) -> None:
    await front.access.accounts.add("worker", by="admin", with_password=False)
    visitor = front.visitor()
    async with running(tmp_path, {"employee": "worker"}, fault) as issuer:
        use(front, issuer)

        answer = await there_and_back(visitor)

    assert answer.status_code == 403
    assert "access.provider_failed" in answer.text
    assert "session" not in visitor.client.cookies


async def test_a_provider_that_calls_itself_otherwise_is_not_asked(front: Front, tmp_path: Path) -> None:
    async with running(tmp_path, {}, "issuer") as issuer:
        use(front, issuer)

        assert (await front.visitor().get("/sign-in/provider")).status_code == 403


async def test_an_answer_somebody_else_has_got_is_worth_nothing(front: Front, tmp_path: Path) -> None:
    await front.access.accounts.add("worker", by="admin", with_password=False)
    async with running(tmp_path, {"employee": "worker"}) as issuer:
        use(front, issuer)
        attacker, victim = front.visitor(), front.visitor()
        gone = await attacker.get("/sign-in/provider")
        async with httpx.AsyncClient() as outside:
            link = (await outside.get(gone.headers["location"])).headers["location"]

        without_memory = await victim.get(link)
        await victim.get("/sign-in/provider")
        with_other_memory = await victim.get(link)

    assert [without_memory.status_code, with_other_memory.status_code] == [403, 403]
    assert "session" not in victim.client.cookies


async def test_a_provider_that_is_away_is_told_clearly(front: Front) -> None:
    use(front, "http://127.0.0.1:9")

    answer = await front.visitor().get("/sign-in/provider")

    assert answer.status_code == 403
    assert "改用密码登录" in answer.text


async def test_without_a_provider_there_is_no_way_to_one(front: Front) -> None:
    visitor = front.visitor()

    assert "/sign-in/provider" not in (await visitor.get("/sign-in")).text
    answer = await visitor.get("/sign-in/provider")
    assert answer.status_code == 404
    assert "access.provider_missing" in answer.text


async def test_without_the_extra_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # As in an installation without the extra: the import system knows no such package.
    monkeypatch.setitem(sys.modules, "authlib", None)

    with pytest.raises(Refused) as caught:
        Provider.of(Settings(oidc_issuer="https://id.example", oidc_client_id="bihuan"))

    assert caught.value.code == "access.provider_missing"
    assert "oidc" in caught.value.refusal.remedy


@pytest.mark.parametrize("text", ["", ".", "x.y", "e30=.00", "\ud800"])
def test_a_memory_we_have_not_sealed_is_none(text: str) -> None:
    from datetime import UTC, datetime

    assert Memory.unsealed(text, b"k" * 32, datetime.now(UTC)) is None
