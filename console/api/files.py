"""Photographs: sending them, listing those of a case, reading one."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Path, Query, UploadFile
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.api.common import Done, IdempotencyKey, Late, acted_on, case_within, problems
from console.files.keeping import keep_uploads
from console.http.caller import Caller, may
from console.http.files import content_of
from domain.case.vocabulary import Evidence, EvidenceKind
from domain.errors import Refused
from domain.rights import Permission
from ledger.files import BoundFile, file_of_stream, files_of_stream
from ledger.rows import CaseRow

router = APIRouter(tags=["files"])

_Photos = Annotated[list[UploadFile], File(min_length=1, max_length=30, description="JPEG, PNG or WebP")]
_Photo = Annotated[UploadFile, File(description="JPEG, PNG or WebP")]
_Kind = Annotated[EvidenceKind, Form(description="What it shows: the state before, the state after, a document")]
_Read = Annotated[Caller, may(Permission.CASE_READ)]
_Row = Annotated[CaseRow, case_within(Permission.CASE_READ)]


class Kept(BaseModel):
    """What was kept, as evidence for a command of yours within the day."""

    evidence: tuple[Evidence, ...]


class FileShown(BoundFile):
    """A photograph of a case."""

    url: str = Field(description="Where its content is read; with `?thumb=true` a small picture of it")


class FilesShown(BaseModel):
    """The photographs of a case in the order they were uploaded."""

    items: tuple[FileShown, ...]


@router.post(
    "/files",
    operation_id="upload_files",
    summary="Send photographs",
    status_code=201,
    response_model=Kept,
    responses=problems(413),
)
async def upload(
    caller: Annotated[Caller, may(Permission.FILE_UPLOAD)], photos: _Photos, kind: _Kind = EvidenceKind.AFTER
) -> Response:
    """Each is made anew without its metadata.

    Put the answer's `evidence` into the command that refers to it; what no act refers to is gone after a day.
    """
    kept = await keep_uploads(caller.office, caller, photos, kind)
    if not kept:
        raise Refused("field.missing", field="photos")
    return JSONResponse({"evidence": [each.model_dump(mode="json", exclude_none=True) for each in kept]}, 201)


@router.post(
    "/cases/{id}/files",
    operation_id="attach_file",
    summary="Put a photograph on the record of a case",
    response_model=Done,
    responses={202: {"model": Late, "description": "On its way; the answer is late"}, **problems(404, 409, 413)},
)
async def attach(
    caller: Annotated[Caller, may(Permission.FILE_UPLOAD)],
    row: Annotated[CaseRow, case_within(Permission.CASE_ACT)],
    key: IdempotencyKey,
    photo: _Photo,
    kind: _Kind = EvidenceKind.DOCUMENT,
) -> Response:
    """Keeps it as `upload_files` does, and sends the command `attach` with it."""
    kept = await keep_uploads(caller.office, caller, [photo], kind, field="photo")
    if not kept:
        raise Refused("field.missing", field="photo")
    evidence = kept[0].model_dump(mode="json", exclude_none=True)
    return await acted_on(caller, row.id, {"kind": "attach", "evidence": evidence}, key)


@router.get(
    "/cases/{id}/files",
    operation_id="case_files",
    summary="The photographs of a case",
    response_model=FilesShown,
    responses=problems(404),
)
async def case_files(caller: _Read, row: _Row) -> FilesShown:
    """All photographs that acts of this case refer to."""
    async with caller.office.pool.acquire() as conn:
        found = await files_of_stream(conn, row.id)
    return FilesShown(
        items=tuple(FileShown(**each.model_dump(), url=f"/api/v1/cases/{row.id}/files/{each.digest}") for each in found)
    )


_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}, "description": "The picture"},
    304: {"description": "You have it already (`If-None-Match`)"},
}


@router.get(
    "/cases/{id}/files/{digest}",
    operation_id="read_file",
    summary="One photograph",
    response_class=Response,
    responses={**_PICTURE, **problems(404)},
)
async def read(
    request: Request,
    caller: _Read,
    row: _Row,
    digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the content")],
    thumb: Annotated[bool, Query(description="A small picture of it instead")] = False,
) -> Response:
    """The content, to whoever may read the case."""
    async with caller.office.pool.acquire() as conn:
        found = await file_of_stream(conn, row.id, digest)
    return await content_of(request, caller, found, thumb=thumb)
