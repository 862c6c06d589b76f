"""All checks of a run, in the order in which a fault makes the next one pointless."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from rl.config import Config
from rl.rollout.run_parts import IMAGES
from rl.training import run_tasks
from rl.training.preflight.family import family_of
from rl.training.preflight.finding import Finding, stop
from rl.training.preflight.folder import folder
from rl.training.preflight.graph import graph
from rl.training.preflight.images import InspectingStore
from rl.training.preflight.leaks import leaks
from rl.training.preflight.names import names
from rl.training.preflight.room import room
from rl.training.preflight.tasks import Splits, is_drawn, tasks
from rl.training.preflight.tokens import calls, context


def check_run(config: Config, run: Path, keep: bool) -> list[Finding]:
    """Everything that is wrong with a run.

    `keep`: it is to start now. The tasks that were looked at are then kept in its folder, with their images, so that
    nothing is read twice; a hub's checkpoint is asked for its tokenizer. Without, nothing is written and nobody asked.
    """
    found = [*folder(run), *names(config)]
    unknown = {each.setting for each in found}
    splits: Splits = {}
    store = InspectingStore(run / IMAGES if keep else None)
    if not unknown & {"tasks.set", "tasks.options", "tasks.options.root"}:
        splits, wrong = tasks(config, run, store)
        found += wrong
        if not is_drawn(config):
            found += leaks(config, splits, store.seen)
    family = family_of(config, fetch=keep)
    if isinstance(family, Finding):
        found.append(family)
    elif "episode.tools" not in unknown:
        first = next(chain.from_iterable(splits.values()), None)
        faults = list(graph(config, family, first, store.first))
        found += faults
        if not stop(faults):
            found += [*calls(config, family), *context(config, family, splits, store.seen)]
    found += room(config, run, keep)
    if keep and not stop(found) and not is_drawn(config):
        for split, looked_at in splits.items():
            run_tasks.write(run, split, looked_at[: run_tasks.task_count(config, split)])
    return list(dict.fromkeys(found))


def describe(found: Sequence[Finding]) -> str:
    """The findings for people, a line each, what stops the run first."""
    return "\n".join(map(str, sorted(found, key=lambda each: not each.stops)))
