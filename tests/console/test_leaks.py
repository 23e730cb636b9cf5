"""One office from a first word to the erasure: what a resident told is searched for in every byte it leaves."""

import asyncio
import io
import json
import os
import re
import signal
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
import yaml
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import Image

from ledger.keys import MasterKey, bound
from ledger.vault import EntryErased, Vault
from tests.console.http.signing import PASSWORD, hidden
from tests.console.http.two_streets import CANARIES
from tests.console.test_cli import Running
from tests.console.test_lost_engine import up
from tests.neighbourhood import EVERYDAY, GRID, REGISTRY
from tests.waiting import eventually

_TOLD = f"{CANARIES['wording']}，我叫{CANARIES['name']}，电话{CANARIES['phone']}，住{CANARIES['address']}"
_PLAIN = "楼道堆物甲乙丙丁戊"
"""What may be read everywhere: a search that does not find it would find nothing else either."""
_SIGNS = (CANARIES["name"], CANARIES["phone"], "3单元902室")
"""What the redaction masks; of the address the part that leads to a door."""


def _written(sign: str) -> Iterator[bytes]:
    """The ways in which a text may lie in a file."""
    yield sign.encode()
    yield sign.encode("utf-16-le")
    yield sign.encode("utf-16-be")
    yield json.dumps(sign)[1:-1].encode()
    yield sign.encode().hex().encode()


def _found(content: bytes) -> list[str]:
    return [sign for sign in _SIGNS if any(form in content for form in _written(sign))]


def _unpacked(content: bytes) -> bytes:
    """Everything that is in an archive or a workbook, and the bytes themselves."""
    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return content + b"".join(_unpacked(archive.read(name)) for name in archive.namelist())


def _picture() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 90, 120)).save(kept, "PNG")
    return kept.getvalue()


