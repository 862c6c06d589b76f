"""Whether splits share an image, by its pixels: a policy would be measured on what it was trained on.

Of one's own questions this is an error. Published sets are used as their authors split them, and what they share is
told (`python -m rl.tasks leaks NAME` says more).
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from rl.config import Config
from rl.tasks.loading import is_folder
from rl.tasks.task import Task
from rl.training.preflight.finding import Finding
from rl.training.preflight.images import ImageFacts


def leaks(config: Config, splits: Mapping[str, Sequence[Task]], seen: Mapping[str, ImageFacts]) -> Iterator[Finding]:
    """What each two splits share."""
    own = is_folder(config.tasks.set)
    for first, second in combinations(splits, 2):
        pixels = {seen[image].pixels: task for task in splits[first] for image in task.images if image in seen}
        shared = [
            (pixels[seen[image].pixels], task)
            for task in splits[second]
            for image in task.images
            if image in seen and seen[image].pixels in pixels
        ]
        if shared:
            one, other = shared[0]
            images = len({image for _, task in shared for image in task.images})
            said = (
                f"Got {images} images of {second} whose pixels are in {first} too (the first: tasks {one.id} and "
                f"{other.id}), expected none: give each image one split."
            )
            yield Finding("tasks.set", said, stops=own)
