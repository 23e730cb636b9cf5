"""The wish as a Temporal workflow."""

from temporalio import workflow

from workflows import ids
from workflows.shell import Shell

with workflow.unsafe.imports_passed_through():
    from domain.process import Start
    from domain.wish import WISH


@workflow.defn(name=ids.WORKFLOW_TYPES["wish"])
class WishWorkflow(Shell):
    """One wish, from its publication to thanks or its lapse."""

    process = WISH

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> str:
        """Host the wish; the answer is its last stage."""
        return await self.host()
