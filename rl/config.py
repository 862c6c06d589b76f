"""A run's configuration: typed, checked, written beside the run; no torch is imported here.

A YAML file gives the values, dotted overrides (`rl.steps=5`) change some, pydantic refuses what does not belong. What a
trainer knows is not repeated: `rl.openrlhf` holds OpenRLHF's own flags by their own names, `rl.trainer_options` what
another trainer takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from rl.rewards.presets import weights_of
from tools.spelling import did_you_mean

ROOT = Path(__file__).resolve().parent.parent
LAPTOP = ROOT / "configs" / "laptop.yaml"
EIGHT_GPUS = ROOT / "configs" / "medvista-8b.yaml"
REASONING = "reasoning"
"""The graph that is trained where no other is named."""


class ConfigError(ValueError):
    """A configuration that cannot be run; names the field, what was got and what is expected."""


class Section(BaseModel):
    """Frozen; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Base(Section):
    """Where the policy starts."""

    checkpoint: str = "embedded"
    """A folder, absolute or in the repository, the name of one that an installed package brings, or a hub name."""
    lessons: str | None = None
    """What it was taught on, and replays in warm-up, as `module:class` (rl/training/base.py); None: nothing is here."""
    teach: bool = False
    """Teach it anew before all else."""
    steps: int = 4000
    """Of that teaching."""


class Isolated(Section):
    """Processes of their own for tools that may crash, hang or take too much memory (tools/run/process.py)."""

    processes: int = Field(default=2, ge=1)
    """Calls that run at once, at most."""
    memory_gb: int | None = Field(default=8, ge=1)
    """Addresses that each may take; None, for no limit, where the tool uses a GPU."""


class OnRay(Section):
    """Ray actors for tools that need a GPU, or another machine (tools/run/ray.py): of the Ray that trains, or of the
    one that RAY_ADDRESS names."""

    actors: int = Field(default=1, ge=1)
    """Calls that run at once, at most."""
    options: dict[str, Any] = {}
    """What Ray takes for an actor: num_gpus, num_cpus, resources ..."""


class Episode(Section):
    """How an episode may run."""

    tools: tuple[str, ...] = ("zoom_in", "measure_distance")
    turns: int = 3
    turn_tokens: int = 32
    context: int = 512
    deadline_s: float = 20.0
    isolated: dict[str, Isolated] = {}
    """Tools, or families of tools, that run in processes of their own: `{read_text: {}}`."""
    on_ray: dict[str, OnRay] = {}
    """Tools, or families, that run in Ray actors: `{segment_box: {options: {num_gpus: 1}}}`."""


class Tasks(Section):
    """How many tasks each split has."""

    set: str = "phantoms"
    """A name that `python -m rl.tasks list` tells, or a folder with your own questions (rl/tasks/folder.py)."""
    options: dict[str, Any] = {}
    """The set's own options, and `root`, the folder with its files."""
    train: int = 2000
    validation: int = 200
    test: int = 400


class Warmup(Section):
    """Supervised learning on an imperfect expert's rejection-sampled episodes."""

    enabled: bool = True
    tasks: str = "phantoms"
    """What is demonstrated on: a task set that has a demonstrator, or `own`: train questions of the run's own set
    (rl/tasks/demonstrator.py)."""
    trajectories: int = 1600
    call_rate: float = Field(default=0.2, ge=0, le=1)
    """Share of kept episodes in which the demonstrator calls tools, whatever the question."""
    epochs: int = 1
    batch_size: int = 32
    replayed: int = 12
    """Of the base's own lessons, where it has some, beside each batch, so that it does not forget how to see."""
    micro_batch_size: int | None = None
    """Rows in one forward pass of one process; None: a whole batch, lessons included."""
    learning_rate: float = 4e-4


class Regrounding(Section):
    """EVR (rl/rollout/evr.py): half of a group are forks of the other half's calls, where the policy was unsure."""

    enabled: bool = False
    base: float = Field(default=0.5, ge=0, le=1)
    gamma: float = 0.5
    first: int = Field(default=20, ge=1)
    alternatives: int = Field(default=10, ge=2, le=20)


class TrainedCalls(Section):
    """Which of a graph's calls of the policy train; with neither, all that no grammar held (docs/graphs.md)."""

    nodes: tuple[str, ...] = ()
    """Calls made in these nodes, wherever in nested graphs they lie."""
    tags: tuple[str, ...] = ()
    """Calls whose config bears one of these tags."""


Rewards = Annotated[
    dict[str, float], BeforeValidator(lambda value: weights_of(value) if isinstance(value, str) else value)
]
"""Weights by component, or the name of a preset (rl/rewards/presets.py)."""


