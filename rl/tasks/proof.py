"""A task set proves itself: by every task's own grader gold is right, and a wrong answer, both at once or none is
not.

Besides, what a task names must be there: its images in the store, its regions inside them, its id once, and no image
in two splits. Whoever adds a set runs `python -m rl.tasks check NAME`, and the tests run it over all sets.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rl.graders import grade, wrong_answer
from rl.tasks.task import Task
from tools.errors import ImageError
from tools.images.store import ImageStore

JUDGED = "judge"
"""Its wrong answers would be sent to a model; its gold ones are not."""


def faults_of(task: Task, store: ImageStore) -> list[str]:
    """What is wrong with one task; nothing, as a rule."""
    return [f"{task.id}: {fault}" for fault in (*_grading(task), *_pictures(task, store))]


def faults_of_splits(splits: Mapping[str, Sequence[Task]], store: ImageStore) -> list[str]:
    """What is wrong with a set: the faults of its tasks, ids that occur twice, images that two splits share."""
    faults = [fault for tasks in splits.values() for task in tasks for fault in faults_of(task, store)]
    ids = Counter(task.id for tasks in splits.values() for task in tasks)
    faults += [f"{name}: {times} tasks have this id, expected one." for name, times in ids.items() if times > 1]
    home: dict[str, str] = {}
    for split, tasks in splits.items():
        for task in tasks:
            for image in task.images:
                if home.setdefault(image, split) != split:
                    faults.append(f"{task.id}: image {image[:12]} is in {home[image]} and in {split}, expected one.")
    return faults


def _grading(task: Task) -> Iterator[str]:
    if not task.question.strip():
        yield "got an empty question."
    try:
        for said, told in ((task.answer, "its gold answer"), ("", "an empty answer"), (None, "no answer")):
            score, expected = grade(task.grader, said, task.answer, task.rules), float(said == task.answer)
            if score != expected:
                yield f"{told} {said!r} scores {score}, expected {expected} by grader {task.grader!r}."
        if task.grader != JUDGED:
            yield from _wrong(task)
    except (KeyError, ValueError) as error:
        yield f"grader {task.grader!r} cannot use it: {error}"


def _wrong(task: Task) -> Iterator[str]:
    wrong = wrong_answer(task.grader, task.answer, task.rules)
    if (score := grade(task.grader, wrong, task.answer, task.rules)) != 0.0:
        yield f"the wrong answer {wrong!r} scores {score}, expected 0 beside gold {task.answer!r}."
    for both in (f"{task.answer} or {wrong}", f"{wrong} or {task.answer}"):
        if (score := grade(task.grader, both, task.answer, task.rules)) >= 1.0:
            yield f"the answer {both!r}, which says gold and another, scores {score}, expected less than 1."


def _pictures(task: Task, store: ImageStore) -> Iterator[str]:
    if not task.images:
        yield "got no image, expected one or more."
    sizes: list[tuple[int, int]] = []
    for image in task.images:
        try:
            sizes.append(store.get(image).size)
        except ImageError as error:
            yield str(error)
            return
    for number, (x1, y1, x2, y2) in task.regions:
        if not 1 <= number <= len(sizes):
            yield f"got a region of image {number}, expected 1 to {len(sizes)}."
        elif not (0 <= x1 < x2 <= sizes[number - 1][0] and 0 <= y1 < y2 <= sizes[number - 1][1]):
            yield f"got the region {(x1, y1, x2, y2)}, expected a box inside {sizes[number - 1]} pixels."


def summary(tasks: Iterable[Task]) -> str:
    """How many tasks of each kind, for people: "count 20, name 20"."""
    kinds = Counter(task.kind for task in tasks)
    return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
