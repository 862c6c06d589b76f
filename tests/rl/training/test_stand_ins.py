"""Every family that is shipped goes the whole way: a stand-in with the published template is trained for two steps by
the real OpenRLHF and served, its rows are exact, and what was trained is published and swapped in, where they are too.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from agent.chat import Episode, PolicyChatModel
from agent.chat.families.family import Family
from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import load_checkpoint
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from rl.check_graph.episodes import check_episodes
from rl.config import LAPTOP, load_config
from rl.training.exactness import Replay, compare
from rl.training.publish import Publisher
from rl.training.run import Stages
from rl.training.trainers.openrlhf.trainer import OpenRLHF
from rl.training.trainers.trainer import TrainingJob
from rl.trajectories.audit import audit
from rl.trajectories.check import TrainingRow, training_row
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
STEPS, PROMPTS, SAMPLES = 2, 1, 2
LEARNED = 0.1
"""How far, at least, two steps move the log-probabilities."""


async def two_turns(policy: Any, family: Family, store: ImageStore) -> TrainingRow:
    """A row of two turns, between which a tool shows two pictures."""
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
    assert len(row.ledger.images) == 3 and len(row.ledger.sampled) == 2
    return training_row(row.ledger, family, store)


def difference(replay: Replay, row: TrainingRow) -> float:
    """How far transformers is from the log-probabilities of vLLM."""
    return float(np.mean(replay.differences(row).differences))


def shown(store: ImageStore, picture: MedicalImage) -> dict[str, Any]:
    import base64
    import io

    file = io.BytesIO()
    picture.display().save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": url}}


async def trained(base: Path, run: Path) -> Stages:
    """A run whose steps are taken; what they saved is not published yet."""
    overrides = (
        f"base.checkpoint={base}",
        f"rl.steps={STEPS}",
        f"rl.prompts_per_step={PROMPTS}",
        f"rl.samples_per_prompt={SAMPLES}",
        f"rl.save_steps={STEPS}",
        "rl.learning_rate=0.02",  # two steps are seen in what the model says
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
    config = load_config(LAPTOP, overrides)
    stages = Stages.open(run, config, resume=False)
    await stages.base()
    await stages.warm_up()
    await OpenRLHF().train(TrainingJob(run, config, run / "checkpoints" / "warmup", stages.tasks("train")))
    return stages


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", MADE_BY)
async def test_two_steps_train_it_and_what_they_saved_is_swapped_in(name: str, tmp_path: Path) -> None:
    stages = await trained(stand_in(name, tmp_path), tmp_path / "run")
    kept, parts = TrajectoryStore(stages.run / "trajectories" / "rl"), stages.parts()
    *_, found = audit(kept, parts.store, parts.family)
    assert found.sound and found.episodes == STEPS * PROMPTS * SAMPLES
    start = load_checkpoint(stages.versions / "warmup")
    of_first_step = [each for each in kept if each.step == 0]
    assert compare(start.folder, of_first_step, parts, stages.config.rl.temperature).mean < EXACT

    before, options = Replay(start.folder, parts.family), ServerOptions(max_model_len=CONTEXT, max_num_seqs=4)
    async with VLLMServer(start, options, log=tmp_path / "vllm.log", progress=False) as server:
        policy = ServedPolicy(server.base_url, server.versions)
        assert difference(before, await two_turns(policy, parts.family, parts.store)) < EXACT
        reports = await check_episodes(stages.config, 2, 1, start.folder, server.base_url, tmp_path)
        assert all(each.sound and each.trained for each in reports), reports
        publisher = Publisher(stages.run, server, parts, [])
        ((step, saved),) = publisher.saved()
        after = publisher.seal(step, saved)
        await publisher.go_live(after)
        row = await two_turns(policy, parts.family, parts.store)
        assert difference(Replay(after.folder, parts.family), row) < EXACT
        assert difference(before, row) > LEARNED
