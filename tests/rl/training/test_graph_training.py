"""A graph that nobody wrote for training, trained: real LangGraph, vLLM, OpenRLHF with DeepSpeed, very small."""

import asyncio
from pathlib import Path

import pytest

from rl.config import LAPTOP, ROOT, load_config
from rl.training.exactness import compare
from rl.training.run import Stages
from rl.training.trainers.openrlhf.trainer import OpenRLHF
from rl.training.trainers.trainer import TrainingJob
from rl.trajectories.audit import audit
from rl.trajectories.store import TrajectoryStore

PROMPTS, SAMPLES = 2, 4
SMALL = (
    f"graph={ROOT}/examples/tiles.py:factory",
    "rl.steps=1",
    f"rl.prompts_per_step={PROMPTS}",
    f"rl.samples_per_prompt={SAMPLES}",
    "rl.save_steps=1",
    "rl.openrlhf.train.batch_size=16",
    "rl.openrlhf.train.micro_batch_size=8",
    "rl.openrlhf.rollout.micro_batch_size=8",
    "warmup.enabled=false",
    f"tasks.train={PROMPTS}",
)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_map_over_tiles_trains_and_its_rows_are_exact(tmp_path: Path) -> None:
    """Eight episodes of five rows: forty, filled up to forty-eight, are three steps of the optimizer."""
    run = tmp_path / "run"
    config = load_config(LAPTOP, SMALL)
    stages = Stages.open(run, config, resume=False)
    asyncio.run(stages.base())
    asyncio.run(stages.warm_up())
    start = run / "checkpoints" / "warmup"
    asyncio.run(OpenRLHF().train(TrainingJob(run, config, start, stages.tasks("train"))))

    kept = TrajectoryStore(run / "trajectories" / "rl")
    episodes = list(kept)
    assert [len(each.rows) for each in episodes] == [5] * PROMPTS * SAMPLES
    assert not (run / "trajectories" / "refused.jsonl").exists()
    parts = stages.parts()
    *_, found = audit(kept, parts.store, parts.family)
    assert found.sound and found.episodes == PROMPTS * SAMPLES
    agreement = compare(start, episodes, parts, config.rl.temperature)
    assert agreement.mean < 1e-3 and agreement.trainer_mean < 0.01
    log = (run / "logs" / "openrlhf.log").read_text(errors="replace")
    assert "Starting experience making with 48 samples" in log
    assert "'rollout/num_samples': 8.0" in log
    trained = run / "rl" / "checkpoints" / "global_step1_hf" / "model.safetensors"
    assert trained.read_bytes() != (start / "model.safetensors").read_bytes()
