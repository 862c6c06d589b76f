"""The reference trainer: one process, plain PyTorch, on a CPU in float32: the specification of what a step computes.

A training step: the groups of `rl.prompts_per_step` tasks are sampled on a vLLM server of ours under the weights so
far; an algorithm gives each token its advantage; the policy's log-probabilities before the step are computed; then, for
each of `epochs`, one step of Adam on

    loss = sum over sampled tokens of algorithm.loss(now, before, sampled, advantage) / number of sampled tokens

over all rows of the step, with the gradient's norm bounded by `max_norm`. The vision tower and its projector do not
move. Log-probabilities are those of the softmax over all tokens of logits / `rl.temperature`, as they were sampled.

OpenRLHF's step is the same (tests/rl/training/trainers/test_conformance.py) where its flags ask for this: one batch
(`train.batch_size`) for all rows, `actor.freeze_visual_encoder`, the same estimator and `actor.eps_clip_low_high`,
importance correction by token. What it has beside that (several ranks, KL to a reference, entropy, GSPO) is not here.
"""

import asyncio
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.encoder import Encoder
from agent.policies.served import ServedPolicy
from agent.serving.checkpoint import Checkpoint, publish
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from agent.serving.swap import hot_swap
from rl.config import Config, ConfigError
from rl.processes.child import TrainingError
from rl.training.algorithms.algorithm import LossSettings, find_algorithm
from rl.training.algorithms.samples import training_samples
from rl.training.group_sampler import GroupSampler, ScoredEpisode
from rl.training.preflight.finding import Finding
from rl.training.sft import collate, freeze_vision
from rl.training.trainers.trainer import Trainer, TrainingJob, TrainingSample, weights_after
from rl.training.whole_files import whole_checkpoint
from rl.trajectories.check import RefusedError

_SAVED = re.compile(r"step-(\d+)")
STATE = "optimizer.pt"


class Options(BaseModel):
    """`rl.trainer_options` of this trainer; the loss's bounds are LossSettings' (rl/training/algorithms)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: str = "dr_grpo"
    clip: tuple[float, float] = LossSettings.clip
    importance: tuple[float, float] | None = LossSettings.importance
    epochs: int = Field(default=1, ge=1)
    """Optimizer steps on the rows of one training step; the clip matters from the second on."""
    micro_batch: int = Field(default=8, ge=1)
    """Rows in one forward pass; it changes nothing but memory."""
    max_norm: float = 1.0
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    warmup_steps: int = 0
    """Optimizer steps in which the learning rate rises from 0, where the first of them is; constant from then on."""


class Learner:
    """The weights, their optimizer, and a step of it."""

    def __init__(self, start: Path, encoder: Encoder, config: Config) -> None:
        import torch
        from transformers import AutoModelForImageTextToText

        self.encoder, self.temperature = encoder, config.rl.temperature
        self.options = Options(**config.rl.trainer_options)
        self.algorithm = find_algorithm(self.options.algorithm)
        self.settings = LossSettings(self.options.clip, self.options.importance)
        self.model = cast(Any, AutoModelForImageTextToText).from_pretrained(start, dtype=torch.float32)
        freeze_vision(self.model)
        self.trained = [each for each in self.model.parameters() if each.requires_grad]
        self.optimizer = torch.optim.Adam(
            self.trained, lr=config.rl.learning_rate, betas=self.options.betas, eps=self.options.eps
        )
        warmup = self.options.warmup_steps
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda done: min(1.0, done / warmup) if warmup else 1.0
        )
        if (state := start / STATE).exists():
            saved = torch.load(state, weights_only=True)
            self.optimizer.load_state_dict(saved["optimizer"])
            self.schedule.load_state_dict(saved["schedule"])

    def step(self, samples: Sequence[TrainingSample]) -> None:
        """A training step on all of its rows."""
        self.update(samples, self.before(samples))

    def before(self, samples: Sequence[TrainingSample]) -> list[Any]:
        """The log-probabilities before the step, a tensor [B, T - 1] for each micro-batch."""
        import torch

        self.model.eval()
        with torch.no_grad():
            return [self.log_probabilities(batch) for batch in self.micro_batches(samples)]

    def update(self, samples: Sequence[TrainingSample], before: Sequence[Any]) -> None:
        """The optimizer's steps on the rows, against their log-probabilities before."""
        import torch

        self.model.train()
        tokens, optimizer = sum(sum(each.mask[1:]) for each in samples), cast(Any, self.optimizer)
        for _ in range(self.options.epochs):
            for batch, old in zip(self.micro_batches(samples), before, strict=True):
                now = self.log_probabilities(batch)
                sampled, advantages = (
                    padded([getattr(each, of) for each in batch]) for of in ("logprobs", "advantage")
                )
                losses = self.algorithm.loss(now, old, sampled, advantages, self.settings)
                loss: Any = (losses * padded([each.mask for each in batch])).sum() / tokens
                loss.backward()
            torch.nn.utils.clip_grad_norm_(self.trained, self.options.max_norm)
            optimizer.step()
            self.schedule.step()
            optimizer.zero_grad()

    def log_probabilities(self, batch: Sequence[TrainingSample]) -> Any:
        """Of each id but a row's first, given those before it [B, T - 1]; rows are padded on the right."""
        inputs = collate(batch, self.encoder)
        del inputs["labels"]
        logits = self.model(**inputs, use_cache=False).logits[:, :-1] / self.temperature
        return logits.gather(2, inputs["input_ids"][:, 1:, None])[..., 0] - logits.logsumexp(2)

    def micro_batches(self, samples: Sequence[TrainingSample]) -> Iterator[Sequence[TrainingSample]]:
        """The rows in order, so many at a time."""
        size = self.options.micro_batch
        return (samples[at : at + size] for at in range(0, len(samples), size))

    def save(self, folder: Path) -> None:
        """A Hugging Face folder, and what is needed to go on from it."""
        import torch

        shutil.rmtree(folder, ignore_errors=True)
        self.model.save_pretrained(folder)
        self.encoder.processor.save_pretrained(folder)
        torch.save({"optimizer": self.optimizer.state_dict(), "schedule": self.schedule.state_dict()}, folder / STATE)


