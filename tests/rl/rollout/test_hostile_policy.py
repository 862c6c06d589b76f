"""Nothing that a policy writes raises: hostile turns over every graph that ships and every example, kept and sealed.

What is written comes from lists of what has broken readers before, cut and joined at random by a seed; and from random
ids, which hold half characters. Each episode must end with an outcome, and go into Parquet and back.
"""

import asyncio
import io
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from PIL.Image import Image

from agent.answer import Outcome
from agent.encoder import Encoder
from agent.policies.policy import Completion, Sampling
from graphs.app import catalogue
from rl.config import Config
from rl.rewards.compose import score
from rl.rollout.run_parts import open_parts
from rl.tasks.task import Task
from rl.trajectories.finished_episode import OUT_OF_TIME, UNREADABLE
from rl.trajectories.record import Trajectory, record
from rl.trajectories.rows import from_row, table_of
from tools.images.store import ImageStore
from tools.registry import load_tools

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(str(path) for path in (ROOT / "examples").glob("*.py"))
SHAPES = sorted(str(path) for path in (Path(__file__).parent / "shapes").glob("*.py"))
STRUCTURED = [f"{Path(__file__).parent}/shapes/structured.py:{made}" for made in ("by_schema", "by_call")]
EPISODES = 12

VALUES = (
    "1", "-1", "0.5", "NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, "null", "true", '"one"', "[]", "{}",
    '"\\ud800"', '"\\u0000"', "[" * 3000, '{"a":' * 400, '"' + "x" * 3000 + '"', "[0, 0, 499, 499]", "[499, 499, 0, 0]",
    "[1e30, 0, 1, 1]", "[[[[]]]]", '"<|im_end|>"', "\x00", "'", "",
)  # fmt: skip
NAMES = ("zoom_in", "measure_distance", "no_such_tool", "", "\\ud800", "zoom_in\\u0000", "__class__", "json", "Reading")
FIELDS = ("image", "box", "name", "arguments", "answer", "confidence", "state", "self", "", "\\udfff")
PIECES = (
    "<think>", "</think>", "<tool_call>", "</tool_call>", "<answer>", "</answer>", "yes", "\x00", "\ufffd", "{", "}",
    "cannot tell", "```json\n", "<tool_response>", "\u202e", "\U0001f469\u200d\u2695\ufe0f", "\r\n", "1" * 400, "%s{0}",
)  # fmt: skip


def a_call(of: random.Random) -> str:
    arguments = ", ".join(f'"{of.choice(FIELDS)}": {of.choice(VALUES)}' for _ in range(of.randrange(4)))
    call = f'{{"name": "{of.choice(NAMES)}", "arguments": {{{arguments}}}}}'
    return f"<tool_call>{call if of.random() < 0.7 else call[: of.randrange(1, 40)]}</tool_call>"


def an_answer(of: random.Random) -> str:
    fields = ", ".join(f'"{of.choice(FIELDS)}": {of.choice(VALUES)}' for _ in range(of.randrange(4)))
    said = of.choice((f"{{{fields}}}", of.choice(VALUES), of.choice(PIECES)))
    return f"<answer>{said[: of.choice((10, 10**6))]}</answer>"


def hostile(of: random.Random) -> str:
    """One turn that nobody was meant to write."""
    kind = of.randrange(4)
    if kind == 0:
        return "".join(of.choice((*PIECES, a_call(of), of.choice(VALUES))) for _ in range(of.randrange(8)))
    thought = f"<think>{of.choice(PIECES)}</think>" if of.random() < 0.8 else ""
    acts = [a_call(of) for _ in range(of.randrange(1, 6))] if kind == 1 else [an_answer(of)]
    text = thought + "".join(acts)
    return text[: of.randrange(len(text))] if of.random() < 0.2 else text


class Hostile:
    """A policy that writes such turns, and random ids."""

    def __init__(self, seed: int, encoder: Encoder) -> None:
        self.random, self.encoder = random.Random(seed), encoder
        self.written: list[str] = []

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """A turn."""
        del token_ids, images
        if self.random.random() < 0.2:
            allowed = [id for id in range(len(self.encoder.tokenizer)) if id not in sampling.banned]
            whole = tuple(self.random.choices(allowed, k=self.random.randrange(1, 40)))
        else:
            text = hostile(self.random)
            whole = tuple(id for id in self.encoder.encode(text)[0] if id not in sampling.banned)
            whole = (*whole, self.encoder.end_of_turn)
        ids = whole[: sampling.max_tokens]
        self.written.append(self.encoder.decode(ids))
        return Completion(ids, (-1.0,) * len(ids), "stop" if ids == whole else "length", ("v1",), None)


def of_two_images(tasks: Sequence[Task], place: int) -> Task:
    """A task that `compare_prior` takes too."""
    return replace(tasks[place], images=(*tasks[place].images, *tasks[place - 1].images))


@pytest.mark.parametrize("name", [*catalogue.graphs(), *EXAMPLES, *SHAPES, *STRUCTURED])
def test_no_turn_raises(name: str, encoder: Encoder, gallery: tuple[ImageStore, list[Task]]) -> None:
    store, tasks = gallery
    episode = {"context": 2048, "turn_tokens": 300}
    config = Config.model_validate({"name": "hostile", "graph": name, "episode": episode})
    parts = open_parts(config, encoder, store, load_tools(["zoom_in", "measure_distance"]))
    known = {*get_args(Outcome), OUT_OF_TIME, UNREADABLE}
    kept: list[Any] = []
    for seed in range(EPISODES):
        policy, task = Hostile(seed, encoder), of_two_images(tasks, seed % len(tasks))
        try:
            state = asyncio.run(parts.ask(task, parts.episode(policy, Sampling(temperature=1.0))))
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r} after {policy.written!r:.2000}") from error
        assert state["outcome"] in known
        reward, components = score(task, state, config.rl.rewards)
        kept.append(record(str(seed), "rl", task, state, components, reward, 0.1, origin=parts.origin))
    written = io.BytesIO()
    import pyarrow.parquet

    pyarrow.parquet.write_table(table_of(kept), written)
    again = pyarrow.parquet.read_table(io.BytesIO(written.getvalue())).to_pylist()
    assert [plain(from_row(row)) for row in again] == [plain(each) for each in kept]


def plain(trajectory: Trajectory) -> str:
    return json.dumps(trajectory.to_plain(), sort_keys=True)
