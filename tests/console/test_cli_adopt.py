"""``bihuan rules adopt``: open cases follow other rules once, at a bounded rate, and a run may be broken off."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import pytest
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment

from console.adopting import Adoption, Settings, Tally, adopter, command_id
from domain.calendar import Day, WorkCalendar
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.limits import limit
from domain.people import RULES_OFFICE, Role
from domain.registry_check import registry_of
from domain.rules import RuleBook
from ledger.adoptions import Candidate, Wanted
from ledger.calendars import store_calendar
from ledger.registry import load_registry, store_rule_book
from ledger.vault import MasterKey
from ledger.world import read_world
from runtime.codec import PayloadKeys
from runtime.temporal import connect
from tests.console.forked import Forked, start_forked
from tests.neighbourhood import ACTORS, CALENDAR, EXAMPLE_BOOK, LEAD, REGISTRY, raw_registry
from tests.waiting import eventually
from tests.workflows.office import Office, furnish, open_office

WHISTLE: dict[str, Any] = {"reason": "reflected", "departments": [LEAD], "approver": "approver"}


@pytest.fixture
async def office(temporal_env: WorkflowEnvironment, fresh_database: str, tmp_path: Path) -> AsyncIterator[Office]:
    """An office that lives by the shipped book, in working time; afterwards its books must agree."""
    await furnish(fresh_database, EXAMPLE_BOOK)
    # The command line reads what this client writes: both have the key of the file, and time passes as it does outside.
    key = MasterKey.load(tmp_path / "key", create=True)
    address = temporal_env.client.service_client.config.target_host
    client = await connect(address, temporal_env.client.namespace, keys=PayloadKeys(key.payload_keys), sandboxed=True)
    async with open_office(client, fresh_database, tmp_path / "key") as office:
        yield office
        await office.check()


def changed_book(version: str, handle: str = "8wd", dispatch: str = "30h") -> RuleBook:
    """The shipped book with another budget for general matters, and another limit for their dispatch."""
    limits = {ClockKind.HANDLE: limit(handle), ClockKind.DISPATCH: limit(dispatch)}
    rows = tuple(
        row.model_copy(update={"limits": {**row.limits, **limits}})
        if row.urgency == "general" and row.category is None
        else row
        for row in EXAMPLE_BOOK.rows
    )
    return EXAMPLE_BOOK.model_copy(update={"version": version, "rows": rows})


async def choose(office: Office, book: RuleBook) -> None:
    async with office.owner.acquire() as conn:
        await store_rule_book(conn, book.version, book.model_dump(mode="json"))
    await office.learn()


async def two_cases(office: Office) -> list[str]:
    """A case that waits for its dispatch, and one that is being handled."""
    waiting, handled = await office.register(), await office.register()
    await office.do(waiting, "community", "whistle", **WHISTLE)
    await office.walk(handled, until="accept")
    return sorted([waiting, handled])


class Ran(NamedTuple):
    code: int | None
    out: str
    err: str

    @property
    def value(self) -> Any:
        assert self.out.count("\n") == 1, (self.out, self.err)
        return json.loads(self.out)


async def started(office: Office, key: Path, *words: str, command: Sequence[str] = ("rules", "adopt")) -> Forked:
    """The command line in a process of its own, on the servers of the office."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BIHUAN_")}
    environment = clean | {
        "BIHUAN_DATA": str(key.parent / "nowhere"),
        "BIHUAN_DATABASE_URL": office.dsn,
        "BIHUAN_TEMPORAL_ADDRESS": office.client.service_client.config.target_host,
        "BIHUAN_TEMPORAL_NAMESPACE": office.client.namespace,
        "BIHUAN_MASTER_KEY_FILE": str(key),
        "BIHUAN_TASK_QUEUE": office.task_queue,
    }
    return await asyncio.to_thread(start_forked, *command, *words, environment=environment)


