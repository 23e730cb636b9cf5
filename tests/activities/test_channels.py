"""The ways out: signed, encrypted, to nobody's inside, and honest about what did not arrive."""

import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from activities.channels import Email, OtherServices, open_channels
from activities.messages import Message, Undelivered
from activities.webhook import SignedWebhook, is_public
from domain.errors import Refused
from ledger.rows import NoticeRow
from runtime.settings import Settings, settings_table
from tests.activities.posting import SECRET, Certificate, Hooks, Mail
from tests.neighbourhood import NOON

ID = UUID("8d3f3c1e-6b0a-4c55-9d1e-1a2b3c4d5e6f")
NOTICE = NoticeRow(
    id=ID,
    stream="case-1a2b3c4d",
    seq=7,
    process="case",
    kind="supervision_ordered",
    at=NOON,
    role="department_handler",
    organisation="D01",
    params={"title": "路面破损", "text": "请说明\n原因。", "reply_by": "2026-11-24T04:00:00+00:00"},
)
MESSAGE = Message(NOTICE, "handler@office.example")


# Loading its services it imports what Python 3.13 no longer has.
of_apprise = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in settings_table():
        monkeypatch.delenv(row.variable, raising=False)


async def _undelivered(channel: Any, message: Message = MESSAGE, receiver: str = "1") -> Undelivered:
    with pytest.raises(Undelivered) as caught:
        await channel.send(message, receiver)
    await channel.close()
    return caught.value


# --- the webhook ------------------------------------------------------------------------------------------------


async def test_a_webhook_is_a_signed_cloud_event_under_the_number_of_the_notice(hooks: Hooks) -> None:
    channel = hooks.channel()
    await channel.send(MESSAGE, "1")
    await channel.close()

    (hook,) = hooks.got
    assert hook.headers["webhook-id"] == str(ID)
    assert hook.headers["host"] == f"127.0.0.1:{hooks.port}"
    assert hook.headers["content-type"].startswith("application/cloudevents+json")
    event = {name: value for name, value in hook.event.items() if name != "data"}
    assert event == {
        "specversion": "1.0",
        "id": str(ID),
        "type": "cn.bihuan.notice.supervision_ordered",
        "source": "urn:bihuan",
        "subject": "case-1a2b3c4d",
        "time": "2026-11-23T04:00:00Z",
        "datacontenttype": "application/json",
    }
    assert hook.event["data"]["params"] == NOTICE.params
    assert hook.event["data"]["zh"] == "督办：“路面破损”。请说明\n原因。 回复截止 2026-11-24 12:00。"


async def test_while_a_secret_is_changed_both_sign(hooks: Hooks) -> None:
    channel = hooks.channel(secret=SecretStr(f"whsec_{'A' * 40} {SECRET}"))
    await channel.send(MESSAGE, "1")
    await channel.close()

    assert len(hooks.got) == 1
    assert hooks.got[0].headers["webhook-signature"].count("v1,") == 2


