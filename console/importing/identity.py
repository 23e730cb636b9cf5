"""Which requests are new: told apart by source and number, whatever happened before.

Owns what counts as the same request. Must not open anything. The answer depends on the file and the ledger only, so
an interrupted import goes on where it stopped.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from console.desk import stream_of
from console.importing.columns import Request
from domain.errors import Refused
from domain.process import Json
from domain.text import CODE_LIMIT

PROCESS = "case"
_CODE = re.compile(r"[\w.\-:/#]+")
_COMPARED = ("title", "text", "label", "category", "channel")


@dataclass(frozen=True)
class Found:
    """What a request is: ``stream`` is where it is or would be; ``known`` when the ledger has it;
    ``twin`` when an earlier row of the file says the same; ``refused`` when its number stands for something else."""

    request: Request
    external_id: str
    stream: str
    known: bool = False
    twin: bool = False
    refused: Refused | None = None


def second_id(request: Request) -> str:
    """The external id of a message that was filed under several heads, for one but the first of them."""
    readable = f"{request.number}#{request.matter}"
    if len(readable) <= CODE_LIMIT and _CODE.fullmatch(readable):
        return readable
    return f"{request.number[:48]}#{hashlib.sha256(readable.encode()).hexdigest()[:12]}"


def number_apart(requests: Iterable[Request]) -> list[Request]:
    """The requests, those without a number of their own told apart by what only the vault may know.

    Two residents may send the same words; an ordinal tells them apart without giving anything away.
    """
    seen: dict[tuple[str, str], dict[tuple[tuple[str, str], ...], int]] = {}
    apart: list[Request] = []
    for request in requests:
        if request.own_number:
            apart.append(request)
            continue
        known = seen.setdefault((request.source, request.number), {})
        place = known.setdefault(request.sender, len(known) + 1)
        apart.append(request if place == 1 else replace(request, number=f"{request.number}-{place}"))
    return apart


def candidates(request: Request) -> tuple[str, ...]:
    """The streams in which the request may be found."""
    base = stream_of(PROCESS, request.source, request.number)
    if not request.matter:
        return (base,)
    return base, stream_of(PROCESS, request.source, second_id(request))


def tell_apart(group: Sequence[Request], recorded: Mapping[str, Json]) -> list[Found]:
    """What each of the requests with one source and number is, in their order.

    ``recorded`` are the opening events of the streams that exist. The first request holds the number; the same again
    is a twin, the same message under another head is a second request, anything else is refused.
    """
    base = stream_of(PROCESS, group[0].source, group[0].number)
    holder: Request | None = None
    opening = recorded.get(base)
    seconds: dict[str, Request] = {}
    found: list[Found] = []
    for request in group:
        second = second_id(request) if request.matter else ""
        stream = stream_of(PROCESS, request.source, second) if second else base
        if opening is not None and is_recorded(request, opening):
            found.append(Found(request, request.number, base, known=True))
        elif second and stream in recorded and is_recorded(request, recorded[stream]):
            found.append(Found(request, second, stream, known=True))
        elif opening is None and holder is None:
            holder = request
            found.append(Found(request, request.number, base))
        elif holder is not None and _same(request, holder):
            found.append(Found(request, request.number, base, twin=True))
        elif _another_head(request, holder, opening, group) and stream not in recorded:
            if stream in seconds and not _same(request, seconds[stream]):
                found.append(_reused(request, stream))
            else:
                found.append(Found(request, second, stream, twin=stream in seconds))
                seconds.setdefault(stream, request)
        else:
            found.append(_reused(request, base))
    return found


def is_recorded(request: Request, opening: Json) -> bool:
    """Whether the opening event says what the request says; who brought it and where it was placed do not count."""
    content = request.content
    if any(content.get(name) != opening.get(name) for name in _COMPARED):
        return False
    if "found_at" in content and _moment(content["found_at"]) != _moment(opening["found_at"]):
        return False
    place = opening.get("place")
    placed: Mapping[str, Any] = place if isinstance(place, Mapping) else {}
    if any(name in content and content[name] != placed.get(name) for name in ("grid", "street")):
        return False
    return "urgency" not in content or content["urgency"] == opening.get("urgency")


def _another_head(request: Request, holder: Request | None, opening: Json | None, group: Sequence[Request]) -> bool:
    """Whether the file holds the message of the number once more, under another head."""
    if not request.matter:
        return False
    if holder is not None:
        return request.words == holder.words and request.matter != holder.matter
    if opening is None or request.words != (opening["title"], opening["text"]):
        return False
    return any(is_recorded(other, opening) for other in group)


def _same(one: Request, other: Request) -> bool:
    return one.content == other.content


def _reused(request: Request, stream: str) -> Found:
    refused = Refused("command.reused", field="external_id")
    return Found(request, request.number, stream, refused=refused)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(str(value))
