"""What OpenRLHF's rollout actor runs for each sample: the compiled graph, on the actor's own engine.

OpenRLHF loads this file by path and builds `AgentExecutor` without arguments; the run's folder comes by environment.
The calls for one prompt meet: its episodes are sampled as a group (rl/rollout/groups.py) and scored together, so that a
reward may compare them. Every finished episode lands in the run's trajectory store. Its id says what was to be sampled:
in which pass over the prompts, of which of these, which sample. So what a resumed training samples anew takes the place
of what was sampled before the kill, by weights that are gone.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from openrlhf.utils.agent import AgentExecutorBase

from agent.policies.engine import EnginePolicy
from rl.config import load_config
from rl.rewards.compose import score_group
from rl.rollout.groups import branching_of, sample_group
from rl.rollout.run_parts import CONFIG, RunParts, open_run, sampling_of
from rl.tasks.task import Task
from rl.training.trainers.openrlhf.attempts import Attempts
from rl.training.trainers.openrlhf.command import FURTHER, RUN_FOLDER
from rl.training.trainers.openrlhf.policy_version import episodes_per_step, pass_of, resumed_step, step_version
from rl.training.trainers.openrlhf.prompt_group import Meeting
from rl.trajectories.check import TrainingRow
from rl.trajectories.record import Trajectory, record
from rl.trajectories.store import TrajectoryStore
from tools.private_files import private_folder, private_opener


@dataclass(frozen=True)
class Sample:
    """A scored episode and what of it trains."""

    trajectory: Trajectory
    rows: list[TrainingRow]


class AgentExecutor(AgentExecutorBase):
    """One per rollout actor, shared by all samples."""

    def __init__(self) -> None:
        run = Path(os.environ[RUN_FOLDER])
        config = load_config(run / CONFIG)
        self.branching = branching_of(config)
        self.run: RunParts = open_run(run)
        self.trajectories = TrajectoryStore(run / "trajectories" / "rl")
        self.per_step = episodes_per_step(config)
        self.finished = resumed_step(run) * self.per_step
        self.refusals = run / "trajectories" / "refused.jsonl"
        self.groups: Meeting[Sample] = Meeting(config.rl.samples_per_prompt)
        self.random = Random(config.seed)

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
        sample = await self.groups.take(str(place), lambda: self._group(task, place, llm_engine, sampling_params))
        return as_openrlhf_takes_it(prompt, label, images, sample, sampling_params.logprobs is not None)

    async def _group(self, task: Task, place: int, engine: Any, sampling_params: Any) -> list[Sample]:
        """All samples of the task at a place among the prompts, scored together; each lands in the trajectory store."""
        step, passed = self.finished // self.per_step, pass_of(self.run.config, self.finished)
        policy = EnginePolicy(engine, sampling_params, version=lambda: step_version(self.finished, self.per_step))
        sampling = sampling_of(self.run.config)
        if self.branching:
            allow_alternatives(engine, self.branching.alternatives)
            sampling = replace(sampling, alternatives=self.branching.alternatives)
        attempts = Attempts(self.run, task, policy, sampling, self._note)
        attempted = await sample_group(
            self.groups.size, attempts.fresh, attempts.fork, attempts.calls(self.branching), self.branching, self.random
        )
        scores = score_group(task, [each.state for each in attempted], self.run.config.rl.rewards)
        samples: list[Sample] = []
        for attempt, (reward, components) in zip(attempted, scores, strict=True):
            trajectory = record(
                f"rl/{passed}/{place}/{len(samples)}",
                "rl",
                task,
                attempt.state,
                components,
                reward,
                attempt.seconds,
                seed=self.run.config.seed,
                origin=self.run.origin,
                sample=len(samples),
                forked=attempt.forked,
                step=step,
            )
            self.trajectories.add(trajectory)
            samples.append(Sample(trajectory, attempt.rows))
        self.finished += len(samples)
        return samples

    def _note(self, task: Task, reason: Exception) -> None:
        private_folder(self.refusals.parent)
        with open(self.refusals, "a", encoding="utf-8", opener=private_opener) as file:
            file.write(json.dumps({"task": task.id, "reason": str(reason)}) + "\n")


def allow_alternatives(engine: Any, count: int) -> None:
    """Lets an engine's requests ask for `count` alternatives.

    Where OpenRLHF 0.11.2 corrects by importance it starts vLLM with a limit of one, for which there is no flag; vLLM
    compares each request with the limit that stands in the model's configuration.
    """
    model = engine.llm.model_config
    model.max_logprobs = max(model.max_logprobs, count)


def as_openrlhf_takes_it(prompt: str, label: str, images: Any, sample: Sample, with_logprobs: bool) -> dict[str, Any]:
    """The dict that OpenRLHF 0.11.2 makes an Experience of; where there are more rows, those that row_trainer.py makes
    of it too.
    """
    trajectory = sample.trajectory
    used = {
        "turns": float(trajectory.turns),
        "tool_calls": float(len(trajectory.calls)),
        "images": float(len(trajectory.images)),
        "faults": float(trajectory.faults),
        "forked": float(trajectory.forked),
    }
    first, *further = [
        _row(row, ledger["sampled"], with_logprobs) for row, ledger in zip(sample.rows, trajectory.rows, strict=True)
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
