"""Clerks who do not give up: each act is sent under one id until it is answered, whatever happens meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg

from console.desk import Desk, Pending, new_stream, opening_command_id
from domain.process import Answer
from runtime import pool
from tests.neighbourhood import ACTORS
from tests.workflows.office import PLAIN_LOOP, REGISTRATION, Office

T = TypeVar("T")
AWAY: tuple[type[Exception], ...] = (*pool.AWAY, asyncpg.PostgresError)


class Clerks:
    """The people of the neighbourhood under load; they remember what they sent and what they were told."""

    def __init__(self, office: Office, desk: Desk) -> None:
        self.office, self.desk = office, desk
        self.sent: dict[str, str] = {}
        self.answers: dict[str, Answer] = {}
        self.late = 0

    async def walk(self, *, comments: int = 0) -> str:
        """Take one request through the whole plain loop."""
        stream = new_stream("case")
        command_id = opening_command_id(stream)
        await self._persist(
            command_id, stream, lambda: self.desk.open(stream, ACTORS["worker"], REGISTRATION, command_id=command_id)
        )
        for number in range(comments):
            await self.act(stream, "checker", "comment", {"text": f"第{number}次提醒"})
        for who, kind, fields in PLAIN_LOOP:
            await self.act(stream, who, kind, fields)
        return stream

    async def act(self, stream: str, who: str, kind: str, fields: dict[str, Any]) -> Answer:
        """Send one command until it is answered."""
        command_id = str(uuid4())
        command = await self._read(lambda: self.office.command(stream, kind, fields))
        return await self._persist(
            command_id, stream, lambda: self.desk.submit(stream, ACTORS[who], command, command_id=command_id)
        )

    async def _persist(self, command_id: str, stream: str, send: Callable[[], Awaitable[Answer]]) -> Answer:
        self.sent[command_id] = stream
        while True:
            try:
                answer = await send()
            except Pending:
                self.late += 1
                continue
            self.answers[command_id] = answer
            return answer

    async def _read(self, read: Callable[[], Awaitable[T]]) -> T:
        """Look at the screen until it shows something."""
        while True:
            try:
                return await read()
            except AWAY:
                await asyncio.sleep(0.3)

    async def unanswered(self) -> set[str]:
        """The commands that are in the ledger and whose senders do not know it yet."""
        async with self.office.owner.acquire() as conn:
            recorded = {str(row["id"]) for row in await conn.fetch("select id from command")}
        return recorded & (self.sent.keys() - self.answers.keys())

    async def check_nothing_lost_or_doubled(self, streams: list[str], acts: int) -> None:
        """Every act that was sent was answered, is in the ledger once, and is what its sender was told."""
        assert self.sent.keys() == self.answers.keys()
        async with self.office.owner.acquire() as conn:
            rows = await conn.fetch("select id, stream, seq_from, seq_to from command")
            events = await conn.fetch("select command_id from event")
        commands = {str(row["id"]): row for row in rows}
        kinds = Counter(str(row["command_id"]) for row in events)
        for command_id, answer in self.answers.items():
            row = commands[command_id]
            assert row["stream"] == self.sent[command_id] == answer.stream
            assert (row["seq_from"], row["seq_to"]) == (answer.seq_from, answer.seq_to)
            assert kinds[command_id] == len(answer.kinds) == answer.seq_to - answer.seq_from + 1
        by_people = Counter(row["stream"] for command_id, row in commands.items() if command_id in self.sent)
        assert by_people == dict.fromkeys(streams, acts)
        for stream in streams:
            assert (await self.office.state(stream)).stage == "appraised"
        await self.office.check()
