"""Puts episodes of several rows through rows_per_episode.py and OpenRLHF's own classes; prints what they train.

Models are the one thing that is not real: every log-probability is 0. Standard input holds a list of cases:
`{"args": OpenRLHF's arguments by dotted name, "episodes": [{"reward", "rows": [[length, start, end] ...]}]}`. For each
case the last line of standard output says per row that was kept: its reward's place, its trained positions, the
advantages there, and how many rows there are.
"""

import json
import sys
from types import SimpleNamespace
from typing import Any

import openrlhf.trainer.ppo_utils.experience_maker as upstream
import torch

from rl.training.trainers.openrlhf.rows_per_episode import NothingTrainsError, RowsExperienceMaker, RowsGenerator

upstream.ray = SimpleNamespace(put=lambda value: value, get=lambda value: value)
DEFAULTS = {
    "train.batch_size": 4,
    "train.dynamic_batch_enable": False,
    "train.colocate_all": False,
    "train.colocate_actor_ref": False,
    "rollout.micro_batch_size": 2,
    "rollout.n_samples_per_prompt": 2,
    "rollout.max_new_tokens": 8,
    "reward.clip_range": None,
    "reward.overlong_buffer_len": None,
    "reward.stop_properly_penalty_coef": None,
    "algo.kl.use_loss": False,
    "algo.advantage.estimator": "dr_grpo",
    "algo.advantage.gamma": 1.0,
    "algo.advantage.no_std_norm": False,
    "ds.ring_attn_size": 1,
    "ds.tensor_parallel_size": 1,
}


def arguments(values: dict[str, Any]) -> Any:
    made = SimpleNamespace()
    for name, value in values.items():
        *sections, last = name.split(".")
        at = made
        for section in sections:
            if not hasattr(at, section):
                setattr(at, section, SimpleNamespace())
            at = getattr(at, section)
        setattr(at, last, value)
    return made


class Models:
    """An actor group whose every log-probability is 0."""

    def async_run_method_batch(self, method_name: str, action_mask: list[torch.Tensor], **_: Any) -> Any:
        return [[torch.zeros(mask.shape) for mask in action_mask]]


def response(episode: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "observation_tokens": list(range(1, length + 1)),
            "action_ranges": [(start, end)] if end > start else [],
            "rollout_log_probs": [0.0] * length,
            "mm_train_inputs": None,
            "truncated": False,
        }
        for length, start, end in episode["rows"]
    ]
    told = {"prompt": "p", "label": "l", "images": None, "reward": episode["reward"], "scores": 0.0, "extra_logs": {}}
    return {**told, **rows[0], "further": rows[1:]}


def run(case: dict[str, Any]) -> Any:
    args = arguments({**DEFAULTS, **case["args"]})
    strategy = SimpleNamespace(args=args)
    generator: Any = RowsGenerator(strategy, None, None, None, [])
    samples = [generator._process_response_into_experience(response(each), max_len=64) for each in case["episodes"]]
    maker: Any = RowsExperienceMaker(
        Models(), None, None, None, SimpleNamespace(value=0.0), strategy, SimpleNamespace(pad_token_id=0)
    )
    try:
        made = maker.make_experience_batch(samples)
    except NothingTrainsError as error:
        return str(error)
    rows = [
        {
            "trained": mask.nonzero().flatten().tolist(),
            "advantages": advantages[mask.bool()].tolist(),
            "elsewhere": advantages[~mask.bool()].abs().sum().item() if mask.any() else 0.0,
            "finite": bool(torch.isfinite(kl)),
        }
        for each in made
        for mask, advantages, kl in zip(each.action_mask, each.advantages, each.info["kl"], strict=True)
    ]
    return {"samples": len(samples), "batches": [len(each.sequences) for each in made], "rows": rows}


print(json.dumps([run(case) for case in json.load(sys.stdin)]))
