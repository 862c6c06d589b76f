"""Only what is sampled from the distribution that the trainer computes may train."""

from pathlib import Path

import pytest

from rl.config import EIGHT_GPUS, LAPTOP, ROOT, ConfigError, load_config
from rl.rollout.run_parts import sampling_of
from rl.training.preflight.check import check_run
from rl.training.trainers.openrlhf.sampling import sampling

CORRECTED = "rl.openrlhf.algo.advantage.is_correction_level"


@pytest.mark.parametrize("config", [LAPTOP, EIGHT_GPUS, ROOT / "configs" / "microscopy.yaml"])
def test_the_shipped_configurations_sample_from_the_whole(config: Path) -> None:
    loaded = load_config(config)
    assert list(sampling(loaded)) == []
    asked = sampling_of(loaded)
    assert (asked.temperature, asked.top_p, asked.min_p) == (1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    "overrides",
    [
        ["rl.temperature=0.7"],
        ["rl.temperature=0.7", "rl.openrlhf.rollout.temperature=0.7", f"{CORRECTED}=seq"],
        [f"{CORRECTED}=off"],
        ["rl.openrlhf.rollout.top_p=1"],
        ["rl.openrlhf.actor.policy_loss_type=gspo"],
    ],
)
def test_what_both_sides_know_is_no_fault(overrides: list[str]) -> None:
    assert list(sampling(load_config(LAPTOP, overrides))) == []


@pytest.mark.parametrize(
    ("overrides", "setting", "said"),
    [
        (["rl.openrlhf.rollout.top_p=0.9"], "rl.openrlhf.rollout.top_p", "lower rl.temperature"),
        (["rl.openrlhf.rollout.temperature=0.7"], "rl.openrlhf.rollout.temperature", "leave the flag out"),
        (["rl.temperature=0.7", f"{CORRECTED}=off"], "rl.temperature", f"or {CORRECTED}=token"),
        (["rl.temperature=0.7", f"{CORRECTED}=null"], "rl.temperature", "Expected rl.temperature=1"),
    ],
)
def test_what_they_differ_in_is_refused_with_a_way_out(
    overrides: list[str], setting: str, said: str, tmp_path: Path
) -> None:
    (found,) = (each for each in check_run(load_config(LAPTOP, overrides), tmp_path / "run", keep=False) if each.stops)
    assert found.setting == setting and said in found.said


@pytest.mark.parametrize("override", ["rl.min_p=0.01", "rl.temperature=0", "rl.temperature=0.001", "rl.temperature=3"])
def test_what_vllm_would_cut_off_or_change_is_no_setting(override: str) -> None:
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        load_config(LAPTOP, [override])
