"""One folder of results: tasks drawn once, each policy asked what it has not answered yet, the results made from all.

Layout: `plan.json`, `tasks/`, `images/`, `trajectories/NAME/` and `trajectories/NAME-erased/` for each policy, the
servers' `logs/`, and what result_files.py writes. `python -m rl.trajectories check` reads it as it reads a run.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from agent.chat.families.family import Family
from agent.chat.loading import family_in
from agent.policies.policy import Sampling
from rl.config import Config
from rl.evaluation.ask import ask_all, sampled_jobs
from rl.evaluation.counterfactual import pairs
from rl.evaluation.metrics import Episodes
from rl.evaluation.plan import Settings
from rl.evaluation.result_files import episodes_of, write_evaluation
from rl.evaluation.subjects import Subject, chat_model, open_subject
from rl.rollout.run_parts import RunParts, open_parts
from rl.tasks.sets import iterate_tasks
from rl.tasks.task import Task
from rl.trajectories.store import TrajectoryStore
from tools.images.store import ImageStore
from tools.private_files import write_whole
from tools.registry import load_tools
from tools.toolbox import Toolbox


@dataclass(frozen=True)
class EvaluationFolder:
    """One folder of results."""

    folder: Path
    settings: Settings
    family_folder: Path
    """Of a checkpoint as whose family a server is spoken to that brings none."""
    concurrency: int
    chat_url: str | None = None
    root: Path | None = None
    """The folder that holds the sets' files; None: where MEDVISTA_DATA says."""

    @property
    def images(self) -> ImageStore:
        """Every picture of the evaluation."""
        return ImageStore(self.folder / "images")

    def kept(self, stage: str) -> TrajectoryStore:
        """The trajectories of a policy, or of it on erased images."""
        return TrajectoryStore(self.folder / "trajectories" / stage)

    def tasks(self) -> list[list[Task]]:
        """The tasks of each set; drawn on first use, then read. Raises TaskFileError."""
        return [self._set(name) for name in self.settings.tasks]

    def _set(self, name: str) -> list[Task]:
        path = self.folder / "tasks" / f"{Path(name).name}.jsonl"
        if not path.exists():
            one = self.settings
            where = {} if self.root is None else {"root": self.root}
            drawn = iterate_tasks(name, self.images, one.split, one.count, one.task_seed, **where)
            write_whole(path, "\n".join(json.dumps(task.to_plain()) for task in drawn).encode())
        return [Task.from_plain(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]

    def parts(self, subject: Subject, family: Family) -> RunParts:
        """The graph that asks a subject."""
        one = self.settings
        limits = {"turns": one.turns, "turn_tokens": one.turn_tokens, "context": one.context}
        config = Config.model_validate({"name": "evaluation", "graph": one.graph, "episode": limits})
        tools = Toolbox(load_tools(list(one.tools)) if subject.tools and one.tools else ())
        model = chat_model(subject, self.images, self.chat_url)
        return open_parts(config, family, self.images, tools, model=model)

    async def ask(self, subject: Subject) -> Episodes:
        """The subject's episodes, asked or read. Raises PolicyError, ServerError and what the graph raises."""
        family = family_in(subject.family_folder(self.family_folder))
        sets = self.tasks()
        one = self.settings
        jobs = sampled_jobs(list(chain.from_iterable(sets)), one.samples, one.seed, one.deadline_s)
        twins = [twin for tasks in sets for _, twin in islice(pairs(tasks, self.images), one.pairs)]
        hidden = sampled_jobs(twins, one.samples, one.seed, one.deadline_s)
        hidden_stage = f"{subject.name}-erased"
        kept, without = self.kept(subject.name), self.kept(hidden_stage)
        asked, erased = list(kept), list(without)
        if len(asked) < len(jobs) or len(erased) < len(hidden):
            parts, sampling = self.parts(subject, family), Sampling(temperature=one.temperature)
            log = self.folder / "logs" / f"{subject.name}.log"
            async with open_subject(subject, self.concurrency, log, one.context) as policy:
                asked = await ask_all(parts, policy, jobs, subject.name, kept, sampling, self.concurrency)
                erased = await ask_all(parts, policy, hidden, hidden_stage, without, sampling, self.concurrency)
        return episodes_of(asked, self.images, family, erased)

    async def all(self, subjects: Sequence[Subject]) -> None:
        """Asks every subject; the results are written after each."""
        found: dict[str, Episodes] = {}
        for subject in subjects:
            found[subject.name] = await self.ask(subject)
            write_evaluation(self.folder, self.settings, found, self.images)
