"""The committed base: vLLM and transformers load it unchanged and say the same, through the real graph."""

import re
from pathlib import Path

import pytest

from agent.policies.policy import Sampling
from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import publish
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from rl.config import LAPTOP, ROOT, dump, load_config
from rl.rollout.run_parts import CONFIG, episodes, open_run
from rl.tasks.phantoms.tasks import phantom_tasks
from rl.toy import CHECKPOINT
from rl.toy.measure import measure
from rl.training.base import NoBaseError, curriculum, in_float32, prepare
from rl.training.exactness import compare


def test_the_committed_base_is_small_and_of_the_size_promised() -> None:
    from safetensors import safe_open

    assert sum(path.stat().st_size for path in CHECKPOINT.iterdir()) < 10_000_000
    with safe_open(CHECKPOINT / "model.safetensors", framework="pt") as weights:
        names = [name for name in list(weights.keys()) if name != "lm_head.weight"]
        parameters = sum(weights.get_tensor(name).numel() for name in names)
    assert 1_000_000 <= parameters <= 4_000_000


def test_a_missing_base_is_said(tmp_path: Path) -> None:
    config = load_config(LAPTOP, ["base.checkpoint=nowhere"])
    with pytest.raises(NoBaseError, match="Got no checkpoint in nowhere"):
        prepare(config, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_vllm_and_transformers_say_the_same(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(dump(load_config(LAPTOP, ["tasks.test=20"])))
    published = publish(in_float32(CHECKPOINT, tmp_path / "float32"), tmp_path / "checkpoints", "base", None, {})
    parts = open_run(tmp_path)
    tasks = list(phantom_tasks(parts.store, "test", 20))
    async with VLLMServer(published, ServerOptions(max_model_len=512), log=tmp_path / "vllm.log") as server:
        policy = ServedPolicy(server.base_url, server.versions)
        greedy = [each async for each in episodes(parts, tasks, lambda _: policy, "greedy", 8)]
        warm = Sampling(temperature=1.0)
        sampled = [each async for each in episodes(parts, tasks, lambda _: policy, "sampled", 8, warm)]
    told = compare(published.folder, greedy, parts)
    assert told.trajectories == 20
    assert told.not_greedy == 0
    assert compare(published.folder, sampled, parts).mean < 1e-3


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_base_can_read_and_write_but_was_never_told_when(tmp_path: Path) -> None:
    figures = measure(in_float32(CHECKPOINT, tmp_path / "float32"), phantoms=12)
    close = [figure["right"] for name, figure in figures.items() if name.endswith("[close view]")]
    calls = [figure["right"] for name, figure in figures.items() if name.startswith("Call ")]
    assert sum(close) / len(close) > 0.7
    assert sum(calls) / len(calls) > 0.7


def test_lessons_that_are_not_there_are_said() -> None:
    for named in ("rl.toy.curriculum:Nothing", "nowhere:Phantoms", "phantoms"):
        with pytest.raises(NoBaseError, match=f"Got base.lessons={named}, expected module:class"):
            curriculum(load_config(LAPTOP, [f"base.lessons={named}"]))
    assert curriculum(load_config(LAPTOP, ["base.lessons=null"])) is None


def test_teaching_needs_lessons(tmp_path: Path) -> None:
    with pytest.raises(NoBaseError, match=r"without base\.lessons"):
        prepare(load_config(LAPTOP, ["base.lessons=null", "base.teach=true"]), tmp_path)


def test_nothing_but_the_toy_itself_names_it() -> None:
    """It is found by its entry point and by configurations, so that it can be taken away."""
    for package in ("tools", "agent", "graphs", "rl"):
        for file in (ROOT / package).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            assert "toy" in file.parts or not re.search(r"rl[./]toy", text), file