async def ended(process: Forked) -> Ran:
    out, err = await asyncio.to_thread(process.communicate)
    return Ran(process.returncode, out, err)


async def adopt(office: Office, key: Path, *words: str) -> Ran:
    return await ended(await started(office, key, *words))


async def adoptions(office: Office, stream: str) -> list[Any]:
    return [event.body for event in await office.events(stream) if event.kind == "rules_adopted"]


async def pins(office: Office) -> dict[str, tuple[str, str]]:
    async with office.owner.acquire() as conn:
        rows = await conn.fetch("select id, rules_version, calendar_version from case_row order by id")
    return {row["id"]: (row["rules_version"], row["calendar_version"]) for row in rows}


# --- through the command line -----------------------------------------------------------------------------------


async def test_open_cases_follow_and_a_second_run_finds_nothing(office: Office, tmp_path: Path) -> None:
    streams = await two_cases(office)
    over = await office.register()
    await office.do(over, "community", "decline", reason="no_facts", explanation="查无此事")
    await choose(office, changed_book("trial-1"))

    dry = await adopt(office, tmp_path / "key", "--reason", "新规则施行", "--dry-run", "--json")
    assert dry.code == 0, dry.err
    figures = {"seen": 2, "adopted": 2, "already": 0, "refused": 0, "made_final": 0}
    assert figures.items() <= dry.value.items()
    # The one dispatch that runs and the one budget move; both have got more time.
    assert dry.value["clocks"] == {"earlier": 0, "later": 2, "same_due": 0}
    assert dry.value["left"] == 2
    expected = {}
    for stream in streams:
        waits = (await office.state(stream)).stage == "whistled"
        expected[stream] = ("24h", "30h") if waits else ("5wd", "8wd")
    shown = {each["case"]: (each["old_limit"], each["limit"]) for each in dry.value["changes"]}
    assert shown == expected
    assert {rules for rules, _ in (await pins(office)).values()} == {EXAMPLE_BOOK.version}

    done = await adopt(office, tmp_path / "key", "--reason", "新规则施行", "--json")
    assert done.code == 0, done.err
    assert figures.items() <= done.value.items()
    assert (done.value["clocks"], done.value["left"]) == (dry.value["clocks"], 0)
    found = await pins(office)
    assert [found[each] for each in streams] == [("trial-1", CALENDAR.version)] * 2
    assert found[over] == (EXAMPLE_BOOK.version, CALENDAR.version)
    for stream in streams:
        (fact,) = await adoptions(office, stream)
        assert (fact["reason"], fact["by"]["person"]) == ("新规则施行", RULES_OFFICE.person)

    again = await adopt(office, tmp_path / "key", "--reason", "新规则施行")
    assert again.code == 0, again.err
    assert "共 0 件" in again.out
    assert [len(await adoptions(office, stream)) for stream in streams] == [1, 1]


async def test_a_broken_off_run_goes_on_where_it_stopped(office: Office, tmp_path: Path) -> None:
    streams = [await office.register() for _ in range(6)]
    await choose(office, changed_book("trial-1"))
    words = ("--reason", "新规则施行", "--rate", "1", "--json")

    process = await started(office, tmp_path / "key", *words)

    async def begun() -> bool:
        return any(rules == "trial-1" for rules, _ in (await pins(office)).values())

    await eventually(begun, "the first case has adopted the rules")
    process.send_signal(signal.SIGINT)
    broken = await ended(process)

    assert broken.code == 130, broken.err
    first = broken.value
    assert 1 <= first["adopted"] < 6
    assert first["left"] == 6 - first["adopted"]
    rest = await adopt(office, tmp_path / "key", *words[:2], "--rate", "100", "--json")
    assert (rest.code, rest.value["seen"], rest.value["left"]) == (0, first["left"], 0)
    assert [len(await adoptions(office, stream)) for stream in streams] == [1] * 6