class Rl(Section):
    """Reinforcement learning."""

    trainer: str = "openrlhf"
    """Of rl/training/trainers/, or of an installed package (docs/trainers.md)."""
    steps: int = 40
    prompts_per_step: int = 16
    samples_per_prompt: int = 8
    temperature: float = Field(default=1.0, ge=0.01, le=2)
    """Episodes are sampled from the whole distribution at this temperature, which is the one that the trainer computes:
    there is no top-p, top-k or min-p (rl/training/trainers/openrlhf/sampling.py). vLLM takes 0.01 to 2."""
    learning_rate: float = 1e-4
    save_steps: int = 10
    rewards: Rewards = {"answer": 1.0, "tool_use": 1.0, "format": 0.3, "calls": -0.1}
    regrounding: Regrounding = Regrounding()
    trained_calls: TrainedCalls = TrainedCalls()
    refusals: int = 3
    """Times an episode that fails the trajectory check is sampled again before the run stops."""
    ray_address: str | None = None
    """A Ray cluster of several machines to train on ("auto", "10.0.0.1:6379"), which you have started; None for a Ray
    of our own on this machine, which nobody else reaches. What it opens: whoever reaches the cluster's ports, or those
    that its processes open for gradients and weights, can run code as you. Keep it behind a firewall, and start it
    with RAY_AUTH_MODE=token.
    """
    openrlhf: dict[str, Any] = {}
    """Flags of openrlhf.cli.train_ppo_ray by name without dashes; true for a switch, a list for several values."""
    trainer_options: dict[str, Any] = {}
    """What another trainer than OpenRLHF takes, by its own names."""


class Serving(Section):
    """The vLLM server that answers while training goes on."""

    max_num_seqs: int = 16
    probe_every_s: float = 15.0
    """How often the served graph is asked while training goes on, to see that it keeps answering; 0 for never."""
    extra_arguments: tuple[str, ...] = ()


class Evaluate(Section):
    """Held-out evaluation."""

    concurrency: int = 16


class Config(Section):
    """One run."""

    name: str
    seed: int = 0
    device: Literal["cpu", "gpu"] = "cpu"
    graph: str = REASONING
    """What samples: a name that `python -m graphs list` tells, `module:factory` or `path/file.py:factory`."""
    base: Base = Base()
    episode: Episode = Episode()
    tasks: Tasks = Tasks()
    warmup: Warmup = Warmup()
    rl: Rl = Rl()
    serving: Serving = Serving()
    evaluate: Evaluate = Evaluate()


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """The configuration in `path` with dotted overrides `a.b=value` (value in YAML). Raises ConfigError."""
    try:
        loaded: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Got {path}, which cannot be read ({error.strerror}); expected a YAML file.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"Got {path}, which is not YAML: {error}") from error
    if not isinstance(loaded, Mapping):
        raise ConfigError(
            f"Got {path}, which holds {loaded!r:.80}, expected `field: value` lines; see configs/laptop.yaml."
        )
    # overrides change the resolved values: `rl.rewards.calls=-0.1` leaves the other default rewards as they are
    values = _checked(cast(Mapping[str, Any], loaded), path).model_dump(mode="json")
    for override in overrides:
        _set(values, override)
    return _checked(values, path)


def _checked(values: object, path: Path) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        faults = " ".join(map(_fault, error.errors()))
        raise ConfigError(f"{path}: {faults} rl/config.py says what each field means.") from error


def _fault(one: Mapping[str, Any]) -> str:
    """One of pydantic's errors in a sentence; for a misspelt or misplaced field what it may have been meant to be."""
    field = ".".join(map(str, one["loc"]))
    meant = did_you_mean(field, _fields(Config)) if one["type"] == "extra_forbidden" else ""
    return f"{field}: {one['msg']}, got {one['input']!r}.{meant}"


def _fields(section: type[BaseModel], inside: str = "") -> Iterator[str]:
    """The dotted names of all fields of a section and of those in it."""
    for name, field in section.model_fields.items():
        yield inside + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _fields(field.annotation, f"{inside}{name}.")


def _set(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals:
        raise ConfigError(f"Got the override {override!r}, expected name=value, such as rl.steps=5.")
    *sections, last = name.removeprefix("--").split(".")
    if "openrlhf" in sections:  # its flags have dots of their own
        split = sections.index("openrlhf") + 1
        sections, last = sections[:split], ".".join([*sections[split:], last])
    inner = values
    for section in sections:
        below: object = inner.setdefault(section, {})
        if not isinstance(below, dict):
            raise ConfigError(f"Got the override {override!r}, but {section} is a value, not a section.")
        inner = cast(dict[str, Any], below)
    try:
        inner[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"Got the override {override!r}, whose value is not YAML: {error}") from error


def dump(config: Config) -> str:
    """The resolved configuration as YAML, all defaults written out."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
