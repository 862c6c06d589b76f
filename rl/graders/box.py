"""box: where something lies, right from an overlap (IoU) of 0.5 on, the usual threshold of detection (PASCAL VOC).

Boxes are [x1, y1, x2, y2] in 0-999 of the image, as a policy writes them to tools. An answer holds exactly one.
"""

import re

from rl.graders._text import LONGEST
from rl.graders.registry import grader
from tools.geometry import ALSO_LAST, SCALE, PixelBox, intersection_over_union

_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_BOX = re.compile(rf"[\[(]\s*({_NUMBER})\s*[,\s]\s*({_NUMBER})\s*[,\s]\s*({_NUMBER})\s*[,\s]\s*({_NUMBER})\s*[\])]")
_BARE = re.compile(rf"\s*({_NUMBER})\s*[,\s]\s*({_NUMBER})\s*[,\s]\s*({_NUMBER})\s*[,\s]\s*({_NUMBER})\s*\.?\s*")


def read_box(text: str) -> PixelBox | None:
    """The one box in `text`, corners in order; None for none, several, or numbers outside 0 to 1000, read as 999."""
    if len(text) > LONGEST:
        return None
    found = _BOX.findall(text) or ([bare.groups()] if (bare := _BARE.fullmatch(text)) else [])
    if len(found) != 1:
        return None
    written = [float(each) for each in found[0]]
    if min(written) < 0 or max(written) > ALSO_LAST:
        return None
    x1, y1, x2, y2 = (min(each, SCALE) for each in written)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _gold(text: str) -> PixelBox:
    gold = read_box(text)
    if gold is None or gold[2] <= gold[0] or gold[3] <= gold[1]:
        raise ValueError(f"Got the gold answer {text!r}, expected a box such as '[120, 340, 420, 610]' in 0-999.")
    return gold


def _wrong(gold: str, *, iou: float = 0.5) -> str:
    x1, y1, x2, y2 = _gold(gold)
    corners = ((0, 0, 40, 40), (SCALE - 40, SCALE - 40, SCALE, SCALE))
    away = max(corners, key=lambda box: abs(box[0] - x1) + abs(box[1] - y1) + abs(box[2] - x2) + abs(box[3] - y2))
    return str(list(away))


@grader(wrong=_wrong)
def box(answer: str, gold: str, *, iou: float = 0.5) -> float:
    """1 where the answer's one box overlaps the gold one by `iou` (intersection over union) or more."""
    truth = _gold(gold)
    if not 0 < iou <= 1:
        raise ValueError(f"Got iou {iou}, expected a threshold above 0 and at most 1.")
    said = read_box(answer)
    return 0.0 if said is None else float(intersection_over_union(said, truth) >= iou)
