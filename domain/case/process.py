"""The case as a process definition."""

from pydantic import TypeAdapter

from domain.case.commands import Command
from domain.case.decide import decide
from domain.case.events import CaseEvent
from domain.case.evolve import evolve
from domain.case.notices import notices
from domain.case.plan import answer, hand_over, plan, tasks_of
from domain.case.state import Case
from domain.case.vocabulary import STAGE_NAMES, Phase
from domain.process import Process

CASE: Process[Case] = Process(
    name="case",
    command=TypeAdapter(Command),
    event=TypeAdapter(CaseEvent),
    state=TypeAdapter(Case),
    opening=frozenset({"register"}),
    first_phase=Phase.TRIAGE,
    decide=decide,
    evolve=evolve,
    plan=plan,
    tasks=tasks_of,
    answer=answer,
    hand_over=hand_over,
    stage_names=STAGE_NAMES,
    notices=notices,
)