async def test_a_case_that_refuses_is_listed_and_the_exit_code_says_so(office: Office, tmp_path: Path) -> None:
    streams = await two_cases(office)
    forked = streams[0]
    office.forked.add(forked)
    await office.client.start_workflow(
        "Case",
        (await office.held(forked)).model_copy(update={"hash": "0" * 64}),
        id=forked,
        task_queue=office.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )
    await choose(office, changed_book("trial-1"))

    ran = await adopt(office, tmp_path / "key", "--reason", "新规则施行", "--json")

    assert ran.code == 1
    assert (ran.value["adopted"], ran.value["refused"], ran.value["left"]) == (1, 1, 1)
    assert [(each["case"], each["code"]) for each in ran.value["refusals"]] == [(forked, "ledger.forked")]
    shown = await adopt(office, tmp_path / "key", "--reason", "新规则施行")
    assert shown.code == 1
    assert forked in shown.out


async def test_few_cases_of_one_street_may_be_taken(office: Office, tmp_path: Path) -> None:
    for _ in range(3):
        await office.register()
    await choose(office, changed_book("trial-1"))
    key = tmp_path / "key"

    some = await adopt(office, key, "--reason", "试行", "--street", "S01", "--limit", "2", "--json")

    assert (some.code, some.value["seen"], some.value["left"]) == (0, 2, 1)
    for words, code in (
        (("--street", "S99"), "organisation.unknown"),
        (("--rules", "none-9"), "rules.unknown"),
        (("--calendar", "none-9"), "calendar.unknown"),
        (("--as", "nobody"), "person.unknown"),
        (("--as", "handler"), "actor.role_not_held"),
    ):
        refused = await adopt(office, key, "--reason", "试行", *words, "--json")
        assert (refused.code, refused.value["error"]["code"]) == (1, code)
    personal = await adopt(office, key, "--reason", "请打 13912345678", "--json")
    assert personal.value["error"]["code"] == "text.not_redacted"


# --- the run itself ---------------------------------------------------------------------------------------------


async def run(office: Office, wanted: Wanted, **settings: Any) -> Tally:
    """A run in this process."""
    async with office.ledger.acquire() as conn:
        world = await read_world(conn)
    given: dict[str, Any] = {"reason": "新规则施行", "actor": RULES_OFFICE, "rate": 1000} | settings
    desk = None if given.pop("dry_run", False) else office.desk
    return await Adoption(desk, office.ledger, world, Settings(wanted=wanted, **given)).run()


async def test_a_published_list_makes_provisional_due_times_final(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="accept")
    distant = changed_book("distant", handle="60wd")
    await choose(office, distant)
    assert (await run(office, Wanted("distant", CALENDAR.version))).later == 1
    budget = next(clock for clock in (await office.state(stream)).clocks if clock.kind is ClockKind.HANDLE)
    assert budget.provisional

    listed = WorkCalendar.model_validate(
        CALENDAR.model_dump()
        | {
            "version": "cn-2027",
            "off": (*CALENDAR.off, *(Day(on=date(2027, 1, day), name="元旦") for day in (1, 4))),
            "published_until": date(2027, 12, 31),
        }
    )
    async with office.owner.acquire() as conn:
        await store_calendar(conn, listed)
    await office.learn()
    dry = await run(office, Wanted("distant", "cn-2027"), dry_run=True)
    tally = await run(office, Wanted("distant", "cn-2027"))

    assert (tally.adopted, tally.made_final) == (1, 1) == (dry.adopted, dry.made_final)
    final = next(clock for clock in (await office.state(stream)).clocks if clock.kind is ClockKind.HANDLE)
    assert not final.provisional
    assert [(each.due_at, each.provisional) for each in dry.changes if each.clock == "handle"] == [
        (final.due_at, False)
    ]


