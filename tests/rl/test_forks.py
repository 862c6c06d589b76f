"""Forks of a real graph's checkpoints: what they share with their parent, id by id, and where their own ids begin."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from PIL.Image import Image

from agent.encoder import Encoder
from agent.ledger import Ledger
from agent.limits import Limits
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.scripted import ScriptedPolicy
from agent.question import Overrides, Question
from agent.turn import Agent
from graphs.reasoning import compile_reasoning, recursion_limit
from rl.evr import Branching, Call
from rl.forks import Episode, fork, fresh
from rl.groups import calls_of_episode, sample_group
from rl.tasks.task import Task
from rl.trajectories.check import training_row
from tests.rl.scripts import looks
from tools.images.store import ImageStore
from tools.registry import load_tools
from tools.toolbox import Toolbox

Gallery = tuple[ImageStore, list[Task]]
LIMITS = Limits(3, 48, 512)
LIMIT = recursion_limit(LIMITS)


class Sure:
    """A scripted policy that says an entropy for each id: `entropy` nats."""

    def __init__(self, policy: Policy, entropy: float) -> None:
        self.policy, self.entropy = policy, entropy

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        got = await self.policy.generate(token_ids, images, sampling)
        return Completion(
            got.token_ids, got.logprobs, got.finish_reason, got.versions, None, (self.entropy,) * len(got.token_ids)
        )


class Ending:
    """Writes given ids once, then what a script says."""

    def __init__(self, ids: Sequence[int], after: Policy) -> None:
        self.ids, self.after, self.prompts = tuple(ids), after, list[list[int]]()

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        self.prompts.append(list(token_ids))
        if len(self.prompts) > 1:
            return await self.after.generate(token_ids, images, sampling)
        assert len(self.ids) <= sampling.max_tokens
        return Completion(self.ids, (-0.5,) * len(self.ids), "stop", ("new",), len(token_ids) + 15, ())


def graph_of(encoder: Encoder, store: ImageStore) -> Any:
    agent = Agent(
        policy=ScriptedPolicy([], encoder),
        encoder=encoder,
        toolbox=Toolbox(load_tools(["zoom_in", "measure_distance"])),
        store=store,
        limits=LIMITS,
    )
    return compile_reasoning(agent, InMemorySaver())


def test_a_fork_shares_the_turns_beginning_and_samples_the_rest(encoder: Encoder, gallery: Gallery) -> None:
    store, tasks = gallery
    task = next(task for task in tasks if task.kind == "name")
    graph = graph_of(encoder, store)
    question = Question(images=list(task.images), question=task.question)
    script = looks(task)

    async def run() -> tuple[Episode, Episode, Episode, Ending, int]:
        policy = Sure(ScriptedPolicy(script, encoder), 1.0)
        parent = await fresh(graph, question, Overrides(policy), "one", LIMIT)
        (call,) = calls_of_episode(parent, encoder, Branching())
        kept = parent.completions[0].token_ids[: call.position]
        other, _ = encoder.encode('1, "box": [100, 100, 300, 300]}}</tool_call><|im_end|>')
        assert encoder.decode([*kept, *other]).count("<tool_call>") == 1
        again = Ending(other, ScriptedPolicy(script, encoder, version="new"))
        forked = await fork(graph, parent, call.turn, call.position, Overrides(again), LIMIT)
        sibling = await fork(graph, parent, 2, 0, Overrides(ScriptedPolicy(script, encoder)), LIMIT)
        return parent, forked, sibling, again, call.position

    parent, forked, sibling, again, position = asyncio.run(run())
    before, after = Ledger.from_plain(parent.state["ledger"]), Ledger.from_plain(forked.state["ledger"])
    start = before.sampled[0].start
    assert forked.own_from == start + position
    assert after.ids[: forked.own_from] == before.ids[: forked.own_from]
    assert again.prompts[0] == [
        *before.prompt_ids()[: len(again.prompts[0]) - position],
        *before.ids[start : start + position],
    ]
    assert after.sampled[0].versions == ("script", "new")
    assert after.sampled[0].logprobs[:position] == before.sampled[0].logprobs[:position]
    assert set(after.sampled[0].logprobs[position:]) == {-0.5}
    # the fork looked at the box that it wrote, its parent where the expert did
    (look,) = forked.state["calls"]
    assert look["call"]["arguments"]["box"] == [100, 100, 300, 300]
    assert parent.state["calls"][0]["call"]["arguments"]["box"] != [100, 100, 300, 300]
    assert forked.state["answer"] == parent.state["answer"] == task.answer

    row = training_row(after, encoder, store, own_from=forked.own_from)
    assert sum(row.mask[: forked.own_from]) == 0
    assert row.mask[forked.own_from :] == after.loss_mask()[forked.own_from :]
    assert sum(row.mask) == sum(after.loss_mask()) - position

    # a fork at the second turn shares the look: the tool is not run again, the first turn is not trained again
    assert sibling.state["calls"] == parent.state["calls"]
    assert sibling.own_from == before.sampled[1].start
    assert Ledger.from_plain(sibling.state["ledger"]).ids == before.ids


@pytest.mark.parametrize(("rises", "forked"), [([9.0, 9.0, 9.0], 2), ([-9.0] * 3, 0), ([9.0, -9.0, -9.0], 1)])
def test_a_groups_size_is_exact_and_half_of_it_forks_at_most(rises: list[float], forked: int) -> None:
    import random

    names = iter("abcde")

    async def first() -> str:
        return next(names)

    async def second(parent: str, call: Call) -> str:
        return f"{parent}@{call.turn}"

    def calls(name: str) -> list[Call]:
        return [Call(1, 3, rises["abc".index(name)])]

    got = asyncio.run(sample_group(5, first, second, calls, Branching(), random.Random(0)))
    assert len(got) == 5
    assert got[:3] == ["a", "b", "c"]
    assert sum("@" in each for each in got) == forked
    assert got[3 + forked :] == ["d", "e"][: 2 - forked]


def test_without_branching_all_are_fresh() -> None:
    import random

    async def first() -> str:
        return "fresh"

    async def second(parent: str, call: Call) -> str:
        raise AssertionError

    assert asyncio.run(sample_group(3, first, second, lambda _: [], None, random.Random(0))) == ["fresh"] * 3
