"""Whether every name in the configuration is one that there is: tools, rewards, task set, the trainer's settings."""

from collections.abc import Iterator

from rl.config import Config
from rl.rewards.registry import components, group_components
from rl.tasks.errors import TaskFileError
from rl.tasks.loading import is_folder
from rl.tasks.registry import find
from rl.training.preflight.finding import Finding
from rl.training.sft import OWN, demonstrator_of
from rl.training.trainers.find import find_trainer
from tools.registry import family_of, load_tools
from tools.spelling import did_you_mean


def names(config: Config) -> Iterator[Finding]:
    """The faults of names."""
    yield from tools(config)
    yield from rewards(config)
    yield from task_set(config)
    yield from find_trainer(config.rl.trainer).findings(config)


def tools(config: Config) -> Iterator[Finding]:
    """Each tool's name by itself, so that all that are wrong are told; then where tools are to run."""
    held: set[str] = set()
    for name in config.episode.tools:
        try:
            held |= {tool.name for tool in load_tools([name])}
        except ValueError as error:
            yield Finding("episode.tools", str(error))
    known = held | {family_of(tool) for tool in load_tools(sorted(held))}
    for field in ("isolated", "on_ray"):
        for name in getattr(config.episode, field):
            if name not in known:
                said = f"Got {name!r}, expected one of episode.tools ({', '.join(sorted(held))}), or their family."
                yield Finding(f"episode.{field}", said + did_you_mean(name, known))


def rewards(config: Config) -> Iterator[Finding]:
    """The components that have a weight."""
    known = sorted({*components(), *group_components()})
    for name in config.rl.rewards:
        if name not in known:
            said = f"Got the component {name!r}, expected one of {', '.join(known)}.{did_you_mean(name, known)}"
            yield Finding("rl.rewards", said)


def task_set(config: Config) -> Iterator[Finding]:
    """The set, its options, and who demonstrates it in warm-up."""
    name, options = config.tasks.set, set(config.tasks.options) - {"root"}
    if not is_folder(name):
        try:
            known = sorted(find(name).options)
            if unknown := sorted(options - set(known)):
                meant = did_you_mean(unknown[0], known)
                yield Finding("tasks.options", f"Got {unknown} for {name}, expected some of {known}, or root.{meant}")
        except TaskFileError as error:
            yield Finding("tasks.set", str(error))
    if config.warmup.enabled and config.warmup.tasks != OWN:
        try:
            demonstrator_of(config.warmup.tasks)
        except TaskFileError as error:
            yield Finding("warmup.tasks", str(error))
