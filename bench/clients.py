"""Clients who act through the HTTP API while everything around them fails, and write down what they were told.

Owns what clients know: what they saw of each case, what they sent under which key. They are people: they go on where
a case stands, act on what has changed meanwhile, press the button twice, make mistakes, send the same again when no
answer comes, and now and then give up. Must not know what the nemesis does.
"""

import asyncio
import hashlib
import io
import json
import random
import uuid
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from PIL import Image

from bench.diary import Diary

Json = dict[str, Any]

WORKLOAD = {"people": 2, "minutes": 45}
SCORES = {"speed": 90, "quality": 85, "attitude": 95}

_AT_ONCE = 30
"""So many cases that can still be acted on are under way at most; a client who finds fewer registers another one."""

_GIVES_UP = 0.06


class Town(Protocol):
    """The office the clients know: their way in, and the token of each by their code."""

    @property
    def tokens(self) -> Mapping[str, str]:
        """Token by person."""

    def client(self) -> httpx.AsyncClient:
        """A client of the doors."""


@dataclass(frozen=True)
class Manners:
    """How the clients behave, and the codes of what they speak of.

    ``patience`` are the seconds for which they wait for an answer, one of them each time: the console says after eight
    that an act is on its way. ``pause`` is between two acts, ``retry`` before the same is sent again. ``systems`` are
    departments whose own system does the work; people leave it alone. ``passwords`` are those of who signs.
    """

    grid: str = "G01"
    everyday: str = "K01"
    ordinary: str = "K02"
    lead: str = "D01"
    helper: str = "D02"
    systems: tuple[str, ...] = ()
    patience: tuple[float, ...] = (4.0, 10.0, 14.0)
    pause: tuple[float, float] = (0.02, 0.25)
    retry: tuple[float, float] = (0.1, 0.8)
    passwords: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Act:
    """What is sent under one key: always the same content, by the same person."""

    key: str
    who: str
    stream: str | None
    body: Json
    mark: str = ""

    @property
    def content(self) -> str:
        """A digest of who sends what."""
        told = json.dumps([self.who, self.stream, self.body], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass
class Seen:
    """What the clients know of one case: as it stood in the latest answer."""

    seq: int
    stage: str
    digest: str | None
    category: str
    lead: str | None = None
    rework: int = 0


@dataclass
class Crowd:
    """What all clients share: the cases and the pictures they took."""

    town: Town
    diary: Diary
    pictures: Mapping[str, Json]
    manners: Manners = field(default_factory=Manners)
    cases: dict[str, Seen] = field(default_factory=dict)
    answered: int = 0

    @classmethod
    async def gather(cls, town: Town, diary: Diary, manners: Manners | None = None) -> "Crowd":
        """Everybody who needs one has taken a picture."""
        taken = {(who, kind) for who in ("worker", "checker", "handler") for kind in ("before", "after")}
        pictures = {f"{who} {kind}": await send_picture(town, who, kind) for who, kind in sorted(taken)}
        return cls(town, diary, pictures, manners or Manners())

    def take(self, sheet: Json, category: str | None = None) -> None:
        """Remember a case as an answer showed it."""
        seen = self.cases.get(sheet["id"])
        if seen is None:
            found = category or str(sheet["case"].get("category"))
            self.cases[sheet["id"]] = seen = Seen(sheet["seq"], sheet["stage"], sheet.get("digest"), found)
        elif sheet["seq"] >= seen.seq:
            seen.seq, seen.stage, seen.digest = sheet["seq"], sheet["stage"], sheet.get("digest")
        parts = sheet["case"].get("assignments", ())
        seen.lead = next(
            (each["department"] for each in parts if each.get("lead") and not each.get("returned_at")), None
        )

    def under_way(self) -> list[str]:
        """The cases on which there is still something to do."""
        return [stream for stream, seen in self.cases.items() if seen.stage not in _DONE]


_DONE = ("appraised", "archived", "withdrawn", "declined")
_ANYBODY = ("worker", "checker", "community", "dispatcher", "handler", "supervisor")
Step = tuple[str, Json]


def _pictured(crowd: Crowd, who: str, *kinds: str) -> list[Json]:
    return [crowd.pictures[f"{who} {kind}"] for kind in kinds]


def _at_work(crowd: Crowd, dice: random.Random, mark: str) -> Step:
    """What departments do, each as often as it has to be done."""
    strike_off: Json = {"kind": "strike_off", "measures": f"路面已补好 {mark}", "workload": WORKLOAD}
    pictured = strike_off | {"evidence": _pictured(crowd, "handler", "after")}
    steps: list[Step] = [
        ("handler", {"kind": "report_progress", "text": f"正在施工 {mark}", "contacted": True}),
        ("handler", {"kind": "add_helper", "department": crowd.manners.helper, "reason": f"需要清运 {mark}"}),
        ("handler", pictured),
        ("handler", pictured),
        ("helper", strike_off),
        ("helper", strike_off),
    ]
    return dice.choice(steps)


def _next_step(crowd: Crowd, seen: Seen, dice: random.Random, mark: str) -> Step:
    """Who does what where the case stands."""
    names, lead = crowd.manners, seen.lead or crowd.manners.lead
    if lead in names.systems and seen.stage in ("dispatched", "handling"):
        return _ask(dice, mark)
    if seen.stage == "registered" and seen.category == names.everyday and dice.random() < 0.3:
        found = _pictured(crowd, "worker", "before", "after")
        return "worker", {"kind": "handle_on_spot", "measures": f"已清理 {mark}", "evidence": found}
    passed = seen.rework >= 1 or dice.random() < 0.85
    steps: dict[str, Callable[[], Step]] = {
        "registered": lambda: (
            "community",
            {"kind": "whistle", "reason": "reflected", "departments": [names.lead], "approver": "approver"},
        ),
        "whistled": lambda: (
            "dispatcher",
            {"kind": "dispatch", "lead": dice.choice([names.lead, *names.systems]), "instruction": f"请先查看 {mark}"},
        ),
        "dispatched": lambda: ("handler", {"kind": "accept"}),
        "handling": lambda: _at_work(crowd, dice, mark),
        "struck_off": lambda: (
            "checker",
            {"kind": "verify", "passed": passed, "evidence": _pictured(crowd, "checker", "after")}
            | ({} if passed else {"note": f"仍有坑 {mark}"}),
        ),
        "verified": lambda: (dice.choice(["captain", "head"]), {"kind": "sign", "digest": seen.digest or "a" * 64}),
        "signed": lambda: (
            "worker",
            {"kind": "feed_back", "to": dice.choice(["department", "resident"]), "text": f"结果已核实 {mark}"},
        ),
        "fed_back": lambda: (
            "worker",
            {"kind": "visit", "answered": True, "satisfaction": "satisfied", "solved": True, "word": f"好了 {mark}"},
        ),
        "on_the_spot": lambda: (
            "worker",
            {"kind": "visit", "answered": True, "satisfaction": "very_satisfied", "solved": True},
        ),
        "settled": lambda: ("community", {"kind": "appraise", "department": lead, "scores": SCORES}),
    }
    return steps.get(seen.stage, lambda: _ask(dice, mark))()


def _ask(dice: random.Random, mark: str) -> Step:
    return dice.choice(_ANYBODY), {"kind": "comment", "text": f"已联系居民 {mark}"}


_WRONG: tuple[Callable[[str], Step], ...] = (
    lambda mark: (
        "handler",
        {"kind": "whistle", "reason": "reflected", "departments": ["D01"], "approver": "approver"},
    ),
    lambda mark: ("captain", {"kind": "sign", "digest": "b" * 64}),
    lambda mark: ("community", {"kind": "appraise", "department": "D77", "scores": SCORES}),
    lambda mark: ("handler", {"kind": "strike_off", "measures": f"没有照片 {mark}", "workload": WORKLOAD}),
    lambda mark: ("community", {"kind": "comment", "text": f"太多 {mark}", "loudness": 11}),
    lambda mark: ("dispatcher", {"kind": "dispatch", "lead": "D78", "instruction": f"没有此单位 {mark}"}),
    lambda mark: ("checker", {"kind": "visit", "answered": "perhaps", "word": mark}),
)


async def send_picture(town: Town, person: str, kind: str) -> Json:
    """A small photograph of this person, as evidence."""
    picture = await asyncio.to_thread(_picture, sum(person.encode()) % 200)
    async with town.client() as client:
        answer = await client.post(
            "/api/v1/files",
            headers={"authorization": f"Bearer {town.tokens[person]}"},
            data={"kind": kind},
            files={"photos": ("picture.png", picture, "image/png")},
            timeout=30,
        )
    assert answer.status_code == 201, answer.text
    evidence: Json = answer.json()["evidence"][0]
    return evidence


def _picture(shade: int) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (64, 64), (shade, 90, 120)).save(kept, "PNG")
    return kept.getvalue()


