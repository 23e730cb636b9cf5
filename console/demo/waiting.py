"""What the demo leaves waiting, so that a visitor of the pages finds something to do in every role.

Owns these scripts. All of it lies in one grid and with one department, whose people the log-ins belong to.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from console.demo.people import Matter, People, Request, Street

_REQUESTS = Path(__file__).parent / "waiting.yaml"
_LEAD = "D01"

Script = Callable[[Matter, People], Awaitable[object]]


async def leave_waiting(street: Street) -> None:
    """Bring each request as far as its script says, and leave it there."""
    asked = TypeAdapter(dict[str, Request]).validate_python(yaml.safe_load(_REQUESTS.read_text(encoding="utf-8")))
    await asyncio.gather(*(_play(street, name, request) for name, request in asked.items()))


async def _play(street: Street, name: str, request: Request) -> None:
    matter = Matter("wish" if name == "wish" else "case", name, request)
    await _SCRIPTS[name](matter, street.people(request.grid or request.right_grid or ""))


async def _registered(case: Matter, people: People) -> None:
    await people.worker.register(case)


async def _unplaced(case: Matter, people: People) -> None:
    await people.hotline.register(case)


async def _whistled(case: Matter, people: People) -> None:
    await _registered(case, people)
    await people.community.whistle(case, _LEAD, approver=people.approver)


async def _dispatched(case: Matter, people: People) -> None:
    await _whistled(case, people)
    await people.dispatcher.dispatch(case, _LEAD)


async def _handling(case: Matter, people: People) -> None:
    await _dispatched(case, people)
    await people.department(_LEAD).accept(case)
    await people.department(_LEAD).report_progress(case, "已到现场查看，和居民通了电话，约好明天上午动工。")


async def _more_time(case: Matter, people: People) -> None:
    await _handling(case, people)
    await people.department(_LEAD).request_extension(case, "2wd", "材料后天才能到货，先用围挡围好。")


async def _returned(case: Matter, people: People) -> None:
    await _dispatched(case, people)
    await people.department(_LEAD).return_task(case, "树木修剪不归执法队，应由园林绿化所办理。", proposed="D04")


async def _supervised(case: Matter, people: People) -> None:
    await _handling(case, people)
    await people.supervisor.supervise(case, _LEAD, "两次来电反映，请说明进展和完成时间。")


async def _struck_off(case: Matter, people: People) -> None:
    await _handling(case, people)
    await people.department(_LEAD).strike_off(case)


async def _verified(case: Matter, people: People) -> None:
    await _struck_off(case, people)
    await people.checker.verify(case)


async def _signed(case: Matter, people: People) -> None:
    await _verified(case, people)
    await people.captain.sign(case)
    await people.head.sign(case)


async def _fed_back(case: Matter, people: People) -> None:
    await _signed(case, people)
    await people.worker.feed_back(case, to="department")
    await people.worker.feed_back(case, to="resident")


async def _settled(case: Matter, people: People) -> None:
    await _fed_back(case, people)
    await people.worker.visit(case, "satisfied", "说到做到，路灯亮了心里踏实。")


async def _wish(wish: Matter, people: People) -> None:
    await people.worker.publish_wish(wish)
    await people.community.claim_wish(wish, "周末带工具上门。")


_SCRIPTS: dict[str, Script] = {
    "everyday": _registered,
    "registered": _registered,
    "unplaced": _unplaced,
    "whistled": _whistled,
    "dispatched": _dispatched,
    "handling": _handling,
    "more_time": _more_time,
    "returned": _returned,
    "supervised": _supervised,
    "struck_off": _struck_off,
    "verified": _verified,
    "signed": _signed,
    "fed_back": _fed_back,
    "settled": _settled,
    "wish": _wish,
}
