"""Every family that is shipped goes the whole way: a stand-in with the published template is served, its rows are
exact, it is swapped, and two steps of reinforcement learning through the real OpenRLHF train it.
"""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from safetensors.torch import load_file, save_file

from agent.chat_model import Episode, PolicyChatModel
from agent.chat_model.families.family import Family
from agent.chat_model.opening import family_in
from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import Checkpoint, publish
from agent.serving.launch import ServerOptions
from agent.serving.server import VLLMServer
from agent.serving.swap import hot_swap
from rl.bridge.train_policy import train_policy, write_prompts
from rl.check_graph.episodes import check
from rl.config import LAPTOP, Config, load_config
from rl.exactness import Replay, compare
from rl.run import Stages
from rl.trajectories.audit import audit
from rl.trajectories.check import training_row
from rl.trajectories.store import TrajectoryStore
from tests.stand_ins.build import MADE_BY, stand_in
from tools.evidence import Evidence
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

CONTEXT = 4096
EXACT = 1e-3
"""Mean absolute difference of log-probabilities, natural log; two float32 engines differ by about 1e-6."""
SHAPES = [(200, 200), (100, 200), (300, 100)]
"""Rows and columns of the pictures: three ways to be cut, in InternVL 1, 3 and 4 tiles of 256 ids."""
CALL = {"name": "look", "args": {"image": 1}, "id": "call-1", "type": "tool_call"}
TOOL = {
    "type": "function",
    "function": {"name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}},
}
STEPS, PROMPTS, SAMPLES = 2, 2, 2


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stand_ins")


def versions(folder: Path, into: Path) -> tuple[Checkpoint, Checkpoint]:
    """The stand-in, and the same with other weights."""
    other = into / "other"
    shutil.copytree(folder, other)
    weights = load_file(other / "model.safetensors")
    torch.manual_seed(1)
    for name, weight in weights.items():
        if "layers" in name and weight.dim() >= 2:
            weight.add_(torch.randn_like(weight) * weight.std() * 0.3)
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    return publish(folder, into / "versions", "a", None, {}), publish(other, into / "versions", "b", "a", {})


async def difference(policy: Any, family: Family, store: ImageStore, replay: Replay) -> float:
    """The mean difference between vLLM and transformers over two turns, between which a tool shows two pictures."""
    rng = np.random.default_rng(0)
    pictures = [MedicalImage(rng.integers(0, 255, shape, dtype=np.uint8)) for shape in SHAPES]
    model = PolicyChatModel(policy=policy, family=family, store=store, temperature=1.0, max_tokens=16, context=CONTEXT)
    asked = HumanMessage([{"type": "text", "text": "Look: "}, shown(store, pictures[0])])
    with Episode().recording() as episode:
        first = await model.ainvoke([asked], tools=[TOOL])
        called = AIMessage("", tool_calls=[CALL])  # what a random model says is no call: a quoted one stands for it
        seen = ToolMessage("Two views.", tool_call_id="call-1", artifact=Evidence("Two views.", images=pictures[1:]))
        await model.ainvoke([asked, first, HumanMessage("Closer."), called, seen], tools=[TOOL])
    (row,) = episode.rows()
    checked = training_row(row.ledger, family, store)
    assert len(row.ledger.images) == 3 and len(row.ledger.sampled) == 2
    return float(np.mean(replay.differences(checked).differences))


def shown(store: ImageStore, picture: MedicalImage) -> dict[str, Any]:
    import base64
    import io

    file = io.BytesIO()
    picture.display().save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MADE_BY)
async def test_it_is_served_exactly_checked_and_swapped(name: str, built: Path, tmp_path: Path) -> None:
    folder = stand_in(name, built)
    first, second = versions(folder, tmp_path)
    family, store = family_in(folder), ImageStore(tmp_path / "images")
    options = ServerOptions(max_model_len=CONTEXT, max_num_seqs=4)
    async with VLLMServer(first, options, log=tmp_path / "vllm.log", progress=False) as server:
        policy = ServedPolicy(server.base_url, server.versions)
        assert await difference(policy, family, store, Replay(first.folder, family)) < EXACT
        episode = {"context": CONTEXT, "turn_tokens": 16, "turns": 2, "deadline_s": 300}
        config = Config.model_validate({"name": "t", "episode": episode})
        reports = await check(config, 2, 1, first.folder, server.base_url, tmp_path)
        assert all(each.sound and each.trained for each in reports), reports
        assert (await hot_swap(server, second)).version == "b"
        assert await difference(policy, family, store, Replay(second.folder, family)) < EXACT


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", MADE_BY)
def test_two_steps_train_it(name: str, built: Path, tmp_path: Path) -> None:
    overrides = (
        f"base.checkpoint={stand_in(name, built)}",
        f"rl.steps={STEPS}",
        f"rl.prompts_per_step={PROMPTS}",
        f"rl.samples_per_prompt={SAMPLES}",
        f"rl.save_steps={STEPS}",
        f"rl.openrlhf.train.batch_size={PROMPTS * SAMPLES}",
        "rl.openrlhf.train.micro_batch_size=1",  # a row's logits over the whole vocabulary are half a GB, several times
        "rl.openrlhf.rollout.micro_batch_size=1",
        "rl.openrlhf.actor.entropy_coef=0.01",  # random weights earn all the same: this gives them a gradient
        "warmup.enabled=false",
        f"tasks.train={STEPS * PROMPTS}",
        'episode.tools=["zoom_in"]',
        "episode.turn_tokens=16",
        "episode.turns=2",
        "episode.context=2048",
        "episode.deadline_s=300",
    )
    run, config = tmp_path / "run", load_config(LAPTOP, overrides)
    stages = Stages.open(run, config, resume=False)
    asyncio.run(stages.base())
    asyncio.run(stages.warm_up())
    start = run / "checkpoints" / "warmup"
    prompts = write_prompts(run / "tasks" / "prompts.jsonl", stages.tasks("train"))
    asyncio.run(train_policy(config, run, start, prompts, lambda: None))

    kept, parts = TrajectoryStore(run / "trajectories" / "rl"), stages.parts()
    *_, found = audit(kept, parts.store, parts.family)
    assert found.sound and found.episodes == STEPS * PROMPTS * SAMPLES
    of_first_step = [each for each in kept if each.step == 0]
    assert compare(start, of_first_step, parts, config.rl.temperature).mean < EXACT
    trained = load_file(run / "rl" / "checkpoints" / f"global_step{STEPS}_hf" / "model.safetensors")
    before = load_file(start / "model.safetensors")
    assert trained.keys() == before.keys()
    assert any(not torch.equal(trained[key], before[key]) for key in before)
