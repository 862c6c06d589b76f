"""What an evaluation asks, written beside its results, so that the same command goes on where it was cut off.

The settings (tasks, graph, tools, limits, samples) are those of every policy in a folder: only then are differences
paired. Policies may be added later. Settings that differ from those in the folder are refused, not mixed in.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from rl.config import Episode
from rl.evaluation.subjects import Subject
from tools.private_files import write_whole

PLAN = "plan.json"


class PlanError(ValueError):
    """A plan that cannot be followed in this folder; says what was got, what is there and how to mend it."""


class Settings(BaseModel):
    """What is the same for every policy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: tuple[str, ...]
    """Names of task sets."""
    split: str = "test"
    count: int = 200
    """Tasks of each set, at most."""
    task_seed: int = 0
    """For sets that are drawn; 0 is that of every run's test tasks."""
    graph: str = "reasoning"
    tools: tuple[str, ...] = Episode().tools
    turns: int = Episode().turns
    turn_tokens: int = Episode().turn_tokens
    context: int = Episode().context
    samples: int = 1
    temperature: float = 0.0
    seed: int = 0
    """Of the sampling."""
    pairs: int = 100
    """Counterfactual pairs of each set, at most."""
    deadline_s: float | None = None
    graph_version: str = ""
    """Of the code that runs an episode (rl/trajectories/origin.py)."""
    tool_versions: dict[str, str] = {}

    @property
    def name(self) -> str:
        """12 hexadecimal digits that stand for these settings."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:12]


def agree(folder: Path, settings: Settings, subjects: Sequence[Subject]) -> list[Subject]:
    """Writes the plan into `folder`, or adds the subjects to the one that is there; all subjects of the folder.

    Raises PlanError where other settings, or another policy of the same name, are there.
    """
    path = folder / PLAN
    known: dict[str, Subject] = {}
    if path.exists():
        there: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _same(folder, there["settings"], settings.model_dump(mode="json"))
        known = {name: Subject(name, each["spec"], each["tools"]) for name, each in there["policies"].items()}
    for subject in subjects:
        if known.setdefault(subject.name, subject) != subject:
            raise PlanError(
                f"Got {subject.name}={subject.spec}, but {folder} holds {known[subject.name].spec} under that name; "
                "give it another name (NAME=POLICY), or another --out."
            )
    policies = {name: {"spec": each.spec, "tools": each.tools} for name, each in known.items()}
    written = {"settings": settings.model_dump(mode="json"), "policies": policies}
    write_whole(path, (json.dumps(written, indent=2) + "\n").encode())
    return list(known.values())


def _same(folder: Path, there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    other = [f"{name} {asked.get(name)!r} (there {there.get(name)!r})" for name in asked if asked[name] != there[name]]
    if other:
        raise PlanError(f"Got other settings than {folder} was begun with: {', '.join(other)}. Choose another --out.")
