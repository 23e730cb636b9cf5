"""Signing in by the form, sessions by cookie, the own account and administration of accounts: as browsers meet them."""

import re
from datetime import timedelta
from html import unescape

import pytest

from console.pages.preferences import path_here
from tests.console.http.signing import PASSWORD, Front, Visitor, hidden

NEW = "seven brown umbrellas"
GRID_NAME = "东塘一网格2026年11月"


async def test_who_is_signed_out_is_led_to_the_form_and_back_to_the_page_asked_for(front: Front) -> None:
    await front.account("worker")
    visitor = front.visitor()

    asked = await visitor.get("/account?cursor=")
    shown = await visitor.get(asked.headers["location"])
    answer = await visitor.sign_in("worker", then="/account")

    assert asked.status_code == 303
    assert asked.headers["location"] == "/sign-in?next=%2Faccount%3Fcursor%3D"
    assert 'name="next" value="/account?cursor="' in shown.text
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert (await visitor.get("/account")).status_code == 200


async def test_the_cookie_is_kept_from_scripts_and_other_sites(front: Front) -> None:
    await front.account("worker")

    answer = await front.visitor().sign_in("worker")

    cookie = answer.headers["set-cookie"]
    assert re.match(r"session=[\w-]{43}; HttpOnly; Path=/; SameSite=lax$", cookie)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "\\/elsewhere",
        "/a\n//b",
        "javascript:1",
    ],
)
def test_nobody_is_led_to_another_site(elsewhere: str) -> None:
    assert path_here(elsewhere) == "/"


async def test_signing_in_leads_to_pages_of_this_site_only(front: Front) -> None:
    await front.account("worker")

    answer = await front.visitor().sign_in("worker", then="https://elsewhere.example/")

    assert answer.headers["location"] == "/"


async def test_a_wrong_password_is_told_at_its_field_and_the_name_is_kept(front: Front) -> None:
    await front.account("worker")
    visitor = front.visitor()

    answer = await visitor.sign_in("worker", "not the password")

    assert answer.status_code == 401
    assert "登录名或密码不对。" in answer.text
    assert 'value="worker"' in answer.text
    assert "not the password" not in answer.text
    assert "session" not in answer.headers.get("set-cookie", "").split("=")[0]


