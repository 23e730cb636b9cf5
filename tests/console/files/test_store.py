"""Content under its digest, in a folder and in a bucket."""

import hashlib
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from console.files.bucket import BucketStore
from console.files.keeping import Files
from console.files.store import FileStore, FolderStore
from domain.errors import Refused
from runtime.settings import Settings

CONTENT = b"a picture"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
BUCKET = "pictures"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def settings(s3: str, tmp_path: Path) -> Settings:
    return Settings.load(
        data=tmp_path,
        file_s3_bucket=BUCKET,
        file_s3_endpoint=s3,
        file_s3_region="us-east-1",
        file_s3_key="key",
        file_s3_secret="secret",
        file_s3_prefix="bihuan/",
    )


@pytest.fixture(params=["folder", "bucket"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FileStore]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "files")
        return
    settings: Settings = request.getfixturevalue("settings")
    client = boto3.client(
        "s3",
        endpoint_url=settings.file_s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=BUCKET)
    yield Files.of(settings).store
    for each in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=each["Key"])
    client.delete_bucket(Bucket=BUCKET)


async def test_what_is_put_is_there_until_it_is_deleted(store: FileStore) -> None:
    assert not await store.exists(DIGEST)

    await store.put(DIGEST, CONTENT)
    await store.put(DIGEST, CONTENT)

    assert await store.exists(DIGEST)
    assert await store.get(DIGEST) == CONTENT

    await store.delete(DIGEST)
    await store.delete(DIGEST)

    assert not await store.exists(DIGEST)
    with pytest.raises(Refused) as refused:
        await store.get(DIGEST)
    assert refused.value.code == "file.missing"


async def test_content_under_a_digest_that_is_not_its_own_is_not_kept(store: FileStore) -> None:
    with pytest.raises(Refused) as refused:
        await store.put(DIGEST, b"something else")

    assert refused.value.code == "file.spoilt"
    assert not await store.exists(DIGEST)


async def test_a_bucket_gives_nothing_that_was_changed_in_it(settings: Settings, s3: str) -> None:
    client = boto3.client(
        "s3", endpoint_url=s3, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key=f"bihuan/{DIGEST[:2]}/{DIGEST[2:]}", Body=b"forged")

    with pytest.raises(Refused) as refused:
        await BucketStore.of(settings).get(DIGEST)

    assert refused.value.code == "file.spoilt"


async def test_a_bucket_that_is_away_is_told_as_such(tmp_path: Path) -> None:
    away = Settings.load(
        data=tmp_path,
        file_s3_bucket=BUCKET,
        file_s3_endpoint="http://127.0.0.1:9",
        file_s3_region="us-east-1",
        file_s3_key="key",
        file_s3_secret="secret",
    )

    with pytest.raises(Refused) as refused:
        await BucketStore.of(away).put(DIGEST, CONTENT)

    assert refused.value.code == "file.store_away"


@pytest.mark.parametrize("content", [b"forged", CONTENT[:3], b""])
async def test_a_folder_gives_nothing_that_was_changed_or_cut_short(tmp_path: Path, content: bytes) -> None:
    store = FolderStore(tmp_path / "files")
    await store.put(DIGEST, CONTENT)
    store.path_of(DIGEST).write_bytes(content)

    with pytest.raises(Refused) as refused:
        await store.get(DIGEST)
    assert refused.value.code == "file.spoilt"

    await store.put(DIGEST, CONTENT)
    assert await store.get(DIGEST) == CONTENT


async def test_files_in_a_folder_are_for_the_console_alone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "files")
    await store.put(DIGEST, CONTENT)

    path = store.path_of(DIGEST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


async def test_a_folder_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file where the folder should be")

    with pytest.raises(Refused) as refused:
        await FolderStore(tmp_path / "files").put(DIGEST, CONTENT)

    assert refused.value.code == "file.store_away"
