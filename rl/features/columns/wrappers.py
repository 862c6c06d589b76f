"""A budget of one call, shared by all conversations and turns of an episode, and a wrapper of one's own around each
call: one call runs, all others are sent back with what is left; the next episode has a budget again."""

from rl.features.case import TOOLS, Case, expect
from tools.evidence import Evidence
from tools.registry import load_tools
from tools.toolbox import Toolbox
from tools.wrappers.budget import Budget
from tools.wrappers.contract import Invocation, Step

TITLE = "Budget, wrappers"


async def prove(case: Case) -> str | None:
    """Two episodes of a policy that looks twice in each conversation."""
    ran: list[str] = []

    async def noted(call: Invocation, proceed: Step) -> Evidence:
        ran.append(call.call.name)
        return await proceed(call)

    tools = Toolbox(load_tools(list(TOOLS)), wrappers=[Budget(1), noted])
    for episode in (1, 2):
        policy = case.willing(looks=2)
        state = await case.play(policy, tools)
        if not state["calls"]:
            return case.without_tools(policy)
        statuses = sorted(call["status"] for call in state["calls"])
        expected = ["ok", *["retry"] * (len(statuses) - 1)]
        expect(statuses == expected and len(statuses) > 1, f"Got calls that ended {statuses}, expected {expected}.")
        expect(len(ran) == episode, f"Got {len(ran)} calls run in {episode} episodes, expected one in each.")
        refused = [call["text"] for call in state["calls"] if call["status"] == "retry"]
        expect(all("0 left" in text for text in refused), f"Got {refused[0]!r}, expected to be told what is left.")
    return None
