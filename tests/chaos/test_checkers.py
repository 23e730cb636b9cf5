"""The judges of the chaos suite find what they are there for: each planted wrong is found, and named as what it is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.diary import Diary, History
from tests.chaos.checkers import GRACE, judge
from tests.chaos.dump import Ledger
from tests.chaos.made import STREAM, Made, hash_of, made
from tests.chaos.play import report_on, told

Json = dict[str, Any]
Plant = Callable[[Made, History, Ledger], None]


def here(ledger: Ledger) -> Json:
    return ledger.streams[STREAM]


def command(run: Made, ledger: Ledger, name: str) -> Json:
    return next(row for row in here(ledger)["commands"] if row["id"] == run.keys[name])


def line(history: History, run: Made, name: str, end: str) -> Json:
    number = next(each["n"] for each in history.lines if each.get("key") == run.keys[name])
    return next(each for each in history.lines if each["type"] == end and each["n"] == number)


def forget(run: Made, ledger: Ledger, name: str) -> None:
    """The command is gone from the log as if it had never been, and the log is whole again."""
    gone = command(run, ledger, name)
    found = here(ledger)
    found["commands"].remove(gone)
    found["events"] = [row for row in found["events"] if row["command_id"] != gone["id"]]
    chain_anew(ledger)


def chain_anew(ledger: Ledger) -> None:
    """Number and chain the events anew, as somebody does who knows how."""
    found, before = here(ledger), ""
    for seq, row in enumerate(found["events"], 1):
        row |= {"seq": seq, "prev": before}
        row["hash"] = before = hash_of(row)
    for each in found["commands"]:
        seqs = [row["seq"] for row in found["events"] if row["command_id"] == each["id"]]
        each |= {"seq_from": min(seqs), "seq_to": max(seqs)}


# --- the wrongs --------------------------------------------------------------------------------------------------


def a_lost_act(run: Made, history: History, ledger: Ledger) -> None:
    forget(run, ledger, "comment")


def an_act_recorded_twice(run: Made, history: History, ledger: Ledger) -> None:
    again = dict(command(run, ledger, "comment"))
    other = {**here(ledger), "commands": [again], "events": []}
    ledger.streams["case-" + "2" * 32] = {**other, "rows": {}}


def an_act_done_again_under_another_key(run: Made, history: History, ledger: Ledger) -> None:
    found = here(ledger)
    row = next(each for each in found["events"] if each["command_id"] == run.keys["comment"])
    again = {**row, "id": "0" * 8 + row["id"][8:], "command_id": run.keys["unknown"]}
    found["events"].append(again)
    found["commands"].append({**command(run, ledger, "comment"), "id": run.keys["unknown"]})
    chain_anew(ledger)


def a_refused_act_that_took_effect(run: Made, history: History, ledger: Ledger) -> None:
    answer = line(history, run, "comment", "ok")
    answer |= {"type": "fail", "status": 409, "code": "case.wrong_stage"}


def an_answer_that_is_not_what_was_recorded(run: Made, history: History, ledger: Ledger) -> None:
    line(history, run, "dispatch", "ok")["facts"][0][2] = "0" * 64


def a_repeated_act_that_is_refused(run: Made, history: History, ledger: Ledger) -> None:
    first = next(each for each in history.lines if each.get("key") == run.keys["comment"])
    history.lines += [
        {**first, "n": 900, "t": 500.0},
        {"type": "fail", "n": 900, "t": 500.5, "status": 409, "code": "case.wrong_stage"},
    ]


def a_key_that_stood_for_two_acts(run: Made, history: History, ledger: Ledger) -> None:
    first = next(each for each in history.lines if each.get("key") == run.keys["comment"])
    answer = line(history, run, "comment", "ok")
    history.lines += [{**first, "n": 901, "content": "another", "mark": ""}, {**answer, "n": 901}]


def an_act_nobody_sent(run: Made, history: History, ledger: Ledger) -> None:
    history.lines = [each for each in history.lines if each.get("key") != run.keys["accept"]]


def acts_in_another_order_than_they_were_told(run: Made, history: History, ledger: Ledger) -> None:
    history_of_first = next(each for each in history.lines if each.get("key") == run.keys["whistle"])
    history_of_first["t"] = 400.0
    line(history, run, "whistle", "ok")["t"] = 401.0


def a_changed_event(run: Made, history: History, ledger: Ledger) -> None:
    here(ledger)["events"][2]["body"]["at"] = "2026-11-23T04:00:09Z"


def a_missing_event(run: Made, history: History, ledger: Ledger) -> None:
    del here(ledger)["events"][3]


def an_event_that_follows_another(run: Made, history: History, ledger: Ledger) -> None:
    here(ledger)["events"][4]["prev"] = "0" * 64


def a_command_that_covers_too_much(run: Made, history: History, ledger: Ledger) -> None:
    command(run, ledger, "accept")["seq_from"] -= 1


def a_way_the_chart_does_not_know(run: Made, history: History, ledger: Ledger) -> None:
    found = here(ledger)
    for name in ("whistle", "dispatch"):
        kept = [row for row in found["events"] if row["kind"] not in ("whistled", "dispatched")]
        found["events"] = kept
        assert name in run.keys
    chain_anew(ledger)


def a_forgotten_deadline(run: Made, history: History, ledger: Ledger) -> None:
    here(ledger)["looked_at"] = (run.at + timedelta(minutes=7)).isoformat()


def a_case_without_a_timer(run: Made, history: History, ledger: Ledger) -> None:
    here(ledger)["workflow"]["timers"] = [(run.at + timedelta(days=1)).isoformat()]


def a_case_that_waits_for_another_moment(run: Made, history: History, ledger: Ledger) -> None:
    plan = here(ledger)["workflow"]["held"]["plan"]
    plan["alarm"] = (datetime.fromisoformat(plan["alarm"]) + timedelta(hours=1)).isoformat()


def a_case_nothing_waits_for(run: Made, history: History, ledger: Ledger) -> None:
    here(ledger)["workflow"] = {"status": "NONE", "seq": None, "held": None, "timers": []}


def a_case_nobody_would_have_woken(run: Made, history: History, ledger: Ledger) -> None:
    """Its next moment stood only in the act its workflow was never told of; where the waker looks it stands later."""
    row = here(ledger)["rows"]["awaited"][0]
    row["at"] = (datetime.fromisoformat(row["at"]) + timedelta(hours=1)).isoformat()
    here(ledger)["was_behind"] = []


def a_rung_reached_twice(run: Made, history: History, ledger: Ledger) -> None:
    found = here(ledger)
    row = next(each for each in found["events"] if each["kind"] == "rung_reached")
    found["events"].insert(found["events"].index(row), {**row, "id": "1" * 8 + row["id"][8:]})
    chain_anew(ledger)


def a_rung_said_too_late(run: Made, history: History, ledger: Ledger) -> None:
    row = next(each for each in here(ledger)["events"] if each["kind"] == "rung_reached")
    later = datetime.fromisoformat(row["at"]) + GRACE + timedelta(minutes=1)
    row["at"] = row["body"]["at"] = later.isoformat()


def a_rung_said_too_early(run: Made, history: History, ledger: Ledger) -> None:
    row = next(each for each in here(ledger)["events"] if each["kind"] == "rung_reached")
    row["body"]["stood_at"] = (datetime.fromisoformat(row["at"]) + timedelta(minutes=1)).isoformat()


def a_read_model_that_says_something_else(run: Made, history: History, ledger: Ledger) -> None:
    here(ledger)["rows"]["case_row"][0]["stage"] = "handling"


def a_workflow_that_is_behind(run: Made, history: History, ledger: Ledger) -> None:
    here(ledger)["workflow"]["held"]["seq"] -= 1


def a_notice_that_was_never_told(run: Made, history: History, ledger: Ledger) -> None:
    ledger.content["outbox"]["waiting"] = 1


def an_outage_that_showed_as_a_mistake(run: Made, history: History, ledger: Ledger) -> None:
    line(history, run, "unknown", "info").update(status=500, why="request.mistake")


WRONGS: dict[Plant, str] = {
    a_lost_act: "lost",
    an_act_recorded_twice: "doubled",
    an_act_done_again_under_another_key: "doubled",
    a_refused_act_that_took_effect: "fail_took_effect",
    an_answer_that_is_not_what_was_recorded: "told_otherwise",
    a_repeated_act_that_is_refused: "repeated_act_refused",
    a_key_that_stood_for_two_acts: "key_taken_twice",
    an_act_nobody_sent: "nobody_sent_it",
    acts_in_another_order_than_they_were_told: "out_of_order",
    a_changed_event: "chain",
    a_missing_event: "chain",
    an_event_that_follows_another: "chain",
    a_command_that_covers_too_much: "commands",
    a_way_the_chart_does_not_know: "illegal",
    a_forgotten_deadline: "forgotten",
    a_case_without_a_timer: "no_timer",
    a_case_that_waits_for_another_moment: "other_alarm",
    a_case_nothing_waits_for: "no_workflow",
    a_case_nobody_would_have_woken: "unwatched",
    a_rung_reached_twice: "said_again",
    a_rung_said_too_late: "late",
    a_rung_said_too_early: "too_early",
    a_read_model_that_says_something_else: "read_model",
    a_workflow_that_is_behind: "workflow",
    a_notice_that_was_never_told: "outbox",
    an_outage_that_showed_as_a_mistake: "mistake",
}


def test_a_true_run_is_found_to_be_in_order() -> None:
    run = made()
    assert judge(run.history(), run.ledger()) == []


@pytest.mark.parametrize(("plant", "code"), list(WRONGS.items()), ids=lambda each: getattr(each, "__name__", each))
def test_each_wrong_is_found(plant: Plant, code: str) -> None:
    run = made()
    history, ledger = run.history(), run.ledger()
    plant(run, history, ledger)
    assert code in {each.code for each in judge(history, ledger)}


def test_an_act_that_nobody_knows_of_may_be_there_or_not() -> None:
    run = made()
    run.tell(run.keys["comment"], "comment", "sign-c", "info", why="late")
    assert judge(run.history(), run.ledger()) == []
    history, ledger = run.history(), run.ledger()
    line(history, run, "strike_off", "ok").update(type="info", why="ReadTimeout")
    assert judge(history, ledger) == []


def test_a_kept_run_is_judged_as_it_was(tmp_path: Path) -> None:
    run = made()
    diary = Diary(tmp_path / "history.jsonl")
    for each in run.lines:
        kept = {name: value for name, value in each.items() if name not in ("type", "t", "at")}
        diary.note(each["type"], **kept)
    diary.close()
    ledger = run.ledger()
    forget(run, ledger, "comment")
    ledger.write(tmp_path / "ledger.json.gz")

    report = report_on(
        History.read(tmp_path / "history.jsonl"),
        Ledger.read(tmp_path / "ledger.json.gz"),
        seed=1,
        minutes=0.0,
        settled=0.0,
    )

    assert report.counted("lost") >= 1
    assert "lost 1" in told(report)


KEPT = sorted(path.parent for path in Path(__file__).with_name("kept").glob("*/history.jsonl"))


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_a_run_that_failed_once_still_does(folder: Path) -> None:
    """What such a run has shown is mended in the product; its judges must go on seeing it."""
    wanted = set((folder / "found.txt").read_text(encoding="utf-8").split())
    found = judge(History.read(folder / "history.jsonl"), Ledger.read(folder / "ledger.json.gz"))
    assert wanted <= {each.code for each in found}
