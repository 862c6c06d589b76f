"""The gym as a Gymnasium environment: `gymnasium.make("MedVista/VQA-v0", tasks=..., tools=..., max_turns=...)`.

An action is one turn of the policy, an observation what the policy reads next. Each episode runs the compiled graph
itself (rl/dialogue.py), so serving and training cannot drift from what is stepped through here. The graph is one that
is made of the nodes of a turn and holds one conversation, as `reasoning` does: a graph of messages may hold several at
once, of which no single observation could tell, and is refused. The reward comes with the last step, as the weighted
sum of rl/rewards; its components are in `info`. An answer or an abstention terminates an episode; too many turns or a
full context truncate it.

Importing this module registers the environment; `gymnasium.make("rl.environment:MedVista/VQA-v0")` imports it itself.
"""

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypedDict, cast
from uuid import uuid4

import gymnasium
import numpy as np
from gymnasium import spaces

from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.policy import Completion
from agent.prompt import IMAGE
from agent.question import Question
from rl.played import Played
from graphs.loading import GraphError, find_graph
from graphs.reasoning import recursion_limit
from rl.config import ROOT, Base, Episode, Rl
from rl.dialogue import Asked, Dialogue
from rl.graph import open_graph
from rl.rewards.compose import score
from rl.spaces import AnyText, Picture, Pictures
from rl.tasks.sets import load
from rl.tasks.task import Task
from rl.trajectories.origin import Origin
from rl.trajectories.record import Trajectory, record
from tools.images.store import ImageStore
from tools.registry import load_tools

ID = "MedVista/VQA-v0"
DEFAULTS = Episode()
LONGEST = 1_000_000
"""Characters of a turn or an observation."""
PICTURE = "<image>"
"""Stands in an observation's text where a picture was shown."""
_SPOKEN = re.compile(r"<\|im_start\|>(?:system|user)\n(.*?)<\|im_end\|>", re.DOTALL)


class Observation(TypedDict):
    """What the policy reads that it has not read before."""

    text: str
    """The system prompt and the question at first, then what the tools found (empty when the episode has ended)."""
    images: tuple[Picture, ...]
    """The new pictures, in the order in which the text names them."""


