"""Which step of OpenRLHF a rollout belongs to, and so which weights sample it.

The executor cannot ask OpenRLHF which step it is at, but in synchronous training every step samples a fixed number of
episodes before its update, so the count of finished ones tells. Prompts are spread evenly over the engines, each with
an executor of its own. (Asynchronous training mixes steps: there it is the step in which the sampling began.)
"""

from pathlib import Path

from rl.config import Config
from rl.training.trainers.openrlhf.resume import named_step


def episodes_per_step(config: Config) -> int:
    """Episodes of a step that one executor samples; at least 1."""
    engines = int(config.rl.openrlhf.get("vllm.num_engines", 1))
    return max(1, config.rl.prompts_per_step * config.rl.samples_per_prompt // engines)


def pass_of(config: Config, finished: int) -> int:
    """The pass over the prompts, from 0, that an executor is in after `finished` episodes."""
    passes = int(config.rl.openrlhf.get("train.num_episodes", 1))
    return min(finished // max(1, episodes_per_step(config) * config.rl.steps), passes - 1)


def resumed_step(run: Path) -> int:
    """The step whose checkpoint a training that starts now goes on from; 0 for a fresh one."""
    return named_step(run / "rl" / "checkpoints" / "_actor") or 0
