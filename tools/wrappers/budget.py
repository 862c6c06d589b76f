"""So many calls an episode. A call too many is sent back with what is left, so that the policy can go on.

Nothing is counted here from turn to turn: what an episode has spent is in its own state (`agent/turn.py` reads it off
the calls recorded there). So episodes that share a Toolbox never meet, and one that is resumed or forked from a
checkpoint has spent what its own past says. A call that was sent back (`retry`) costs nothing.
"""

from collections import Counter
from collections.abc import Sequence

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.wrappers.contract import Invocation, Step


class Budget:
    """At most `calls` calls in one episode, of `tools` (names) together or of all. Raises ToolRetry for one more.

    Several budgets may be set: `wrappers=[Budget(8), Budget(2, ["read_text"])]`.
    """

    def __init__(self, calls: int, tools: Sequence[str] = ()) -> None:
        if calls < 0:
            raise ValueError(f"Got a budget of {calls} calls, expected 0 or more.")
        self.calls = calls
        self.names = (tools,) if isinstance(tools, str) else tuple(tools)

    async def __call__(self, call: Invocation, proceed: Step) -> Evidence:
        # no await until the call is counted: the calls of a turn are counted in their order
        admitted: Counter[str] = call.turn.setdefault(self, Counter())
        spent = sum(call.spent.get(name, 0) for name in self.names or call.spent) + admitted.total()
        if spent >= self.calls:
            raise ToolRetry(self._refusal(call.tool.name, spent))
        admitted[call.tool.name] += 1
        return await proceed(call)

    def _refusal(self, name: str, spent: int) -> str:
        what = "any tool" if not self.names else " or ".join(self.names)
        instead = "call another tool, or answer" if self.names else "answer with what you have seen"
        times = "1 call" if self.calls == 1 else f"{self.calls} calls"
        return (
            f"{name}: got one more call of {what}, expected at most {times} in an episode; "
            f"{spent} made, {max(0, self.calls - spent)} left. Go on without: {instead}."
        )
