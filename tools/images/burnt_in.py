"""Text that is part of the pixels: finding it, reading it, blanking it.

Names and dates are burnt into ultrasound, scanned films and screen captures, where no attribute can be removed. The
reader is RapidOCR with the models that its package carries: nothing is downloaded. One reader a process, made when it
is first needed (it takes seconds) and used by one thread at a time, because it keeps settings between calls.
"""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.windowing import apply_window

IntBox = tuple[int, int, int, int]

SURE = 0.5
"""How sure the reader must be of a line that is told as text."""
DOUBTFUL = 0.3
"""How sure it must be of a line that is blanked: a doubtful name is a name."""
TALLEST = 0.25
"""The height of a line, as a share of the picture's shorter side, above which it is none. On blood smears the reader
takes cells, and whole pictures, for letters, while the text of real scans is below 0.15.
"""
_DETECTOR, _READER = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
_lock = threading.Lock()


@dataclass(frozen=True)
class TextLine:
    """A line of text in a picture."""

    text: str
    box: IntBox
    """x1, y1, x2, y2 in whole pixels."""

    sureness: float
    """0 to 1, the reader's own."""


def find_text(picture: Image.Image, sureness: float = SURE, tallest: float = TALLEST) -> tuple[TextLine, ...]:
    """The lines of text in a picture of mode L or RGB, from top to bottom. Raises ImageError without RapidOCR.

    `tallest` is the greatest height of a line (or width, if it is written upwards), as a share of the shorter side.
    """
    colours = np.asarray(picture.convert("RGB"))[:, :, ::-1]  # OpenCV's order
    with _lock:
        found: Any = _reader()(_not_too_narrow(colours), use_cls=False, text_score=sureness)
    if found.boxes is None or found.txts is None:
        return ()
    lines = [
        TextLine(str(text), _around(corners, picture.size), float(score))
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        if str(text).strip()
    ]
    possible = [line for line in lines if 0 < _height(line.box) <= tallest * min(picture.size)]
    return tuple(sorted(possible, key=lambda line: (line.box[1], line.box[0])))


def load_reader() -> None:
    """Makes the reader and has it read once, which takes seconds; later calls then do not. Nothing without RapidOCR."""
    with suppress(ImageError):
        find_text(Image.new("L", (64, 64)))


def text_boxes(image: MedicalImage) -> tuple[IntBox, ...]:
    """Where there is text, or what could be text, in an image; of a volume, in any of its slices."""
    boxes = {line.box for picture in _pictures(image) for line in find_text(picture, DOUBTFUL)}
    return tuple(sorted(_with_margin(box, image.size) for box in boxes))


def blanked(values: NDArray[Any], boxes: Sequence[IntBox]) -> NDArray[Any]:
    """A copy of pixels, or of voxels, with all `boxes` at their least value (colours: black)."""
    colour = values.shape[-1] == 3 and values.ndim > 2
    copy = values.copy()
    least = 0 if colour else np.nanmin(values)
    for left, top, right, bottom in boxes:
        if colour:
            copy[..., top:bottom, left:right, :] = least
        else:
            copy[..., top:bottom, left:right] = least
    return copy


def without_text(image: MedicalImage) -> MedicalImage:
    """The image with all text blanked, as a new original: the one with text is nowhere kept. A volume stays one."""
    boxes = text_boxes(image)
    facts = replace(image.facts, burnt_in_text=False)
    if not boxes:
        return replace(image, facts=facts)
    if image.volume is None:
        return replace(image, pixels=blanked(image.pixels, boxes), facts=facts)
    volume = replace(image.volume, voxels=blanked(image.volume.voxels, boxes))
    return MedicalImage.of_volume(volume, image.spacing, image.window, facts)


def _pictures(image: MedicalImage) -> list[Image.Image]:
    if image.volume is None:
        return [image.display()]
    window = image.display_window
    slices = [image.volume.slice(number) for number in range(1, image.volume.count + 1)]
    return [Image.fromarray(each if window is None else apply_window(each, window)) for each in slices]


def _not_too_narrow(colours: NDArray[Any]) -> NDArray[Any]:
    """The picture with black below or beside it: the reader enlarges by the shorter side, and a strip becomes vast."""
    height, width = colours.shape[:2]
    least = max(32, max(height, width) // 2)
    return np.pad(colours, ((0, max(0, least - height)), (0, max(0, least - width)), (0, 0)))


def _around(corners: Any, size: tuple[int, int]) -> IntBox:
    """The upright box around four corners, inside the picture."""
    points = np.asarray(corners, np.float64)
    left, top = np.floor(points.min(axis=0))
    right, bottom = np.ceil(points.max(axis=0))
    return max(0, int(left)), max(0, int(top)), min(size[0], int(right)), min(size[1], int(bottom))


def _height(box: IntBox) -> int:
    """Of the letters, whether they are written across or upwards."""
    return min(box[2] - box[0], box[3] - box[1])


def _with_margin(box: IntBox, size: tuple[int, int]) -> IntBox:
    """A tenth of the line's height more on each side: the ends of letters, and what blurs around them."""
    margin = max(2, round((box[3] - box[1]) / 10))
    left, top, right, bottom = box
    return max(0, left - margin), max(0, top - margin), min(size[0], right + margin), min(size[1], bottom + margin)


@cache
def _reader() -> Any:
    try:
        import rapidocr
    except ImportError as error:
        raise ImageError("Got no RapidOCR, which reads text in pixels: pip install rapidocr onnxruntime.") from error
    from importlib.resources import files

    models = files(rapidocr) / "models"
    library: Any = rapidocr
    return library.RapidOCR(
        params={
            "Det.model_path": str(models / _DETECTOR),
            "Rec.model_path": str(models / _READER),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Global.log_level": "error",
        }
    )
