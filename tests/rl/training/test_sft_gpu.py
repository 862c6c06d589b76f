"""The warm-up on GPUs, as far as it goes without one: its command line, and what DeepSpeed is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from rl.config import EIGHT_GPUS, load_config
from rl.training.sft_gpu import DEEPSPEED, command, environment


def test_one_process_for_each_gpu_on_this_machine_alone() -> None:
    line = command(Path("/runs/x"))
    assert line[1:6] == ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "gpu"]
    assert line[6:] == ["--local-addr", "127.0.0.1", "-m", "rl.training.sft_gpu", "/runs/x"]


def test_temporary_files_go_where_they_are_removed(tmp_path: Path) -> None:
    assert environment(tmp_path)["TMPDIR"] == str(tmp_path)


def test_transformers_fills_in_what_deepspeed_is_not_told(tmp_path: Path) -> None:
    """By its own parser: 8 processes of 2 rows, 4 times, are the 64 rows of a step."""
    from agent.serving.cpu.torchvision_operators import prepare

    prepare()
    from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig

    config = load_config(EIGHT_GPUS).warmup

    class Arguments:
        """What the Trainer would say on eight GPUs."""

        world_size = 8
        per_device_train_batch_size = config.micro_batch_size
        gradient_accumulation_steps = config.batch_size // (8 * (config.micro_batch_size or 1))
        max_grad_norm = 1.0
        learning_rate = config.learning_rate
        adam_beta1, adam_beta2, adam_epsilon, weight_decay = 0.9, 0.999, 1e-8, 0.0
        warmup_steps = 10
        fp16 = fp16_full_eval = bf16_full_eval = False
        bf16 = True
        save_on_each_node = False

    told: Any = HfTrainerDeepSpeedConfig(json.loads(json.dumps(DEEPSPEED)))
    told.trainer_config_process(Arguments)
    assert told.config["train_batch_size"] == 64 == config.batch_size
    assert told.config["train_micro_batch_size_per_gpu"] == 2
    assert told.config["gradient_accumulation_steps"] == 4
    assert told.config["optimizer"]["params"]["lr"] == pytest.approx(1e-5)
    assert told.is_offload()
