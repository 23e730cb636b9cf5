"""What Temporal keeps, in clear, for Temporal's own pages in the browser of who may see it.

Owns the one route that those pages ask (their "codec server") and the words by which a browser lets them. Only pages of
the one configured origin may ask; a session is needed as everywhere.
"""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.api.common.v1 import Payloads

from console.http.caller import Caller, from_origin, public
from console.http.office import office_of
from console.http.pace import paced
from domain.errors import Refused
from domain.parsing import parse_json
from domain.rights import Permission
from runtime.codec import EncryptingCodec, PayloadKeys

router = APIRouter()

_MOST_BYTES, _MOST_PAYLOADS = 4 * 1024 * 1024, 500


def _cors(request: Request) -> Mapping[str, str]:
    """What lets a page of the configured origin, and no other, send its session and read the answer."""
    wanted = office_of(request).settings.temporal_ui_origin
    if wanted is None or request.headers.get("origin") != wanted:
        return {"Vary": "Origin"}
    return {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": wanted,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type,x-namespace,authorization",
        "Access-Control-Max-Age": "600",
    }


@router.options("/temporal/decode")
async def may_ask(
    request: Request, caller: Annotated[Caller | None, public("a browser asks before it sends; nothing is told")]
) -> Response:
    """Whether pages of this origin may ask."""
    return Response(status_code=204, headers=_cors(request))


@router.post("/temporal/decode", dependencies=[Depends(paced)])
async def decode(request: Request, caller: Annotated[Caller, from_origin(Permission.TEMPORAL_DECODE)]) -> Response:
    """The payloads in clear; at most 500 of them and four mebibytes.

    Raises ``Refused``: ``request.too_large``, ``json.malformed``, ``field.invalid``, ``payload.wrong_key``.
    """
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _MOST_BYTES:
            raise Refused("request.too_large", limit=_MOST_BYTES)
    try:
        asked = ParseDict(parse_json(bytes(content)), Payloads(), ignore_unknown_fields=True)
    except (ParseError, TypeError, ValueError, AttributeError):
        raise Refused("field.invalid", field="payloads", reason="temporal.api.common.v1.Payloads") from None
    if len(asked.payloads) > _MOST_PAYLOADS:
        raise Refused("request.too_large", limit=_MOST_PAYLOADS)
    codec = EncryptingCodec(PayloadKeys(caller.office.key.payload_keys))
    told = Payloads(payloads=await codec.decode(asked.payloads))
    return JSONResponse(MessageToDict(told), headers={**_cors(request), "Cache-Control": "no-store"})
