"""So many calls an episode. A call too many is sent back with what is left, so that the policy can go on.

Nothing is counted here: what an episode has spent is read off its own past, the results that its state holds (the
`calls` of our reasoning graph, the tool messages of any other). So episodes that share a Toolbox never meet, and one
that is resumed in another process or forked from an old checkpoint has spent what its own past says. In a graph of
messages an episode is one conversation, that is one list of messages: branches (`Send`) that begin lists of their own
have a budget each, and what a graph drops from its messages is forgotten. A call that was sent back (`retry`) costs
nothing; one that is answered from memory does.
"""

from collections.abc import Mapping, Sequence

from tools.errors import ToolRetry
from tools.evidence import Evidence
from tools.run.wrapper import Invocation, Step


class Budget:
    """At most `calls` calls in one episode, of `tools` (names) together or of all. Raises ToolRetry for one more.

    Several budgets may be set: `wrappers=[Budget(8), Budget(2, ["read_text"])]`.
    """

    def __init__(self, calls: int, tools: Sequence[str] = ()) -> None:
        if calls < 0:
            raise ValueError(f"Got a budget of {calls} calls, expected 0 or more.")
        self.calls = calls
        self.names = (tools,) if isinstance(tools, str) else tuple(tools)

    def admit(self, tool: str, spent: Mapping[str, int]) -> None:
        """Raises ToolRetry for a call of `tool` beyond the budget."""
        counted = sum(spent.get(name, 0) for name in self.names or spent)
        if counted >= self.calls:
            raise ToolRetry(self._refusal(tool, counted))

    async def __call__(self, call: Invocation, proceed: Step) -> Evidence:
        return await proceed(call)

    def _refusal(self, name: str, spent: int) -> str:
        what = "any tool" if not self.names else " or ".join(self.names)
        instead = "call another tool, or answer" if self.names else "answer with what you have seen"
        times = "1 call" if self.calls == 1 else f"{self.calls} calls"
        return (
            f"{name}: got one more call of {what}, expected at most {times} in an episode; "
            f"{spent} made, {max(0, self.calls - spent)} left. Go on without: {instead}."
        )
