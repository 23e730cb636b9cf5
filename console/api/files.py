"""Photographs: sending them before an act refers to them, and listing those of a case."""

from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from console.api.common import CaseId, problems, reached
from console.files.keeping import keep_uploads
from console.http.caller import Caller, may
from domain.case.vocabulary import Evidence, EvidenceKind
from domain.rights import Permission
from ledger.files import BoundFile, files_of_stream

router = APIRouter(tags=["files"])


class Kept(BaseModel):
    """What was kept, as evidence for a command of yours within the day."""

    evidence: tuple[Evidence, ...]


class FilesShown(BaseModel):
    """The photographs of a case; each is read at `/files/{case}/{digest}`."""

    items: tuple[BoundFile, ...]


@router.post(
    "/files",
    operation_id="upload_files",
    summary="Send photographs",
    status_code=201,
    response_model=Kept,
    responses=problems(413),
)
async def upload(
    caller: Annotated[Caller, may(Permission.FILE_UPLOAD)],
    photos: Annotated[list[UploadFile], File(description="JPEG, PNG or WebP", max_length=30)],
    kind: Annotated[EvidenceKind, Form()] = EvidenceKind.AFTER,
) -> Response:
    """Each is made anew without its metadata.

    Put the answer's `evidence` into the command that refers to it; what no act refers to is gone after a day.
    """
    kept = await keep_uploads(caller.office, caller, photos, kind)
    return JSONResponse({"evidence": [each.model_dump(mode="json", exclude_none=True) for each in kept]}, 201)


@router.get(
    "/cases/{id}/files",
    operation_id="case_files",
    summary="The photographs of a case",
    response_model=FilesShown,
    responses=problems(404),
)
async def case_files(stream: CaseId, caller: Annotated[Caller, may(Permission.CASE_READ)]) -> FilesShown:
    """All photographs that acts of this case refer to."""
    async with caller.office.pool.acquire() as conn:
        await reached(caller, conn, stream, Permission.CASE_READ)
        return FilesShown(items=tuple(await files_of_stream(conn, stream)))
