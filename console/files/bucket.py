"""Files in an S3-compatible bucket; needs the extra ``s3``.

Owns the few calls of that interface, made in threads. Imported only where a bucket is configured.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import boto3  # type: ignore[import-untyped]
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

from console.files.store import checked
from domain.errors import Refused
from runtime.settings import Settings

T = TypeVar("T")

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_WAIT = 10


class BucketStore:
    """A ``FileStore`` in the bucket ``name``, each file under ``prefix`` and its digest."""

    def __init__(self, client: Any, name: str, prefix: str) -> None:
        self._client, self._name, self._prefix = client, name, prefix

    @classmethod
    def of(cls, settings: Settings) -> "BucketStore":
        """The bucket of the settings; without keys in them those that boto3 finds in its own places are used."""
        key, secret = settings.file_s3_key, settings.file_s3_secret
        client = boto3.client(
            "s3",
            endpoint_url=settings.file_s3_endpoint,
            region_name=settings.file_s3_region,
            aws_access_key_id=key.get_secret_value() if key else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(
                connect_timeout=_WAIT,
                read_timeout=_WAIT,
                retries={"total_max_attempts": 3, "mode": "standard"},
                s3={"addressing_style": "path" if settings.file_s3_endpoint else "auto"},
                # Other makers' servers do not all know the newer checksums; ours is the name itself.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        return cls(client, str(settings.file_s3_bucket), settings.file_s3_prefix)

    async def put(self, digest: str, content: bytes) -> None:
        """See ``FileStore``."""
        checked(digest, content)
        await self._call(lambda at: self._client.put_object(**at, Body=content, ContentType="image/jpeg"), digest)

    async def get(self, digest: str) -> bytes:
        """See ``FileStore``."""

        def read(at: dict[str, str]) -> bytes:
            content: bytes = self._client.get_object(**at)["Body"].read()
            return content

        return checked(digest, await self._call(read, digest))

    async def exists(self, digest: str) -> bool:
        """See ``FileStore``."""
        try:
            await self._call(lambda at: self._client.head_object(**at), digest)
        except Refused as refused:
            if refused.code != "file.missing":
                raise
            return False
        return True

    async def delete(self, digest: str) -> None:
        """See ``FileStore``."""
        await self._call(lambda at: self._client.delete_object(**at), digest)

    async def _call(self, what: Callable[[dict[str, str]], T], digest: str) -> T:
        at = {"Bucket": self._name, "Key": f"{self._prefix}{digest[:2]}/{digest[2:]}"}
        try:
            return await asyncio.to_thread(what, at)
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _MISSING:
                raise Refused("file.missing", digest=digest[:12]) from None
            raise Refused("file.store_away", reason=code or "S3") from error
        except BotoCoreError as error:
            raise Refused("file.store_away", reason=type(error).__name__) from error