class Client:
    """One client: does one thing after another until told to stop, then answers for what is still open."""

    def __init__(self, number: int, crowd: Crowd, dice: random.Random) -> None:
        self.number, self._crowd, self._dice = number, crowd, dice
        self._sent: deque[Act] = deque(maxlen=12)
        self._http = crowd.town.client()

    async def run(self, stop: asyncio.Event, give_up: asyncio.Event) -> None:
        """Act until ``stop``; what has no answer then is asked for until ``give_up``."""
        async with self._http:
            while not stop.is_set():
                await self._persist(self._think(), give_up)
                await asyncio.sleep(self._dice.uniform(*self._crowd.manners.pause))

    # --- what to do -----------------------------------------------------------------------------------------------

    def _think(self) -> Act:
        crowd, dice = self._crowd, self._dice
        waiting = crowd.under_way()
        # Without the letters by which accounts of QQ and WeChat are told: a mark that is masked would seem lost.
        mark = "".join(dice.choices("bcdfghjklmnprst", k=14))
        if not waiting or (len(waiting) < _AT_ONCE and dice.random() < 0.3):
            return self._registration(mark)
        roll = dice.random()
        if roll < 0.08 and self._sent:
            return dice.choice(self._sent)
        if roll < 0.11 and self._sent:
            # The key of one act for another: a mistake programs make.
            used = dice.choice(self._sent)
            if used.stream is not None:
                return Act(used.key, used.who, used.stream, {"kind": "comment", "text": f"另一件 {mark}"}, mark)
        # Mostly the cases that many others have in hand too, now and then one that has come to its end.
        stream = dice.choice(waiting) if roll < 0.95 else dice.choice(list(crowd.cases))
        seen = crowd.cases[stream]
        if roll < 0.2:
            who, body = dice.choice(_WRONG)(mark)
        elif roll < 0.35:
            who, body = _ask(dice, mark)
        else:
            who, body = _next_step(crowd, seen, dice, mark)
        return Act(str(uuid.UUID(int=dice.getrandbits(128), version=4)), who, stream, body, _marked(body, mark))

    def _registration(self, mark: str) -> Act:
        names = self._crowd.manners
        category = self._dice.choice([names.ordinary, names.ordinary, names.everyday])
        body: Json = {"title": "路面破损", "text": f"门口路面有坑 {mark}", "grid": names.grid, "category": category}
        if self._dice.random() < 0.3:
            body["reporter"] = {"name": "柳春分", "phone": "13900001234"}
        return Act(str(uuid.UUID(int=self._dice.getrandbits(128), version=4)), "worker", None, body, mark)

    # --- doing it -------------------------------------------------------------------------------------------------

    async def _persist(self, act: Act, give_up: asyncio.Event) -> None:
        """Send the same again until there is an answer; seldom, give up and never know."""
        self._sent.append(act)
        while True:
            if await self._attempt(act) or give_up.is_set():
                return
            if self._dice.random() < _GIVES_UP:
                return
            await asyncio.sleep(self._dice.uniform(*self._crowd.manners.retry))

    async def _attempt(self, act: Act) -> bool:
        """Send once; whether there was an answer that says what became of it."""
        crowd = self._crowd
        number = crowd.diary.invoke(
            client=self.number,
            key=act.key,
            who=act.who,
            stream=act.stream,
            do=act.body.get("kind", "register"),
            content=act.content,
            mark=act.mark,
        )
        path = "/api/v1/cases" if act.stream is None else f"/api/v1/cases/{act.stream}/commands"
        headers = {"authorization": f"Bearer {crowd.town.tokens[act.who]}", "idempotency-key": act.key}
        if act.body.get("kind") == "sign" and act.who in crowd.manners.passwords:
            headers["bihuan-confirmation"] = b64encode(crowd.manners.passwords[act.who].encode()).decode()
        try:
            answer = await self._http.post(
                path, json=act.body, headers=headers, timeout=self._dice.choice(crowd.manners.patience)
            )
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            crowd.diary.note("info", n=number, why=type(error).__name__)
            return False
        if answer.status_code in (200, 201):
            self._learn(act, told)
            facts = [[fact["seq"], fact["id"], fact["hash"]] for fact in told["events"]]
            stream = told["events"][0]["stream"]
            crowd.answered += 1
            crowd.diary.note("ok", n=number, status=answer.status_code, stream=stream, facts=facts)
            return True
        code = told.get("code", "")
        if 400 <= answer.status_code < 500 and code:
            crowd.diary.note("fail", n=number, status=answer.status_code, code=code)
            await self._look_again(act)
            return True
        crowd.diary.note("info", n=number, status=answer.status_code, why=code or "late")
        return False

    def _learn(self, act: Act, told: Json) -> None:
        self._crowd.take(told["case"], act.body.get("category"))
        if act.body.get("kind") == "verify" and act.body["passed"] is False:
            self._crowd.cases[told["case"]["id"]].rework += 1

    async def _look_again(self, act: Act) -> None:
        """Whoever was refused looks at how things stand."""
        if act.stream is None:
            return
        try:
            headers = {"authorization": f"Bearer {self._crowd.town.tokens['supervisor']}"}
            answer = await self._http.get(f"/api/v1/cases/{act.stream}", headers=headers, timeout=4)
            if answer.status_code == 200:
                self._crowd.take(answer.json())
        except (httpx.HTTPError, ValueError):
            # Not now, then: the next answer will tell.
            return


def _marked(body: Json, mark: str) -> str:
    """The mark, where the content bears it: only then may the log be searched for it."""
    return mark if mark in json.dumps(body, ensure_ascii=False) else ""
