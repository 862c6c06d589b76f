"""OpenRLHF's command line and environment, as our configurations make them; its own parser has the last word."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.serving import confined
from agent.serving.server_command import CPU_ADAPTATION as SERVING_ADAPTATION
from rl.config import EIGHT_GPUS, LAPTOP, ROOT, Config, load_config
from rl.training.trainers.openrlhf.command import (
    CPU_ADAPTATION,
    EXECUTOR,
    RUN_FOLDER,
    arguments,
    command,
    environment,
    flags,
)

RUN, POLICY, PROMPTS = Path("/r"), Path("/r/checkpoints/warmup"), Path("/r/tasks/prompts.jsonl")


def flags_of(path: Path, *overrides: str) -> list[str]:
    return arguments(flags(load_config(path, overrides), RUN, POLICY, PROMPTS, resume=False))


@pytest.fixture(scope="module")
def openrlhf_understands() -> list[dict[str, Any]]:
    """What OpenRLHF's own command line makes of the laptop's flags, of the 8B's, and of an unknown one."""
    lines = [flags_of(LAPTOP), flags_of(EIGHT_GPUS), flags_of(LAPTOP, "rl.openrlhf.actor.adam.speed=3")]
    paths = [str(CPU_ADAPTATION), str(SERVING_ADAPTATION), str(confined.FOLDER), str(ROOT)]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("openrlhf_arguments.py"))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"},
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(params=[0, 1], ids=["laptop", "8b"])
def understood(request: pytest.FixtureRequest, openrlhf_understands: list[dict[str, Any]]) -> tuple[Config, Any]:
    """A shipped configuration, and the arguments that OpenRLHF would train with."""
    return load_config((LAPTOP, EIGHT_GPUS)[request.param]), openrlhf_understands[request.param]["arguments"]


@pytest.mark.slow
def test_openrlhf_accepts_the_command_line_with_our_values(understood: tuple[Config, Any]) -> None:
    config, got = understood
    assert got["actor"]["model_name_or_path"] == str(POLICY)
    assert got["actor"]["adam"]["lr"] == config.rl.learning_rate
    assert got["actor"]["eps_clip_low_high"] == [0.2, 0.28]
    assert got["actor"]["freeze_visual_encoder"] is True
    assert got["algo"]["advantage"]["estimator"] == "dr_grpo"
    assert got["algo"]["kl"]["init_coef"] == 0
    assert got["data"]["max_images_per_prompt"] == 16
    assert got["data"]["max_len"] == config.episode.context
    assert (got["data"]["input_key"], got["data"]["label_key"]) == ("prompt", "label")
    assert got["rollout"]["batch_size"] == config.rl.prompts_per_step
    assert got["rollout"]["n_samples_per_prompt"] == config.rl.samples_per_prompt
    assert got["rollout"]["max_new_tokens"] == config.episode.turn_tokens
    assert got["rollout"]["temperature"] == config.rl.temperature
    assert got["train"]["agent_func_path"] == str(EXECUTOR)
    assert (got["ckpt"]["save_steps"], got["ckpt"]["save_hf"]) == (config.rl.save_steps, True)
    assert got["ckpt"]["path"] == "/r/rl/checkpoints"
    assert got["ckpt"]["load_enable"] is False
    assert got["train"]["seed"] == 42


@pytest.mark.slow
def test_openrlhf_makes_of_an_executor_what_a_vision_policy_needs(understood: tuple[Config, Any]) -> None:
    _, got = understood
    assert got["reward"]["remote_url"] == ["agent"]  # rewards come from our executor
    assert got["critic"]["model_name_or_path"] is None
    assert not got["ds"]["packing_samples"]
    assert got["algo"]["advantage"]["is_correction_level"] == "token"  # so that log-probabilities are asked for


@pytest.mark.slow
def test_openrlhf_refuses_a_flag_that_it_does_not_know(openrlhf_understands: list[dict[str, Any]]) -> None:
    answer = openrlhf_understands[2]
    assert answer["refused"] == 2
    assert "unrecognized arguments: --actor.adam.speed 3" in answer["said"]


