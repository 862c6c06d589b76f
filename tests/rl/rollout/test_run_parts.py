"""Many episodes at once, and a run's parts opened from its folder."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent.policies.policy import Completion, PolicyError, Sampling
from agent.policies.scripted import ScriptedPolicy
from rl.config import Config, dump
from rl.rollout.run_parts import RunParts, episodes, open_run
from rl.tasks.task import Task
from tests.rl.scripts import answers, looks
from tools.images.store import ImageStore

Gallery = tuple[ImageStore, list[Task]]


class Counted:
    """A policy that notes how often it is asked, and how many times at once."""

    def __init__(self, policy: ScriptedPolicy) -> None:
        self.policy, self.now, self.most, self.asked = policy, 0, 0, 0

    async def generate(self, token_ids: Sequence[int], images: Sequence[Any], sampling: Sampling) -> Completion:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)
        self.now -= 1
        return await self.policy.generate(token_ids, images, sampling)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_as_many_episodes_run_at_once_as_are_allowed(
    gallery: Gallery, parts_of: Callable[..., RunParts], concurrency: int
) -> None:
    parts = parts_of(gallery[0])
    policy = Counted(ScriptedPolicy(answers("solid"), parts.family))
    found = [each async for each in episodes(parts, gallery[1], lambda _: policy, "trained", concurrency)]
    assert policy.most == concurrency
    assert {each.task["id"] for each in found} == {task.id for task in gallery[1]}
    assert {each.stage for each in found} == {"trained"}
    assert len({each.id for each in found}) == 10
    assert all(each.seconds >= 0.01 for each in found)


async def test_each_task_has_its_own_policy_and_reward(gallery: Gallery, parts_of: Callable[..., RunParts]) -> None:
    parts = parts_of(gallery[0])
    weights = parts.config.rl.rewards
    earned = weights["answer"] + weights["tool_use"] + weights["format"] + weights["calls"]
    tasks = [task for task in gallery[1] if task.kind == "name"]
    made = episodes(parts, tasks, lambda task: ScriptedPolicy(looks(task), parts.family), "rl", 2)
    assert [(each.reward, each.correct) async for each in made] == [(pytest.approx(earned), True)] * 2


async def test_an_episode_that_fails_ends_the_others(gallery: Gallery, parts_of: Callable[..., RunParts]) -> None:
    parts = parts_of(gallery[0])
    policy = Counted(ScriptedPolicy([], parts.family))  # it has nothing to say: PolicyError
    with pytest.raises(RuntimeError, match="The script holds 0 turns"):
        async for _ in episodes(parts, gallery[1], lambda _: policy, "rl", 1):
            pass
    await asyncio.sleep(0.1)
    assert policy.asked < 10


def test_a_run_is_opened_from_its_folder(tmp_path: Path, processor: Any, gallery: Gallery) -> None:
    config = Config.model_validate({"name": "opened", "episode": {"turns": 1}})
    (tmp_path / "config.yaml").write_text(dump(config))
    (tmp_path / "images").symlink_to(gallery[0].folder)
    processor.save_pretrained(tmp_path / "checkpoints" / "base")
    with_tools, without = open_run(tmp_path), open_run(tmp_path, tools=False)
    assert with_tools.config == config and with_tools.limits.turns == 1
    prompts = []
    for parts in (with_tools, without):
        policy = parts.episode(ScriptedPolicy(answers("solid"), parts.family))
        state = asyncio.run(parts.ask(gallery[1][0], policy))
        prompts.append(parts.family.decode(state["rows"][0]["ids"]))
    assert "zoom_in(image: int" in prompts[0] and "measure_distance(" in prompts[0]
    assert "zoom_in" not in prompts[1]
    with pytest.raises(PolicyError, match="has no policy"):
        asyncio.run(with_tools.ask(gallery[1][0], with_tools.episode(None)))


async def test_a_tool_runs_where_the_configuration_has_it_run(
    gallery: Gallery, parts_of: Callable[..., RunParts], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own it finds the same; on Ray it finds nothing where there is no Ray."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    store, tasks = gallery
    task = next(each for each in tasks if each.kind == "name")

    async def called(**episode: Any) -> tuple[Any, set[str]]:
        parts = parts_of(store, episode=episode)
        state = await parts.ask(task, parts.episode(ScriptedPolicy(looks(task), parts.family)))
        words = {word for each in psutil.Process().children() for word in each.cmdline()}
        return {**state["calls"][0], "seconds": 0.0}, words

    here, before = await called()
    apart, words = await called(isolated={"look": {"processes": 1}}, deadline_s=200)
    assert here["status"] == "ok" and apart == here
    assert "tools.run.process_worker" in words - before
    far, _ = await called(on_ray={"zoom_in": {}})
    assert (far["status"], far["images"]) == ("failed", [])
    assert "runs on Ray, and this process has joined no Ray" in far["text"]
    elsewhere, _ = await called(isolated={"measure_distance": {}}, on_ray={"measure": {}})
    assert elsewhere == here
