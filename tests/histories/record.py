"""Record the histories that ``test_replay.py`` replays.

    .venv/bin/python -m tests.histories.record [PATH ...]

walks each path of ``PATHS`` that has no record yet, or those named, on real servers and writes one ``<path>.json``
beside this file. A recorded history is a
promise to every case that is open in some office: when a release of the shell cannot replay it, mend the shell
(``workflow.patched``) and do not record it anew. Record when a path is new; the old files stay.
"""

import asyncio
import json
import re
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from domain.errors import Refused
from domain.people import RULES_OFFICE
from runtime.leaving import leave
from runtime.plugin import bihuan_plugin
from runtime.postgres import EmbeddedPostgres
from runtime.temporal_server import EmbeddedTemporal, temporal_binary
from tests.conftest import SEARCH_ATTRIBUTE_KEYS
from tests.keys import KEYS
from tests.neighbourhood import AFTER, EXAMPLE_BOOK, HELPER, LEAD, NATURAL_BOOK, OTHER
from tests.workflows.clockwork import Clockwork
from tests.workflows.departments import Department, at_work, handled, returned
from tests.workflows.office import WORKLOAD, Office, furnish, open_office
from tests.workflows.patience import ledger_out_of_reach, ledger_shut

FOLDER = Path(__file__).parent
DAY = timedelta(days=1)
DONE: dict[str, Any] = {"measures": "已处置", "workload": WORKLOAD, "evidence": [AFTER]}


async def plain_loop_archived(office: Office, clocks: Clockwork) -> str:
    stream = await office.register()
    await office.walk(stream)
    await clocks.forward(stream, 8 * DAY)
    await office.until_closed(stream)
    return stream


async def encrypted_loop(office: Office, clocks: Clockwork) -> str:
    """What came before it was recorded when payloads were not encrypted yet."""
    return await plain_loop_archived(office, clocks)


async def on_the_spot_archived(office: Office, clocks: Clockwork) -> str:
    stream = await office.on_the_spot()
    await clocks.forward(stream, 8 * DAY)
    await office.until_closed(stream)
    return stream


async def overdue_rework_reopened(office: Office, clocks: Clockwork) -> str:
    stream = await office.register()
    await clocks.forward(stream, 2 * DAY)
    await office.walk(stream, until="strike_off")
    await office.do(stream, "checker", "verify", passed=False, evidence=[AFTER])
    await office.do(stream, "handler", "strike_off", **DONE)
    await office.walk(stream, after="strike_off")
    await office.do(stream, "resident", "reopen", reason="又坏了")
    return stream


async def helpers_and_return(office: Office, clocks: Clockwork) -> str:
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    await office.do(stream, "handler", "return_task", reason="不属我部门", legal_basis="职责清单第三条", proposed=OTHER)
    await office.do(stream, "dispatcher", "dispatch", lead=OTHER, helpers=[HELPER])
    for who in ("helper", "other"):
        await office.do(stream, who, "accept")
        await office.do(stream, who, "strike_off", **DONE)
    return stream


async def handled_by_a_system(office: Office, clocks: Clockwork) -> str:
    async with at_work(office, Department(returned(), handled())):
        stream = await office.register()
        await office.walk(stream, until="dispatch")
        await office.until(stream, "task_returned")
        await office.do(stream, "dispatcher", "dispatch", lead=LEAD)
        await office.until(stream, "struck_off")
    return stream


async def system_fell_back(office: Office, clocks: Clockwork) -> str:
    await office.give_system(f"department.nobody-{uuid4().hex[:8]}", pick_up_within="1s")
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    await office.until_handed_over(stream)
    await office.walk(stream, after="dispatch", until="strike_off")
    return stream


async def refused_opening(office: Office, clocks: Clockwork) -> str:
    stream = f"case-{uuid4().hex}"
    try:
        await office.register(stream=stream, grid="G99")
    except Refused:
        await office.until_closed(stream)
        return stream
    raise AssertionError("the opening was not refused")


async def ledger_away(office: Office, clocks: Clockwork) -> str:
    stream = await office.register()
    async with ledger_out_of_reach(office, stream):
        waiting = asyncio.ensure_future(office.do(stream, "worker", "comment", text="已联系居民"))
        await office.until_patient(stream)
    await waiting
    await office.do(stream, "worker", "withdraw", reason="居民撤回")
    await office.until_closed(stream)
    return stream


async def ledger_shut_for_a_while(office: Office, clocks: Clockwork) -> str:
    stream = await office.register()
    async with ledger_shut(office):
        waiting = asyncio.ensure_future(office.do(stream, "worker", "comment", text="已联系居民"))
        await office.until_patient(stream)
    await waiting
    await office.walk(stream, until="whistle")
    return stream


async def wish_thanked(office: Office, clocks: Clockwork) -> str:
    stream = await office.publish()
    await office.do(stream, "worker", "claim_wish")
    await office.do(stream, "worker", "fulfil_wish", text="椅子修好了")
    await office.do(stream, "resident", "thank_for_wish", word="谢谢")
    await office.until_closed(stream)
    return stream


async def wish_lapsed(office: Office, clocks: Clockwork) -> str:
    stream = await office.publish()
    await clocks.forward(stream, 15 * DAY)
    await office.until_closed(stream)
    return stream


async def ladder_climbed(office: Office, clocks: Clockwork) -> str:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await clocks.forward(stream, 60 * DAY)
    await office.until(stream, "level_raised")
    await office.walk(stream, until="whistle")
    return stream