@pytest.mark.parametrize(("answer", "final"), [(302, False), (307, False), (400, False), (410, True), (500, False)])
async def test_only_a_2xx_answer_is_delivery_and_no_redirect_is_followed(
    answer: int, final: bool, hooks: Hooks
) -> None:
    hooks.answers = [answer]

    failed = await _undelivered(hooks.channel())

    assert (failed.reason, failed.final) == (f"http {answer}", final)
    assert [hook.path for hook in hooks.got] == ["/hook"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433"])
async def test_addresses_inside_are_refused_unless_allowed(host: str, hooks: Hooks) -> None:
    failed = await _undelivered(hooks.channel(url=hooks.url(host=host), private=False))

    assert (failed.reason, failed.final) == ("private address", True)
    assert hooks.posted == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("2001:0:a00:1::", False),
    ],
)
def test_what_belongs_to_the_public_internet(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_a_server_that_is_away_is_told_by_the_kind_of_error(hooks: Hooks) -> None:
    channel = hooks.channel()
    hooks.stop()
    assert (await _undelivered(channel)).reason == "ConnectError"
    hooks.start()


@pytest.fixture
def encrypted(certificate: Certificate) -> Iterator[Hooks]:
    server = Hooks(certificate)
    server.start()
    yield server
    server.stop()


async def test_the_certificate_is_checked_against_the_name_and_not_the_address(encrypted: Hooks) -> None:
    by_name = encrypted.channel(url=encrypted.url(scheme="https", host="localhost"))
    await by_name.send(MESSAGE, "1")
    await by_name.close()
    assert encrypted.ids == [str(ID)]

    by_address = encrypted.channel(url=encrypted.url(scheme="https"))
    assert (await _undelivered(by_address)).reason == "ConnectError"
    assert encrypted.ids == [str(ID)]


# --- e-mail -----------------------------------------------------------------------------------------------------


def _email(mail: Mail, scheme: str = "smtp", login: str = "", host: str = "localhost") -> Email:
    return Email(SecretStr(f"{scheme}://{login}{host}:{mail.port}"), "闭环 <notice@street.example>")


async def test_an_e_mail_reaches_the_address_in_both_languages(mail: Mail) -> None:
    await _email(mail, host="127.0.0.1").send(MESSAGE, "handler")

    (envelope,) = mail.got
    assert (envelope.mail_from, envelope.rcpt_tos) == ("notice@street.example", ["handler@office.example"])
    assert isinstance(envelope.content, bytes)
    email = message_from_bytes(envelope.content, policy=default)
    assert email["Message-ID"] == f"<{ID}@street.example>"
    assert email["Subject"] == "督办：“路面破损”。请说明 原因。 回复截止 2026-11-24 12:00。"
    assert "闭环" in email["From"]
    assert email["Auto-Submitted"] == "auto-generated"
    text = email.get_content()
    assert "Supervision order" in text
    assert "case-1a2b3c4d" in text
    assert "2026-11-23 12:00" in text


async def test_a_notice_for_a_resident_asks_to_be_passed_on(mail: Mail) -> None:
    to_resident = NOTICE.model_copy(update={"role": "resident", "organisation": None})
    await _email(mail, host="127.0.0.1").send(Message(to_resident, "worker@office.example"), "worker")

    content = mail.got[0].content
    assert isinstance(content, bytes)
    assert "请转告居民" in message_from_bytes(content, policy=default).get_content()


@pytest.fixture
def guarded(certificate: Certificate) -> Iterator[Mail]:
    server = Mail(certificate)
    server.start()
    yield server
    server.stop()


async def test_a_password_travels_encrypted(guarded: Mail) -> None:
    await _email(guarded, login="clerk:pass%20word@").send(MESSAGE, "handler")

    assert guarded.logins == [(b"clerk", b"pass word")]
    assert len(guarded.got) == 1


async def test_a_wrong_password_and_an_unknown_certificate_are_told(
    guarded: Mail, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failed = await _undelivered(_email(guarded, login="clerk:wrong@"))
    assert (failed.reason, failed.final) == ("smtp 535", False)
    tried = len(guarded.logins)

    monkeypatch.setenv("SSL_CERT_FILE", str(Certificate.make(tmp_path, "other").file))
    assert (await _undelivered(_email(guarded, login="clerk:x@"))).reason == "SSLCertVerificationError"
    assert len(guarded.logins) == tried


async def test_a_password_is_never_sent_in_the_clear(mail: Mail) -> None:
    failed = await _undelivered(_email(mail, login="clerk:secret@", host="127.0.0.1"))

    assert failed.reason == "no encryption for the password"
    assert mail.got == []


async def test_smtps_is_encrypted_from_the_beginning(certificate: Certificate) -> None:
    mail = Mail(certificate, implicit=True)
    mail.start()
    try:
        await _email(mail, "smtps").send(MESSAGE, "handler")
    finally:
        mail.stop()
    assert len(mail.got) == 1


@pytest.mark.parametrize(("answer", "final"), [("550 who is that", True), ("451 later", False)])
async def test_an_unknown_mailbox_is_final_and_a_busy_one_is_not(answer: str, final: bool, mail: Mail) -> None:
    mail.answers = [answer]

    failed = await _undelivered(_email(mail, host="127.0.0.1"))

    assert (failed.reason, failed.final) == (f"smtp {answer[:3]}", final)
    assert (await _undelivered(_email(mail), Message(NOTICE))).reason == "no address"


# --- other services ---------------------------------------------------------------------------------------------


@of_apprise
async def test_other_services_get_one_delivery_each(hooks: Hooks) -> None:
    address = f"json://127.0.0.1:{hooks.port}"
    channel = OtherServices(SecretStr(f"{address}/one, {address}/two"))
    assert channel.receivers == ("1", "2")

    await channel.send(MESSAGE, "2")
    assert len(hooks.posted) == 1
    assert "督办" in hooks.posted[0].decode("unicode_escape") or "督办" in hooks.posted[0].decode()

    hooks.answers = [500]
    failed = await _undelivered(channel, receiver="1")
    assert (failed.reason, failed.final) == ("not taken", False)
    assert (await _undelivered(channel, receiver="3")).final


def test_without_apprise_its_addresses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(Refused) as refused:
        open_channels(Settings.load(apprise_urls="json://127.0.0.1"))

    assert refused.value.code == "notice.apprise_missing"


# --- settings ---------------------------------------------------------------------------------------------------

WEBHOOK = {"webhook_url": "https://hooks.example/bihuan", "webhook_secret": SECRET}


def test_without_settings_nothing_leaves_the_house() -> None:
    assert open_channels(Settings.load()) == ()


@of_apprise
async def test_the_settings_open_their_channels() -> None:
    given = {"smtp_url": "smtps://u:p@mail.example", "smtp_from": "a@b.example", "apprise_urls": "json://h"}
    channels = open_channels(Settings.load(**WEBHOOK, **given))
    assert [channel.name for channel in channels] == ["email", "webhook", "apprise"]
    for channel in channels:
        await channel.close()


@pytest.mark.parametrize(
    ("given", "variable"),
    [
        ({"smtp_url": "mail.example:25", "smtp_from": "a@b.example"}, "BIHUAN_SMTP_URL"),
        ({"smtp_url": "smtp://mail.example:port", "smtp_from": "a@b.example"}, "BIHUAN_SMTP_URL"),
        ({"smtp_url": "smtp://mail.example"}, "BIHUAN_SMTP_FROM"),
        ({"smtp_url": "smtp://mail.example", "smtp_from": "a@b.example\nBcc: c@d.example"}, "BIHUAN_SMTP_FROM"),
        ({**WEBHOOK, "webhook_url": "ftp://hooks.example"}, "BIHUAN_WEBHOOK_URL"),
        ({**WEBHOOK, "webhook_url": "https://user:word@hooks.example"}, "BIHUAN_WEBHOOK_URL"),
        ({"webhook_url": "https://hooks.example"}, "BIHUAN_WEBHOOK_SECRET"),
        ({**WEBHOOK, "webhook_secret": "whsec_c2hvcnQ="}, "BIHUAN_WEBHOOK_SECRET"),
        ({"apprise_urls": "nonsense"}, "BIHUAN_APPRISE_URLS"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_by_name_and_not_repeated(
    given: dict[str, str], variable: str
) -> None:
    with pytest.raises(Refused) as refused:
        open_channels(Settings.load(**given))

    assert (refused.value.code, refused.value.refusal.field) == ("settings.invalid", variable)
    assert not any(value in str(refused.value) for value in given.values())


def test_a_host_with_a_webhook_of_another_scheme_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(Refused):
        SignedWebhook("http://", SecretStr(SECRET), private=True)
