"""Warm-up: supervised learning of how to act, from an imperfect expert's episodes run through the real graph.

Episodes are rejection-sampled (only right ones are kept) and balanced to the demonstrator's own call rate, since right
answers would otherwise favour those that looked. Training is on ledgers: exact ids, only sampled ranges in the loss,
the images as they were seen. It runs in transformers' Trainer, so a larger model takes the same path with its own
arguments.
"""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from tqdm import tqdm

from agent.chat.record.ledger import Ledger
from agent.encoder import Encoder, joined
from agent.policies.scripted import Script, ScriptedPolicy
from rl.rewards.compose import score
from rl.rollout.run_parts import RunParts
from rl.tasks import demonstrator
from rl.tasks.errors import TaskFileError
from rl.tasks.registry import Demonstrator, find
from rl.tasks.sets import iterate_tasks as load_set
from rl.tasks.task import Task
from rl.training.base import curriculum
from rl.training.whole_files import whole_folder
from rl.trajectories.check import TrainingRow, training_row
from rl.trajectories.record import Trajectory, record
from rl.trajectories.store import TrajectoryStore

OWN = "own"
"""The name by which `warmup.tasks` means the run's own questions."""
IGNORED = -100
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
STREAM = 31


async def demonstrate(parts: RunParts, folder: Path) -> list[Trajectory]:
    """The kept episodes of the demonstrator, also written to `folder`: for one seed the same, in order and by id.

    So a demonstration that was cut off and begun again leaves each episode in the folder once.
    """
    config = parts.config.warmup
    store = TrajectoryStore(folder)
    wanted = {True: round(config.trajectories * config.call_rate)}
    wanted[False] = config.trajectories - wanted[True]
    kept = {True: 0, False: 0}
    shown: list[Trajectory] = []
    rng = np.random.default_rng([parts.config.seed, STREAM])
    tasks, play = _demonstrated(parts, rng)
    with tqdm(total=config.trajectories, desc="demonstrations", unit="episode") as bar:
        while kept != wanted:
            for looks in wanted:
                if kept[looks] < wanted[looks]:
                    trajectory = await _episode(parts, (task := next(tasks)), play(task, looks, rng))
                    if trajectory.correct:
                        kept[looks] += 1
                        shown.append(trajectory)
                        store.add(trajectory)
                        bar.update()
    store.seal()
    return shown


def demonstrator_of(name: str) -> Demonstrator:
    """Who demonstrates a task set. Raises TaskFileError where nobody does."""
    if found := find(name).demonstrator:
        return found
    raise TaskFileError(f"Got warmup.tasks={name}, a set without a demonstrator; expected `{OWN}`, or another set.")


def _demonstrated(parts: RunParts, rng: np.random.Generator) -> tuple[Iterator[Task], Demonstrator]:
    """What is asked, each question once, and who answers."""
    config = parts.config
    if config.warmup.tasks != OWN:
        shown = load_set(config.warmup.tasks, parts.store, "warmup", 100 * config.warmup.trajectories, config.seed)
        return iter(shown), demonstrator_of(config.warmup.tasks)
    own = list(
        load_set(config.tasks.set, parts.store, "train", config.tasks.train, config.seed, **config.tasks.options)
    )
    rng.shuffle(cast(Any, own))
    guesses = demonstrator.answers_by_kind(own)
    return iter(own), lambda task, looks, rng: demonstrator.demonstration(task, looks, rng, guesses)


async def _episode(parts: RunParts, task: Task, script: Script) -> Trajectory:
    policy = ScriptedPolicy(script, parts.family, version="demonstrator")
    state = await parts.ask(task, parts.episode(policy))
    reward, components = score(task, state, parts.config.rl.rewards)
    seed, origin = parts.config.seed, parts.origin
    return record(f"warmup/{task.id}", "warmup", task, state, components, reward, 0.0, seed, origin)


def rows(trajectories: Iterable[Trajectory], parts: RunParts) -> list[TrainingRow]:
    """Training rows of sound trajectories. Raises RefusedError for the others."""
    ledgers = (Ledger.from_plain(ledger) for trajectory in trajectories for ledger in trajectory.rows)
    return [training_row(ledger, parts.family, parts.store, scored=False) for ledger in ledgers]


