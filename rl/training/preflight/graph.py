"""Whether the graph can be trained, and whether it runs: one episode of it in this process, with a policy on a script.

So a factory that raises, a node with a bug, a graph that ends without asking its policy, and a question that it cannot
take are found before anything is taught.
"""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from agent.chat.families.family import Family
from agent.chat.families.template import TemplateError
from agent.chat.record.ledger import LedgerError
from agent.encoder import EncodingError
from agent.policies.policy import PolicyError, Sampling
from agent.policies.scripted import ScriptedPolicy
from agent.protocol import Turn
from agent.question import ContextTooSmall
from graphs.app.loading import GraphError
from rl.config import Config, ConfigError
from rl.rollout.run_parts import open_parts
from rl.tasks.task import Task
from rl.training.preflight.finding import Finding
from rl.training.preflight.trainable import check_trainable
from rl.training.trainers.find import find_trainer
from rl.trajectories.finished_episode import BUG, OUT_OF_TIME
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

CANNOT_BE_ASKED = (GraphError, TemplateError, PolicyError, LedgerError, EncodingError)
PATIENCE_S = 60.0
"""Seconds that the rehearsed episode may take."""
SAYS = Turn("I can see it.", answer="yes")


def graph(config: Config, family: Family, task: Task | None, images: Mapping[str, MedicalImage]) -> Iterator[Finding]:
    """The faults of the graph; `task` is rehearsed, its images among `images`."""
    try:
        check_trainable(config, family)
    except ConfigError as error:
        yield Finding("graph", str(error).removeprefix("graph: "))
        return
    if task is not None and all(image in images for image in task.images):
        yield from rehearse(config, family, task, images)


def rehearse(config: Config, family: Family, task: Task, images: Mapping[str, MedicalImage]) -> Iterator[Finding]:
    """What is wrong with one episode of `task`."""
    with tempfile.TemporaryDirectory(prefix="medvista-rehearsal-") as folder:
        store = ImageStore(Path(folder))
        for image in task.images:
            store.put(images[image])
        try:
            parts = open_parts(config, family, store)
            policy = ScriptedPolicy(lambda turns, last: SAYS, family)
            episode = parts.episode(policy, Sampling(temperature=config.rl.temperature))
            state = asyncio.run(parts.ask(replace(task, expert=()), episode, PATIENCE_S))
        except ContextTooSmall:
            return  # rl/training/preflight/tokens.py tells how much room questions need
        except CANNOT_BE_ASKED as error:
            yield Finding("graph", f"Got {config.graph!r}, which cannot be asked {task.id}: {error}")
            return
    if state["outcome"] == BUG:
        yield Finding(
            "graph", f"Got {config.graph!r}, which has a bug; an episode of {task.id} ended with {state['bug']}."
        )
    elif state["outcome"] == OUT_OF_TIME:
        said = f"Got {config.graph!r}, an episode of which took more than {PATIENCE_S:.0f} s with a policy on a script."
        yield Finding("graph", said, stops=False)
    elif not state["made"]:
        said = f"Got {config.graph!r}, which ended without asking its policy, expected at least one turn: "
        yield Finding("graph", f"{said}does it use the model that it is given?")
    try:
        find_trainer(config.rl.trainer).check_rows(config, len(state["rows"]))
    except ConfigError as error:
        yield Finding("graph", str(error))
