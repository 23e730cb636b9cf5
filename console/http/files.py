"""The content of a file as an answer, for pages and for the API."""

from starlette.requests import Request
from starlette.responses import Response

from console.http.caller import Caller
from domain.errors import Refused
from ledger.files import FileRow

_HEADERS = {
    # A picture is looked at, not a page: whatever it might contain, nothing of it runs and nothing is fetched.
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Kept by the reader's browser alone, and asked for again each time: rights end.
    "Cache-Control": "private, no-cache",
}


async def content_of(request: Request, caller: Caller, row: FileRow | None, *, thumb: bool) -> Response:
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
