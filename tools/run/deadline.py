"""No call waits for its tool longer than this, whatever the tool does.

The tool is left alone, not ended: only another process (`tools/run/process.py`) can be.
"""

import asyncio
from dataclasses import dataclass

from tools.errors import ToolFailed
from tools.evidence import Evidence
from tools.run.wrapper import Invocation, Step


@dataclass(frozen=True)
class Deadline:
    """Fails (ToolFailed) a call whose tool has not finished after `seconds`."""

    seconds: float

    async def __call__(self, call: Invocation, proceed: Step) -> Evidence:
        clock = asyncio.timeout(self.seconds)
        try:
            async with clock:
                return await proceed(call)
        except TimeoutError:
            if not clock.expired():  # the tool's own
                raise
            raise ToolFailed(f"{call.tool.name} did not finish in {self.seconds:g} s and was given up.") from None
