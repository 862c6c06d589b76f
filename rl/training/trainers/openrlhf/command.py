"""OpenRLHF's command line and environment for a run. Starts nothing itself.

Everything OpenRLHF decides is one of its own flags: ours come first, the config's `rl.openrlhf` last, so it wins. It
runs in a Ray that `rl/training/trainers/openrlhf/start_ray.py` starts or joins; without a GPU behind
`rl/training/trainers/openrlhf/cpu`.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from agent.serving import confined
from agent.serving.server_command import CPU_ADAPTATION as SERVING_ADAPTATION
from rl.config import ROOT, Config
from tools.run.openmp import SLEEPING

CPU_ADAPTATION = Path(__file__).parent / "cpu"
EXECUTOR = Path(__file__).parent / "executor.py"
RUN_FOLDER = "MEDVISTA_RUN"
"""Environment variable that tells the executor where its run lies."""
FURTHER = "further"
"""Where the dict of an episode carries its rows but the first, each by what differs from that (rows_per_episode.py)."""
MOST_IMAGES = 16
TRAIN = "rl.training.trainers.openrlhf.train"
"""What trains: OpenRLHF's own command, for episodes of one row or several."""


def flags(config: Config, run: Path, policy: Path | str, prompts: Path, resume: bool) -> dict[str, Any]:
    """Flags of openrlhf.cli.train_ppo_ray by name."""
    return {
        "actor.model_name_or_path": str(policy),
        "train.agent_func_path": str(EXECUTOR),
        "data.prompt_dataset": str(prompts),
        "data.input_key": "prompt",
        "data.label_key": "label",
        "data.image_key": "images",
        "data.max_images_per_prompt": MOST_IMAGES,
        "data.max_len": config.episode.context,
        "rollout.max_new_tokens": config.episode.turn_tokens,
        "rollout.batch_size": config.rl.prompts_per_step,
        "rollout.n_samples_per_prompt": config.rl.samples_per_prompt,
        "rollout.temperature": config.rl.temperature,
        "actor.adam.lr": config.rl.learning_rate,
        "train.seed": config.seed + 42,
        "ckpt.output_dir": str(run / "rl" / "final"),
        "ckpt.path": str(run / "rl" / "checkpoints"),
        "ckpt.save_steps": config.rl.save_steps,
        "ckpt.save_hf": True,
        "ckpt.max_num": 2,
        "ckpt.load_enable": resume,
        "logger.tensorboard_dir": str(run / "rl" / "tensorboard"),
        **config.rl.openrlhf,
    }


def arguments(named: Mapping[str, Any]) -> list[str]:
    """Flags as a command line: true is a switch, false and None are left out, a list gives several values."""
    line: list[str] = []
    for name, value in named.items():
        if value is None or value is False:
            continue
        line.append(f"--{name}")
        if value is not True:
            items = cast(Sequence[Any], value) if isinstance(value, list | tuple) else [value]
            line += [str(item) for item in items]
    return line


def command(config: Config, run: Path, policy: Path | str, prompts: Path, resume: bool = False) -> list[str]:
    """The command line that trains."""
    ray = arguments({"cpu": config.device == "cpu", "ray-address": config.rl.ray_address})
    start = [sys.executable, "-m", "rl.training.trainers.openrlhf.start_ray", *ray, TRAIN]
    return start + arguments(flags(config, run, policy, prompts, resume))


def environment(config: Config, run: Path, temporary: Path) -> dict[str, str]:
    """The environment of the training processes."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    paths.append(str(Path.cwd()))  # a graph's module that lies where the command was called is found there too
    values = {
        **os.environ,
        RUN_FOLDER: str(run),
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
        ),  # DeepSpeed calls ninja
        "TOKENIZERS_PARALLELISM": "false",
        "RAY_TMPDIR": str(temporary),
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "TMPDIR": str(temporary),
    }
    extensions = Path(sys.prefix) / "torch_extensions"
    if extensions.is_dir():  # compiled by the set-up; otherwise DeepSpeed compiles on first use
        values["TORCH_EXTENSIONS_DIR"] = str(extensions)
    if config.rl.ray_address is None:
        paths.insert(0, str(confined.FOLDER))
        values |= confined.LOOPBACK
    if config.device == "cpu":
        paths = [str(CPU_ADAPTATION), str(SERVING_ADAPTATION), *paths]
        values |= {
            "DS_ACCELERATOR": "cpu",
            "OMP_NUM_THREADS": "2",
            **SLEEPING,
            "RAY_worker_niceness": "0",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_CPU_OMP_THREADS_BIND": "nobind",
            "TORCHDYNAMO_DISABLE": "1",
            "HF_HUB_OFFLINE": "1",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        }
    else:  # what OpenRLHF sets where it starts Ray itself
        values |= {
            "NCCL_DEBUG": os.environ.get("NCCL_DEBUG", "WARN"),
            "RAY_ENABLE_ZERO_COPY_TORCH_TENSORS": os.environ.get("RAY_ENABLE_ZERO_COPY_TORCH_TENSORS", "1"),
        }
    return {**values, "PYTHONPATH": os.pathsep.join(paths)}
