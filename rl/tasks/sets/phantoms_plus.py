"""Phantoms of four modalities and six kinds of question, of any size and difficulty, without end.

Kinds: `side` (seen in the whole picture), `type` (one zoom), `compare` (two regions), `measure` (a distance in mm);
of CT also `slice` (a slice of a volume that is not the one shown) and `window` (a lesion that the display window
hides). Task i of a split is drawn from a random stream of its own, keyed by (seed, split, i): no two splits share a
picture.

`needs_tool` is told where it is so by construction: a measurement, a hidden slice or window need one, a side needs
none, and what a lesion is needs one where it is less than SEEN pixels wide in a thumbnail of 112; where it is wider,
that depends on the policy's eyes, and is None.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from rl.tasks.errors import TaskFileError
from rl.tasks.phantoms_plus import ct, expert
from rl.tasks.phantoms_plus.microscopy import MICROSCOPY
from rl.tasks.phantoms_plus.scene import TYPES, Lesion, Modality, place, with_lesions
from rl.tasks.phantoms_plus.ultrasound import ULTRASOUND
from rl.tasks.phantoms_plus.xray import XRAY
from rl.tasks.registry import SPLITS, TaskRequest, task_set
from rl.tasks.task import Task
from tools.calls import ToolCall
from tools.images.image import MedicalImage
from tools.images.volume import Volume

Kind = Literal["side", "type", "compare", "measure", "slice", "window"]
MODALITIES: dict[str, Modality] = {each.name: each for each in (XRAY, ct.CT, ULTRASOUND, MICROSCOPY)}
EVERYWHERE: tuple[Kind, ...] = ("side", "type", "compare", "measure")
OF_CT: tuple[Kind, ...] = ("slice", "window")
STREAMS = {split: number for number, split in enumerate((*SPLITS, "warmup"))}
QUADRANTS = ("upper left", "upper right", "lower left", "lower right")
SEEN, THUMBNAIL = 8.0, 112
SLICES = 9
LISTED = f"{', '.join(TYPES[:-1])} or {TYPES[-1]}"

Asked = dict[str, Any]


@task_set(splits=(*SPLITS, "warmup"), drawn=True)
def phantoms_plus(
    wanted: TaskRequest,
    *,
    size: int = 512,
    difficulty: float = 0.5,
    modalities: Sequence[str] = tuple(MODALITIES),
    kinds: Sequence[Kind] = (*EVERYWHERE, *OF_CT),
) -> Iterable[Task]:
    """Phantoms like x-ray, CT, ultrasound and microscopy: zoom, compare, measure, slices, windows."""
    if not (128 <= size <= 4096 and 0 <= difficulty <= 1):
        raise TaskFileError(f"Got size {size} and difficulty {difficulty}, expected 128 to 4096 pixels and 0 to 1.")
    turns: list[tuple[Kind, Modality]] = [
        (kind, MODALITIES[name]) for kind in kinds for name in modalities if name in MODALITIES and _fits(kind, name)
    ]
    unknown = sorted({*modalities, *kinds} - {*MODALITIES, *EVERYWHERE, *OF_CT})
    if unknown or not turns:
        known = f"modalities of {', '.join(MODALITIES)} and kinds of {', '.join((*EVERYWHERE, *OF_CT))}"
        raise TaskFileError(f"Got {', '.join(unknown) or 'no kind that these modalities have'}, expected {known}.")
    return _draw(wanted, turns, size, difficulty)


def _fits(kind: str, modality: str) -> bool:
    if kind in OF_CT:
        return modality == ct.CT.name
    return kind in EVERYWHERE and not (kind == "measure" and modality == MICROSCOPY.name)  # no field of view in mm


def _draw(wanted: TaskRequest, turns: Sequence[tuple[Kind, Modality]], size: int, difficulty: float) -> Iterator[Task]:
    for index in range(wanted.count or 0):
        kind, modality = turns[index % len(turns)]
        rng = np.random.default_rng([wanted.seed, 11, STREAMS[wanted.split], index])
        image, asked = _make(rng, kind, modality, size, difficulty)
        calls: Sequence[ToolCall] = asked.pop("calls")
        yield Task(
            id=f"phantoms_plus/{wanted.split}/{wanted.seed}/{index}",
            kind=f"{modality.name}_{kind}",
            images=(wanted.store.put(image),),
            expert=tuple(call.model_dump() for call in calls),
            **asked,
        )


def _make(
    rng: np.random.Generator, kind: Kind, modality: Modality, size: int, difficulty: float
) -> tuple[MedicalImage, Asked]:
    spacing = round(float(rng.uniform(0.3, 1.0)) * 512 / size, 4)
    if kind == "slice":
        return _volume(rng, size // 2, spacing * 2, difficulty)
    tissue = modality.tissue(rng, size)
    two = kind in ("compare", "measure")
    lesions = tuple(place(rng, area, difficulty) for area in modality.areas)
    if kind == "compare" and rng.uniform() < 1 / 3:  # 1/3 + 2/3 * 1/4 = 1/2 of one type
        lesions = lesions[0], replace(lesions[1], type=lesions[0].type)
    if not two:
        lesions = (lesions[int(rng.integers(2))],)
    image = modality.finish(rng, with_lesions(modality, tissue, lesions, difficulty), spacing, difficulty)
    if kind == "window":
        image = MedicalImage(image.pixels, spacing=image.spacing, window=ct.BONES, facts=image.facts)
    regions = tuple((1, lesion.box(size)) for lesion in lesions)
    return image, {"regions": regions, **_question(kind, lesions, size * spacing)}


def _question(kind: Kind, lesions: tuple[Lesion, ...], side_mm: float) -> Asked:
    first = lesions[0]
    small = True if first.diameter * THUMBNAIL < SEEN else None
    match kind:
        case "side" | "window":
            hidden = kind == "window"
            return {
                "question": "In which quadrant of the image is the lesion?"
                + (" It shows in a window for soft tissue only." if hidden else ""),
                **_closed(quadrant(first), QUADRANTS),
                "needs_tool": hidden,
                "calls": (expert.soft_tissue(),) if hidden else (expert.zoom(first),),
            }
        case "compare":
            answer = "yes" if first.type == lesions[1].type else "no"
            question = f"Are the two lesions of the same type ({LISTED}), yes or no?"
            calls = tuple(expert.zoom(lesion) for lesion in lesions)
            return {"question": question, **_closed(answer, ("yes", "no")), "needs_tool": small, "calls": calls}
        case "measure":
            distance = math.hypot(first.x - lesions[1].x, first.y - lesions[1].y) * side_mm
            return {
                "question": "How far apart are the centres of the two lesions, in mm?",
                "answer": f"{distance:.1f} mm",
                "grader": "number",
                "rules": {"tolerance": 0.1},
                "needs_tool": True,
                "calls": (expert.measure(*lesions),),
            }
        case _:
            question = f"What type is the lesion: {LISTED}?"
            return {
                "question": question,
                **_closed(first.type, TYPES),
                "needs_tool": small,
                "calls": (expert.zoom(first),),
            }


def _volume(rng: np.random.Generator, size: int, spacing: float, difficulty: float) -> tuple[MedicalImage, Asked]:
    """A CT whose slices each hold one lesion, of another type than the slice that is shown where it is asked about."""
    modality, middle = ct.CT, SLICES // 2 + 1
    asked = int(rng.choice([number for number in range(1, SLICES + 1) if number != middle]))
    tissue = modality.tissue(rng, size)
    lesions: dict[int, Lesion] = {}
    for number in range(1, SLICES + 1):
        drawn = place(rng, modality.areas[int(rng.integers(2))], 0.0)
        lesions[number] = replace(drawn, diameter=1.7 * drawn.diameter)
    others = [type for type in TYPES if type != lesions[asked].type]
    lesions[middle] = replace(lesions[middle], type=str(rng.choice(others)))
    slices = [
        ct.noisy(rng, with_lesions(modality, tissue, (lesions[number],), difficulty), difficulty)
        for number in range(1, SLICES + 1)
    ]
    volume = Volume(np.stack(slices), slice_spacing=5.0)
    image = MedicalImage.of_volume(volume, spacing=(spacing, spacing), window=ct.SHOWN, facts=ct.FACTS)
    question = f"The scan has {SLICES} slices. What type is the lesion in slice {asked}: {LISTED}?"
    calls = (expert.show_slice(asked),)
    return image, {"question": question, **_closed(lesions[asked].type, TYPES), "needs_tool": True, "calls": calls}


def _closed(answer: str, options: Sequence[str]) -> Asked:
    return {"answer": answer, "grader": "closed", "rules": {"options": list(options)}}


def quadrant(lesion: Lesion) -> str:
    """As the viewer sees the picture."""
    return f"{'upper' if lesion.y < 0.5 else 'lower'} {'left' if lesion.x < 0.5 else 'right'}"
