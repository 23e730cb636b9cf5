"""Photographs and documents, to those who may see what they belong to."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from console.http.acting import row_of
from console.http.caller import Caller, may
from domain.errors import Refused
from domain.rights import Permission
from ledger.files import FileRow, file_of_stream, file_of_uploader

router = APIRouter()

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]

_HEADERS = {
    # A picture is looked at, not a page: whatever it might contain, nothing of it runs and nothing is fetched.
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Kept by the reader's browser alone, and asked for again each time: rights end.
    "Cache-Control": "private, no-cache",
}


@router.get("/files/uploaded/{digest}")
async def own(
    request: Request, caller: Annotated[Caller, may(Permission.FILE_UPLOAD)], digest: Digest, thumb: bool = False
) -> Response:
    """A file the caller has uploaded, whether or not an act refers to it yet."""
    async with caller.office.pool.acquire() as conn:
        row = await file_of_uploader(conn, caller.person, digest)
    return await _answer(request, caller, row, thumb=thumb)


@router.get("/files/{stream}/{digest}")
async def of_stream(
    request: Request,
    caller: Annotated[Caller, may(Permission.CASE_READ)],
    stream: Annotated[str, Path(max_length=64)],
    digest: Digest,
    thumb: bool = False,
) -> Response:
    """A file of a case the caller may read."""
    async with caller.office.pool.acquire() as conn:
        caller.authorize(Permission.CASE_READ, await row_of(conn, stream))
        row = await file_of_stream(conn, stream, digest)
    return await _answer(request, caller, row, thumb=thumb)


async def _answer(request: Request, caller: Caller, row: FileRow | None, *, thumb: bool) -> Response:
    """The content under its digest. Raises ``Refused``: ``file.unknown``, what the store says."""
    if row is None:
        raise Refused("file.unknown")
    digest = row.thumb if thumb else row.digest
    headers = {**_HEADERS, "ETag": f'"{digest}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    content = await caller.office.files.store.get(digest)
    headers["Content-Disposition"] = f'inline; filename="{digest[:16]}.jpg"'
    return Response(content, media_type=row.media_type, headers=headers)
