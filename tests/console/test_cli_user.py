"""``bihuan user``: accounts and tokens at the command line."""

import asyncio

import asyncpg

from ledger.registry import load_registry
from tests.console.calling import Call, error, value
from tests.neighbourhood import raw_registry


async def _call(call: Call, *words: str) -> tuple[int, str]:
    return await asyncio.to_thread(call, *words)


async def test_an_administrator_adds_lists_disables_and_resets(call: Call, new_office: asyncpg.Connection) -> None:
    await load_registry(new_office, raw_registry(), "admin")

    added = value(await _call(call, "user", "add", "worker", "--json"))
    chief = value(await _call(call, "user", "add", "boss", "--administrator", "--login", "Chief", "--json"))

    assert (added["login"], added["must_change"], len(added["password"])) == ("worker", True, 19)
    assert (chief["login"], chief["is_administrator"]) == ("chief", True)
    page = value(await _call(call, "user", "list", "--limit", "1", "--json"))
    rest = value(await _call(call, "user", "list", "--limit", "1", "--cursor", page["next"], "--json"))
    assert [each["login"] for each in (*page["items"], *rest["items"])] == ["chief", "worker"]
    assert "password_hash" not in page["items"][0]

    reset = value(await _call(call, "user", "reset", "worker", "--json"))
    assert reset["password"] != added["password"]
    assert value(await _call(call, "user", "disable", "worker", "--json"))["disabled_at"] is not None
    assert [x["login"] for x in value(await _call(call, "user", "list", "--disabled", "--json"))["items"]] == ["worker"]
    assert value(await _call(call, "user", "enable", "worker", "--json"))["disabled_at"] is None
    assert error(await _call(call, "user", "disable", "chief", "--json"))["code"] == "access.last_administrator"


async def test_only_people_of_the_registry_and_administrators_get_accounts(
    call: Call, new_office: asyncpg.Connection
) -> None:
    assert error(await _call(call, "user", "add", "nobody", "--json"))["code"] == "person.unknown"
    assert error(await _call(call, "user", "reset", "nobody", "--json"))["code"] == "access.unknown_account"


async def test_a_token_is_shown_once_and_can_be_revoked(call: Call, new_office: asyncpg.Connection) -> None:
    await _call(call, "user", "add", "boss", "--administrator")

    made = value(await _call(call, "user", "token", "boss", "--name", "报表", "--permission", "rules.read", "--json"))
    listed = value(await _call(call, "user", "tokens", "boss", "--json"))["items"]

    assert made["token"].startswith("bhn_")
    assert made["token"] not in str(listed)
    assert [each["id"] for each in listed] == [made["id"]]
    assert value(await _call(call, "user", "revoke", "boss", made["id"], "--json"))["revoked"]
    assert error(await _call(call, "user", "revoke", "boss", made["id"], "--json"))["code"] == "access.no_such_token"


async def test_people_read_the_accounts_as_a_table(call: Call, new_office: asyncpg.Connection) -> None:
    code, text = await _call(call, "user", "add", "boss", "--administrator")
    assert code == 0
    assert "一次性密码" in text
    assert "只显示这一次" in text

    code, text = await _call(call, "user", "list")
    assert code == 0
    assert "管理员，待改密码" in text


async def test_what_happened_to_accounts_is_listed_the_youngest_first(
    call: Call, new_office: asyncpg.Connection
) -> None:
    await _call(call, "user", "add", "boss", "--administrator")
    await _call(call, "user", "reset", "boss", "--by", "S01-5")
    await _call(call, "user", "add", "other", "--administrator")

    first = value(await _call(call, "user", "record", "--limit", "2", "--json"))
    rest = value(await _call(call, "user", "record", "--limit", "2", "--cursor", first["next"], "--json"))
    of_one = value(await _call(call, "user", "record", "BOSS", "--json"))["items"]
    code, text = await _call(call, "user", "record", "boss")

    found = [(each["kind"], each["subject"]) for each in (*first["items"], *rest["items"])]
    assert found == [("account_added", "other"), ("password_reset", "boss"), ("account_added", "boss")]
    assert rest["next"] is None
    assert [each["actor"] for each in of_one] == ["S01-5", "administrator"]
    assert (code, "重置密码" in text) == (0, True)
    assert {each["place"] for each in of_one} == {"bihuan user reset", "bihuan user add"}
    assert error(await _call(call, "user", "record", "--cursor", "x", "--json"))["code"] == "feed.bad_cursor"
