"""How the worker counts acts: each once, also when nobody was told that it had been recorded."""

from datetime import UTC, datetime
from uuid import uuid4

from activities.counting import KINDS, Tally
from domain.people import Actor, Role
from domain.process import ActInput, Answer, Envelope, Outcome
from runtime.telemetry import watching
from tests.scraping import Scrape, scrape

ACTOR = Actor(person="p-lin", role=Role.GRID_WORKER)


def given(kind: str) -> ActInput:
    command_id = str(uuid4())
    envelope = Envelope(command_id=command_id, actor=ACTOR, command={"kind": kind})
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return ActInput(process="case", stream="case-a", seq=1, hash="h", at=at, command_id=command_id, envelope=envelope)


def recorded(asked: ActInput) -> Outcome:
    kinds = ("archived",)
    answer = Answer(
        stream="case-a", command_id=asked.command_id, digest="d", seq_from=2, seq_to=2, stage="archived", kinds=kinds
    )
    return Outcome(seq=2, hash="g", answer=answer)


async def test_what_an_attempt_recorded_and_could_not_tell_is_counted_by_the_next_one_and_once() -> None:
    async with watching("127.0.0.1:0", "worker") as watch:
        tally, lost, known = Tally(watch.metrics), given("comment"), given("comment")
        tally.begin(lost).end(None)
        for asked in (lost, lost, known):
            tally.begin(asked).end(recorded(asked))
        found = await scrape(str(watch.address))

    assert _ends(found) == {"failed": 1, "recorded": 1, "repeated": 2, "nothing": 0, "refused": 0}
    assert found.sum("bihuan_loops_closed_total") == 1
    assert found.sum("bihuan_events_total", kind="archived") == 1


async def test_what_nobody_knows_is_counted_under_one_name_however_often_it_is_made_up() -> None:
    async with watching("127.0.0.1:0", "worker") as watch:
        tally = Tally(watch.metrics)
        for number in range(50):
            tally.begin(given(f"made-up-{number}")).end(Outcome(seq=1, hash="h"))
        found = await scrape(str(watch.address))

    assert found.sum("bihuan_acts_total", kind="unknown", end="nothing") == 50
    assert {value for name, value in found.labels() if name == "kind"} <= KINDS["case"] | KINDS["wish"] | {
        "time_passes",
        "unknown",
    }


def _ends(found: Scrape) -> dict[str, float]:
    ends = ("failed", "recorded", "repeated", "nothing", "refused")
    return {end: found.sum("bihuan_acts_total", kind="comment", end=end) for end in ends}
