"""What OpenRLHF's rollout actor runs for each sample: the compiled graph, on the actor's own engine.

OpenRLHF loads this file by path and builds `AgentExecutor` without arguments; the run's folder comes by environment.
The calls for one prompt meet: its episodes are sampled as a group (rl/training/group_sampler.py).
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openrlhf.utils.agent import AgentExecutorBase

from agent.policies.engine import EnginePolicy
from rl.tasks.task import Task
from rl.training.group_sampler import GroupSampler, ScoredEpisode
from rl.training.trainers.openrlhf.command import FURTHER, RUN_FOLDER
from rl.training.trainers.openrlhf.policy_version import episodes_per_step, pass_of, resumed_step
from rl.training.trainers.openrlhf.prompt_group import SharedGroups
from rl.training.trainers.trainer import weights_after
from rl.trajectories.check import TrainingRow


class AgentExecutor(AgentExecutorBase):
    """One per rollout actor, shared by all samples."""

    def __init__(self) -> None:
        run = Path(os.environ[RUN_FOLDER])
        self.sampler = GroupSampler(run)
        self.config = self.sampler.parts.config
        self.per_step = episodes_per_step(self.config)
        self.finished = resumed_step(run) * self.per_step
        self.groups: SharedGroups[ScoredEpisode] = SharedGroups(self.sampler.size)

    async def execute(
        self,
        prompt: str,
        label: str,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """One episode of the task in `label`, as OpenRLHF takes it."""
        asked = json.loads(label)
        task, place = Task.from_plain(asked["task"]), int(asked["place"])
        episode = await self.groups.take(str(place), lambda: self._group(task, place, llm_engine, sampling_params))
        return as_openrlhf_takes_it(prompt, label, images, episode, sampling_params.logprobs is not None)

    async def _group(self, task: Task, place: int, engine: Any, sampling_params: Any) -> list[ScoredEpisode]:
        """All samples of the task at a place among the prompts."""
        step, passed = self.finished // self.per_step, pass_of(self.config, self.finished)
        policy = EnginePolicy(engine, sampling_params, lambda: weights_after(self.finished // self.per_step))
        if self.sampler.branching:
            allow_alternatives(engine, self.sampler.branching.alternatives)
        group = await self.sampler.group(task, place, policy, step, passed)
        self.finished += len(group)
        return group


def allow_alternatives(engine: Any, count: int) -> None:
    """Lets an engine's requests ask for `count` alternatives.

    Where OpenRLHF 0.11.2 corrects by importance it starts vLLM with a limit of one, for which there is no flag; vLLM
    compares each request with the limit that stands in the model's configuration.
    """
    model = engine.llm.model_config
    model.max_logprobs = max(model.max_logprobs, count)


def as_openrlhf_takes_it(
    prompt: str, label: str, images: Any, episode: ScoredEpisode, with_logprobs: bool
) -> dict[str, Any]:
    """The dict that OpenRLHF 0.11.2 makes an Experience of; where there are more rows, those that rows_per_episode.py
    makes of it too.
    """
    trajectory = episode.trajectory
    used = {
        "turns": float(trajectory.turns),
        "tool_calls": float(len(trajectory.calls)),
        "images": float(len(trajectory.images)),
        "faults": float(trajectory.faults),
        "forked": float(trajectory.forked),
    }
    first, *further = [
        _row(row, ledger["sampled"], with_logprobs) for row, ledger in zip(episode.rows, trajectory.rows, strict=True)
    ]
    return {
        "prompt": prompt,
        "label": label,
        "images": images,
        "reward": trajectory.reward,
        "scores": trajectory.rewards["answer"],
        "extra_logs": {**used, **{f"reward_{name}": value for name, value in trajectory.rewards.items()}},
        **first,
        **({FURTHER: further} if further else {}),
    }


def _row(row: TrainingRow, sampled: Sequence[Sequence[Any]], with_logprobs: bool) -> dict[str, Any]:
    return {
        "mm_train_inputs": row.mm or None,
        "observation_tokens": row.ids,
        "action_ranges": [(turn[0], turn[1]) for turn in sampled],
        "rollout_log_probs": row.logprobs if with_logprobs else None,
        "truncated": bool(sampled) and sampled[-1][4] == "length",
    }