async def suspended_and_asked(office: Office, clocks: Clockwork) -> str:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="accept")
    await office.do(stream, "handler", "request_extension", length="5wd", reason="材料未到")
    await office.do(stream, "dispatcher", "decide_extension", granted=True, reason="同意")
    await office.do(stream, "handler", "ask_resident", question="哪一天在家？")
    await office.do(stream, "dispatcher", "suspend", reason="awaiting_party", explanation="户主外出", requested_by=LEAD)
    await clocks.forward(stream, 20 * DAY)
    await office.until(stream, "resumed")
    await office.do(stream, "supervisor", "supervise", to=LEAD, text="请说明进展")
    await office.do(stream, "handler", "reply_supervision", order=1, text="本周完成")
    return stream


async def returned_to_arbitration(office: Office, clocks: Clockwork) -> str:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    back = {"reason": "不属我部门", "legal_basis": "职责清单第三条"}
    await office.do(stream, "handler", "return_task", proposed=OTHER, **back)
    await office.do(stream, "dispatcher", "arbitrate", decision="force", reason="属你部门")
    await clocks.forward(stream, 2 * DAY)
    await office.until(stream, "accepted")
    await office.do(stream, "handler", "add_helper", department=HELPER, reason="需要停水")
    return stream


async def other_rules_adopted(office: Office, clocks: Clockwork) -> str:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="accept")
    await office.live_by(EXAMPLE_BOOK.model_copy(update={"version": "later", "extension_most": 2}))
    await office.do(stream, RULES_OFFICE, "adopt_rules", rules="later", reason="新规施行")
    await office.walk(stream, after="accept", until="strike_off")
    return stream


PATHS: tuple[Callable[[Office, Clockwork], Awaitable[str]], ...] = (
    plain_loop_archived,
    on_the_spot_archived,
    overdue_rework_reopened,
    helpers_and_return,
    handled_by_a_system,
    system_fell_back,
    refused_opening,
    ledger_away,
    ledger_shut_for_a_while,
    wish_thanked,
    wish_lapsed,
    ladder_climbed,
    suspended_and_asked,
    returned_to_arbitration,
    other_rules_adopted,
    encrypted_loop,
)


async def record(folder: Path, names: Sequence[str] = ()) -> None:
    """Record the paths of these names into ``folder``, or those that have no record there."""
    async with AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bihuan-")))
        postgres = await stack.enter_async_context(EmbeddedPostgres(scratch / "postgres"))
        await furnish(postgres.dsn())
        environment = await WorkflowEnvironment.start_time_skipping_v2(
            dev_server_existing_path=str(temporal_binary()),
            search_attributes=SEARCH_ATTRIBUTE_KEYS,
            plugins=[bihuan_plugin(KEYS, sandboxed=True)],
            identity="recorder",
            dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        )
        await stack.enter_async_context(environment)
        clocks = Clockwork(environment)
        with clocks.by_hand():
            async with open_office(clocks.client, postgres.dsn(), scratch / "key") as office:
                for path in PATHS:
                    if not _is_wanted(folder, path.__name__, names):
                        continue
                    await office.give_system(None)
                    await office.live_by(NATURAL_BOOK)
                    _write(folder / f"{path.__name__}.json", await _history(office.client, await path(office, clocks)))
        if not _is_wanted(folder, "continued_first_run", names):
            return
        config = ["limit.historyCount.suggestContinueAsNew=40"]
        server = EmbeddedTemporal(scratch / "temporal", ui=False, dynamic_config=config)
        await stack.enter_async_context(server)
        client = await Client.connect(
            server.address, plugins=[bihuan_plugin(KEYS, sandboxed=True)], identity="recorder"
        )
        async with open_office(client, postgres.dsn(), scratch / "key") as office:
            stream = await office.register()
            first = (await office.handle(stream).describe()).run_id
            await office.walk(stream)
            _write(folder / "continued_first_run.json", await _history(client, stream, run_id=first))
            _write(folder / "continued_last_run.json", await _history(client, stream))


def _is_wanted(folder: Path, name: str, names: Sequence[str]) -> bool:
    return name in names if names else not (folder / f"{name}.json").exists()


async def _history(client: Client, stream: str, *, run_id: str | None = None) -> str:
    return (await client.get_workflow_handle(stream, run_id=run_id).fetch_history()).to_json()


def _without_traces(value: Any) -> Any:
    """The same without stack traces, which name the folders of the machine."""
    if isinstance(value, dict):
        return {key: _without_traces(each) for key, each in value.items() if key != "stackTrace"}
    return [_without_traces(each) for each in value] if isinstance(value, list) else value


def _write(path: Path, history: str) -> None:
    """Keep a history, one event a line; it must not tell on which machine it was made."""
    events = _without_traces(json.loads(history)["events"])
    lines = ",\n".join(json.dumps(event, ensure_ascii=False, separators=(",", ":")) for event in events)
    # As a word of its own: two letters of a short name come up in the base64 of what is encrypted.
    assert not re.search(rf"(?<![\w+/]){re.escape(socket.gethostname())}(?![\w+/=])", lines), path.name
    path.write_text(f'{{"events":[\n{lines}\n]}}\n', encoding="utf-8")
    sys.stdout.write(f"{path.name}: {len(events)} events\n")


if __name__ == "__main__":
    asyncio.run(record(FOLDER, sys.argv[1:]))
    leave(0)
