"""What is kept about a resident, in words that resident can read: what was told, what happened, who was shown it.

Owns the choice and the words. Of the people who worked on a request it names role and unit, never the person; free text
stands as it is on the record, redacted when it was written. Must not read anything: facts and entries are given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from console import output, words
from console.doing import summary
from console.http.rendering import environment
from domain.people import Actor, Role
from domain.registry import Registry
from ledger.files import BoundFile
from ledger.log import Recorded
from ledger.reveals import Reveal

_TEXTS = ("title", "text", "measures", "explanation", "instruction", "note", "word", "question")
_TOLD: Mapping[str, tuple[str, str]] = {
    "wording": ("原话", "your words"),
    "reporter_name": ("姓名", "name"),
    "reporter_phone": ("电话", "telephone"),
    "reporter_address": ("住址", "address"),
}


@dataclass(frozen=True)
class Happened:
    """One fact: what happened when, by whom (role and unit), what people wrote, and the rest in one line."""

    seq: int
    at: datetime
    kind: str
    what: str
    by: str
    texts: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class Kept:
    """A photograph or document; ``name`` is its place in the archive, None where its content could not be read."""

    digest: str
    kind: str
    what: str
    at: datetime
    bytes: int
    name: str | None


@dataclass(frozen=True)
class Shown:
    """Somebody was shown what was told in full: when, in which role, by which door, why."""

    at: datetime
    role: str
    door: str
    reason: str
    words: str


@dataclass(frozen=True)
class Sheet:
    """All that is kept of one request. ``told`` is what the resident told, None for an entry nobody can read."""

    id: str
    told: Mapping[str, str | None]
    facts: tuple[Happened, ...]
    files: tuple[Kept, ...]
    shown_to: tuple[Shown, ...]
    looks_beyond: bool

    @property
    def entries(self) -> list[tuple[str, str | None]]:
        """What was told, by what it is called."""
        return [(output.say(*_TOLD[name]) if name in _TOLD else name, text) for name, text in self.told.items()]

    def as_json(self) -> dict[str, Any]:
        """The sheet for programs."""
        return asdict(self)


def happened(events: Sequence[Recorded], registry: Registry) -> tuple[Happened, ...]:
    """The facts in their order, without the people who brought them about."""
    return tuple(_happened(each, registry) for each in events)


def _happened(event: Recorded, registry: Registry) -> Happened:
    def named(code: str) -> str:
        unit = registry.organisation(code)
        return unit.name if unit else _nobody(code, registry)

    body = {name: _unnamed(value, registry) for name, value in event.body.items()}
    texts = tuple(str(body[name]) for name in _TEXTS if body.get(name))
    rest = {name: value for name, value in body.items() if name not in _TEXTS and name != "digest"}
    by = _who(Actor.model_validate(event.body["by"]), registry)
    what = words.word(words.EVENT, event.kind)
    return Happened(event.seq, event.at, event.kind, what, by, texts, summary(rest, named, cut=2000))


def _who(actor: Actor, registry: Registry) -> str:
    unit = registry.organisation(actor.organisation) if actor.organisation else None
    return " ".join(part for part in (unit.name if unit else "", words.role(actor.role.value)) if part)


def _nobody(code: str, registry: Registry) -> str:
    """The text, unless it is the code of a member of staff."""
    return output.say("工作人员", "a member of staff") if registry.person(code) else code


def _unnamed(value: Any, registry: Registry) -> Any:
    if isinstance(value, str):
        return _nobody(value, registry)
    if isinstance(value, list):
        return [_unnamed(each, registry) for each in value]
    if isinstance(value, dict):
        return {name: _unnamed(each, registry) for name, each in value.items()}
    return value


def kinds_of(events: Sequence[Recorded]) -> dict[str, str]:
    """What each file of the facts is evidence of, by its digest."""
    found: dict[str, str] = {}
    for event in events:
        given: Any = event.body.get("evidence") or ()
        for each in [given] if isinstance(given, dict) else given:
            found.setdefault(str(each["digest"]), str(each["kind"]))
    return found


def kept(file: BoundFile, kind: str, name: str | None) -> Kept:
    """A file of the request, which lies at ``name``."""
    return Kept(file.digest, kind, words.word(words.EVIDENCE, kind), file.uploaded_at, file.bytes, name)


def shown(look: Reveal) -> Shown:
    """One look, without the person who looked."""
    role = words.role(look.role) if look.role in set(Role) else look.role
    door, reason = words.word(words.DOOR, look.door), words.word(words.REVEAL, look.reason)
    return Shown(look.at, role, door, reason, look.words)


def as_page(sheets: Sequence[Sheet], *, made_at: datetime, more: bool) -> str:
    """All sheets as one page of HTML that needs nothing but itself, in the language of the command."""
    template = environment(output.language()).get_template("personal/subject.html")
    return template.render(sheets=sheets, made_at=made_at, more=more, language=output.language())