def collate(batch: Sequence[TrainingRow], encoder: Encoder) -> dict[str, Any]:
    """A right-padded batch for a vision-language model; labels only where the policy speaks."""
    import torch

    longest = max(len(row.ids) for row in batch)
    mm = joined([row.mm for row in batch])

    def padded(values: Iterable[Sequence[int]], filler: int) -> torch.Tensor:
        return torch.tensor([[*each, *[filler] * (longest - len(each))] for each in values])

    labels = [[token if said else IGNORED for token, said in zip(row.ids, row.mask, strict=True)] for row in batch]
    ids = padded((row.ids for row in batch), encoder.tokenizer.pad_token_id)
    return {
        "input_ids": ids,
        "attention_mask": padded(([1] * len(row.ids) for row in batch), 0),
        "labels": padded(labels, IGNORED),
        **encoder.forward_inputs(ids, mm),
    }


def replayed_rows(parts: RunParts, count: int) -> Iterator[TrainingRow]:
    """The base's own lessons, as rows, so that learning to act does not undo learning to see; it may have none."""
    lessons = curriculum(parts.config)
    if lessons is None:
        return iter(())
    return itertools.islice(lessons.rows(parts, np.random.default_rng([parts.config.seed, STREAM, 1])), count)


def folders(run: Path) -> tuple[Path, Path]:
    """Where a run's warm-up writes: what it made, and what it resumes from."""
    return run / "warmup" / "final", run / "warmup" / "work"


def last_whole(work: Path) -> Path | None:
    """The newest checkpoint that transformers' Trainer had finished: it writes the trainer's state last.

    What a kill left of a later one is passed over, and overwritten when training comes to its step again.
    """
    steps = {int(match[1]): path for path in work.glob("*") if (match := _CHECKPOINT.fullmatch(path.name))}
    whole = (path for _, path in sorted(steps.items(), reverse=True) if whole_folder(path, "trainer_state.json"))
    return next(whole, None)


def train(
    parts: RunParts,
    trajectories: Sequence[Trajectory],
    start: Path,
    out: Path,
    work: Path,
    deepspeed: Mapping[str, Any] | None = None,
) -> None:
    """Trains the checkpoint in `start` on the trajectories and writes the result to `out`; resumes from `work`.

    `deepspeed`: its configuration, where this is one of several processes (rl/training/sft_gpu.py).
    """
    import torch
    from transformers import AutoModelForImageTextToText, Trainer, TrainingArguments, set_seed

    config = parts.config.warmup
    on_gpu = parts.config.device == "gpu"
    replayed = config.replayed if parts.config.base.lessons else 0
    rows_a_step = config.batch_size + replayed
    micro_batch = config.micro_batch_size or rows_a_step
    at_once = micro_batch * int(os.environ.get("WORLD_SIZE", "1"))
    options = TrainingArguments(
        output_dir=str(work),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=max(1, rows_a_step // at_once),
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=10,
        max_grad_norm=1.0,
        logging_steps=10,
        save_strategy="epoch",
        save_total_limit=1,
        seed=parts.config.seed,
        data_seed=parts.config.seed,
        remove_unused_columns=False,
        use_cpu=not on_gpu,
        dataloader_pin_memory=on_gpu,
        gradient_checkpointing=on_gpu,
        bf16=on_gpu,
        deepspeed=dict(deepspeed) if deepspeed else None,
        report_to=[],
        label_names=["labels"],
    )
    set_seed(parts.config.seed)
    model = cast(Any, AutoModelForImageTextToText).from_pretrained(
        start, dtype=torch.bfloat16 if on_gpu else torch.float32
    )
    freeze_vision(model)
    taught = rows(tqdm(trajectories, desc="rows", leave=False), parts)
    extra = round(len(taught) / config.batch_size * replayed)
    taught += list(tqdm(replayed_rows(parts, extra), total=extra, desc="replayed lessons", leave=False))
    last = last_whole(work)
    trainer = cast(Any, Trainer)(
        model=model, args=options, train_dataset=taught, data_collator=partial(collate, encoder=parts.family)
    )
    trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if trainer.is_world_process_zero():
        model.save_pretrained(out)
        parts.family.processor.save_pretrained(out)


def freeze_vision(model: Any) -> None:
    """As in RL: what was learnt about seeing stays; only the language model learns to act."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad = "language_model" in name or "lm_head" in name
