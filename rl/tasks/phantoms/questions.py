"""What is asked about a phantom, and the gold answers.

Five kinds. `name` and `count` need one zoom, `compare` two, `measure` the measuring tool and the image's spacing, and
`side` nothing but the thumbnail.
"""

import math
from typing import Literal

from rl.tasks.phantoms.image import SIZE, TYPES, Lesion

Kind = Literal["name", "count", "compare", "side", "measure"]
KINDS: tuple[Kind, ...] = ("name", "count", "compare", "side", "measure")

QUESTIONS: dict[Kind, str] = {
    "name": f"What type is the lesion: {', '.join(TYPES[:-1])} or {TYPES[-1]}?",
    "count": "How many calcifications does the lesion hold?",
    "compare": "Are the two lesions of the same type, yes or no?",
    "side": "In which quadrant of the image is the lesion?",
    "measure": "How far apart are the centres of the two lesions, in mm?",
}


def quadrant(lesion: Lesion) -> str:
    """As the viewer sees the picture: "upper left" to "lower right"."""
    return f"{'upper' if lesion.y < SIZE / 2 else 'lower'} {'left' if lesion.x < SIZE / 2 else 'right'}"


def distance_mm(a: Lesion, b: Lesion, spacing: tuple[float, float]) -> float:
    """Distance of two centres in mm; `spacing` is (row, column) mm per pixel."""
    return math.hypot((a.x - b.x) * spacing[1], (a.y - b.y) * spacing[0])


def gold_answer(kind: Kind, lesions: tuple[Lesion, ...], spacing: tuple[float, float]) -> str:
    """The right answer; two lesions for `compare` and `measure`, one for the others."""
    match kind:
        case "name":
            return lesions[0].type
        case "count":
            return str(len(lesions[0].calcifications))
        case "side":
            return quadrant(lesions[0])
        case "compare":
            return "yes" if lesions[0].type == lesions[1].type else "no"
        case "measure":
            return f"{distance_mm(lesions[0], lesions[1], spacing):.1f} mm"
