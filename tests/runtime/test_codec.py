"""What Temporal keeps is encrypted, failures included, and can be read again with every key that was in use."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.errors import Refused
from runtime.codec import ENCODING, EncryptingCodec, PayloadKeys, Sealer, key_id
from runtime.compression import decompress
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal
from tests.keys import KEYS, RAW

OLD, NEW = b"o" * 32, b"n" * 32
NAME, PHONE = "欧阳若望", "13900007788"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=f'{{"phone":"{PHONE}"}}'.encode())


def codec(*keys: bytes) -> EncryptingCodec:
    return EncryptingCodec(PayloadKeys(lambda: keys))


async def test_a_payload_is_unreadable_and_can_be_read_again() -> None:
    (encrypted,) = await codec(NEW).encode([PLAIN])

    stored = encrypted.SerializeToString()
    assert PHONE.encode() not in stored
    assert b"json/plain" not in stored
    assert encrypted.metadata["encoding"] == ENCODING
    assert encrypted.metadata["key"] == key_id(NEW).encode()
    assert await codec(NEW).decode([encrypted]) == [PLAIN]


async def test_the_same_payload_is_never_encrypted_to_the_same() -> None:
    one, other = await codec(NEW).encode([PLAIN, PLAIN])

    assert one.data != other.data


async def test_after_a_rotation_what_was_written_before_can_be_read() -> None:
    (before,) = await codec(OLD).encode([PLAIN])
    (after,) = await codec(NEW, OLD).encode([PLAIN])

    assert await codec(NEW, OLD).decode([before, after]) == [PLAIN, PLAIN]
    assert before.metadata["key"] != after.metadata["key"]


async def test_a_payload_from_before_there_was_a_codec_is_handed_on_as_it_is() -> None:
    assert await codec(NEW).decode([PLAIN]) == [PLAIN]


async def test_without_its_key_a_payload_is_refused() -> None:
    (encrypted,) = await codec(OLD).encode([PLAIN])

    with pytest.raises(Refused) as refused:
        await codec(NEW).decode([encrypted])

    assert refused.value.code == "payload.wrong_key"


LARGE = Payload(metadata={"encoding": b"json/plain"}, data=f'{{"phones":{[PHONE] * 200}}}'.encode())


def test_what_a_worker_stores_is_small_and_as_unreadable_as_the_rest() -> None:
    compressing = Sealer(PayloadKeys(lambda: (NEW,)), compresses=True)

    compressed, plain = compressing.seal(LARGE), compressing.seal(PLAIN)

    assert compressed.ByteSize() < LARGE.ByteSize() // 4
    assert PHONE.encode() not in compressed.SerializeToString()
    assert "compressed" not in plain.metadata  # not worth it
    assert compressing.unseal(compressed) == LARGE


async def test_a_door_compresses_nothing_and_reads_what_is_compressed() -> None:
    compressed = Sealer(PayloadKeys(lambda: (NEW,)), compresses=True).seal(LARGE)

    (not_compressed,) = await codec(NEW).encode([LARGE])

    assert not_compressed.ByteSize() > LARGE.ByteSize()
    assert await codec(NEW).decode([compressed, not_compressed]) == [LARGE, LARGE]


async def test_a_payload_compressed_by_a_newer_release_is_refused() -> None:
    name, nonce = key_id(NEW).encode(), b"n" * 12
    data = nonce + AESGCM(NEW).encrypt(nonce, b"whatever it does", name + b"later")
    compressed = Payload(metadata={"encoding": ENCODING, "key": name, "compressed": b"later"}, data=data)

    with pytest.raises(Refused) as refused:
        await codec(NEW).decode([compressed])

    assert refused.value.code == "payload.unknown_compression"


@pytest.mark.parametrize("how", [b"", b"2"])
async def test_how_a_payload_was_compressed_cannot_be_changed(how: bytes) -> None:
    compressed = Sealer(PayloadKeys(lambda: (NEW,)), compresses=True).seal(LARGE)
    compressed.metadata["compressed"] = how

    with pytest.raises(Refused) as refused:
        await codec(NEW).decode([compressed])

    assert refused.value.code == "payload.wrong_key"


def test_what_was_compressed_once_is_read_for_ever() -> None:
    # Packed by the first dictionary when it was new. It must never change: histories live for years.
    compressed = bytes.fromhex("8337bed03a39a09c85b3e959019626d20900")

    text = b'{"kind":"resident_asked"},{"kind":"signed","digest":"x"},{"events":[{"at":"2026-","by":{"person":"'
    assert decompress(compressed, b"1") == text


@pytest.mark.parametrize("at", [0, 12, -1])
async def test_a_changed_payload_is_refused(at: int) -> None:
    (encrypted,) = await codec(NEW).encode([PLAIN])
    data = bytearray(encrypted.data)
    data[at] ^= 1

    with pytest.raises(Refused) as refused:
        await codec(NEW).decode([Payload(metadata=encrypted.metadata, data=bytes(data))])

    assert refused.value.code == "payload.wrong_key"


async def test_a_process_that_runs_learns_of_a_new_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.codec._LOOK_AGAIN", -1.0)
    held: list[Sequence[bytes]] = [(OLD,)]
    running = EncryptingCodec(PayloadKeys(lambda: held[0]))
    (before,) = await running.encode([PLAIN])
    (elsewhere,) = await codec(NEW, OLD).encode([PLAIN])

    held[0] = (NEW, OLD)

    assert await running.decode([elsewhere, before]) == [PLAIN, PLAIN]
    (after,) = await running.encode([PLAIN])
    assert after.metadata["key"] == key_id(NEW).encode()


@activity.defn
async def fail(name: str) -> None:
    raise ApplicationError(f"nobody is called {name}", PHONE, type="NameError", non_retryable=True)


@workflow.defn(sandboxed=False)
class Failing:
    @workflow.run
    async def run(self, name: str) -> str:
        await workflow.execute_activity(
            fail,
            name,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary=f"asking for {name}",
        )
        return name


async def test_the_file_of_the_store_holds_nothing_that_was_said(tmp_path: Path) -> None:
    async with EmbeddedTemporal(tmp_path / "temporal", ui=False) as server:
        client = await connect(server.address, keys=KEYS)
        async with Worker(client, task_queue="canary", workflows=[Failing], activities=[fail]):
            with pytest.raises(WorkflowFailureError) as failed:
                await client.execute_workflow(
                    Failing.run,
                    NAME,
                    id="canary-of-the-store",
                    task_queue="canary",
                    memo={"phone": PHONE},
                    static_summary=NAME,
                )
        # Whoever has the key reads everything, the words of the failure too.
        assert NAME in str(failed.value.cause.__cause__)
        handle = client.get_workflow_handle("canary-of-the-store")
        assert await (await handle.describe()).memo() == {"phone": PHONE}
    stored = b"".join(path.read_bytes() for path in (tmp_path / "temporal").rglob("*") if path.is_file())
    # So that the search below cannot miss what is there.
    assert b"canary-of-the-store" in stored
    for canary in (NAME, PHONE, "nobody is called"):
        assert canary.encode() not in stored, canary


def test_the_keys_of_the_tests_are_those_the_histories_were_recorded_with() -> None:
    assert KEYS.current == key_id(RAW) == "d0a3243d8c50f3e9"


def test_keys_do_not_show_themselves() -> None:
    assert "nnnn" not in repr(PayloadKeys(lambda: (NEW,)))
