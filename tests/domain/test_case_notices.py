"""Who is told of what: the receivers and parameters of each notice, its sentence, and the facts that tell nobody."""

import re
from collections.abc import Callable
from dataclasses import replace
from string import Formatter
from typing import Any

import pytest

from domain.case import CASE
from domain.notices import NOTICE_KINDS, Notice, sentence
from domain.people import RULES_OFFICE, Role
from domain.process import Event
from tests.domain import routes as r
from tests.domain.routes import archived, disputed, working_until
from tests.domain.spec import Story, fold, kind_of
from tests.neighbourhood import EXAMPLE_BOOK, GRID, HELPER, LEAD, OTHER, WORKING_WORLD

Told = list[tuple[str, str]]
"""Kinds of notices, each with its receiver: ``role@place`` or ``role!person``."""


def receiver(notice: Notice) -> str:
    role = notice.role.value if notice.role else "-"
    return f"{role}!{notice.person}" if notice.person else f"{role}@{notice.organisation or notice.grid or '-'}"


def notices(story: Story, events: tuple[Event, ...]) -> list[Notice]:
    """What people are told of these last facts of the story."""
    found: list[Notice] = []
    before = story.events[: len(story.events) - len(events)]
    for index, event in enumerate(events):
        state = fold(CASE, (*before, *events[: index + 1]))
        found += CASE.notices(state, event)
    return found


def told(before: Story, after: Story) -> Told:
    """Whom the facts between two moments of a story reach."""
    return [(each.kind, receiver(each)) for each in notices(after, after.events[len(before.events) :])]


def act(story: Story, raw: Any, by: Any, **how: Any) -> tuple[Story, Story]:
    return story, story.when(raw, by, **how).happens()


def time(story: Story, on: str) -> tuple[Story, Story]:
    return story, story.by_time(on).happens()


HANDLER, HEAD = f"department_handler@{LEAD}", f"department_head@{LEAD}"
STREET, SUPERVISOR, COMMUNITY = "street_dispatcher@S01", "supervisor@S01", "community@C01"
WORKER = f"grid_worker@{GRID}"


def handling() -> Story:
    return working_until("handling")


def contacted() -> Story:
    return handling().when(r.PROGRESS, "handler").happens()


def overdue() -> Story:
    """The budget has run out, and nobody has answered the urging in its day."""
    return contacted().by_time("11-30 18:00").happens().by_time("12-02 18:00").happens()


def suspended() -> Story:
    return handling().when(r.SUSPEND, "dispatcher").happens()


def shelved() -> Story:
    return handling().when(r.SHELVE, "dispatcher").happens()


def asked() -> Story:
    return handling().when(r.MORE_TIME, "handler").happens()


def ordered() -> Story:
    return handling().when(r.SUPERVISE, "supervisor").happens()


def with_book(story: Story, handle: str) -> Story:
    other = EXAMPLE_BOOK.model_dump(mode="json") | {"version": "other"}
    for row in other["rows"]:
        row["limits"] |= {"handle": handle} if row["limits"]["handle"] == "5wd" else {}
    return story.in_world(rule_books={**story.world.rule_books, "other": type(EXAMPLE_BOOK).model_validate(other)})


