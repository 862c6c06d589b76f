"""OpenRLHF's rollout path: our executor runs a group of episodes on an engine with vLLM's interface, and OpenRLHF's own
SamplesGenerator makes experience of what it returns; every id that the engine sampled freely is trained once, with its
log-probability, and no other is (rl/training/trainers/openrlhf/rows_per_episode.py). Real steps of OpenRLHF are slow
tests, not part of this table."""

import asyncio
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from agent.policies.policy import Sampling
from rl.config import LAPTOP, dump, load_config
from rl.features.case import CHECKPOINT, CONTEXT, TURN_TOKENS, Case, expect
from rl.features.other_process import another_process
from rl.features.reading_policy import SURE, ReadingPolicy

TITLE = "training"
SAMPLES = 2


@dataclass
class Engine:
    """A policy behind the interface of the engine that OpenRLHF hands to an executor."""

    policy: ReadingPolicy
    free: list[tuple[int, ...]] = field(default_factory=list[tuple[int, ...]])
    """What was sampled without a grammar."""

    async def generate(self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None) -> Any:
        """One completion; the prompt comes back with each image's placeholders, as vLLM counts them."""
        from vllm.logprobs import Logprob
        from vllm.outputs import CompletionOutput, RequestOutput

        held = sampling_params.structured_outputs
        structure = held.structural_tag if held is not None else None
        sampling = Sampling(max_tokens=sampling_params.max_tokens or CONTEXT, structure=structure)
        images: list[Any] = multi_modal_data["image"] if multi_modal_data else []
        said = await self.policy.generate(prompt_token_ids, images, sampling)
        if structure is None:
            self.free.append(said.token_ids)
        family = self.policy.family
        longer = sum(family.placeholders(family.grid(image)) - 1 for image in images)
        known = [{id: Logprob(SURE)} for id in said.token_ids]
        output = CompletionOutput(0, "", said.token_ids, None, known, finish_reason=said.finish_reason)
        return RequestOutput("", None, [*prompt_token_ids, *[0] * longer], None, [output], finished=True)


async def prove(case: Case) -> str | None:
    """One group, from the label that OpenRLHF passes to the experience that it trains on."""
    engine = Engine(case.reading_policy())
    gathered = await _sampled(case, engine)
    expect(len(gathered) == SAMPLES, f"Got {len(gathered)} samples, expected {SAMPLES}.")
    rewards = [each["scores"] for each in gathered]
    expect(rewards == [1.0] * SAMPLES, f"Got the scores {rewards} of right answers, expected 1.0.")
    rows = await asyncio.wrap_future(another_process().submit(experience, gathered))
    trained: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        trained.update(Counter(row))
    sampled = Counter(engine.free)
    expect(trained == sampled, f"Got {trained.total()} trained turns, expected the {sampled.total()} sampled ones.")
    return None


async def _sampled(case: Case, engine: Engine) -> list[dict[str, Any]]:
    """What the executor returns for the samples of the task."""
    asked = [f"graph={case.graph}", f"episode.context={CONTEXT}", f"episode.turn_tokens={TURN_TOKENS}"]
    rl = ["rl.prompts_per_step=1", f"rl.samples_per_prompt={SAMPLES}", "rl.regrounding.enabled=false"]
    config = load_config(LAPTOP, [*asked, *rl])
    (case.folder / "config.yaml").write_text(dump(config))
    (case.folder / "images").symlink_to(case.shared.store.folder)
    (case.folder / "checkpoints").mkdir()
    (case.folder / "checkpoints" / "base").symlink_to(CHECKPOINT)
    from vllm import SamplingParams

    from rl.training.trainers.openrlhf.command import RUN_FOLDER

    os.environ[RUN_FOLDER] = str(case.folder)
    from rl.training.trainers.openrlhf.executor import AgentExecutor

    executor, task = AgentExecutor(), case.task
    label = json.dumps({"place": 0, "task": task.to_plain()})
    asked = (task.question, label, SamplingParams(logprobs=1), CONTEXT, None, engine)
    return list(await asyncio.gather(*(executor.execute(*asked) for _ in range(SAMPLES))))


def experience(samples: list[dict[str, Any]]) -> list[list[tuple[int, ...]]]:
    """In another process, which OpenRLHF can be imported in: per row of OpenRLHF's experience its trained turns."""
    from types import SimpleNamespace

    from rl.training.trainers.openrlhf.rows_per_episode import RowsGenerator

    generator: Any = RowsGenerator(SimpleNamespace(args=None), None, None, None, [])
    rows: list[list[tuple[int, ...]]] = []
    for sample in samples:
        made = generator._process_response_into_experience(sample, max_len=CONTEXT)
        rows += [_turns(row) for row in (made, *made.further)]
    return rows


def _turns(row: Any) -> list[tuple[int, ...]]:
    """Runs of trained ids of one row. Position p of OpenRLHF's mask stands for id p + 1."""
    mask, ids = row.action_mask[0].tolist(), row.sequences[0].tolist()[1:]
    known = row.rollout_log_probs[0].tolist()
    turns: list[tuple[int, ...]] = []
    begun: list[int] = []
    for trained, id, logprob in zip([*mask, 0], [*ids, 0], [*known, 0.0], strict=True):
        expect(not trained or logprob == SURE, f"Got the log-probability {logprob} of a trained id, expected {SURE}.")
        if trained:
            begun.append(id)
        elif begun:
            turns.append(tuple(begun))
            begun = []
    return turns
