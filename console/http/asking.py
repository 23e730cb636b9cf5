"""What was asked of a list, out of an address.

Owns the dependency of every page whose list can be narrowed. The fields are read all at once: the framework would look
for each of them by itself, which takes as long as asking the database.
"""

from typing import Annotated

from fastapi import Depends
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request

from console.listing import Asked


async def asked_of(request: Request) -> Asked:
    """The fields of the form in the address, the last of each. Raises ``RequestValidationError`` for one too long."""
    try:
        return Asked.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("query", *each["loc"])} for each in error.errors()]) from None


Asks = Annotated[Asked, Depends(asked_of)]
"""A list as it was asked for."""
