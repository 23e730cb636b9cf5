"""What happens at the doors stands in the security log: each act once, with its place and no address."""

from typing import Any

import asyncpg
import pytest

from domain.rights import APART
from ledger.security import Line, LineFilter, list_lines, verify
from tests.console.http.doors import Browser, Doors, open_doors
from tests.console.http.signing import PASSWORD, Front
from tests.console.http.test_administration import BOOK, _registry, _upload
from tests.neighbourhood import REGISTRY, raw_registry

OTHER = "seven brown umbrellas"


class Log:
    """The lines written since it was looked at last."""

    def __init__(self, doors: Doors) -> None:
        self._doors, self._seen = doors, 0

    async def new(self) -> list[Line]:
        async with self._doors.office.pool.acquire() as conn:
            lines = (await list_lines(conn, LineFilter(), limit=200)).items
        found = [each for each in reversed(lines) if each.id > self._seen]
        self._seen = lines[0].id if lines else 0
        return found

    async def one(self, kind: str, outcome: str = "ok") -> Line:
        """The one line there is, which must be of this kind."""
        found = await self.new()
        assert [(each.kind, each.outcome) for each in found] == [(kind, outcome)]
        return found[0]


async def test_every_act_on_accounts_and_sessions_is_one_line(front: Front) -> None:
    doors, log = front.doors, Log(front.doors)
    await log.new()
    boss = await front.signed_in("boss", administrator=True)
    added, entered = await log.new()
    assert (added.kind, added.actor, added.subject, added.detail) == (
        "account_added", "admin", "boss", {"administrator": True},
    )  # fmt: skip
    assert (entered.kind, entered.actor, entered.place, entered.source) == (
        "sign_in", "boss", "POST /sign-in", "10.0.0.0/24",
    )  # fmt: skip

    wrong = await front.visitor("203.0.113.77").sign_in("boss", "a guess of mine")
    assert wrong.status_code == 401
    line = await log.one("sign_in", "refused")
    assert (line.actor, line.subject, line.source) == ("-", "boss", "203.0.113.0/24")
    assert line.detail == {"code": "access.wrong_credentials"}

    visitor = front.visitor("203.0.113.78")
    answers = [(await visitor.sign_in("nobody-of-this-name", "a guess of mine")).status_code for _ in range(8)]
    lines = await log.new()
    assert 429 in answers
    assert {(each.kind, each.outcome, each.subject) for each in lines} == {("sign_in", "refused", "-")}
    told = {401: "access.wrong_credentials", 429: "access.slow_down"}
    assert [each.detail["code"] for each in lines] == [told[status] for status in answers]

    await boss.send("/accounts", "/accounts", {"person": "worker"})
    assert (await log.one("account_added")).place == "POST /accounts"
    for action, kind in (
        ("/accounts/reset", "password_reset"),
        ("/accounts/sign-out", "sessions_ended_by_administrator"),
        ("/accounts/disable", "account_disabled"),
    ):
        await boss.send("/accounts", action, {"login": "worker"})
        line = await log.one(kind)
        assert (line.actor, line.subject, line.place) == ("boss", "worker", f"POST {action}")
    await boss.send("/accounts?disabled=yes", "/accounts/enable", {"login": "worker"})
    await log.one("account_enabled")

    await boss.send("/account", "/account/tokens", {"name": "报表", "permissions": "registry.read", "days": "30"})
    token = (await log.one("token_issued")).detail["token"]
    await boss.send("/account", f"/account/tokens/{token}/revoke")
    assert (await log.one("token_revoked")).detail == {"token": token}

    fields = {"old_password": "not this one", "new_password": OTHER, "again": OTHER}
    await boss.send("/account/password", "/account/password", fields)
    assert (await log.one("password_changed", "refused")).actor == "boss"
    await boss.send("/account/password", "/account/password", {**fields, "old_password": PASSWORD})
    await log.one("password_changed")
    await front.visitor().sign_in("boss", OTHER)
    await log.one("sign_in")
    await boss.send("/account", "/account/sessions/end-others")
    await log.one("session_ended")
    await boss.send("/account", "/sign-out")
    await log.one("sign_out")

    async with doors.office.pool.acquire() as conn:
        kept = str(await conn.fetch("select * from security_log"))
        assert (await verify(conn)).findings == ()
    for secret in ("203.0.113.77", "10.0.0.1", "nobody-of-this-name", "a guess of mine", PASSWORD, OTHER):
        assert secret not in kept


