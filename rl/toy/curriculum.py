"""What the toy was taught, as rl/training/base.py asks for it: how it is taught anew, and lessons to replay."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agent.encoder import Encoder
from rl.config import Config
from rl.rollout.run_parts import RunParts, toolbox
from rl.toy import CHECKPOINT
from rl.toy.lessons import Lesson, Lessons, Teacher
from rl.training.base import NoBaseError, checkpoint_folder
from rl.trajectories.check import TrainingRow


class Phantoms:
    """Lessons on phantoms, from fresh weights."""

    like = CHECKPOINT
    """Taught anew, the toy has a tokenizer that is made as this one's was."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def teach(self, out: Path) -> None:
        """Teaches the toy; `python -m rl.toy.teach` does the same."""
        from rl.toy import teach

        teach.main(["--out", str(out), "--steps", str(self.config.base.steps), *self._more()])

    def rows(self, parts: RunParts, rng: np.random.Generator) -> Iterator[TrainingRow]:
        """Lessons without end, as rows."""
        teacher = self._teacher(parts)
        lessons = itertools.chain.from_iterable(teacher.step(rng, 1) for _ in itertools.count())
        return (_row(lesson, parts.family) for lesson in lessons)

    def _more(self) -> list[str]:
        """Further arguments of the teaching."""
        return []

    def _teacher(self, parts: RunParts) -> Lessons:
        return Teacher(toolbox(parts.config).prompt_section())


class Cells(Phantoms):
    """Lessons on train images of real microscopy (rl/toy/cell_lessons.py) in the folder that `tasks.options.root`
    names; teaching goes on from `base.checkpoint`. Raises NoBaseError where no folder is named.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        root, start = config.tasks.options.get("root"), checkpoint_folder(config.base.checkpoint)
        if root is None:
            raise NoBaseError("Got lessons on cells without images: give 'tasks.options={root: FOLDER}'.")
        if start is None:
            raise NoBaseError(f"Got base.checkpoint={config.base.checkpoint}, expected a folder to go on from.")
        self.root, self.like = Path(root), start

    def _more(self) -> list[str]:
        """On from the checkpoint, with another seed."""
        start = str(self.like)
        return ["--cells", str(self.root), "--start", start, "--seed", "1", "--learning-rate", "1.2e-3"]

    def _teacher(self, parts: RunParts) -> Lessons:
        from rl.toy.cell_lessons import CellTeacher

        return CellTeacher(toolbox(parts.config).prompt_section(), parts.family, self.root)


def _row(lesson: Lesson, encoder: Encoder) -> TrainingRow:
    """A lesson as a training row: what is to be written is trained, the rest is read."""
    seen = [view.image for exchange in lesson for view in exchange.views]
    grids = iter([encoder.grid(image) for image in seen])
    ids: list[int] = []
    mask: list[int] = []
    for exchange in lesson:
        prompt, _ = encoder.encode(exchange.prompt, [next(grids) for _ in exchange.views])
        prompt += encoder.encode(exchange.given)[0]
        target, _ = encoder.encode(exchange.target)
        ids += prompt + target
        mask += [0] * len(prompt) + [1] * len(target)
    return TrainingRow(ids=ids, mask=mask, logprobs=[0.0] * len(ids), mm=encoder.mm_inputs(seen))
