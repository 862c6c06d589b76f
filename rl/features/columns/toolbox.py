"""A Toolbox in place of a list of tools: the policy reads the same tokens, and its calls give the same images."""

from rl.features.case import NO_TOOLS, TOOLS, Case, expect
from tools.registry import load_tools
from tools.toolbox import Toolbox

TITLE = "Toolbox"


async def prove(case: Case) -> str | None:
    """One episode with each."""
    listed, boxed = case.willing(), case.willing()
    state = await case.play(listed)
    again = await case.play(boxed, Toolbox(load_tools(list(TOOLS))))
    one, other = ({each.asked for each in policy.spoken} for policy in (listed, boxed))
    expect(one == other, f"Got {len(one ^ other)} prompts that only a list of tools or only a Toolbox leads to.")
    given = [sorted(image for call in each["calls"] for image in call["images"]) for each in (state, again)]
    expect(given[0] == given[1], f"Got the images {given[1]} of a Toolbox, expected {given[0]}.")
    return None if state["calls"] else NO_TOOLS
