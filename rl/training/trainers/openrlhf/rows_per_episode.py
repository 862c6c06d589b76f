"""Several training rows for one sample, inside OpenRLHF 0.11.2: subclasses of its own classes.

OpenRLHF makes one row of each `execute`. An episode of a graph with branches leaves several, which share its reward.
They travel with the episode's first row through sampling, so that a batch, a filter and a buffer still count episodes;
just before the forward passes they are laid out one by one. A row's `index` is then its episode's place, not its own:
OpenRLHF places rewards by `index` in groups of `n_samples_per_prompt`, so an episode counts once in its group's
baseline however many rows it has, and each of its rows gets the episode's advantage.

OpenRLHF steps its optimizer after every `train.batch_size` rows and drops or carries over what is left, so rows are
filled up to whole batches with copies of short rows in which nothing trains. No batch consists of those alone.
"""

# OpenRLHF ships no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

import torch
from openrlhf.trainer.ppo_trainer import PPOTrainer
from openrlhf.trainer.ppo_utils.experience import Experience, make_experience_batch, split_experience_batch
from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

from rl.training.trainers.openrlhf.command import FURTHER

WITHOUT_TOKENS = ("kl", "logprobs_diff")
"""OpenRLHF's means over a row's trained tokens: NaN in a row that has none."""


@dataclass
class EpisodeRows(Experience):
    """The first row of an episode, with the others."""

    further: list[Experience] = field(default_factory=list[Experience])


class NothingTrainsError(ValueError):
    """A whole batch of episodes without one token to train."""


class RowsGenerator(SamplesGenerator):
    """Samples as before; an episode keeps all of its rows."""

    def _process_response_into_experience(self, response: dict[str, Any], **options: Any) -> EpisodeRows:
        first, *further = [
            super(RowsGenerator, self)._process_response_into_experience({**response, **row}, **options)
            for row in ({}, *response.get(FURTHER, ()))
        ]
        return EpisodeRows(**{each.name: getattr(first, each.name) for each in fields(Experience)}, further=further)


class RowsExperienceMaker(RemoteExperienceMaker):
    """Makes experience of every row; rewards and baselines stay those of episodes."""

    def make_experience_batch(self, rollout_samples: Sequence[EpisodeRows]) -> list[Experience]:
        """The experience of the episodes' rows, filled up to whole batches. Raises NothingTrainsError."""
        rows = [
            (place, row) for place, episode in enumerate(rollout_samples) for row in (_alone(episode), *episode.further)
        ]
        if not any(trains(row) for _, row in rows):
            raise NothingTrainsError(
                f"Got {len(rollout_samples)} episodes in which no call was trained, expected some; see which nodes "
                "call the policy with `python -m rl.check_graph`, and name them in rl.trained_calls."
            )
        batch = int(self.args.train.batch_size)
        rows += fillers(rows, -len(rows) % batch)
        self.episodes = rollout_samples
        self._places = [place for place, _ in rows]
        made = super().make_experience_batch([row for _, row in rows])
        return without_spare(made, batch, int(self.args.rollout.micro_batch_size))

    def split_rollout_samples(self, rollout_samples: list[Experience]) -> list[Experience]:
        """OpenRLHF's batches, whose rows know their episodes."""
        batches = super().split_rollout_samples(rollout_samples)
        for each in batches:
            each.index = [self._places[row] for row in each.index]
        return cast("list[Experience]", batches)

    def make_experience(self, samples_list: list[Experience]) -> list[Experience]:
        """As before; a mean over no token is 0."""
        made = super().make_experience(samples_list)
        for experience in made:
            for name in WITHOUT_TOKENS:
                experience.info[name] = torch.nan_to_num(experience.info[name])
        return made


TRAINER: Any = cast(Any, PPOTrainer).__ray_metadata__.modified_class
"""The class behind Ray's remote one, which cannot be inherited from."""


class RowsTrainer(TRAINER):
    """OpenRLHF's trainer with the two above in the places of their parents."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        given = self.samples_generator
        self.samples_generator = RowsGenerator(
            given.strategy, given.prompts_dataloader, given.eval_dataloader, given.tokenizer, given.vllm_engines
        )
        maker = self.experience_maker
        self.experience_maker = RowsExperienceMaker(
            maker.actor_model_group,
            maker.critic_model_group,
            maker.reward_model_group,
            maker.initial_model_group,
            maker.kl_ctl,
            maker.strategy,
            maker.tokenizer,
        )

    def _compute_rollout_stats(self, experiences: list[Experience]) -> dict[str, float]:
        """Rewards are told of episodes, the rest of rows."""
        episodes = super()._compute_rollout_stats(self.experience_maker.episodes)
        of_episodes = ("rollout/reward_mean", "rollout/reward_std", "rollout/num_samples")
        return super()._compute_rollout_stats(experiences) | {name: episodes[name] for name in of_episodes}


def trains(row: Experience) -> bool:
    """Whether a token of the row is trained."""
    return bool(row.action_mask.any())


def fillers(rows: Sequence[tuple[int, Experience]], count: int) -> list[tuple[int, Experience]]:
    """`count` copies of the shortest row that holds an image (else of the shortest), in which nothing trains.

    With an image, so that each micro-batch runs through the vision tower as every other rank's does.
    """
    pictured = [each for each in rows if each[1].mm_train_inputs != [None]]
    place, shortest = min(pictured or rows, key=lambda each: int(each[1].total_length))
    return [(place, masked(shortest)) for _ in range(count)]


def masked(row: Experience) -> Experience:
    """A copy of a row in which nothing trains."""
    made: Any = copy.copy(row)
    made.action_mask = torch.zeros_like(row.action_mask)
    made.response_length = torch.zeros_like(row.response_length)
    made.info = dict(row.info)
    return made


def without_spare(made: list[Experience], batch: int, micro_batch: int) -> list[Experience]:
    """Leaves out whole batches of rows in which nothing trains, so that fewer than a batch of them are left.

    Every batch then trains something: a mean over no token is NaN, and would be the end of the weights.
    """
    idle = sum(not bool(mask.any()) for experience in made for mask in experience.action_mask)
    if idle < batch:
        return made
    spare = idle // batch * batch
    kept: list[Experience] = []
    for row in _single(made):
        if spare and not row.action_mask.any():
            spare -= 1
        else:
            kept.append(row)
    return [make_experience_batch(kept[at : at + micro_batch]) for at in range(0, len(kept), micro_batch)]


def _single(made: Sequence[Experience]) -> Iterator[Experience]:
    for experience in made:
        yield from split_experience_batch(experience)


def _alone(episode: EpisodeRows) -> Experience:
    return Experience(**{each.name: getattr(episode, each.name) for each in fields(Experience)})