TABLE: list[tuple[str, Callable[[], tuple[Story, Story]], Told]] = [
    ("half of the budget is used", lambda: time(contacted(), "11-26 10:00"), [("remind", HANDLER)]),
    ("the budget turns yellow", lambda: time(contacted().by_time("11-26 10:00").happens(), "11-27 17:12"),
     [("warned", HANDLER), ("warned", HEAD)]),
    ("the budget turns red and is urged in writing",
     lambda: time(contacted().by_time("11-27 17:12").happens(), "11-30 18:00"),
     [("expired", HANDLER), ("expired", HEAD), ("urged", HANDLER), ("urged", HEAD), ("urged", STREET)]),
    ("five days later without a reply", lambda: time(overdue(), "12-07 18:00"),
     [("circular", HEAD), ("circular", STREET), ("circular", SUPERVISOR)]),
    ("ten days later", lambda: time(overdue().by_time("12-07 18:00").happens(), "12-14 18:00"),
     [("interview", HEAD), ("interview", STREET), ("interview", SUPERVISOR), ("level_raised", STREET),
      ("level_raised", SUPERVISOR)]),
    ("the check is due", lambda: time(working_until("struck_off").by_time("11-24 16:00").happens(), "11-24 18:00"),
     [("expired", WORKER), ("expired", f"grid_head@{GRID}"), ("urged", WORKER), ("urged", f"grid_head@{GRID}"),
      ("urged", STREET)]),
    ("the street has not dispatched", lambda: time(working_until("whistled").by_time("11-24 08:00").happens(),
                                                   "11-24 12:02"),
     # Above the street stands its supervisor, who is told once.
     [("expired", STREET), ("expired", SUPERVISOR), ("urged", STREET), ("urged", SUPERVISOR)]),
    ("nobody has signed", lambda: time(working_until("dispatched").by_time("11-23 17:30").happens(), "11-23 18:00"),
     [("expired", HANDLER), ("expired", HEAD), ("deemed_received", HANDLER),
      ("expired", f"department_handler@{HELPER}"), ("expired", f"department_head@{HELPER}"),
      ("deemed_received", f"department_handler@{HELPER}")]),
    ("somebody is urged by hand", lambda: act(handling(), r.URGE, "supervisor", to=HELPER),
     [("urged_by_hand", f"department_handler@{HELPER}")]),
    ("the community is urged by hand", lambda: act(handling(), r.URGE, "supervisor", to="C01"),
     [("urged_by_hand", COMMUNITY)]),
    ("an order", lambda: act(handling(), r.SUPERVISE, "supervisor"), [("supervision_ordered", HANDLER)]),
    ("an order to the street", lambda: act(handling(), r.SUPERVISE, "supervisor", to="S01"),
     [("supervision_ordered", STREET)]),
    ("its reply", lambda: act(ordered(), r.ANSWER_ORDER, "handler"), [("supervision_replied", SUPERVISOR)]),
    ("more time is asked for", lambda: act(handling(), r.MORE_TIME, "handler"), [("extension_requested", STREET)]),
    ("more time is granted", lambda: act(asked(), r.GRANT, "dispatcher"),
     [("extension_granted", HANDLER), ("extension_granted", "resident@-")]),
    ("more time is denied", lambda: act(asked(), r.DENY, "dispatcher"), [("extension_denied", HANDLER)]),
    ("the case is suspended", lambda: act(handling(), r.SUSPEND, "dispatcher"), [("suspended", HANDLER)]),
    ("it is resumed", lambda: act(suspended(), r.RESUME, "dispatcher"), [("resumed", HANDLER)]),
    ("it resumes by itself", lambda: time(suspended(), "12-08 12:06"), [("resumed", HANDLER)]),
    ("the case is shelved", lambda: act(handling(), r.SHELVE, "dispatcher"), [("shelved", HANDLER)]),
    ("a review comes", lambda: time(shelved(), "12-08 09:00"),
     [("shelf_review", STREET), ("shelf_review", SUPERVISOR)]),
    ("it is backlog", lambda: time(shelved().by_time("12-08 09:00").happens(), "2027-01-22 12:06"),
     [("backlog", SUPERVISOR)]),
    ("it comes off the shelf", lambda: act(shelved(), r.UNSHELVE, "dispatcher"), [("unshelved", HANDLER)]),
    ("the resident is asked", lambda: act(handling(), r.ASK, "handler"), [("resident_asked", "resident@-")]),
    ("the resident answers", lambda: act(handling().when(r.ASK, "handler").happens(), r.REPLY, "resident"),
     [("resident_replied", HANDLER)]),
    ("the resident does not answer", lambda: time(contacted().when(r.ASK, "handler").happens()
                                                  .by_time("11-28 12:00").happens(), "11-28 12:07"),
     [("question_lapsed", HANDLER)]),
    ("the lead returns", lambda: act(handling(), r.RETURN, "handler"), [("task_returned", STREET)]),
    ("the street arbitrates", lambda: act(disputed(), r.NAME_LEAD, "dispatcher", helpers=[HELPER]),
     [("arbitrated", f"department_handler@{OTHER}"), ("arbitrated", f"department_handler@{HELPER}")]),
    ("the street takes over", lambda: act(disputed(), r.TAKE_OVER, "dispatcher"), [("arbitrated", STREET)]),
    ("a helper is asked", lambda: act(handling(), r.ADD_HELPER, "handler"),
     [("helper_added", f"department_handler@{OTHER}")]),
    ("a task is handed over", lambda: act(handling(), r.HAND_OVER, "handler"),
     [("handed_over", "department_handler!department-head")]),
    ("other rules leave less time", lambda: act(with_book(handling(), "4wd"), r.ADOPT, RULES_OFFICE, rules="other"),
     [("rules_adopted", HANDLER)]),
    ("other rules leave more", lambda: act(with_book(handling(), "8wd"), r.ADOPT, RULES_OFFICE, rules="other"), []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "story", "expected"), TABLE, ids=[what for what, _, _ in TABLE])
def test_who_is_told(what: str, story: Callable[[], tuple[Story, Story]], expected: Told) -> None:
    assert told(*story()) == expected


SAMPLES = [each for _, story, _ in TABLE for before, after in [story()]
           for each in notices(after, after.events[len(before.events) :])]  # fmt: skip


def test_every_kind_of_notice_follows_from_some_fact() -> None:
    # A book without a limit for replies urges without naming one: tried on its own below.
    assert {each.kind for each in SAMPLES} == set(NOTICE_KINDS) - {"urged_open"}


