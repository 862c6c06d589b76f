"""A task: one question about images, with what grading, rewarding and evaluating it needs.

Frozen plain data. Images are ids in the run's image store. `regions` (where the answer lies) and `expert` (what an
expert does) are for evaluation and for warm-up; a policy never sees them and no reward reads `regions` unless a
config says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from rl.tasks.errors import TaskFileError
from tools.geometry import PixelBox


@dataclass(frozen=True)
class Task:
    """One question."""

    id: str
    """Unique over all splits, e.g. phantoms/train/0/17."""
    kind: str
    """What sort of question it is within its set; results are reported per kind."""
    question: str
    images: tuple[str, ...]
    """Store ids of the images shown with the question."""
    answer: str
    """The gold answer."""
    grader: str
    """Name of the rule that compares an answer with it (rl/graders/)."""
    needs_tool: bool | None = None
    """Whether it can only be answered with a tool; None where nobody knows."""
    regions: tuple[tuple[int, PixelBox], ...] = ()
    """(number of the image from 1, box in its pixels) of what the answer lies in; for evaluation."""
    expert: tuple[dict[str, Any], ...] = ()
    """The calls of an expert's one turn of looking, as {"name", "arguments"}."""
    reading: str = ""
    """The expert's thought after it has looked."""
    rules: dict[str, Any] = field(default_factory=dict[str, Any])
    """What the grader must know beside the gold answer: options, tolerance, unit ..."""

    def __post_init__(self) -> None:
        for name in ("id", "kind", "question", "answer", "reading"):
            text: str = getattr(self, name)
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise TaskFileError(
                    f"Got a task whose {name} holds half a surrogate pair, {text!r:.80}, expected whole characters."
                ) from error

    def to_plain(self) -> dict[str, Any]:
        """JSON values only."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Task":
        """The task that `to_plain` wrote, also after a passage through JSON."""
        regions = tuple((int(number), (box[0], box[1], box[2], box[3])) for number, box in plain["regions"])
        lists = {"images": tuple(plain["images"]), "regions": regions, "expert": tuple(plain["expert"])}
        fields: dict[str, Any] = {**plain, **lists}
        return cls(**fields)