async def test_who_guesses_is_told_how_long_to_wait(front: Front) -> None:
    await front.account("worker")
    guesser = front.visitor("203.0.113.9")
    answers = [await guesser.sign_in("worker", f"guess number {number}") for number in range(5)]

    assert [each.status_code for each in answers] == [401, 401, 401, 401, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert "请在 1 秒后再试" in answers[-1].text
    assert (await guesser.sign_in("worker")).status_code == 429
    front.clock.move(timedelta(seconds=1))
    assert (await guesser.sign_in("worker")).status_code == 303


async def test_names_that_cannot_be_stored_are_only_wrong(front: Front) -> None:
    for name in ("\x00", "x" * 200, "' or 1=1 --", "登录名"):
        assert (await front.visitor().sign_in(name)).status_code == 401


async def test_a_form_to_sign_in_needs_its_token(front: Front) -> None:
    await front.account("worker")
    visitor = front.visitor()
    await visitor.get("/sign-in")

    answer = await visitor.client.post("/sign-in", data={"login": "worker", "password": PASSWORD})

    assert answer.status_code == 403
    assert "request.forged" in answer.text


async def test_a_second_window_may_sign_in_too(front: Front) -> None:
    await front.account("worker")
    visitor = front.visitor()
    second = hidden((await visitor.get("/sign-in")).text, "/sign-in")
    await visitor.sign_in("worker")
    before = visitor.client.cookies["session"]
    answer = await visitor.client.post("/sign-in", data={**second, "login": "worker", "password": PASSWORD})

    assert answer.status_code == 303
    assert visitor.client.cookies["session"] != before
    assert (await visitor.get("/account")).status_code == 200


async def test_the_form_of_one_session_is_worth_nothing_in_another(front: Front) -> None:
    visitor = await front.signed_in("worker")
    stale = hidden((await visitor.get("/account/password")).text, "/account/password")
    again = await front.visitor().sign_in("worker")
    visitor.client.cookies.set(
        "session", again.headers["set-cookie"].partition("=")[2].partition(";")[0], "testserver.local", "/"
    )

    answer = await visitor.client.post(
        "/account/password", data={**stale, "old_password": PASSWORD, "new_password": NEW, "again": NEW}
    )

    assert answer.status_code == 403


async def test_signing_out_is_by_form_only_and_ends_the_session_itself(front: Front) -> None:
    visitor = await front.signed_in("worker")
    token = visitor.client.cookies["session"]

    assert (await visitor.get("/sign-out")).status_code == 405
    left = await visitor.send("/account", "/sign-out")

    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    assert "session" not in visitor.client.cookies
    again = await front.visitor().get("/account", headers={"cookie": f"session={token}"})
    assert again.headers["location"].startswith("/sign-in")


async def test_a_session_that_is_not_used_ends_and_leads_to_the_form(front: Front) -> None:
    visitor = await front.signed_in("worker")

    front.clock.move(timedelta(minutes=29))
    assert (await visitor.get("/account")).status_code == 200
    front.clock.move(timedelta(minutes=31))

    assert (await visitor.get("/account")).headers["location"] == "/sign-in?next=%2Faccount"


async def test_a_page_that_refreshes_itself_does_not_keep_a_session_alive(front: Front) -> None:
    visitor = await front.signed_in("worker")

    for _ in range(4):
        front.clock.move(timedelta(minutes=10))
        last = await visitor.get("/account", headers={"x-refresh": "yes"})

    assert last.headers["location"].startswith("/sign-in")


async def test_what_is_sent_after_the_session_has_ended_leads_back_to_the_page_it_was_written_on(front: Front) -> None:
    visitor = await front.signed_in("worker")
    form = hidden((await visitor.get("/account/password?next=/search")).text, "/account/password")
    front.clock.move(timedelta(hours=1))

    answer = await visitor.client.post(
        "/account/tokens", data=form, headers={"referer": "http://testserver/account?cursor="}
    )

    assert answer.status_code == 401
    assert "请重新登录" in answer.text
    # The draft keeper leaves alone what was written when a page is no answer to it.
    assert 'data-kind="error"' in answer.text
    assert 'href="/sign-in?next=/account%3Fcursor%3D"' in answer.text


async def test_another_sites_address_is_never_the_way_back(front: Front) -> None:
    answer = await front.visitor().client.post("/account/tokens", headers={"referer": "https://elsewhere.example/x"})

    assert answer.status_code == 401
    assert "elsewhere" not in answer.text


# --- the password -------------------------------------------------------------------------------------------------


async def test_a_one_time_password_opens_nothing_but_the_way_to_a_new_one(front: Front) -> None:
    made = await front.access.accounts.add("worker", by="admin")
    assert made.password is not None
    visitor = front.visitor()

    entered = await visitor.sign_in("worker", made.password, then="/account")
    elsewhere = await visitor.get("/account")
    token = await visitor.client.post("/account/tokens", headers={"x-csrf-token": "x"})
    changed = await visitor.send(
        entered.headers["location"],
        "/account/password",
        {"old_password": made.password, "new_password": NEW, "again": NEW},
    )

    assert entered.headers["location"] == "/account/password?next=%2Faccount"
    assert elsewhere.headers["location"] == "/account/password"
    assert token.status_code == 403
    assert changed.headers["location"] == "/account"
    assert (await visitor.get("/account")).status_code == 200


async def test_a_new_password_ends_the_session_elsewhere_and_goes_on_here(front: Front) -> None:
    here = await front.signed_in("worker")
    there = front.visitor("10.0.0.2")
    await there.sign_in("worker")

    answer = await here.send(
        "/account/password", "/account/password", {"old_password": PASSWORD, "new_password": NEW, "again": NEW}
    )

    assert answer.status_code == 303
    assert (await here.get("/account")).status_code == 200
    assert (await there.get("/account")).status_code == 303


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"old_password": "a guess of mine", "new_password": NEW, "again": NEW}, "原密码不对。"),
        ({"old_password": PASSWORD, "new_password": NEW, "again": "other"}, "两次输入的新密码不一致。"),
        ({"old_password": PASSWORD, "new_password": "short", "again": "short"}, "少于 10 个字符"),
        ({"old_password": PASSWORD, "new_password": GRID_NAME, "again": GRID_NAME}, "由登录名、单位名"),
    ],
)
async def test_a_password_that_will_not_do_is_told_at_its_field(
    front: Front, fields: dict[str, str], told: str
) -> None:
    visitor = await front.signed_in("worker")

    answer = await visitor.send("/account/password", "/account/password", fields)

    assert answer.status_code == 422
    assert told in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert all(secret not in answer.text for secret in fields.values())


