"""Whether what a policy writes and reads fits: calls of its tools into a turn, a question and turns into the context.

A turn that is cut by `episode.turn_tokens` in the middle of a call is no call. How many tokens a call costs depends on
the tokenizer: the embedded policy's knows the tools that it was taught, and spells every other letter by letter.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

from langchain_core.tools import BaseTool

from agent.chat_model.families.find import family_of
from agent.chat_model.said import Call, Said
from agent.encoder import Encoder, EncodingError
from agent.prompt import END_OF_TURN, opening, plain, system_prompt
from agent.protocol import Turn, render_turn
from graphs.loading import find_graph
from rl.config import Config
from rl.preflight.finding import Finding
from rl.preflight.images import Seen
from rl.tasks.phantoms.expert import LOOK
from rl.tasks.task import Task
from tools.calls import ToolCall
from tools.registry import load_tools
from tools.signature import example_call
from tools.toolbox import Toolbox

STEP = 32
"""What is proposed is a multiple of this."""


def calls(config: Config, encoder: Encoder) -> Iterator[Finding]:
    """Tools a call of which, behind a short thought, is longer than a turn may be."""
    most = config.episode.turn_tokens
    tools = load_tools(list(config.episode.tools)) if config.episode.tools else []
    least = {tool.name: call_tokens(config, encoder, tool) for tool in tools}
    if cut := {name: cost for name, cost in least.items() if cost > most}:
        enough = max(call_tokens(config, encoder, tool, whole=True) for tool in tools)
        yield Finding(
            "episode.turn_tokens",
            f"Got {most}, but a call with a short thought costs {_told(cut)} tokens: it would be cut, and never run. "
            f"Expected at least {max(cut.values())}: episode.turn_tokens={_rounded(enough)}, or leave "
            "the tool out.",
        )


def call_tokens(config: Config, encoder: Encoder, tool: BaseTool, whole: bool = False) -> int:
    """Tokens of a turn that thinks shortly and calls a tool, as the run's graph and checkpoint write it.

    `whole`: with every argument, not only those that are required.
    """
    call = json.loads(example_call(tool, whole))
    if find_graph(config.graph).of_turns:
        text = render_turn(Turn(LOOK, calls=(ToolCall(name=call["name"], arguments=call["arguments"]),)))
    else:
        said = Said("assistant", (), LOOK, (Call(call["name"], json.dumps(call["arguments"])),))
        text = family_of(encoder.processor).turn_text(said)
    return len(encoder.encode(text)[0]) + 1  # the token that ends the turn


def context(
    config: Config, encoder: Encoder, splits: Mapping[str, Sequence[Task]], seen: Mapping[str, Seen]
) -> Iterator[Finding]:
    """Questions that fill the context with their images, and whether all turns have room behind the longest one.

    Of a graph of messages, whose prompts nobody knows, the question and its images alone.
    """
    episode = config.episode
    of_turns = find_graph(config.graph).of_turns
    tools = load_tools(list(episode.tools)) if episode.tools else []
    system = system_prompt(Toolbox(tools).prompt_section()) if of_turns else ""
    longest, look, full = 0, 0, list[str]()
    for task in (task for tasks in splits.values() for task in tasks if all(image in seen for image in task.images)):
        try:
            grids = [encoder.grid(seen[image]) for image in task.images]
        except EncodingError as error:
            yield Finding("tasks", f"{task.id}: {error}")
            continue
        ids, _ = encoder.encode(opening(system, plain(task.question), len(grids)), grids)
        if len(ids) > longest:
            longest = len(ids)
            again = len(encoder.encode(f"<|im_start|>user\n{plain(task.question)}{END_OF_TURN}\n")[0])
            look = again + max(map(encoder.placeholders, grids), default=0)
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
