"""Whether what a policy writes and reads fits: calls of its tools into a turn, a question and turns into the context.

A turn that is cut by `episode.turn_tokens` in the middle of a call is no call. How many tokens a call costs depends on
the tokenizer: the embedded policy's knows the tools that it was taught, and spells every other letter by letter.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from langchain_core.tools import BaseTool

from agent.chat.families.family import Before, Family
from agent.chat.guided_decoding import described
from agent.chat.messages import ImagePart, MessageContent
from agent.encoder import EncodingError
from agent.protocol import Turn
from rl.config import Config
from rl.tasks.demonstrator import LOOK
from rl.tasks.task import Task
from rl.training.preflight.finding import Finding
from rl.training.preflight.images import ImageFacts
from tools.calls import ToolCall
from tools.registry import load_tools
from tools.signature import example_call

STEP = 32
"""What is proposed is a multiple of this."""


def calls(config: Config, family: Family) -> Iterator[Finding]:
    """Tools a call of which, behind a short thought, is longer than a turn may be."""
    most = config.episode.turn_tokens
    tools = load_tools(list(config.episode.tools)) if config.episode.tools else []
    least = {tool.name: call_tokens(family, tool) for tool in tools}
    if cut := {name: cost for name, cost in least.items() if cost > most}:
        enough = max(call_tokens(family, tool, whole=True) for tool in tools)
        yield Finding(
            "episode.turn_tokens",
            f"Got {most}, but a call with a short thought costs {_told(cut)} tokens: it would be cut, and never run. "
            f"Expected at least {max(cut.values())}: episode.turn_tokens={_rounded(enough)}, or leave "
            "the tool out.",
        )


def call_tokens(family: Family, tool: BaseTool, whole: bool = False) -> int:
    """Tokens of a turn that thinks shortly and calls a tool, as the run's checkpoint writes it.

    `whole`: with every argument, not only those that are required.
    """
    call = json.loads(example_call(tool, whole))
    text = family.write(Turn(LOOK, calls=(ToolCall(name=call["name"], arguments=call["arguments"]),)))
    return len(family.encode(text)[0]) + 1  # the token that ends the turn


def context(
    config: Config, family: Family, splits: Mapping[str, Sequence[Task]], seen: Mapping[str, ImageFacts]
) -> Iterator[Finding]:
    """Questions that fill the context with their images, and whether all turns have room behind the longest one."""
    episode = config.episode
    tools = [described(tool) for tool in load_tools(list(episode.tools))] if episode.tools else []
    longest, look, full = 0, 0, list[str]()
    for task in (task for tasks in splits.values() for task in tasks if all(image in seen for image in task.images)):
        sizes = [seen[image] for image in task.images]
        question = MessageContent("user", (*map(ImagePart, task.images), task.question))
        try:
            ids = family.tokens(family.opening([question], tools), sizes).ids
        except EncodingError as error:
            yield Finding("tasks", f"{task.id}: {error}")
            continue
        if len(ids) > longest:
            longest = len(ids)
            view = family.continuation(
                [MessageContent("tool", (ImagePart("view"),))], Before(len(sizes), task.question)
            )
            look = max((len(family.tokens(view, [size]).ids) for size in sizes), default=0)
        if len(ids) >= episode.context:
            full.append(task.id)
    if full:
        yield Finding(
            "episode.context",
            f"Got {episode.context}, but {len(full)} questions with their images fill it (the first: {full[0]}), the "
            f"longest with {longest} tokens. Expected room for the turns behind it: episode.context="
            f"{_rounded(longest + episode.turns * (episode.turn_tokens + look))}, or leave them out.",
        )
    elif (need := longest + episode.turns * episode.turn_tokens + (episode.turns - 1) * look) > episode.context:
        said = (
            f"Got {episode.context}, which the longest question ({longest} tokens) and {episode.turns} turns with a "
            f"view each may fill: {need} would hold them all."
        )
        yield Finding("episode.context", said, stops=False)


def _told(costs: Mapping[str, int]) -> str:
    return ", ".join(f"{cost} ({name})" for name, cost in sorted(costs.items(), key=lambda each: -each[1]))


def _rounded(tokens: int) -> int:
    return -(-tokens // STEP) * STEP
