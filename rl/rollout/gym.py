"""The gym as a Gymnasium environment: `gymnasium.make("MedVista/VQA-v0", tasks=..., tools=..., graph=..., ...)`.

An action is one turn of the policy, an observation what the policy reads next. Each episode is asked as training asks
it (rl/rollout/stepping.py), so serving and training cannot drift from what is stepped through here. The graph is any
graph: it may hold several conversations, ask several turns at once (they are handed out one by one; `info` says which
node speaks in which conversation) and pause for a person (whom its adapter answers). The reward comes with the last
step, as the weighted sum of rl/rewards; its components are in `info`. Too many turns or a full context truncate an
episode; all else terminates it.

Importing this module registers the environment; `gymnasium.make("rl.rollout.gym:MedVista/VQA-v0")` imports it itself.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, cast
from uuid import uuid4

import gymnasium
import numpy as np
from gymnasium import spaces

from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.policies.policy import Completion
from graphs.app.default_checkpoint import embedded
from graphs.app.loading import find_graph
from rl.config import REASONING, Config, Episode, Rl
from rl.rewards.compose import score
from rl.rollout.gym_spaces import AnyText, Picture, Pictures
from rl.rollout.run_parts import RunParts, open_parts
from rl.rollout.stepping import AwaitedTurn, SteppedEpisode
from rl.tasks.sets import iterate_tasks
from rl.tasks.task import Task
from rl.trajectories.finished_episode import OUT_OF_TIME, FinishedEpisode
from rl.trajectories.record import Trajectory, record
from tools.images.store import ImageStore

ID = "MedVista/VQA-v0"
DEFAULTS = Episode()
LONGEST = 1_000_000
"""Characters of a turn or an observation."""
CUT_OFF = ("too_many_turns", "context_full", OUT_OF_TIME)
"""Outcomes of an episode that is truncated: nothing that the policy said ended it."""


class Observation(TypedDict):
    """What the policy reads that it has not read before in the episode."""

    text: str
    """The system prompt and the question at first, then what the tools found (empty when the episode has ended)."""
    images: tuple[Picture, ...]
    """The new pictures, in the order in which the text names them."""


@dataclass
class _Episode:
    """The episode that goes on."""

    task: Task
    started: float
    wanted: AwaitedTurn | None = None
    """What was observed last."""
    read: set[int] = field(default_factory=set[int])
    """Positions that were observed."""
    state: FinishedEpisode | None = None
    """The final one."""


class VQAEnvironment(gymnasium.Env[Observation, str]):
    """Medical visual question answering with tools. Research use only, not a medical device."""

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 1}  # noqa: RUF012 - Gymnasium reads it so

    def __init__(
        self,
        tasks: str | Sequence[str] | Sequence[Task] = "phantoms",
        tools: Sequence[str] = DEFAULTS.tools,
        max_turns: int = DEFAULTS.turns,
        *,
        graph: str = REASONING,
        split: str = "train",
        count: int = 100,
        seed: int = 0,
        images: str | Path | None = None,
        checkpoint: str | Path | None = None,
        turn_tokens: int = DEFAULTS.turn_tokens,
        context: int = DEFAULTS.context,
        rewards: Mapping[str, float] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """`tasks`: names of task sets, `count` of each (drawn by `seed` where they are drawn), or tasks whose pictures
        lie in `images` already. `graph`: as `python -m graphs list` tells, `module:factory` or `path/file.py:factory`.
        `images`: folder of the image store (default: a temporary one). `checkpoint`: whose tokenizer, chat template and
        image processor speak (default: the embedded base). `rewards`: weights by component.

        Raises GraphError for a graph that is not there, ValueError for no tasks.
        """
        find_graph(graph)
        self.render_mode = render_mode
        self.config = Config(
            name="environment",
            graph=graph,
            episode=Episode(tools=tuple(tools), turns=max_turns, turn_tokens=turn_tokens, context=context),
            rl=Rl() if rewards is None else Rl(rewards=dict(rewards)),
        )
        self._temporary = None if images else tempfile.TemporaryDirectory(prefix="medvista-gym-")
        self.store = ImageStore(Path(images) if images else Path(cast(Any, self._temporary).name))
        self.tasks = tuple(_tasks(tasks, self.store, split, count, seed))
        self._checkpoint = Path(checkpoint or embedded())
        self._dialogue: SteppedEpisode | None = None
        self._episode: _Episode | None = None
        self.action_space = AnyText(LONGEST)
        self.observation_space = cast(
            "spaces.Space[Observation]", spaces.Dict({"text": AnyText(LONGEST), "images": Pictures()})
        )

    @cached_property
    def family(self) -> Family:
        """How its checkpoint speaks."""
        return family_in(self._checkpoint)

    @cached_property
    def parts(self) -> RunParts:
        """What its episodes share with a run's."""
        return open_parts(self.config, self.family, self.store)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode of a task that the seed draws; `options={"task": id or index}` names one. KeyError.

        Raises GraphError for a graph that ends without asking its policy.
        """
        super().reset(seed=seed)
        place = int(self.np_random.integers(len(self.tasks)))
        task = self._named(options["task"]) if options and "task" in options else self.tasks[place]
        if self._dialogue is None:
            self._dialogue = SteppedEpisode(self.parts)
        self._episode = None
        wanted = self._dialogue.begin(task)
        self._episode = _Episode(task, time.perf_counter())
        return self._observed(self._episode, wanted)

    def step(self, action: str | Completion) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Answers what was observed last: with a turn's text, or a Completion, which enters the record exactly as it
        was sampled.

        Raises RuntimeError where no episode goes on, UnscoredError where a tool or the graph had a bug, LedgerError for
        a Completion that belongs to another prompt.
        """
        episode = self._episode
        if self._dialogue is None or episode is None:
            raise RuntimeError("Got a step before the first reset; call reset first.")
        news = self._dialogue.say(action)
        if isinstance(news, AwaitedTurn):
            seen, told = self._observed(episode, news)
            return seen, 0.0, False, False, told
        episode.wanted, episode.state = None, news
        reward, components = score(episode.task, news, self.config.rl.rewards)
        cut = news["outcome"] in CUT_OFF
        told = {"answer": news["answer"] or "", "outcome": str(news["outcome"]), "rewards": dict(components)}
        return self._last_seen(news), reward, not cut, cut, {**_task(episode), **told}

    def trajectory(self, stage: str = "environment") -> Trajectory:
        """The episode that has ended, as training keeps it. Raises RuntimeError where none has."""
        if self._episode is None or self._episode.state is None:
            raise RuntimeError("Got no finished episode; step until it is terminated or truncated.")
        task, state = self._episode.task, self._episode.state
        reward, components = score(task, state, self.config.rl.rewards)
        seconds = time.perf_counter() - self._episode.started
        return record(uuid4().hex, stage, task, state, components, reward, seconds, origin=self.parts.origin)

    def render(self) -> Any:
        """What the policy reads at this moment: its whole chat as text, or its newest picture."""
        wanted = self._episode and self._episode.wanted
        if wanted is None:
            return "" if self.render_mode == "ansi" else None
        if self.render_mode == "ansi":
            return self.family.decode(wanted.token_ids)
        return self._pixels(wanted.images[-1]) if self.render_mode == "rgb_array" and wanted.images else None

    def close(self) -> None:
        """Ends the episode and removes what the environment made."""
        if self._dialogue is not None:
            self._dialogue.close()
            self._dialogue = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def _named(self, wanted: str | int) -> Task:
        if isinstance(wanted, int):
            return self.tasks[wanted]
        found = next((task for task in self.tasks if task.id == wanted), None)
        if found is None:
            raise KeyError(f"Got the task {wanted!r}, expected the id of one of the {len(self.tasks)} tasks.")
        return found

    def _observed(self, episode: _Episode, wanted: AwaitedTurn) -> tuple[Observation, dict[str, Any]]:
        """What the policy has not read yet, and in any case what stands right before its turn; who speaks."""
        path = wanted.at.path()
        new = [at for at in path if at is path[-1] or not (at.sampled or at.number in episode.read)]
        episode.wanted = wanted
        episode.read.update(at.number for at in path)
        told = {
            **_task(episode),
            "node": wanted.call.node,
            "namespace": wanted.call.namespace,
            "conversation": path[0].number,
            "token_ids": list(wanted.token_ids),
            "images": list(wanted.images),
            "structure": wanted.structure,
        }
        text = self.family.readable("".join(self.family.decode(at.tokens.prompt) for at in new))
        return Observation(text=text, images=tuple(self._pixels(each) for at in new for each in at.images)), told

    def _last_seen(self, state: FinishedEpisode) -> Observation:
        """What the tools found in the turn that ended the episode without an answer; nothing after an answer."""
        last = state["transcript"][-1]
        if last["role"] != "tools":
            return Observation(text="", images=())
        return Observation(text=last["text"], images=tuple(map(self._pixels, last["images"])))

    def _pixels(self, image: str) -> Picture:
        return np.array(self.store.get(image).display().convert("RGB"), dtype=np.uint8)


def _task(episode: _Episode) -> dict[str, Any]:
    return {"task": episode.task.id, "kind": episode.task.kind}


def _tasks(
    wanted: str | Sequence[str] | Sequence[Task], store: ImageStore, split: str, count: int, seed: int
) -> list[Task]:
    names: Sequence[Any] = wanted.split(",") if isinstance(wanted, str) else wanted
    found: list[Task] = []
    for each in names:
        found += [each] if isinstance(each, Task) else iterate_tasks(str(each), store, split, count, seed)
    if not found:
        raise ValueError(f"Got no tasks in {wanted!r}, expected at least one.")
    return found


if ID not in gymnasium.registry:
    cast(Any, gymnasium).register(id=ID, entry_point=f"{__name__}:VQAEnvironment")