async def test_a_refused_right_is_one_line_with_the_right_and_the_template_of_the_route(reading_doors: Doors) -> None:
    log = Log(reading_doors)
    await log.new()

    await reading_doors.browser("worker").get("/accounts?cursor=typed-by-somebody")
    line = await log.one("access_refused", "refused")
    assert (line.actor, line.place) == ("worker", "GET /accounts")
    assert line.detail == {"code": "access.denied", "right": "account.manage"}

    await reading_doors.program("worker").get("/api/v1/feed")
    assert (await log.one("access_refused", "refused")).place == "GET /api/v1/feed"

    forged = await reading_doors.browser("root", administrator=True).client.post("/accounts", data={"person": "x"})
    assert forged.status_code == 403
    assert (await log.one("access_refused", "refused")).detail == {"code": "request.forged"}

    # Neither the way to the form of somebody signed out nor what one may do is a line.
    await reading_doors.browser().get("/accounts")
    await reading_doors.browser("dispatcher").get("/search")
    assert await log.new() == []


async def test_a_token_that_is_none_is_one_line_of_a_stranger(front: Front) -> None:
    log = Log(front.doors)
    await log.new()

    answer = await front.visitor("203.0.113.9").get("/api/v1/me", headers={"authorization": "Bearer bhn_made-up"})

    assert answer.status_code == 401
    line = await log.one("access_refused", "refused")
    assert (line.actor, line.source, line.detail["code"]) == ("-", "203.0.113.0/24", "access.token_invalid")


async def test_what_changes_rights_rules_and_days_is_one_line_each(reading_doors: Doors) -> None:
    log, browser = Log(reading_doors), reading_doors.browser("root", administrator=True)
    await log.new()

    held = [*REGISTRY["assignments"], {"person": "dispatcher", "role": "supervisor", "organisation": "S01"}]
    draft = await _upload(browser, "/registry/load", "a.yaml", _registry(assignments=held))
    await browser.post(draft, {"act": "load"})
    line = await log.one("registry_loaded")
    assert (line.actor, line.subject, line.place) == ("root", "2", "POST /registry/drafts/{draft}")
    assert line.detail == {"revision": 2, "roles_added": 1, "roles_changed": 0, "roles_removed": 0}

    draft = await _upload(browser, "/rules/load", "b.yaml", BOOK)
    await browser.post(draft, {"act": "load", "choose": "true"})
    line = await log.one("rules_stored")
    assert (line.actor, line.detail["new"]) == ("root", True)

    supervisor = reading_doors.browser("dispatcher")
    made = await supervisor.post("/board/links", {"unit": "S01", "days": "30"})
    assert made.status_code == 200
    line = await log.one("board_link_made")
    assert (line.actor, line.subject, line.detail) == ("dispatcher", "S01", {"days": 30})


async def test_a_workbook_that_leaves_the_house_is_one_line_without_what_was_looked_for(reading_doors: Doors) -> None:
    log = Log(reading_doors)
    await log.new()

    answer = await reading_doors.browser("dispatcher").get("/search/export", params={"q": "欧阳"})

    assert answer.status_code == 200
    line = await log.one("exported")
    assert (line.actor, line.detail) == ("dispatcher", {"what": "cases", "rows": 0, "filters": 1})


@pytest.fixture
async def shut_log(reading_doors: Doors, furnished_database: str) -> Doors:
    """Doors whose log takes nothing, as when the function is broken or the disk is full."""
    conn = await asyncpg.connect(furnished_database)
    await conn.execute("alter table security_log add constraint shut check (false) not valid")
    await conn.close()
    return reading_doors


async def test_what_cannot_be_recorded_does_not_happen(shut_log: Doors) -> None:
    browser = shut_log.browser("root", administrator=True)
    before = await browser.get("/accounts")
    draft = await _upload(browser, "/registry/load", "a.yaml", _registry(categories=REGISTRY["categories"][:1]))

    answers = [
        await browser.post("/accounts", {"person": "worker"}),
        await browser.post(draft, {"act": "load", "drop": "true"}),
        await shut_log.browser("dispatcher").get("/search/export"),
        await shut_log.browser("dispatcher").post("/board/links", {"unit": "S01", "days": "30"}),
        await shut_log.browser("worker").get("/accounts"),
    ]

    assert [each.status_code for each in answers] == [500] * 5
    assert (await browser.get("/accounts")).text.count("worker") == before.text.count("worker")
    async with shut_log.office.pool.acquire() as conn:
        assert await conn.fetchval("select max(number) from registry_revision") == 1


