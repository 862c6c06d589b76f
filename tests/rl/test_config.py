"""Configurations: what is read, what overrides it, what is refused and how that is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from rl.config import EIGHT_GPUS, LAPTOP, ROOT, Config, ConfigError, dump, load_config


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text("name: small\nrl:\n  steps: 3\n  openrlhf:\n    vllm.num_engines: 2\n")
    return path


def test_what_a_file_leaves_out_has_a_default(small: Path) -> None:
    config = load_config(small)
    assert (config.name, config.rl.steps, config.seed, config.device) == ("small", 3, 0, "cpu")
    assert config.rl.openrlhf == {"vllm.num_engines": 2}
    assert config == Config.model_validate({"name": "small", "rl": {"steps": 3, "openrlhf": {"vllm.num_engines": 2}}})


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("rl.steps=5", "rl.steps", 5),
        ("--rl.steps=5", "rl.steps", 5),
        ("seed=7", "seed", 7),
        ("name=other", "name", "other"),
        ("rl.learning_rate=1e-3", "rl.learning_rate", 0.001),
        ("episode.tools=[zoom_in]", "episode.tools", ("zoom_in",)),
        ("episode.tools=[]", "episode.tools", ()),
        ("warmup.enabled=false", "warmup.enabled", False),
        ("rl.rewards.calls=-0.1", "rl.rewards", {"answer": 1.0, "tool_use": 1.0, "format": 0.3, "calls": -0.1}),
        ("base.checkpoint=a=b", "base.checkpoint", "a=b"),
    ],
)
def test_an_override_changes_one_value(small: Path, override: str, field: str, value: object) -> None:
    found: object = load_config(small, [override])
    for name in field.split("."):
        found = getattr(found, name)
    assert found == value


def test_openrlhfs_flags_keep_their_dots(small: Path) -> None:
    overrides = ["rl.openrlhf.actor.adam.lr=0.001", "rl.openrlhf.vllm.enforce_eager=true", "rl.openrlhf.x=[1, 2]"]
    flags = load_config(small, overrides).rl.openrlhf
    assert flags == {"vllm.num_engines": 2, "actor.adam.lr": 0.001, "vllm.enforce_eager": True, "x": [1, 2]}


def test_later_overrides_win(small: Path) -> None:
    assert load_config(small, ["rl.steps=5", "rl.steps=6"]).rl.steps == 6


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("rl.steps=many", "rl.steps: Input should be a valid integer"),
        ("rl.stepz=5", "rl.stepz: Extra inputs are not permitted, got 5"),
        ("colour=red", "colour: Extra inputs are not permitted, got 'red'"),
        ("warmup.call_rate=1.5", "warmup.call_rate: Input should be less than or equal to 1, got 1.5"),
        ("device=tpu", "device: Input should be 'cpu' or 'gpu', got 'tpu'"),
        ("rl.steps", "override 'rl.steps', expected name=value"),
        ("seed.x=5", "'seed.x=5', but seed is a value, not a section"),
        ("rl.steps=[", r"'rl.steps=\[', whose value is not YAML"),
        ("rl.openrlhf=5", "rl.openrlhf: Input should be a valid dictionary"),
    ],
)
def test_an_error_names_the_field_and_what_was_got(small: Path, override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(small, ["seed=1", override])


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("rl.stepz=5", "rl.steps"),
        ("episode.turntokens=64", "episode.turn_tokens"),
        ("turn_tokens=64", "episode.turn_tokens"),
        ("rl.rewards=medvistagim", "medvistagym"),
    ],
)
def test_a_misspelt_name_is_told_what_it_may_mean(small: Path, override: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"Did you mean {meant}\b"):
        load_config(small, [override])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "which is not YAML"),
        ("- name", "expected `field: value` lines"),
        ("", "expected `field: value` lines"),
        ("seed: 1", "name: Field required"),
        ("name: a\nrl:\n  openrlhf:", "rl.openrlhf: Input should be a valid dictionary"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as raised:
        load_config(path)
    assert "broken.yaml" in str(raised.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", [LAPTOP, EIGHT_GPUS])
def test_the_shipped_configurations_survive_being_written_out(path: Path, tmp_path: Path) -> None:
    config = load_config(path, ["seed=3"])
    resolved = tmp_path / "config.yaml"
    resolved.write_text(dump(config))
    assert load_config(resolved) == config
    assert dump(load_config(resolved)) == dump(config)
    assert "call_rate" in resolved.read_text()  # defaults are written out


def test_a_configuration_is_frozen(small: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_config(small).rl.steps = 9  # type: ignore[misc]


@pytest.mark.parametrize(
    "module", ["rl.config", "graphs", "graphs.reasoning", "rl.training.trainers.openrlhf.command", "rl.tasks.task"]
)
def test_light_modules_import_nothing_heavy(module: str) -> None:
    heavy = ("torch", "vllm", "ray", "openrlhf", "deepspeed", "transformers")
    look = f"import sys, {module}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
