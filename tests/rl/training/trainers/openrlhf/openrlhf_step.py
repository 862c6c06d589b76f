"""Puts given rows through one training step of OpenRLHF's own classes: `openrlhf_step.py FOLDER`.

Real are its parser, RemoteExperienceMaker (with our rows_per_episode.py), PolicyModelActor, ActorPPOTrainer, replay
buffer, loss, and DeepSpeed's engine and optimizer, in this process; only Ray's dispatch is replaced by plain calls.
FOLDER/cases.pt holds the cases: a command line, the start checkpoint, steps of the schedule, and episodes of rows (ids,
ranges, log-probabilities, mm inputs, and what is added to the log-probabilities before the step). For each case the
weights after it are written to FOLDER/NUMBER.safetensors, its advantages to FOLDER/NUMBER.pt.
"""

import ast
import importlib
import inspect
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openrlhf.trainer.ppo_utils.experience_maker as upstream
import torch
from openrlhf.trainer.ray.ppo_actor import PolicyModelActor
from openrlhf.utils import get_strategy
from safetensors.torch import save_file

from rl.training.trainers.openrlhf.rows_per_episode import RowsExperienceMaker, RowsGenerator

upstream.ray = SimpleNamespace(put=lambda value: value, get=lambda value: value)


def understood(line: list[str]) -> Any:
    """OpenRLHF's arguments: the main block of its program, with a `train` that only notes them."""
    module: Any = importlib.import_module("openrlhf.cli.train_ppo_ray")
    blocks = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.If)]
    (main,) = [block for block in blocks if "__main__" in ast.unparse(block.test)]
    noted: list[Any] = []
    module.train = noted.append
    sys.argv = ["train_ppo_ray", *line]
    exec(compile(ast.Module(main.body, type_ignores=[]), module.__file__, "exec"), vars(module))
    return noted[0]


class Here:
    """An actor group of one actor, in this process."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    def async_run_method_batch(self, method_name: str, **batch: list[Any]) -> Any:
        method = getattr(self.actor, method_name)
        return [[method(**dict(zip(batch, each, strict=True))) for each in zip(*batch.values(), strict=True)]]


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def response(episode: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {
            "observation_tokens": row["ids"],
            "action_ranges": row["ranges"],
            "rollout_log_probs": row["logprobs"],
            "mm_train_inputs": row["mm"],
            "truncated": False,
        }
        for row in episode["rows"]
    ]
    told = {"prompt": "p", "label": "l", "images": None, "reward": episode["reward"], "scores": 0.0, "extra_logs": {}}
    return {**told, **rows[0], "further": rows[1:]}


def step(case: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """The weights after a step on the case's episodes, and each row's advantages."""
    args = understood(case["line"])
    strategy = get_strategy(args)
    made: Any = PolicyModelActor
    actor = made.__ray_metadata__.modified_class(1, 0, "127.0.0.1", PORT)
    actor.init_model_from_pretrained(strategy, case["start"], case["steps"], None)
    generator: Any = RowsGenerator(strategy, None, None, None, [])
    samples = [generator._process_response_into_experience(response(each), max_len=4096) for each in case["episodes"]]
    maker: Any = RowsExperienceMaker(
        Here(actor), None, None, None, SimpleNamespace(value=0.0), strategy, actor.tokenizer
    )
    experiences = maker.make_experience_batch(samples)
    moved = iter([row["moved"] for episode in case["episodes"] for row in episode["rows"]])
    advantages: list[Any] = []
    for experience in experiences:
        for row, mask in enumerate(experience.action_mask):
            by = torch.tensor(next(moved)[1:])
            experience.action_log_probs[row, : len(by)] += by * mask[: len(by)]
            advantages.append(experience.advantages[row, : len(by)] * mask[: len(by)])
        actor.append(experience)
    actor.fit(0.0)
    return actor.actor.model.module.state_dict(), advantages


PORT = free_port()
folder = Path(sys.argv[1])
for number, case in enumerate(torch.load(folder / "cases.pt", weights_only=False)):
    weights, advantages = step(case)
    save_file(
        {name: each.detach().clone().contiguous() for name, each in weights.items()}, folder / f"{number}.safetensors"
    )
    torch.save(advantages, folder / f"{number}.pt")
