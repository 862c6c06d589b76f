"""Which weights a rollout is named after, by hand."""

from pathlib import Path

import pytest

from rl.config import Config
from rl.training.trainers.openrlhf.policy_version import episodes_per_step, pass_of, resumed_step


@pytest.mark.parametrize(
    ("engines", "expected"), [({}, 128), ({"vllm.num_engines": 1}, 128), ({"vllm.num_engines": 8}, 16)]
)
def test_a_steps_episodes_are_spread_over_the_engines(engines: dict[str, int], expected: int) -> None:
    config = Config.model_validate(
        {"name": "a", "rl": {"prompts_per_step": 16, "samples_per_prompt": 8, "openrlhf": engines}}
    )
    assert episodes_per_step(config) == expected


@pytest.mark.parametrize(("latest", "step"), [(None, 0), ("global_step20", 20), ("global_step7\n", 7), ("other", 0)])
def test_a_resumed_training_counts_on_from_its_checkpoint(tmp_path: Path, latest: str | None, step: int) -> None:
    folder = tmp_path / "rl" / "checkpoints" / "_actor"
    folder.mkdir(parents=True)
    if latest is not None:
        (folder / "latest").write_text(latest)
    assert resumed_step(tmp_path) == step


def test_a_pass_ends_when_every_prompt_was_asked() -> None:
    rl = {"steps": 3, "prompts_per_step": 4, "samples_per_prompt": 2}
    once = Config.model_validate({"name": "a", "rl": rl})
    twice = Config.model_validate({"name": "a", "rl": {**rl, "openrlhf": {"train.num_episodes": 2}}})
    assert [pass_of(once, finished) for finished in (0, 23, 24)] == [0, 0, 0]  # an engine that got more than its share
    assert [pass_of(twice, finished) for finished in (0, 23, 24, 47, 48)] == [0, 0, 1, 1, 1]
