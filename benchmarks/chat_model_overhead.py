"""What the chat model costs over a bare call of its policy.

- A step: one call of the chat model at the end of a conversation of about 2,000 ids, over the time that its policy took
  for that very call: a real vLLM server with `--serve`, and a policy that takes the time that a server would
  (`--tokens-per-second`, `--turn` ids a turn). Median, and the quartiles.
- Bookkeeping: the processor time of all that the chat model does (LangChain's own part of a call included) in an
  episode of 128 turns, over the time in which its tokens are generated; and for 32 and 64 turns, to see how it grows.
- Rows: taking the training rows of that episode.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, ToolMessage
from PIL.Image import Image

from agent.chat import Episode, PolicyChatModel
from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.served import ServedPolicy
from agent.protocol import Turn
from agent.serving.checkpoint import Checkpoint
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from benchmarks import finding
from graphs.app.default_checkpoint import default_folder, open_checkpoint
from tools.images.store import ImageStore
from tools.toolbox import ToolCall

LONG = 2000
"""Ids of the conversation in which a step is measured."""
TURNS = (32, 64, 128)
LOOK = Turn("I must look closer.", calls=(ToolCall(name="zoom_in", arguments={"image": 1}),))


class Paced:
    """A policy that says the same turn again, and takes the time that a server would take to sample it."""

    def __init__(self, family: Family, turn: int, rate: float | None) -> None:
        said, _ = family.encode(family.write(LOOK) + family.ends[0])
        padding, _ = family.encode("a")
        self.ids = (*padding * max(0, turn - len(said)), *said)
        self.seconds_a_turn = len(self.ids) / rate if rate else 0.0
        self.seconds = 0.0

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The turn."""
        del token_ids, images, sampling
        started = time.perf_counter()
        if self.seconds_a_turn:
            await asyncio.sleep(self.seconds_a_turn)
        self.seconds += time.perf_counter() - started
        return Completion(self.ids, (-0.1,) * len(self.ids), "stop", ("1",), None)


async def conversation(model: PolicyChatModel, turns: int) -> list[AnyMessage]:
    """A conversation of so many turns, each answered by a tool."""
    messages: list[AnyMessage] = [HumanMessage("What is it?")]
    for _ in range(turns):
        said = await model.ainvoke(messages)
        messages += [said, ToolMessage("Closer view of image 1.", tool_call_id=said.tool_calls[0]["id"])]
    return messages


class Stopwatch:
    """A policy whose own time is taken."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.seconds = 0.0

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """The policy's completion."""
        started = time.perf_counter()
        completion = await self.policy.generate(token_ids, images, sampling)
        self.seconds = time.perf_counter() - started
        return completion


async def step(family: Family, store: ImageStore, turn: int, policy: Policy, repeats: int) -> list[float]:
    """Seconds of calls at `LONG` ids over the policy's own: lower quartile, median, upper quartile."""
    watched = Stopwatch(policy)
    model = PolicyChatModel(
        policy=Paced(family, turn, None), family=family, store=store, context=10**6, temperature=1.0, max_tokens=turn
    )
    ratios: list[float] = []
    with Episode().recording() as episode:
        messages = await conversation(model, 1)
        while len(episode.rows()[-1].ledger) < LONG:
            said = await model.ainvoke(messages)
            messages += [said, ToolMessage("Closer view of image 1.", tool_call_id=said.tool_calls[0]["id"])]
        episode.policy = watched
        for number in range(repeats + 1):
            started = time.perf_counter()
            await model.ainvoke([*messages, HumanMessage(f"Go on {number}.")])
            ratios.append((time.perf_counter() - started) / watched.seconds)
    return statistics.quantiles(ratios[1:], n=4)


async def served_step(
    family: Family, store: ImageStore, turn: int, checkpoint: Checkpoint, repeats: int
) -> list[float]:
    """As `step`, on a vLLM server of our own."""
    async with VLLMServer(checkpoint, ServerOptions(max_model_len=LONG + 16 * turn)) as server:
        return await step(family, store, turn, ServedPolicy(server.base_url, server.versions), repeats)


async def bookkeeping(family: Family, store: ImageStore, turns: int, turn: int) -> tuple[float, float]:
    """(seconds of the chat model alone, seconds to take the rows) of an episode of so many turns."""
    policy = Paced(family, turn, None)
    model = PolicyChatModel(policy=policy, family=family, store=store, context=10**6)
    with Episode().recording() as episode:
        started = time.process_time()
        await conversation(model, turns)
        spent = time.process_time() - started
        started = time.process_time()
        (row,) = episode.rows()
        assert len(row.calls) == turns
        return spent, time.process_time() - started


async def measure(
    family: Family, turn: int, rate: float, repeats: int, served: Checkpoint | None
) -> list[tuple[str, float]]:
    """(what, ratio) of every measurement."""
    with tempfile.TemporaryDirectory() as folder:
        store = ImageStore(folder)
        steps = {f"at {rate:g} tokens/s": await step(family, store, turn, Paced(family, turn, rate), repeats)}
        if served is not None:
            steps["of vLLM"] = await served_step(family, store, turn, served, repeats)
        found = [
            (f"a step at {LONG} ids / the policy's own time {whose}{part}", ratio)
            for whose, ratios in steps.items()
            for part, ratio in zip((", lower quartile", "", ", upper quartile"), ratios, strict=True)
        ]
        await bookkeeping(family, store, TURNS[0], turn)
        for turns in TURNS:
            several = [await bookkeeping(family, store, turns, turn) for _ in range(max(3, repeats // 4))]
            spent, rows = (statistics.median(column) for column in zip(*several, strict=True))
            generated = turns * turn / rate
            found.append((f"bookkeeping of {turns} turns / generation", spent / generated))
            found.append((f"rows of {turns} turns / generation", rows / generated))
    return found


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chat_model_overhead", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, metavar="FOLDER", help="for its tokenizer (default: the last one)")
    parser.add_argument("--repeats", type=int, default=20, help="steps measured (default: %(default)s)")
    parser.add_argument("--tokens-per-second", type=float, default=400.0, help="of the server (default: %(default)s)")
    parser.add_argument("--turn", type=int, default=60, help="ids of a turn (default: %(default)s)")
    parser.add_argument("--serve", action="store_true", help="measure a step on a vLLM server too")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: runs/benchmarks/NAME.json)")
    asked = parser.parse_args()
    folder = asked.checkpoint or default_folder()
    family = family_in(folder)
    served = open_checkpoint(folder) if asked.serve else None
    found = asyncio.run(measure(family, asked.turn, asked.tokens_per_second, asked.repeats, served))
    print(finding.table(("ratio", "of"), [(ratio, what) for what, ratio in found]))
    settings: dict[str, Any] = {"tokens_per_second": asked.tokens_per_second, "turn": asked.turn}
    print(finding.write("chat_model_overhead", {**settings, "ratios": dict(found)}, asked.out))


if __name__ == "__main__":
    main()
