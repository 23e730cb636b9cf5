"""The worker, but each act rests between its commit and its answer: a kill most likely hits just there."""

import asyncio
from typing import Any

import activities.recording
from domain.process import Outcome
from worker import main

REST = 0.4

_recording = vars(activities.recording)
_act = _recording["act"]


async def act(*given: Any, **named: Any) -> Outcome:
    """Act, then hesitate."""
    outcome: Outcome = await _act(*given, **named)
    await asyncio.sleep(REST)
    return outcome


_recording["act"] = act

if __name__ == "__main__":
    main()