async def test_importing_the_list_carries_it_to_open_cases_and_leaves_their_rules(
    office: Office, tmp_path: Path
) -> None:
    async with office.owner.acquire() as conn:
        short = CALENDAR.model_copy(update={"version": "short", "published_until": date(2026, 11, 1)})
        await store_calendar(conn, short)
    await office.learn()
    stream = await office.register()
    await office.walk(stream, until="accept")
    before = (await office.state(stream)).clock("handle")
    assert before.provisional
    await choose(office, changed_book("trial-1"))
    file = tmp_path / "list.json"
    years = sorted({day.on.year for day in (*CALENDAR.off, *CALENDAR.made_up) if day.on.year >= 2026})
    days = [{"date": str(day.on), "isOffDay": True, "name": day.name} for day in CALENDAR.off if day.on.year in years]
    days += [
        {"date": str(day.on), "isOffDay": False, "name": day.name} for day in CALENDAR.made_up if day.on.year in years
    ]
    file.write_text(json.dumps({"year": 2026, "days": days}), encoding="utf-8")

    imported = await ended(await started(office, tmp_path / "key", str(file), "--json", command=("calendar", "import")))

    assert imported.code == 0, imported.err
    assert (imported.value["applied"], imported.value["hint"]) == (True, None)
    assert (imported.value["adoption"]["adopted"], imported.value["adoption"]["refused"]) == (1, 0)
    (fact,) = await adoptions(office, stream)
    assert (fact["rules"]["version"], fact["old_calendar"]) == (EXAMPLE_BOOK.version, "short")
    assert fact["rules"]["calendar"] == imported.value["version"]
    await office.learn()


async def test_what_would_be_late_at_once_and_what_was_extended_in_another_unit_is_kept(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="accept")
    await office.do(stream, "handler", "request_extension", length="2wd", reason="材料未到")
    await office.do(stream, "dispatcher", "decide_extension", granted=True, reason="同意")
    late = await office.register()
    await office.do(late, "community", "whistle", **WHISTLE)
    book = changed_book("trial-1", dispatch="1s")
    rows = tuple(
        row.model_copy(update={"limits": {**row.limits, ClockKind.HANDLE: limit("9d")}, "extension": None})
        if row.urgency == "general" and row.category is None
        else row
        for row in book.rows
    )
    await choose(office, book.model_copy(update={"rows": rows}))

    async def a_second_old() -> bool:
        tally = await run(office, Wanted("trial-1", CALENDAR.version), dry_run=True)
        return tally.kept_in_the_past == 1

    await eventually(a_second_old, "the new dispatch limit lies in the past")
    tally = await run(office, Wanted("trial-1", CALENDAR.version))

    assert (tally.adopted, tally.kept_in_the_past, tally.kept_other_unit) == (2, 1, 1)


async def test_an_office_may_go_back_to_a_book_and_forward_again(office: Office) -> None:
    stream = await office.register()
    await choose(office, changed_book("trial-1"))
    for version in ("trial-1", EXAMPLE_BOOK.version, "trial-1"):
        tally = await run(office, Wanted(version, CALENDAR.version))
        assert (tally.adopted, tally.left) == (1, 0)
        assert (await pins(office))[stream] == (version, CALENDAR.version)
    assert len(await adoptions(office, stream)) == 3


