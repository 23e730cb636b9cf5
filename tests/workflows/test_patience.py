"""An act that the ledger keeps waiting: it goes on by itself, and its sender may ask again."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from console.desk import Pending
from tests.neighbourhood import ACTORS
from tests.workflows.office import Office
from tests.workflows.patience import ledger_out_of_reach, ledger_shut

COMMENT = {"kind": "comment", "text": "已联系居民"}


async def test_an_act_the_ledger_keeps_waiting_is_recorded_once_when_the_ledger_is_back(office: Office) -> None:
    stream, command_id = await office.register(), str(uuid4())
    hasty = office.another_desk(patience=timedelta(seconds=1))
    async with ledger_out_of_reach(office, stream):
        with pytest.raises(Pending) as caught:
            await hasty.submit(stream, ACTORS["worker"], COMMENT, command_id=command_id)
        assert caught.value.refusal.params["command_id"] == command_id
        second = asyncio.ensure_future(office.do(stream, "checker", "comment", text="我也联系了"))
        again = asyncio.ensure_future(office.desk.submit(stream, ACTORS["worker"], COMMENT, command_id=command_id))
        await office.until_patient(stream)
        assert not second.done()
    answers = [await again, await second]
    assert (await office.kinds(stream))[-2:] == ["commented", "commented"]
    assert [answer.seq_from for answer in answers] == [3, 4]
    assert (await office.temporal_history(stream))["ACTIVITY_TASK_COMPLETED"] == 1


async def test_an_act_that_finds_the_ledger_shut_is_recorded_once_when_it_opens(office: Office) -> None:
    stream = await office.register()
    async with ledger_shut(office):
        waiting = asyncio.ensure_future(office.do(stream, "worker", "comment", text="已联系居民"))
        await office.until_patient(stream)
        assert not waiting.done()
    assert (await waiting).seq_from == 3
    assert (await office.kinds(stream)).count("commented") == 1
    assert (await office.walk(stream, until="accept"))[-1].stage == "handling"
