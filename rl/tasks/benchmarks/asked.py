"""From a benchmark's items to tasks of a split: which split an item is in, and which grader reads its answer.

By default splits are ours and share no image: items that share an image, however they are chained, stay together, and
the group's content decides. `splits="official"` gives the authors' own, which may leak (`python -m rl.tasks leaks
NAME`). A multiple choice is graded by `choice`, yes and no by `closed`, all else by `open`. An item whose own gold
answer its grader cannot take (two options alike, an empty answer) is left out, and how many were is logged.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from rl.graders import grade
from rl.graders._text import normalised
from rl.graders.choice import LETTERS
from rl.graders.closed import YES_NO, asks_normal
from rl.tasks.benchmarks.item import Item, Picture
from rl.tasks.errors import NoSuchSplit, TaskFileError
from rl.tasks.files import content_of, read_image
from rl.tasks.registry import TaskRequest
from rl.tasks.splits import split_of
from rl.tasks.task import Task

Splits = Literal["by_image", "official"]
_log = logging.getLogger(__name__)


def tasks_of(
    name: str, items: Iterable[Item], wanted: TaskRequest, splits: Splits, credit: str = "exact"
) -> Iterator[Task]:
    """The tasks of the wanted split, in the items' order. Raises TaskFileError."""
    chosen = _in_split(name, list(items), wanted.split, splits)
    usable = [(item, grading) for item in chosen if (grading := graded(item, credit)) is not None]
    if len(usable) < len(chosen):
        _log.warning("%s: %d of %d items have no gradable gold answer", name, len(chosen) - len(usable), len(chosen))
    kept: dict[Picture, str] = {}  # many questions share a picture
    for item, (answer, grader, rules) in usable:
        for picture in item.images:
            if picture not in kept:
                kept[picture] = wanted.store.put(read_image(picture, f"{name} item {item.key}"))
        yield Task(
            id=f"{name}/{item.key}",
            kind=item.kind,
            question=with_options(item),
            images=tuple(kept[picture] for picture in item.images),
            answer=answer,
            grader=grader,
            rules=rules,
            regions=item.regions,
        )


def with_options(item: Item) -> str:
    """The question as it is asked, its options below it by letter."""
    lines = [f"{letter}. {option}" for letter, option in zip(LETTERS, item.options, strict=False)]
    return "\n".join([item.question.strip(), *lines])


def graded(item: Item, credit: str) -> tuple[str, str, dict[str, Any]] | None:
    """(gold answer, grader, rules); None where the grader does not take the gold answer."""
    answer, rules = item.answer.strip(), dict[str, Any]()
    if item.options:
        grader, rules = "choice", {"options": list(item.options)}
    elif normalised(answer) in YES_NO:
        grader, answer, rules = "closed", normalised(answer), {"asks_normal": asks_normal(item.question)}
    else:
        grader, rules = "open", {"credit": credit}
    try:
        return (answer, grader, rules) if grade(grader, answer, answer, rules) == 1.0 else None
    except ValueError:
        return None


def _in_split(name: str, items: Sequence[Item], split: str, splits: Splits) -> list[Item]:
    if splits == "by_image":
        return [item for item, home in zip(items, _homes(name, items), strict=True) if home == split]
    if splits != "official":
        raise TaskFileError(f"Got splits {splits!r} for {name}, expected 'by_image' or 'official'.")
    there = sorted({item.official for item in items if item.official is not None})
    if split not in there:
        has = ", ".join(there) or "none at all"
        raise NoSuchSplit(f"Got the official split {split!r} of {name}, but its files have {has}; take by_image.")
    return [item for item in items if item.official == split]


def _homes(name: str, items: Sequence[Item]) -> list[str]:
    """The split of every item: that of the smallest content in its group of items that share images."""
    known: dict[Path, str] = {}
    contents = [[_content(picture, known) for picture in item.images] for item in items]
    parent: dict[str, str] = {}

    def root(content: str) -> str:
        while (above := parent.setdefault(content, content)) != content:
            content = above
        return content

    for shared in contents:
        for content in shared[1:]:
            first, second = sorted((root(shared[0]), root(content)))
            parent[second] = first  # the smallest is the root
    return [
        split_of(root(shared[0]) if shared else item.key, name) for item, shared in zip(items, contents, strict=True)
    ]


def _content(picture: Picture, known: dict[Path, str]) -> str:
    if isinstance(picture, bytes):
        return hashlib.sha256(picture).hexdigest()
    if picture not in known:
        known[picture] = content_of(picture)
    return known[picture]
