"""A real run that is cut off at bad moments: what is sampled anew counts once, and what is measured is the last step.

First it is killed with -9 between two checkpoints, so that a step is done again. Then it is brought to where a kill
between DeepSpeed's last checkpoint and its Hugging Face folder leaves it. All is real: vLLM, OpenRLHF, DeepSpeed.
"""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from agent.serving.checkpoint import load_checkpoint, published_checkpoints
from rl.trajectories.store import TrajectoryStore
from tests.rl.training.test_pipeline import start, wait_until_quiet

STEPS, SAVED, EPISODES = 4, 2, 16
SMALL = (
    f"rl.steps={STEPS}",
    "rl.prompts_per_step=4",
    "rl.samples_per_prompt=4",
    f"rl.save_steps={SAVED}",
    "rl.openrlhf.train.batch_size=16",
    "rl.openrlhf.train.micro_batch_size=8",
    "rl.openrlhf.rollout.micro_batch_size=8",
    "warmup.enabled=false",
    "tasks.train=12",
    "tasks.test=6",
    "tasks.validation=2",
)
LAST = f"rl-{STEPS:05d}"


def said(run: Path) -> str:
    return (run.parent / "out.txt").read_text()[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_a_run_that_is_cut_off_counts_each_episode_once_and_measures_its_last_step(
    tmp_path: Path, temporary: Path
) -> None:
    run = tmp_path / "run"
    sampled = TrajectoryStore(run / "trajectories" / "rl")
    checkpoint = run / "rl" / "checkpoints" / "_actor" / "latest"
    first = start(run, temporary, settings=SMALL)
    while first.poll() is None and not (checkpoint.exists() and sampled.count() > SAVED * EPISODES):
        time.sleep(0.05)
    assert first.poll() is None, said(run)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert wait_until_quiet(run, temporary) == []
    before = {each.id: each.rows[0] for each in sampled}
    assert len(before) > SAVED * EPISODES

    assert start(run, temporary, "--resume", settings=SMALL).wait() == 0, said(run)
    assert wait_until_quiet(run, temporary) == []
    kept = list(sampled)
    assert len(kept) == sampled.count() == STEPS * EPISODES
    trained = {each.id for each in kept if each.step is not None and each.step < SAVED}
    assert all(each.rows[0] == before[each.id] for each in kept if each.id in trained)  # these trained, and stay
    assert before.keys() - trained  # some was sampled anew
    report = json.loads((run / "report.json").read_text())
    assert report["exactness"]["trajectories"] == STEPS * EPISODES
    version = load_checkpoint(run / "checkpoints" / LAST)

    stages = json.loads((run / "stages.json").read_text())
    (run / "stages.json").write_text(json.dumps({each: stages[each] for each in ("base", "warmup", "evaluate_before")}))
    for folder in (version.folder, run / "trajectories" / "trained", run / "rl" / "final"):
        shutil.rmtree(folder)
    saved = run / "rl" / "checkpoints" / f"global_step{STEPS}_hf"
    (saved / "tokenizer.json").write_bytes((saved / "tokenizer.json").read_bytes()[:1000])
    assert start(run, temporary, "--resume", settings=SMALL).wait() == 0, said(run)
    assert wait_until_quiet(run, temporary) == []
    assert [each.version for each in published_checkpoints(run / "checkpoints")][-1] == LAST
    assert load_checkpoint(version.folder).files["model.safetensors"] == version.files["model.safetensors"]
    answers = list(TrajectoryStore(run / "trajectories" / "trained"))
    assert [each.versions for each in answers] == [[LAST]] * 6
    assert list(sampled) == kept
