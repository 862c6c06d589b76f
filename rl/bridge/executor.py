"""What OpenRLHF's rollout actor runs for each sample: the compiled graph, on the actor's own engine.

OpenRLHF loads this file by path and builds `AgentExecutor` without arguments; the run's folder comes by environment. A
sample whose tokens do not agree with the engine's, whose trajectory fails the check, or in which a tool of ours had a
bug is refused and sampled again; if that keeps happening the run stops, because a pipeline that misaligns tokens must
not train. Every finished episode lands in the run's trajectory store.
"""

import json
import os
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from openrlhf.utils.agent import AgentExecutorBase

from agent.ledger import Ledger, LedgerError
from agent.policies.engine import EnginePolicy
from agent.policies.policy import PolicyError
from agent.turn import Overrides
from rl.bridge.executor_version import episodes_per_step, resumed_step, step_version
from rl.bridge.launch import RUN_FOLDER
from rl.rewards.compose import UnscoredError, score
from rl.rollout import RunParts, open_run, sampling_of
from rl.tasks.task import Task
from rl.trajectories.check import RefusedError, TrainingRow, training_row
from rl.trajectories.record import Trajectory, record
from rl.trajectories.store import TrajectoryStore

REFUSED = (RefusedError, LedgerError, UnscoredError, PolicyError)
"""Why an episode may be refused: the check, a prompt that the engine counted differently, a bug in a tool, a turn that
the engine broke off."""


class AgentExecutor(AgentExecutorBase):
    """One per rollout actor, shared by all samples."""

    def __init__(self) -> None:
        run = Path(os.environ[RUN_FOLDER])
        self.run: RunParts = open_run(run)
        self.trajectories = TrajectoryStore(run / "trajectories" / "rl")
        self.per_step = episodes_per_step(self.run.config)
        self.finished = resumed_step(run) * self.per_step
        self.refusals = run / "trajectories" / "refused.jsonl"

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
        task = Task.from_plain(json.loads(label))
        for _ in range(self.run.config.rl.refusals):
            try:
                trajectory, row = await self._episode(task, llm_engine, sampling_params)
            except REFUSED as reason:
                self._note(task, reason)
                continue
            self.trajectories.add(trajectory)
            self.finished += 1
            return _sample(prompt, label, images, trajectory, row, sampling_params.logprobs is not None)
        raise RefusedError(
            f"{self.run.config.rl.refusals} trajectories of {task.id} were refused in a row; {self.refusals} says why."
        )

    async def _episode(self, task: Task, engine: Any, sampling_params: Any) -> tuple[Trajectory, TrainingRow]:
        started = time.perf_counter()
        policy = EnginePolicy(engine, sampling_params, version=lambda: step_version(self.finished, self.per_step))
        state = await self.run.ask(task, Overrides(policy, sampling_of(self.run.config)))
        reward, components = score(task, state, self.run.config.rl.rewards)
        row = training_row(Ledger.from_plain(state["ledger"]), self.run.encoder, self.run.store)
        seconds = time.perf_counter() - started
        origin = self.run.origin
        return record(uuid4().hex, "rl", task, state, components, reward, seconds, origin=origin), row

    def _note(self, task: Task, reason: ValueError | PolicyError) -> None:
        self.refusals.parent.mkdir(parents=True, exist_ok=True)
        with self.refusals.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"task": task.id, "reason": str(reason)}) + "\n")


def _sample(
    prompt: str, label: str, images: Any, trajectory: Trajectory, row: TrainingRow, with_logprobs: bool
) -> dict[str, Any]:
    """The dict that OpenRLHF 0.11.2 makes an Experience of."""
    pixels = (
        None if row.pixel_values is None else {"pixel_values": row.pixel_values, "image_grid_thw": row.image_grid_thw}
    )
    sampled = trajectory.ledger["sampled"]
    used = {
        "turns": float(trajectory.turns),
        "tool_calls": float(len(trajectory.calls)),
        "images": float(len(trajectory.images)),
        "faults": float(trajectory.faults),
    }
    return {
        "prompt": prompt,
        "label": label,
        "images": images,
        "mm_train_inputs": pixels,
        "reward": trajectory.reward,
        "scores": trajectory.rewards["answer"],
        "observation_tokens": row.ids,
        "action_ranges": [(turn[0], turn[1]) for turn in sampled],
        "rollout_log_probs": row.logprobs if with_logprobs else None,
        "truncated": sampled[-1][4] == "length",
        "extra_logs": {**used, **{f"reward_{name}": value for name, value in trajectory.rewards.items()}},
    }