# --- reading it ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def audited(reading_doors: Doors, furnished_database: str) -> Doors:
    """Doors of an office that has an auditor and a security administrator."""
    from ledger.registry import load_registry

    people = [each | {"name": "石磊"} if each["id"] == "worker" else each for each in REGISTRY["people"]]
    people += [{"id": "auditor", "name": "审计员"}, {"id": "guard", "name": "安管员"}]
    held = [
        *REGISTRY["assignments"],
        {"person": "auditor", "role": "auditor", "organisation": "S01"},
        {"person": "guard", "role": "security_administrator", "organisation": "S01"},
    ]
    async with reading_doors.office.pool.acquire() as conn:
        await load_registry(conn, raw_registry(people=people, assignments=held), "tests")
    return reading_doors


async def test_auditors_read_the_log_in_pages_and_by_filter(audited: Doors) -> None:
    for number in range(3):
        await audited.browser("worker").get(f"/registry?number={number}")
    auditor = audited.browser("auditor")

    shown = await auditor.get("/security", params={"kind": "access_refused", "since": "2026-01-01"})
    assert shown.status_code == 200
    assert shown.text.count("GET /registry") == 3
    assert shown.text.count('石磊 <span class="quiet">worker</span>') == 3
    assert (await auditor.get("/security?since=yesterday")).status_code == 422

    program = audited.program("auditor")
    first = (await program.get("/api/v1/security", params={"limit": 2, "actor": "worker"})).json()
    second = (
        await program.get("/api/v1/security", params={"limit": 2, "actor": "worker", "cursor": first["next"]})
    ).json()
    numbers = [each["id"] for each in (*first["items"], *second["items"])]
    assert len(numbers) == 3
    assert numbers == sorted(numbers, reverse=True)
    assert second["next"] is None


async def test_nobody_else_reads_it(audited: Doors) -> None:
    for browser in (
        audited.browser("root", administrator=True),
        audited.browser("guard"),
        audited.browser("dispatcher"),
    ):
        assert (await browser.get("/security")).status_code == 403


# --- three hands --------------------------------------------------------------------------------------------------


async def _allowed(browser: Browser, paths: tuple[str, ...]) -> set[str]:
    return {path for path in paths if (await browser.get(path)).status_code == 200}


PAGES = ("/accounts", "/registry/load", "/rules/load", "/calendar/load", "/security")


async def test_in_three_hands_no_administrative_page_is_in_two(audited: Doors) -> None:
    async with open_doors(
        audited.office.pool, audited.office.desk, audited.office.key, audited.office.settings, matrix=APART
    ) as doors:
        administrator = await _allowed(doors.browser("root", administrator=True), PAGES)
        guard = await _allowed(doors.browser("guard"), PAGES)
        auditor = await _allowed(doors.browser("auditor"), PAGES)

    assert guard == {"/accounts", "/registry/load"}
    assert administrator == {"/rules/load", "/calendar/load"}
    assert auditor == {"/security"}


@pytest.mark.parametrize("person", ["auditor", "guard"])
async def test_the_page_of_accounts_makes_no_administrator_of_somebody_apart(audited: Doors, person: str) -> None:
    answer = await audited.browser("root", administrator=True).post(
        "/accounts", {"person": person, "administrator": "true"}
    )

    assert answer.status_code == 422
    assert "不能同时是管理员" in answer.text


async def test_the_registry_makes_no_auditor_of_an_administrator(audited: Doors) -> None:
    browser = audited.browser("root", administrator=True)
    assert (await browser.post("/accounts", {"person": "dispatcher", "administrator": "true"})).status_code == 200

    held: list[dict[str, Any]] = [*REGISTRY["assignments"], {"person": "dispatcher", "role": "auditor"}]
    draft = await _upload(browser, "/registry/load", "a.yaml", _registry(assignments=held))
    answer = await browser.post(draft, {"act": "load", "drop": "true"})

    assert answer.status_code == 422
    assert "账号是管理员" in answer.text
