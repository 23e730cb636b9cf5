"""Tasks of workflows whose payloads the library need not walk through.

Owns the one place where functions of the library are replaced. Must not know what is in a payload.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.bridge import worker as bridge
from temporalio.converter import DataConverter

WALKS = ("decode_activation", "encode_completion")
"""Called with a task or what became of it, and with the converter of its payloads; each walks three times."""


def leave_out_walks() -> None:
    """Let the library walk through the payloads of tasks only where a codec or a store of payloads is to see them.

    By itself it does so for every task, and puts each payload back as it was where there is neither. Workers of this
    process that have one of them work as before. Called again it does nothing.

    A release of the library without such functions is left as it is; ``tests/runtime/test_walks.py`` tells.
    """
    for name in WALKS:
        walk = getattr(bridge, name, None)
        if walk is not None and not isinstance(walk, _WhereThereIsNeed):
            setattr(bridge, name, _WhereThereIsNeed(walk))


class _WhereThereIsNeed:
    def __init__(self, walk: Callable[..., Awaitable[Any]]) -> None:
        self._walk = walk
        self._nothing_moved: Any = None

    async def __call__(self, task: Any, converter: DataConverter, *options: Any, **named: Any) -> Any:
        if converter.payload_codec is not None or converter.external_storage is not None:
            return await self._walk(task, converter, *options, **named)
        if self._nothing_moved is None:
            # What the library says of a task without payloads is what it would say of this one.
            self._nothing_moved = await self._walk(type(task)(), converter, *options, **named)
        return self._nothing_moved
