"""What goes out by any channel: the message, its form for programs, and how an attempt fails.

Owns the words shared by all channels. Must not know any of them.
"""

import socket
from dataclasses import dataclass
from datetime import UTC, timedelta

from pydantic import JsonValue

from domain.errors import Refused
from domain.notices import NOTICE_KINDS, sentence
from domain.people import Role
from domain.zone import office_minute
from ledger.rows import NoticeRow
from runtime.settings import PREFIX

TIMEOUT = timedelta(seconds=10)
"""How long one attempt may take."""


class Undelivered(Exception):  # noqa: N818 - a fact about the attempt
    """The attempt failed. ``reason`` is short and holds neither personal data nor secrets.

    ``final`` says that trying again of one's own accord is of no use.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.final = reason, final


@dataclass(frozen=True)
class Message:
    """A notice on its way; ``address`` is the receiver's e-mail address where a channel needs one."""

    notice: NoticeRow
    address: str | None = None

    def text(self, language: str) -> str:
        """The sentence people read; the bare kind when a newer release has written one we do not know."""
        if self.notice.kind not in NOTICE_KINDS:
            return self.notice.kind
        return sentence(self.notice.kind, self.notice.params, language)

    def body(self) -> str:
        """The whole message for people, Chinese first."""
        lines = [self.text("zh"), self.text("en"), ""]
        if self.notice.role == Role.RESIDENT and self.notice.person is None:
            lines.append("请转告居民 / please tell the resident")
        lines.append(f"编号 / number: {self.notice.stream}")
        lines.append(f"时间（北京时间）/ time (Beijing): {office_minute(self.notice.at)}")
        lines.append(f"通知 / notice: {self.notice.id}")
        return "\n".join(lines)


def cloud_event(message: Message) -> dict[str, JsonValue]:
    """The notice as a CloudEvent 1.0: codes, redacted text and both sentences, no personal data."""
    notice = message.notice
    return {
        "specversion": "1.0",
        "id": str(notice.id),
        "type": f"cn.bihuan.notice.{notice.kind}",
        "source": "urn:bihuan",
        "subject": notice.stream,
        "time": notice.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "kind": notice.kind,
            "process": notice.process,
            "seq": notice.seq,
            "role": notice.role,
            "organisation": notice.organisation,
            "grid": notice.grid,
            "person": notice.person,
            "params": dict(notice.params),
            "zh": message.text("zh"),
            "en": message.text("en"),
        },
    }


def wrong_setting(name: str, reason: str) -> Refused:
    """The refusal of a setting that cannot be used; ``reason`` shows what it should look like."""
    variable = PREFIX + name.upper()
    return Refused("settings.invalid", field=variable, name=variable, reason=reason)


def kind_of(error: Exception) -> str:
    """What kind of error it was; its words may hold addresses."""
    return "name not found" if isinstance(error, socket.gaierror) else type(error).__name__
