"""Passwords: which ones are accepted, how they are kept and compared.

Owns the two policies. ``modern`` asks for length and refuses what everybody guesses first; ``dengbao`` asks besides for
several kinds of characters, a change every 90 days, and no earlier password again. Keeps no password in clear and never
names one in an error.
"""

import asyncio
import re
import secrets
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, Protocol

from domain.base import Frozen
from domain.errors import Refused

LONGEST = 128
"""Longest password in characters."""

_AT_ONCE = 2
_KINDS = 3
_FEWEST_DIFFERENT = 4
_OWN_PART = 6
_ONE_TIME_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_PRODUCT_WORDS = ("bihuan", "闭环")
_ROWS = ("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn")
_LEET = str.maketrans({"0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "!": "i"})


class PasswordPolicy(Frozen):
    """What a password must be like."""

    profile: Literal["modern", "dengbao"] = "modern"
    shortest: int = 10
    changed_every: timedelta = timedelta(days=90)

    def has_lapsed(self, set_at: datetime | None, at: datetime) -> bool:
        """Whether a password set at that time must be changed by now; only ``dengbao`` asks for that."""
        return self.profile == "dengbao" and set_at is not None and at - set_at >= self.changed_every


def normal(password: str) -> str:
    """The password as it is compared: the same letters give the same password on every keyboard."""
    return unicodedata.normalize("NFKC", password)


def check_new(password: str, policy: PasswordPolicy, *, words: Iterable[str] = ()) -> None:
    """Whether the password may be taken; ``words`` are what others would try for this person (login name, office).

    Raises ``Refused`` ``access.weak_password`` with the reason.
    """
    given = normal(password)
    if len(given) < policy.shortest:
        raise _weak(f"少于 {policy.shortest} 个字符", f"it has fewer than {policy.shortest} characters")
    if len(given) > LONGEST:
        raise _weak(f"超过 {LONGEST} 个字符", f"it has more than {LONGEST} characters")
    if len(set(given)) < _FEWEST_DIFFERENT or _repeats(given):
        raise _weak("重复的字符太多", "it repeats itself")
    if _is_common(given):
        raise _weak("太常见，容易被猜到", "it is among the first that others would guess")
    for word in (*_PRODUCT_WORDS, *words):
        if _rests_on(given, word):
            raise _weak("由登录名、单位名或产品名拼成", "it is made of the login name, the office or the product")
    if policy.profile == "dengbao" and _kinds(given) < _KINDS:
        raise _weak(
            "大写字母、小写字母、数字、符号不足三类",
            "it has fewer than three of: capital letters, small letters, digits, signs",
        )


def _weak(zh: str, en: str) -> Refused:
    return Refused("access.weak_password", field="new_password", reason=zh, reason_en=en)


def _kinds(text: str) -> int:
    kinds = (str.isupper, str.islower, str.isdigit, lambda letter: not letter.isalnum())
    return sum(any(map(kind, text)) for kind in kinds)


def _repeats(text: str) -> bool:
    """Whether it is one short piece again and again (``abcabcabcabc``)."""
    return re.fullmatch(r"(.{1,4}?)\1{2,}.{0,3}", text, re.DOTALL) is not None


@lru_cache(maxsize=1)
def _common() -> frozenset[str]:
    text = (files("console.access") / "common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#"))


def _is_common(text: str) -> bool:
    folded = text.casefold()
    # What people add to make a common password long enough: digits and signs in front and behind.
    forms = {folded, re.sub(r"^[\W\d_]+|[\W\d_]+$", "", folded)}
    forms |= {form.translate(_LEET) for form in forms}
    forms |= {re.sub(r"[\W_]+", "", form) for form in forms}
    bare = re.sub(r"[\W_]+", "", folded)
    return not forms.isdisjoint(_common()) or _is_walk(bare) or _is_made_of_common(bare)


def _is_walk(text: str) -> bool:
    """Whether it only runs along the keys or the alphabet, forwards or backwards, in at most three runs."""
    runs = 0
    while text:
        longest = max((_run(text, row) for row in (*_ROWS, *(row[::-1] for row in _ROWS))), default=0)
        if longest < _FEWEST_DIFFERENT - 1:
            return False
        text, runs = text[longest:], runs + 1
    return 0 < runs <= _KINDS


def _run(text: str, row: str) -> int:
    length = 0
    while length < len(text) and text[: length + 1] in row:
        length += 1
    return length


def _is_made_of_common(text: str) -> bool:
    """Whether two common ones in a row make the whole (``password123456``)."""
    common = _common()
    return any(text[:cut] in common and text[cut:] in common for cut in range(1, len(text)))


def _rests_on(text: str, word: str) -> bool:
    """Whether the word is in it and what is added to it is short."""
    folded, known = text.casefold(), normal(word).casefold().strip()
    if len(known) < 2 or known not in folded:
        return False
    added = re.sub(r"[\W\d_]+", "", folded.replace(known, ""))
    return len(added) < _OWN_PART


def one_time_password() -> str:
    """A password to be used once: easy to read out, hard to guess (about 79 bits)."""
    groups = ("".join(secrets.choice(_ONE_TIME_LETTERS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


class Hashing(Protocol):
    """What turns a password into a hash and compares the two; both take a while on purpose."""

    def hash(self, password: str) -> str:
        """The hash of the password."""

    def verify_and_update(self, password: str, hash: str) -> tuple[bool, str | None]:  # noqa: A002 - its name there
        """Whether they go together, and the hash by today's settings where the one given is by older ones."""


def argon2(**settings: Any) -> Hashing:
    """Argon2id as pwdlib sets it up, or with other ``settings``."""
    from pwdlib import PasswordHash
    from pwdlib.hashers.argon2 import Argon2Hasher

    hashing: Hashing = PasswordHash((Argon2Hasher(**settings),))
    return hashing


class Passwords:
    """Hashes and compares, in threads, at most two at a time: each takes a quarter of a second and 64 MiB."""

    def __init__(self, hashing: Hashing | None = None) -> None:
        self._hashing = hashing or argon2()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to keep."""
        async with self._free:
            return await asyncio.to_thread(self._hashing.hash, normal(password))

    async def check(self, password: str, kept: str | None) -> tuple[bool, str | None]:
        """Whether the password is the one kept, and a better hash of it where there is one.

        Takes the same time when nothing is kept: who asks learns nothing about which accounts there are.
        """
        against = kept if kept is not None else await self._hash_of_nobody()
        # Longer ones are refused when they are set, so none of them can be right; hashing them would cost for nothing.
        tried = normal(password[: LONGEST * 4])[: LONGEST + 1]
        async with self._free:
            good, better = await asyncio.to_thread(self._hashing.verify_and_update, tried, against)
        return (good and kept is not None, better if kept is not None else None)

    async def _hash_of_nobody(self) -> str:
        if self._nobody is None:
            self._nobody = await self.hash(secrets.token_urlsafe(32))
        return self._nobody