@dataclass
class _Episode:
    """The episode that goes on."""

    task: Task
    started: float
    messages: int = 0
    """Messages of the prompt that were observed."""
    pictures: int = 0
    state: Played | None = None
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
        graph: str = "reasoning",
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
        lie in `images` already. `graph`: `reasoning`, or one of your own with `build(policy, tools, *, encoder, store)`
        and an Played. `images`: folder of the image store (default: a temporary one). `checkpoint`: whose
        tokenizer and image processor speak (default: the embedded base). `rewards`: weights by component.

        Raises GraphError for a graph that is not there or that cannot be stepped through, ValueError for no tasks.
        """
        if not find_graph(graph).of_turns:
            raise GraphError(
                f"Got the graph {graph!r}, which speaks to a chat model and may hold several conversations; expected "
                "one that is made of the nodes of a turn: 'reasoning', or a file of yours with build(policy, tools, *, "
                "encoder, store). Episodes of any other graph are played by rl.rollout (docs/gym.md, Rollouts)."
            )
        self.render_mode = render_mode
        self.rewards = Rl().rewards if rewards is None else dict(rewards)
        self._temporary = None if images else tempfile.TemporaryDirectory(prefix="medvista-gym-")
        self.store = ImageStore(Path(images) if images else Path(cast(Any, self._temporary).name))
        self.tasks = tuple(_tasks(tasks, self.store, split, count, seed))
        self.limits = Limits(max_turns, turn_tokens, context)
        self._checkpoint = Path(checkpoint or ROOT / Base().checkpoint)
        self._graph, self._tools = graph, tuple(tools)
        self._dialogue: Dialogue | None = None
        self._origin = Origin()
        self._episode: _Episode | None = None
        self._asked = Asked((), ())
        self.action_space = AnyText(LONGEST)
        self.observation_space = cast(
            "spaces.Space[Observation]", spaces.Dict({"text": AnyText(LONGEST), "images": Pictures()})
        )

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the ledger."""
        return Encoder.from_checkpoint(self._checkpoint)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begins an episode of a task that the seed draws; `options={"task": id or index}` names one. KeyError."""
        super().reset(seed=seed)
        place = int(self.np_random.integers(len(self.tasks)))
        task = self._named(options["task"]) if options and "task" in options else self.tasks[place]
        if self._dialogue is None:
            self._dialogue = self._open()
        self._episode = _Episode(task, time.perf_counter())
        asked = self._dialogue.begin(Question(images=list(task.images), question=task.question))
        return self._observed(asked), self._told(asked)

    def step(self, action: str | Completion) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Takes one turn: its text, or a Completion, which enters the ledger exactly as it was sampled.

        Raises RuntimeError where no episode goes on, UnscoredError where a tool had a bug, LedgerError for a
        Completion that belongs to another prompt.
        """
        if self._dialogue is None or self._episode is None:
            raise RuntimeError("Got a step before the first reset; call reset first.")
        news = self._dialogue.say(action)
        if isinstance(news, Asked):
            return self._observed(news), 0.0, False, False, self._told(news)
        self._episode.state = news
        reward, components = score(self._episode.task, news, self.rewards)
        ended = news["outcome"] in ("answered", "abstained")
        told = {"answer": news["answer"] or "", "outcome": str(news["outcome"]), "rewards": dict(components)}
        return self._last_seen(news), reward, ended, not ended, {**self._told(None), **told}

    def trajectory(self, stage: str = "environment") -> Trajectory:
        """The episode that has ended, as training keeps it. Raises RuntimeError where none has."""
        if self._episode is None or self._episode.state is None:
            raise RuntimeError("Got no finished episode; step until it is terminated or truncated.")
        task, state = self._episode.task, self._episode.state
        reward, components = score(task, state, self.rewards)
        seconds = time.perf_counter() - self._episode.started
        return record(uuid4().hex, stage, task, state, components, reward, seconds, origin=self._origin)

    def render(self) -> Any:
        """What the policy reads at this moment: its whole chat as text, or its newest picture."""
        asked = self._asked
        if self.render_mode == "ansi":
            return self.encoder.decode(asked.token_ids)
        return _pixels(asked.images[-1]) if self.render_mode == "rgb_array" and asked.images else None

    def close(self) -> None:
        """Ends the episode and removes what the environment made."""
        if self._dialogue is not None:
            self._dialogue.close()
            self._dialogue = None
        if self._temporary is not None:
            self._temporary.cleanup()

    def _open(self) -> Dialogue:
        tools = load_tools(list(self._tools)) if self._tools else []

        def build(policy: Any) -> Any:
            found = open_graph(self._graph, policy, tools, encoder=self.encoder, store=self.store, limits=self.limits)
            self._origin = found.origin
            return found.graph

        return Dialogue(build, self.encoder, recursion_limit(self.limits))

    def _named(self, wanted: str | int) -> Task:
        if isinstance(wanted, int):
            return self.tasks[wanted]
        found = next((task for task in self.tasks if task.id == wanted), None)
        if found is None:
            raise KeyError(f"Got the task {wanted!r}, expected the id of one of the {len(self.tasks)} tasks.")
        return found

    def _observed(self, asked: Asked) -> Observation:
        assert self._episode is not None
        self._asked = asked
        messages = _SPOKEN.findall(self.encoder.decode(asked.token_ids))
        new, pictures = messages[self._episode.messages :], asked.images[self._episode.pictures :]
        self._episode.messages, self._episode.pictures = len(messages), len(asked.images)
        return Observation(text=_readable("\n".join(new)), images=tuple(_pixels(each) for each in pictures))

    def _last_seen(self, state: Played) -> Observation:
        """What the tools found in the turn that ended the episode without an answer; nothing after an answer."""
        last = state["transcript"][-1]
        if last["role"] != "tools":
            return Observation(text="", images=())
        pictures = (self.store.get(image).display() for image in last["images"])
        return Observation(text=_readable(last["text"]), images=tuple(_pixels(each) for each in pictures))

    def _told(self, asked: Asked | None) -> dict[str, Any]:
        assert self._episode is not None
        ids = {} if asked is None else {"token_ids": list(asked.token_ids)}
        return {"task": self._episode.task.id, "kind": self._episode.task.kind, **ids}


def _tasks(
    wanted: str | Sequence[str] | Sequence[Task], store: ImageStore, split: str, count: int, seed: int
) -> list[Task]:
    names: Sequence[Any] = wanted.split(",") if isinstance(wanted, str) else wanted
    found: list[Task] = []
    for each in names:
        found += [each] if isinstance(each, Task) else load(str(each), store, split, count, seed)
    if not found:
        raise ValueError(f"Got no tasks in {wanted!r}, expected at least one.")
    return found


def _readable(chat: str) -> str:
    return chat.replace(IMAGE, PICTURE)


def _pixels(picture: Any) -> Picture:
    return np.array(picture.convert("RGB"), dtype=np.uint8)


if ID not in gymnasium.registry:
    cast(Any, gymnasium).register(id=ID, entry_point=f"{__name__}:VQAEnvironment")