class _Doors:
    """The doors of the running console, through which somebody acts; everything they answer is remembered."""

    def __init__(self, office: Running) -> None:
        self._office = office
        self.client = httpx.AsyncClient(base_url=str(office.ready["url"]), timeout=60)
        self.answers: list[tuple[str, bytes]] = []

    async def send(self, method: str, path: str, *, key: str | None = None, **kwargs: Any) -> httpx.Response:
        """One request as a program sends it."""
        headers = {**kwargs.pop("headers", {}), "idempotency-key": key or str(uuid.uuid4())}
        answer = await self.client.request(method, path, headers=headers, **kwargs)
        self._remember(answer)
        return answer

    async def answer(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """The answer to one act; one that is late comes by the same number."""
        key = str(uuid.uuid4())

        async def answered() -> httpx.Response | None:
            answer = await self.send("POST", path, key=key, json=body)
            return None if answer.status_code == 202 else answer

        found = await eventually(answered, f"{path} is answered", within=60)
        assert found is not None, "awaited"
        return found

    async def act(self, stream: str, **command: Any) -> None:
        """One act of the grid worker."""
        answer = await self.answer(f"/api/v1/cases/{stream}/commands", command)
        assert answer.status_code == 200, answer.text

    async def evidence(self, kind: str) -> Any:
        """A photograph, sent as evidence."""
        sent = await self.send(
            "POST", "/api/v1/files", data={"kind": kind}, files={"photos": ("照片.png", _picture(), "image/png")}
        )
        assert sent.status_code == 201, sent.text
        return sent.json()["evidence"][0]

    async def sign_in(self, login: str, password: str) -> None:
        """By the form, with a password for once, and then with one of their own."""
        for page, action, fields in (
            ("/sign-in", "/sign-in", {"login": login, "password": password}),
            (
                "/account/password",
                "/account/password",
                {"old_password": password, "new_password": PASSWORD, "again": PASSWORD},
            ),
        ):
            shown = await self.client.get(page)
            answer = await self.client.post(action, data={**hidden(shown.text, action), **fields})
            assert answer.status_code == 303, answer.text

    async def look(self, path: str) -> bytes:
        """What a page or a download holds."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        self._remember(answer)
        return answer.content

    async def board(self) -> bytes:
        """The board as it is pushed to the wall: until it has been told once."""
        heard = b""
        async with self.client.stream("GET", "/board/events") as answer:
            async for piece in answer.aiter_bytes():
                heard += piece
                if b"event: board" in heard and heard.endswith(b"\n\n"):
                    break
        self.answers.append(("/board/events", heard))
        return heard

    def _remember(self, answer: httpx.Response) -> None:
        said = "".join(f"{name}: {value}\n" for name, value in answer.headers.items()).encode()
        self.answers.append((str(answer.url), str(answer.url).encode() + said + answer.content))


def _enter(office: Running, person: str, *permissions: str) -> tuple[str, dict[str, str]]:
    """An account: its password for once, and the heading of a token."""
    password = office.json("user", "add", person)["password"]
    given = [word for each in permissions for word in ("--permission", each)]
    token = office.json("user", "token", person, "--name", "test", *given)["token"] if given else ""
    return password, {"authorization": f"Bearer {token}"}


async def _register(doors: _Doors) -> str:
    """A request in which the resident tells everything; its stream."""
    body = {
        "title": f"{_PLAIN}，我叫{CANARIES['name']}",
        "text": f"{_PLAIN}。{_TOLD}",
        "grid": GRID,
        "category": EVERYDAY,
        "reporter": {name: CANARIES[name] for name in ("name", "phone", "address")},
    }
    answer = await doors.answer("/api/v1/cases", body)
    assert answer.status_code in (200, 201), answer.text
    return answer.headers["location"].rpartition("/")[2]


async def _live(office: Running, doors: _Doors) -> tuple[str, str]:
    """A resident tells everything in every field there is: in a request that is settled, and in one taken back."""
    settled, withdrawn = await _register(doors), await _register(doors)
    evidence = [await doors.evidence(kind) for kind in ("before", "after")]
    await doors.act(settled, kind="handle_on_spot", measures=f"已清理。{_TOLD}", evidence=evidence)
    await doors.act(
        settled, kind="visit", answered=True, satisfaction="very_satisfied", solved=True, word=f"谢谢，{_TOLD}"
    )
    await _fail(office, doors, withdrawn)
    await doors.act(withdrawn, kind="attach", evidence=await doors.evidence("document"))
    await doors.act(withdrawn, kind="comment", text=_TOLD)
    await doors.act(withdrawn, kind="withdraw", reason=_TOLD)
    return settled, withdrawn


async def _fail(office: Running, doors: _Doors, stream: str) -> None:
    """The database refuses what console and worker write, with the words in their hands; then both are ended badly."""
    owner = await asyncpg.connect(office.ready["postgres"])
    try:
        for table in ("event", "vault_entry"):
            await owner.execute(f"alter table {table} add constraint planted check (false) not valid")
        refused = await doors.answer(f"/api/v1/cases/{stream}/commands", {"kind": "comment", "text": f"又及：{_TOLD}"})
        assert refused.json()["code"] == "command.failed"
        failed = await doors.answer(
            "/api/v1/cases",
            {"title": _TOLD[:40], "text": _TOLD, "grid": GRID, "reporter": {"phone": CANARIES["phone"]}},
        )
        assert failed.status_code == 500, failed.text
    finally:
        for table in ("event", "vault_entry"):
            await owner.execute(f"alter table {table} drop constraint if exists planted")
        await owner.close()


def _command_of(process: psutil.Process) -> list[str]:
    """The command of a process; nothing for one that has just ended, as connections of the database do."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


async def _crash(office: Running) -> None:
    """End worker and console as a fault in a library would."""
    children = psutil.Process(office.ready["pid"]).children(recursive=True)
    found = [child for child in children if {"worker", "console.http.serve"} & set(_command_of(child))]
    assert len(found) == 2, found
    for child in found:
        os.kill(child.pid, signal.SIGABRT)
    await asyncio.to_thread(psutil.wait_procs, found, 30)


def _told_by_commands(office: Running, stream: str, copy: Path) -> list[tuple[str, bytes]]:
    """What the command line shows and hands out."""
    words = [
        ("case", "show", stream),
        ("case", "history", stream),
        ("case", "list"),
        ("feed",),
        ("dossier", "create", stream, str(copy / "dossier.zip")),
        ("backup", "create", str(copy / "backup.zip"), "--keys", str(copy / "keys.json")),
    ]
    told = []
    for each in words:
        done = office.call(*each)
        assert done.returncode == 0, (each, done.stdout, done.stderr)
        told.append((" ".join(each[:2]), (done.stdout + done.stderr).encode()))
    return [*told, *((path.name, path.read_bytes()) for path in copy.iterdir())]


async def _open_without_key(conn: asyncpg.Connection, master: MasterKey, stream: str) -> int:
    """How many entries of an erased stream there still are, of which none opens with any key that is left."""
    keys = [
        master.unwrap(row["stream"], row["wrapped"])
        for row in await conn.fetch("select stream, wrapped from vault_key where stream <> $1", stream)
    ]
    assert await conn.fetchval("select count(*) from vault_key where stream = $1", stream) == 0
    entries = await conn.fetch("select name, nonce, ciphertext from vault_entry where stream = $1", stream)
    for entry in entries:
        for key in [*keys, master.content[:32]]:
            with pytest.raises(InvalidTag):
                AESGCM(key).decrypt(entry["nonce"], entry["ciphertext"], bound("entry", stream, entry["name"]))
    return len(entries)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not under pytest's own folder: a second session beside this one closes that to the user the servers run as."""
    with tempfile.TemporaryDirectory(prefix="bihuan-") as name:
        yield Path(name)


@pytest.mark.timeout(300)
async def test_what_a_resident_told_is_in_no_byte_an_office_leaves_and_is_gone_when_erased(folder: Path) -> None:
    data, copy = folder / "office", folder / "copy"
    copy.mkdir()
    sections = {name: [dict(row) for row in rows] for name, rows in REGISTRY.items()}
    sections["people"].append({"id": "keeper", "name": "keeper"})
    sections["assignments"].append({"person": "keeper", "role": "administrator", "organisation": "Q01"})
    registry = folder / "registry.yaml"
    registry.write_text(yaml.safe_dump(sections, allow_unicode=True), encoding="utf-8")

    with up(data) as office:
        office.json("registry", "load", str(registry))
        _, worker = _enter(office, "worker", "case.register", "case.act", "case.read", "file.upload")
        password, _ = _enter(office, "supervisor")
        doors = _Doors(office)
        async with doors.client:
            doors.client.headers.update(worker)
            settled, stream = await _live(office, doors)
            del doors.client.headers["authorization"]
            await doors.sign_in("supervisor", password)
            workbook = await doors.look("/search/export")
            assert _PLAIN.encode() in _unpacked(workbook)
            for path in ("/search", f"/cases/{stream}", "/board", "/stats"):
                await doors.look(path)
            assert b"event: board" in await doors.board()
        assert office.json("audit", "checkpoint")["checkpoints"]
        handed_out = await asyncio.to_thread(_told_by_commands, office, stream, copy)

        office.json("erase", stream, "--reason", "subject_request", "--words", "本人申请", "--as", "keeper",
                    "--confirm", stream)  # fmt: skip

        key = MasterKey.load(data / "master.key")
        conn = await asyncpg.connect(office.ready["postgres"])
        try:
            with pytest.raises(EntryErased):
                await Vault(key).read(conn, stream, "reporter_phone")
            assert await _open_without_key(conn, key, stream) == 4
            # Everything the server still holds in memory goes into its files, which are searched below.
            await conn.execute("checkpoint")
        finally:
            await conn.close()
        told = office.json("subject", "export", "--phone", CANARIES["phone"], "--words", "申请", "--as", "keeper",
                           "--out", str(copy / "subject.zip"))  # fmt: skip
        assert told["requests"] == [settled], "what was erased is not found any more"
        assert _found(_unpacked((copy / "subject.zip").read_bytes())) == list(_SIGNS), "what is kept is"
        judged = office.run("audit", "verify", "--anchor", str(data / "anchors.jsonl"), "--json")
        report = json.loads(judged.stdout)
        assert (judged.returncode, report["sound"], report["findings"]) == (0, True, 0), report
        assert report["checkpoints_in_file"] == report["checkpoints"] > 0
        await _crash(office)

    for where, content in [*doors.answers, *handed_out]:
        assert _found(_unpacked(content)) == [], where
    files = {path.relative_to(data): path.read_bytes() for path in data.rglob("*") if path.is_file()}
    for place, content in files.items():
        assert _found(_unpacked(content)) == [], place
    _the_search_looked_at_everything(files, stream)


def _the_search_looked_at_everything(files: dict[Path, bytes], stream: str) -> None:
    """What may be known stands where it was searched: in both stores with their journals, and in the logs."""

    def holds(pattern: str, text: str) -> bool:
        return any(text.encode() in content for path, content in files.items() if re.search(pattern, str(path)))

    assert holds(r"^temporal\.db", stream)
    assert holds(r"^postgres/cluster/base/", _PLAIN)
    assert holds(r"^postgres/cluster/pg_wal/", _PLAIN)
    assert holds(r"^anchors\.jsonl$", stream)
    assert holds(r"^logs/worker\.log$", "act_failed")
    assert holds(r"^logs/console\.log$", "request_failed")
    assert holds(r"^logs/postgres.*", "ERROR")
