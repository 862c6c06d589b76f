"""A Toolbox in place of a list of tools: the policy reads the same tokens, and its calls give the same images."""

from agent.chat.record.episode import Episode
from rl.features.case import TOOLS, Case, expect
from tools.registry import load_tools
from tools.toolbox import Toolbox

TITLE = "Toolbox"


async def prove(case: Case) -> str | None:
    """One episode with each."""
    tools = load_tools(list(TOOLS))
    listed, boxed = case.reading_policy(), case.reading_policy()
    one, other = Episode(), Episode()
    await case.through(case.opened(case.model(listed), tools=tools), one)
    await case.through(case.opened(case.model(boxed), tools=Toolbox(tools)), other)
    asked, again = ({each.asked for each in policy.spoken} for policy in (listed, boxed))
    expect(asked == again, f"Got {len(asked ^ again)} prompts that only a list of tools or only a Toolbox leads to.")
    given, too = (sorted(image for call in each.results for image in call["images"]) for each in (one, other))
    expect(given == too, f"Got the images {too} of a Toolbox, expected {given}.")
    return None if one.results else case.without_tools(listed)
