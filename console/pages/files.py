"""Photographs and documents, to those who may see what they belong to."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from console.http.acting import row_of
from console.http.caller import Caller, may
from console.http.files import content_of
from domain.rights import Permission
from ledger.files import file_of_stream, file_of_uploader

router = APIRouter()

Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]


@router.get("/files/uploaded/{digest}")
async def own(
    request: Request, caller: Annotated[Caller, may(Permission.FILE_UPLOAD)], digest: Digest, thumb: bool = False
) -> Response:
    """A file the caller has uploaded, whether or not an act refers to it yet."""
    async with caller.office.pool.acquire() as conn:
        row = await file_of_uploader(conn, caller.person, digest)
    return await content_of(request, caller, row, thumb=thumb)


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
    return await content_of(request, caller, row, thumb=thumb)
