"""Every workflow a worker hosts: the one list that worker, replays and the check before an upgrade share."""

from workflows.case import CaseWorkflow
from workflows.shell import Shell
from workflows.wish import WishWorkflow

HOSTED: tuple[type[Shell], ...] = (CaseWorkflow, WishWorkflow)