@pytest.fixture
def config() -> Config:
    openrlhf = {"actor.adam.lr": 5e-4, "vllm.enforce_eager": True, "ds.packing_samples": False, "x.pair": [0.2, 0.28]}
    return Config.model_validate({"name": "a", "seed": 3, "rl": {"learning_rate": 1e-4, "openrlhf": openrlhf}})


def test_the_configs_own_flags_win(config: Config) -> None:
    named = flags(config, RUN, POLICY, PROMPTS, resume=True)
    assert named["actor.adam.lr"] == 5e-4
    assert (named["train.seed"], named["ckpt.load_enable"]) == (45, True)


def test_flags_become_a_command_line() -> None:
    named = {"a.b": 1, "c": True, "d": False, "e": None, "f": [0.2, 0.28], "g": 0, "h": "x y"}
    assert arguments(named) == ["--a.b", "1", "--c", "--f", "0.2", "0.28", "--g", "0", "--h", "x y"]


def test_a_cpu_trains_behind_the_adaptation_and_a_gpu_does_not(config: Config) -> None:
    there = config.model_copy(update={"device": "gpu"})
    started = [sys.executable, "-m", "rl.training.trainers.openrlhf.start_ray"]
    assert command(config, RUN, POLICY, PROMPTS)[:5] == [*started, "--cpu", "rl.training.trainers.openrlhf.train"]
    assert command(there, RUN, POLICY, PROMPTS)[:4] == [*started, "rl.training.trainers.openrlhf.train"]
    cluster = there.model_copy(update={"rl": config.rl.model_copy(update={"ray_address": "10.0.0.1:6379"})})
    assert command(cluster, RUN, POLICY, PROMPTS)[3:5] == ["--ray-address", "10.0.0.1:6379"]
    assert "--ckpt.load_enable" in command(config, RUN, POLICY, PROMPTS, resume=True)
    assert "--ckpt.load_enable" not in command(config, RUN, POLICY, PROMPTS)


def test_the_environment_of_training(config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", "/mine")
    here = environment(config, RUN, tmp_path)
    there = environment(config.model_copy(update={"device": "gpu"}), RUN, tmp_path)
    adaptation, ours = [str(CPU_ADAPTATION), str(SERVING_ADAPTATION)], str(confined.FOLDER)
    assert here["PYTHONPATH"].split(os.pathsep) == [*adaptation, ours, str(ROOT), "/mine", str(Path.cwd())]
    assert there["PYTHONPATH"].split(os.pathsep) == [ours, str(ROOT), "/mine", str(Path.cwd())]
    assert confined.LOOPBACK.items() <= here.items() and confined.LOOPBACK.items() <= there.items()
    cluster = config.rl.model_copy(update={"ray_address": "auto"})
    far = environment(config.model_copy(update={"device": "gpu", "rl": cluster}), RUN, tmp_path)
    assert ours not in far["PYTHONPATH"] and not confined.LOOPBACK.keys() & far.keys()
    assert here[RUN_FOLDER] == there[RUN_FOLDER] == "/r"
    assert here["RAY_TMPDIR"] == here["TMPDIR"] == str(tmp_path)
    assert here["DS_ACCELERATOR"] == "cpu" and there.get("DS_ACCELERATOR") == os.environ.get("DS_ACCELERATOR")


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_what_meets_by_torch_in_training_meets_on_loopback(config: Config, device: str, tmp_path: Path) -> None:
    code = (
        "import psutil, torch.distributed as d; from datetime import timedelta;"
        "store = d.TCPStore('127.0.0.1', 0, 1, is_master=True, timeout=timedelta(seconds=60));"
        "again = d.TCPStore('127.0.0.1', store.port, 1, is_master=False, timeout=timedelta(seconds=60));"
        "again.set('a', 'b');"
        "group = d.ProcessGroupGloo(store, 0, 1, timedelta(seconds=60));"
        "sockets = psutil.Process().net_connections('inet');"
        "print(store.get('a'), {each.laddr.ip for each in sockets if each.status == 'LISTEN'})"
    )
    here = environment(config.model_copy(update={"device": device}), RUN, tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=here, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["b'b'", "{'127.0.0.1'}"], done.stderr