async def test_a_case_that_has_followed_meanwhile_counts_as_done(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await office.register()
    await choose(office, changed_book("trial-1"))
    wanted = Wanted("trial-1", CALENDAR.version)
    await run(office, wanted)

    async def stale(_conn: object, _wanted: Wanted, *, after: str = "", limit: int = 0) -> list[Candidate]:
        # What a page read before that said.
        return [] if after else [Candidate(stream, 0)]

    monkeypatch.setattr("console.adopting.candidates", stale)
    other_words = await run(office, wanted, reason="另一次执行")
    assert (other_words.already, other_words.adopted, other_words.refused) == (1, 0, [])
    same_words = await run(office, wanted)
    # The recorded answer again: nothing was done twice.
    assert (same_words.adopted, same_words.refused) == (1, [])
    assert len(await adoptions(office, stream)) == 1


async def test_starts_are_bounded_and_answers_overlap(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        await office.register()
    await choose(office, changed_book("trial-1"))
    loop, starts, under_way, most = asyncio.get_running_loop(), list[float](), 0, 0
    submit, second = office.desk.submit, asyncio.Event()

    async def watched(*given: Any, **more: Any) -> Any:
        nonlocal under_way, most
        starts.append(loop.time())
        under_way, most = under_way + 1, max(most, under_way + 1)
        if len(starts) == 2:
            second.set()
        await second.wait()  # the first answer comes only after the second case has been asked
        try:
            return await submit(*given, **more)
        finally:
            under_way -= 1

    monkeypatch.setattr(office.desk, "submit", watched)
    tally = await run(office, Wanted("trial-1", CALENDAR.version), rate=20, parallel=3)

    assert tally.adopted == 5
    assert 1 < most <= 3
    assert all(later - earlier > 0.04 for earlier, later in pairwise(starts))


async def test_servers_that_come_back_are_waited_for(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = await office.register()
    await choose(office, changed_book("trial-1"))
    submit, failures = office.desk.submit, iter([ConnectionError(), asyncpg.InterfaceError("gone")])

    async def shaky(*given: Any, **more: Any) -> Any:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return await submit(*given, **more)

    monkeypatch.setattr(office.desk, "submit", shaky)
    assert (await run(office, Wanted("trial-1", CALENDAR.version))).adopted == 1
    assert len(await adoptions(office, stream)) == 1


def test_the_id_of_a_command_is_that_of_its_content() -> None:
    settings = Settings(wanted=Wanted("a", "b"), reason="新规则施行", actor=RULES_OFFICE)
    first = command_id(Candidate("case-1", 0), settings)
    assert first == command_id(Candidate("case-1", 0), replace(settings, rate=1))
    others = {
        command_id(Candidate("case-2", 0), settings),
        command_id(Candidate("case-1", 1), settings),
        command_id(Candidate("case-1", 0), replace(settings, reason="其他")),
        command_id(Candidate("case-1", 0), replace(settings, wanted=Wanted("a", None))),
        command_id(Candidate("case-1", 0), replace(settings, actor=ACTORS["supervisor"])),
    }
    assert len(others | {first}) == 6


def test_an_administrator_of_the_registry_may_sign_for_it() -> None:
    people = [*REGISTRY["people"], {"id": "director", "name": "director"}]
    held = [*REGISTRY["assignments"], {"person": "director", "role": "administrator", "organisation": "S01"}]
    registry = registry_of(raw_registry(people=people, assignments=held))

    found = adopter(registry, "director")

    assert (found.person, found.role, found.organisation) == ("director", Role.ADMINISTRATOR, "S01")
    assert adopter(registry, None) is RULES_OFFICE
    with pytest.raises(Refused) as caught:
        adopter(registry, "handler")
    assert caught.value.code == "actor.role_not_held"


async def test_a_registry_s_administrator_is_believed_by_the_ledger(office: Office) -> None:
    people = [*REGISTRY["people"], {"id": "director", "name": "director"}]
    held = [*REGISTRY["assignments"], {"person": "director", "role": "administrator", "organisation": "S01"}]
    async with office.owner.acquire() as conn:
        await load_registry(conn, raw_registry(people=people, assignments=held), "test")
        world = await read_world(conn)
    await office.learn()
    stream = await office.register()
    await choose(office, changed_book("trial-1"))
    assert world.registry is not None

    tally = await run(office, Wanted("trial-1", CALENDAR.version), actor=adopter(world.registry, "director"))

    assert tally.adopted == 1
    (fact,) = await adoptions(office, stream)
    assert fact["by"]["person"] == "director"
