"""What clients were told, held against what the ledger has: nothing acknowledged is lost, nothing is recorded twice.

Owns the comparison of a diary with the log. An empty answer means that nothing was found; the codes are stable, so
that a kept run can be judged again.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bench.diary import Attempt, History
from domain.people import SYSTEM

Json = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; ``where`` is a stream or an idempotency key."""

    code: str
    where: str
    what: str


class Book(Protocol):
    """The log as it is judged."""

    @property
    def streams(self) -> Mapping[str, Json]:
        """Of each stream its ``events`` and ``commands``, in the order of the log."""

    def commands(self) -> list[tuple[str, Json]]:
        """Every recorded command with its stream."""


def acknowledged(history: History, ledger: Book, *, systems: Collection[str] = ()) -> Iterator[Finding]:
    """Every ok is in the log exactly as it was told; every fail has no effect; of every info there is none or one.

    ``systems`` are the accounts of programs that report by themselves, without a client.
    """
    recorded: dict[str, list[tuple[str, Json]]] = defaultdict(list)
    for stream, row in ledger.commands():
        recorded[row["id"]].append((stream, row))
    by_key: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in history.attempts():
        by_key[attempt.key].append(attempt)
    facts = {stream: _facts(ledger, stream) for stream in ledger.streams}
    for key, attempts in by_key.items():
        found = recorded.get(key, [])
        if len(found) > 1:
            yield Finding("doubled", key, f"recorded in {len(found)} places")
        ends = {attempt.end for attempt in attempts}
        if ends == {"fail"} and found:
            yield Finding("fail_took_effect", key, found[0][0])
        if "ok" in ends and not found:
            yield Finding("lost", key, "acknowledged, and not in the log")
        for attempt in attempts:
            if attempt.end == "ok" and found:
                yield from _as_told(attempt, *found[0], facts[found[0][0]])
        yield from _repeated(key, attempts)
    yield from _strangers(by_key.keys(), ledger, {SYSTEM.person, *systems})
    yield from _marks(history, ledger)


def _facts(ledger: Book, stream: str) -> list[list[Any]]:
    return [[row["seq"], row["id"], row["hash"]] for row in ledger.streams[stream]["events"]]


def _as_told(attempt: Attempt, stream: str, command: Json, facts: list[list[Any]]) -> Iterator[Finding]:
    if attempt.ended["stream"] != stream:
        yield Finding("told_otherwise", attempt.key, f"{attempt.ended['stream']} instead of {stream}")
    here = [fact for fact in facts if command["seq_from"] <= fact[0] <= command["seq_to"]]
    if attempt.ended["facts"] != here:
        yield Finding("told_otherwise", attempt.key, f"{stream}: {attempt.ended['facts']} instead of {here}")


def _repeated(key: str, attempts: list[Attempt]) -> Iterator[Finding]:
    """Who was answered is answered the same ever after; other content under the key never takes effect."""
    accepted = [attempt for attempt in attempts if attempt.end == "ok"]
    if len({attempt.content for attempt in accepted}) > 1:
        yield Finding("key_taken_twice", key, "two different acts were accepted under one key")
    for first in accepted[:1]:
        for later in attempts:
            again = later.content == first.content and later.invoked["t"] > first.ended["t"]
            if again and later.end == "fail":
                yield Finding("repeated_act_refused", key, str(later.ended["code"]))
    alone = len({attempt.content for attempt in attempts}) == 1
    for attempt in attempts:
        if alone and attempt.ended.get("code") == "command.reused":
            yield Finding("own_key_refused", key, "refused as used for something else")


def _strangers(known: Iterable[str], ledger: Book, systems: Collection[str]) -> Iterator[Finding]:
    """What people did was sent by somebody of this history."""
    keys = set(known)
    for stream in ledger.streams:
        for row in ledger.streams[stream]["events"]:
            by = row["body"]["by"]
            if by["person"] not in systems and row["command_id"] not in keys:
                yield Finding("nobody_sent_it", stream, f"event {row['seq']} {row['kind']} of {row['command_id']}")


def _marks(history: History, ledger: Book) -> Iterator[Finding]:
    """Each content bears a mark of its own: it is in the log once if it was accepted, and never if it was refused."""
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in history.attempts():
        if mark := attempt.invoked["mark"]:
            attempts[mark].append(attempt)
    seen: Counter[str] = Counter()
    for found in ledger.streams.values():
        # A command may say what was written in several of its facts; what counts is how many commands say it.
        per_command: dict[str, set[str]] = defaultdict(set)
        for row in found["events"]:
            for value in row["body"].values():
                if isinstance(value, str) and (word := value.rpartition(" ")[2]) in attempts:
                    per_command[word].add(row["command_id"])
        seen.update({word: len(ids) for word, ids in per_command.items()})
    for mark, tried in attempts.items():
        ends = {attempt.end for attempt in tried}
        if seen[mark] > 1:
            yield Finding("doubled", tried[0].key, f"{tried[0].invoked['do']} is in the log {seen[mark]} times")
        if "ok" in ends and seen[mark] == 0:
            yield Finding("lost", tried[0].key, f"{tried[0].invoked['do']}: its words are not in the log")
        if ends == {"fail"} and seen[mark]:
            yield Finding("fail_took_effect", tried[0].key, f"{tried[0].invoked['do']}: its words are in the log")