# --- the own account ----------------------------------------------------------------------------------------------


async def test_a_person_sees_their_roles_and_ends_a_forgotten_session(front: Front) -> None:
    there = front.visitor("10.0.0.2", **{"user-agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/110.0 Safari/537.36"})
    here = await front.signed_in("worker")
    await there.sign_in("worker")

    shown = (await here.get("/account")).text
    assert "网格员" in shown
    assert "东塘一网格" in shown
    assert "Chrome · Windows" in shown
    await here.send("/account", "/account/sessions/end-others")

    assert (await there.get("/account")).status_code == 303
    assert "Chrome · Windows" not in (await here.get("/account")).text


async def test_a_token_is_shown_once_and_opens_the_api_only(front: Front) -> None:
    visitor = await front.signed_in("worker")

    made = await visitor.send(
        "/account", "/account/tokens", {"name": "报表", "permissions": ["case.read"], "days": "7"}
    )
    found = re.search(r'value="(bhn_[\w-]+)"', made.text)
    assert found
    token = unescape(found[1])

    listed = (await visitor.get("/account")).text
    assert "报表" in listed
    assert token not in listed
    program = front.visitor()
    bearer = {"authorization": f"Bearer {token}"}
    assert (await program.get("/account", headers=bearer)).status_code == 303
    assert (await program.get("/api/v1/nowhere", headers=bearer)).status_code == 404


async def test_a_token_is_never_offered_or_made_for_what_the_person_may_not_do(front: Front) -> None:
    visitor = await front.signed_in("worker")

    assert 'value="desk.supervise"' not in (await visitor.get("/account")).text
    refused = await visitor.send(
        "/account", "/account/tokens", {"name": "报表", "permissions": ["account.manage"], "days": "7"}
    )

    assert refused.status_code == 422


async def test_a_person_revokes_their_tokens_and_nobody_elses(front: Front) -> None:
    other = await front.signed_in("checker")
    await other.send("/account", "/account/tokens", {"name": "他", "permissions": ["case.read"], "days": "7"})
    (theirs,), _ = await front.access.tokens.own("checker")
    visitor = await front.signed_in("worker")
    await visitor.send("/account", "/account/tokens", {"name": "我", "permissions": ["case.read"], "days": "7"})
    (mine,), _ = await front.access.tokens.own("worker")

    refused = await visitor.client.post(
        f"/account/tokens/{theirs.id}/revoke",
        headers={"x-csrf-token": (await _csrf(visitor))},
    )
    revoked = await visitor.send("/account", f"/account/tokens/{mine.id}/revoke")

    assert refused.status_code == 404
    assert revoked.status_code == 303
    assert (await front.access.tokens.own("checker"))[0][0].revoked_at is None
    assert (await front.access.tokens.own("worker"))[0][0].revoked_at is not None


async def _csrf(visitor: Visitor) -> str:
    return hidden((await visitor.get("/account/password")).text, "/account/password")["_csrf"]


