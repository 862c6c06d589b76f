"""The rollout function of every trainer: a task's episodes, sampled as a group, scored together, each stored once.

A group's episodes are sampled side by side (rl/rollout/groups.py) until each is sound enough to train
(rl/training/sound_episodes.py), and scored together, so that a reward may compare them. Every one lands in the run's
trajectory store. Its id says what was to be sampled: in which pass over the tasks, of which of these, which sample. So
what a resumed training samples anew takes the place of what was sampled before the kill, by weights that are gone.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from agent.policies.policy import Policy
from rl.rewards.compose import score_group
from rl.rollout.groups import branching_of, sample_group
from rl.rollout.run_parts import RunParts, open_run, sampling_of
from rl.tasks.task import Task
from rl.training.sound_episodes import SoundEpisodes
from rl.trajectories.check import TrainingRow
from rl.trajectories.record import Trajectory, record
from rl.trajectories.store import TrajectoryStore
from tools.private_files import private_folder, private_opener


@dataclass(frozen=True)
class ScoredEpisode:
    """A scored episode and what of it trains."""

    trajectory: Trajectory
    rows: list[TrainingRow]


class GroupSampler:
    """Samples for training in the run of a folder, in whatever process the policy is asked from."""

    def __init__(self, run: Path) -> None:
        self.parts: RunParts = open_run(run)
        self.branching = branching_of(self.parts.config)
        self.size = self.parts.config.rl.samples_per_prompt
        self.trajectories = TrajectoryStore(run / "trajectories" / "rl")
        self.refusals = run / "trajectories" / "refused.jsonl"
        self.random = Random(self.parts.config.seed)

    async def group(self, task: Task, place: int, policy: Policy, step: int, passed: int = 0) -> list[ScoredEpisode]:
        """All episodes of the task at a place among the tasks, for a training step (from 0).

        `passed`: how many times training has been through the tasks before. Raises RefusedError where too many episodes
        were refused in a row, ConfigError where one has more rows than the trainer takes.
        """
        config, sampling = self.parts.config, sampling_of(self.parts.config)
        if self.branching:
            sampling = replace(sampling, alternatives=self.branching.alternatives)
        episodes = SoundEpisodes(self.parts, task, policy, sampling, self._note)
        calls = episodes.calls(self.branching)
        sampled = await sample_group(self.size, episodes.fresh, episodes.fork, calls, self.branching, self.random)
        scores = score_group(task, [each.state for each in sampled], config.rl.rewards)
        scored: list[ScoredEpisode] = []
        for number, (each, (reward, components)) in enumerate(zip(sampled, scores, strict=True)):
            trajectory = record(
                f"rl/{passed}/{place}/{number}",
                "rl",
                task,
                each.state,
                components,
                reward,
                each.seconds,
                seed=config.seed,
                origin=self.parts.origin,
                sample=number,
                forked=each.forked,
                step=step,
            )
            self.trajectories.add(trajectory)
            scored.append(ScoredEpisode(trajectory, each.rows))
        return scored

    def _note(self, task: Task, reason: Exception) -> None:
        private_folder(self.refusals.parent)
        with open(self.refusals, "a", encoding="utf-8", opener=private_opener) as file:
            file.write(json.dumps({"task": task.id, "reason": str(reason)}) + "\n")
