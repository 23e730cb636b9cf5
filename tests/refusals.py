"""Expecting refusals by their code."""

from collections.abc import Awaitable
from typing import Any

import pytest

from domain.errors import Refused


async def refused(act: Awaitable[Any], code: str) -> Refused:
    """Await ``act``, which must be refused with ``code``; the answer is the refusal."""
    with pytest.raises(Refused) as caught:
        await act
    assert caught.value.code == code, caught.value
    return caught.value
