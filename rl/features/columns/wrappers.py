"""A budget of one call in each conversation, and a wrapper of one's own around every call: where a policy looks twice
in a conversation, one call runs and the other is sent back with what is left; the next episode has its budget again."""

from collections import Counter

from rl.features.case import TOOLS, Case, expect
from tools.evidence import Evidence
from tools.registry import load_tools
from tools.run.budget import Budget
from tools.run.wrapper import Invocation, Step
from tools.toolbox import Toolbox

TITLE = "Budget, wrappers"


async def prove(case: Case) -> str | None:
    """Two episodes."""
    ran: list[str] = []

    async def noted(call: Invocation, proceed: Step) -> Evidence:
        ran.append(call.call.name)
        return await proceed(call)

    tools = Toolbox(load_tools(list(TOOLS)), wrappers=[Budget(1), noted])
    for episode in (1, 2):
        policy = case.reading_policy(looks=2)
        state = await case.play(policy, tools)
        if not state["calls"]:
            return case.without_tools(policy)
        ended = Counter(call["status"] for call in state["calls"])
        half = policy.called // 2
        expect(ended == {"ok": half, "retry": half}, f"Got calls that ended {ended}, expected {half} of each.")
        expect(len(ran) == episode * half, f"Got {len(ran)} calls run in {episode} episodes, expected {half} in each.")
        refused = [call["text"] for call in state["calls"] if call["status"] == "retry"]
        expect(all("0 left" in text for text in refused), f"Got {refused[0]!r}, expected to be told what is left.")
    return None