def test_an_urging_without_a_limit_for_the_reply_names_none() -> None:
    rows = [row.model_copy(update={"limits": {k: v for k, v in row.limits.items() if k != "reply"}})
            for row in EXAMPLE_BOOK.rows]  # fmt: skip
    book = EXAMPLE_BOOK.model_copy(update={"version": "open", "rows": tuple(rows)})
    world = replace(WORKING_WORLD, rule_books={"open": book}, current_rules="open")
    before = Story(world=world).when(r.REGISTER, "worker").happens()
    after = before.left_alone()
    found = notices(after, after.events[len(before.events) :])
    urged = [each for each in found if each.kind.startswith("urged")]
    assert {each.kind for each in urged} == {"urged_open"}
    for language in ("zh", "en"):
        assert "路面破损" in sentence("urged_open", urged[0].params, language)


@pytest.mark.parametrize("kind", sorted(NOTICE_KINDS))
def test_every_notice_brings_everything_its_sentences_name(kind: str) -> None:
    wording = NOTICE_KINDS[kind]
    named = {name for text in wording for _, name, _, _ in Formatter().parse(text) if name}
    for notice in (each for each in SAMPLES if each.kind == kind):
        assert named <= set(notice.params), kind
        assert all(notice.params[name].strip() for name in named)
        zh, en = sentence(kind, notice.params), sentence(kind, notice.params, "en")
        assert notice.params["title"] in zh
        assert notice.params["title"] in en
        for text in (zh, en):
            assert not re.search(r"[{}]|None|  |T\d\d:\d\d", text), text
        assert re.search("[\u4e00-\u9fff]", zh.replace(notice.params["title"], ""))
        assert not re.search("[，。：；（）]", en.split("'")[0])


def test_a_notice_tells_the_time_of_the_office() -> None:
    (notice,) = [each for each in SAMPLES if each.kind == "rules_adopted"]
    assert "2026-11-27 18:00" in sentence("rules_adopted", notice.params)
    assert "2026-11-27 18:00" in sentence("rules_adopted", notice.params, "en")


def test_a_notice_without_a_parameter_leaves_it_blank_and_an_unknown_one_is_a_mistake() -> None:
    assert sentence("handed_over", {}) == "转办：“”转由您办理。"
    with pytest.raises(KeyError):
        sentence("praised", {})


def test_notices_survive_the_way_to_the_ledger() -> None:
    for notice in SAMPLES:
        assert Notice.model_validate_json(notice.model_dump_json()) == notice


def test_nothing_in_a_notice_is_told_by_name() -> None:
    for notice in SAMPLES:
        assert not re.search(r"1[3-9]\d{9}|我叫", str(notice.params))


def test_a_resident_with_a_code_is_told_by_it() -> None:
    story = Story(world=handling().world)
    for _, who, raw in (("", "resident", r.REGISTER), *r.LONG_WAY[1:5]):
        story = story.when(raw, who).happens()
    assert told(*act(story, r.ASK, "handler")) == [("resident_asked", "resident!resident-1")]


def test_a_rung_that_is_skipped_tells_nobody() -> None:
    story = contacted().by_time("11-30 18:00").happens().when(r.ANSWER_ORDER, "handler").happens()
    before, after = time(story, "12-07 18:00")
    assert [kind_of(event) for event in after.events[len(before.events) :]] == ["rung_reached"]
    assert told(before, after) == []


def test_a_clock_that_stands_or_did_not_move_is_no_news_when_rules_change() -> None:
    still = with_book(suspended(), "4wd")
    assert told(*act(still, r.ADOPT, RULES_OFFICE, rules="other")) == []


def test_silent_facts_tell_nobody() -> None:
    """Everything else is told by the tasks it opens."""
    speaking = {kind_of(event) for _, story, _ in TABLE for before, after in [story()]
                for event in after.events[len(before.events) :]}  # fmt: skip
    silent: set[str] = set()
    for story in (
        archived(),
        working_until("appraised"),
        working_until("handling").when(r.COMMENT, "resident").happens(),
    ):
        for index, event in enumerate(story.events):
            kind = kind_of(event)
            if kind not in speaking or kind in ("accepted", "clock_started", "clock_stopped"):
                assert CASE.notices(fold(CASE, story.events[: index + 1]), event) == ()
                silent.add(kind)
    assert silent >= {
        "registered", "whistled", "dispatched", "accepted", "struck_off", "verified", "signed", "fed_back", "visited",
        "settled", "appraised", "archived", "commented", "clock_started", "clock_stopped",
    }  # fmt: skip


def test_every_receiver_can_be_looked_up() -> None:
    for notice in SAMPLES:
        assert notice.role in set(Role)
        assert (notice.organisation is None) or (notice.grid is None)
        if notice.role not in (Role.RESIDENT,) and notice.person is None:
            assert notice.organisation or notice.grid