def padded(rows: Sequence[Sequence[float]]) -> Any:
    """A number for each id of some rows, for all but the first: a tensor [B, T - 1], 0 behind a row's end."""
    import torch

    longest = max(map(len, rows))
    return torch.tensor([[*row[1:], *[0.0] * (longest - len(row))] for row in rows])


class Reference(Trainer):
    """Trains in this process, on a rollout server of its own."""

    async def train(self, job: TrainingJob) -> None:
        """Step by step; goes on after the last checkpoint that was saved."""
        run, config = job.run, job.config.rl
        done = max(self.saved(run), default=0)
        start = self.saved(run).get(done, job.start)
        if done == config.steps:
            return
        sampler, published = GroupSampler(run), run / "rl" / "served"
        shutil.rmtree(published, ignore_errors=True)
        learner = await asyncio.to_thread(Learner, start, sampler.parts.family, job.config)

        def version(folder: Path, step: int) -> Checkpoint:
            return publish(folder, published, weights_after(step), None, {}, job.start)

        options = ServerOptions(
            max_model_len=job.config.episode.context,
            max_num_seqs=job.config.serving.max_num_seqs,
            extra_arguments=job.config.serving.extra_arguments,
        )
        async with (
            VLLMServer(version(start, done), options, log=run / "logs" / "rollouts.log") as server,
            ServedPolicy(server.base_url, server.versions) as policy,
        ):

            async def group(place: int, step: int) -> list[ScoredEpisode]:
                sampled = await sampler.group(job.tasks[place], place, policy, step)
                job.tick()
                return sampled

            for step in range(done, config.steps):
                first = step * config.prompts_per_step
                places = range(first, first + config.prompts_per_step)
                try:
                    groups = await asyncio.gather(*(group(place, step) for place in places))
                except RefusedError as error:
                    raise TrainingError(str(error)) from error
                await asyncio.to_thread(self.learn, learner, groups, run / "rl" / "next")
                await hot_swap(server, await asyncio.to_thread(version, run / "rl" / "next", step + 1))
                shutil.rmtree(published / weights_after(step))
                if (step + 1) % config.save_steps == 0 or step + 1 == config.steps:
                    self.keep(run, step + 1)

    def learn(self, learner: Learner, groups: Iterable[Sequence[ScoredEpisode]], out: Path) -> None:
        """One training step; the weights after it go to `out`."""
        estimator = learner.algorithm.advantages
        samples = [sample for group in groups for sample in training_samples(group, estimator)]
        if not samples:
            raise TrainingError(
                "Got a step in which no call was trained, expected some; see which nodes call the policy with "
                "`python -m rl.check_graph`, and name them in rl.trained_calls."
            )
        learner.step(samples)
        learner.save(out)

    def keep(self, run: Path, step: int) -> None:
        """Makes the weights in `next` the checkpoint of a step, the only one to go on from."""
        earlier = self.saved(run).values()
        folder = run / "rl" / "checkpoints" / f"step-{step:05d}"
        folder.parent.mkdir(exist_ok=True)
        (run / "rl" / "next").rename(folder)
        for each in earlier:
            (each / STATE).unlink(missing_ok=True)

    def saved(self, run: Path) -> Mapping[int, Path]:
        """Each is renamed to its place when it is whole."""
        folders = (run / "rl" / "checkpoints").glob("step-*")
        found = {int(match[1]): path for path in folders if (match := _SAVED.fullmatch(path.name))}
        return {step: path for step, path in found.items() if whole_checkpoint(path)}

    def final(self, run: Path) -> Path:
        """The checkpoint of the last step."""
        saved = self.saved(run)
        return saved[max(saved)]

    def findings(self, config: Config) -> Iterator[Finding]:
        """Its options, and what it cannot do."""
        try:
            options = Options(**config.rl.trainer_options)
            find_algorithm(options.algorithm)
        except ValidationError as error:
            for one in error.errors():
                name = ".".join(("rl.trainer_options", *map(str, one["loc"])))
                yield Finding(name, f"{one['msg']}, got {one['input']!r}; rl/training/trainers/reference.py has all.")
        except ConfigError as error:
            yield Finding("rl.trainer_options.algorithm", str(error))
        if config.device != "cpu":
            yield Finding("device", "Got gpu, but the reference trainer trains on a CPU; take rl.trainer=openrlhf.")
        if config.rl.samples_per_prompt < 2:
            said = f"Got {config.rl.samples_per_prompt}, expected at least 2: episodes of a group are compared."
            yield Finding("rl.samples_per_prompt", said)