# --- administration -----------------------------------------------------------------------------------------------


async def test_an_administrator_adds_a_person_who_then_chooses_a_password(front: Front) -> None:
    chief = await front.signed_in("chief", administrator=True)

    added = await chief.send("/accounts", "/accounts", {"person": "worker", "login": ""})
    found = re.search(r'id="f-password"[^>]*value="([a-z2-9-]{19})"', added.text)

    assert added.status_code == 200
    assert found
    visitor = front.visitor("10.0.0.2")
    entered = await visitor.sign_in("worker", found[1])
    assert entered.headers["location"].startswith("/account/password")
    assert found[1] not in (await chief.get("/accounts")).text


async def test_an_administrator_disables_enables_and_resets(front: Front) -> None:
    chief = await front.signed_in("chief", administrator=True)
    worker = await front.signed_in("worker")

    disabled = await chief.send("/accounts", "/accounts/disable", {"login": "worker"})
    assert disabled.headers["location"] == "/accounts"
    assert (await worker.get("/account")).status_code == 303
    assert "worker" in (await chief.get("/accounts?disabled=yes")).text
    told = await front.visitor().sign_in("worker")
    assert (told.status_code, "该账号已停用" in told.text) == (403, True)

    await chief.send("/accounts?disabled=yes", "/accounts/enable", {"login": "worker"})
    assert (await front.visitor().sign_in("worker")).status_code == 303
    reset = await chief.send("/accounts", "/accounts/reset", {"login": "worker"})
    assert "只显示这一次" in reset.text
    assert (await front.visitor().sign_in("worker")).status_code == 401


async def test_the_last_administrator_stays(front: Front) -> None:
    chief = await front.signed_in("chief", administrator=True)

    answer = await chief.send("/accounts", "/accounts/disable", {"login": "chief"})

    assert answer.status_code == 422
    assert "这是最后一个管理员账号" in answer.text
    assert (await chief.get("/accounts")).status_code == 200


async def test_only_people_of_the_registry_are_added(front: Front) -> None:
    chief = await front.signed_in("chief", administrator=True)

    answer = await chief.send("/accounts", "/accounts", {"person": "stranger"})

    assert answer.status_code == 422
    assert "登记册里没有人员 stranger" in answer.text


async def test_accounts_are_for_administrators_only(front: Front) -> None:
    visitor = await front.signed_in("dispatcher")
    csrf = {"x-csrf-token": await _csrf(visitor)}

    assert (await visitor.get("/accounts")).status_code == 403
    for path in ("/accounts", "/accounts/reset", "/accounts/disable", "/accounts/enable"):
        answer = await visitor.client.post(path, data={"login": "dispatcher", "person": "worker"}, headers=csrf)
        assert answer.status_code == 403
        assert "access.denied" in answer.text


async def test_the_list_of_accounts_goes_on_page_by_page(front: Front) -> None:
    chief = await front.signed_in("a-chief", administrator=True)
    for number in range(60):
        await front.access.accounts.add(f"p{number:02}", by="admin", with_password=False)

    first = (await chief.get("/accounts")).text
    onward = re.search(r'href="(/accounts\?cursor=[^"]+)"', first)
    assert onward
    second = (await chief.get(unescape(onward[1]))).text

    # Looked for where they stand: the marks of the forms are drawn by chance and may hold any letters.
    shown = [re.findall(r'<td class="first">(p\d\d)</td>', page) for page in (first, second)]
    assert (shown[0][-1], shown[1][0], shown[1][-1]) == ("p48", "p49", "p59")


async def test_every_page_the_form_to_sign_in_leads_to_is_there(front: Front) -> None:
    shown = (await front.visitor().get("/sign-in")).text
    main = shown[shown.index("<main") :]

    for path in re.findall(r'href="(/[^"#]*)"', main):
        assert (await front.visitor().get(unescape(path))).status_code == 200, path
