"""The case as a Temporal workflow."""

from temporalio import workflow

from workflows import ids
from workflows.shell import Shell

with workflow.unsafe.imports_passed_through():
    from domain.case import CASE
    from domain.process import Start


@workflow.defn(name=ids.WORKFLOW_TYPES["case"])
class CaseWorkflow(Shell):
    """One resident's request, from its registration to its archive."""

    process = CASE

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> str:
        """Host the case; the answer is its last stage."""
        return await self.host()
