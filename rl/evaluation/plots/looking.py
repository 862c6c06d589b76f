"""Whether right answers rest on looking, and what is said when there is nothing left to see."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from rl.evaluation.plots.dots import WIDTH, Row, draw_dots
from rl.evaluation.schema import Counterfactual, Policy

LOOKING = {
    "calls a tool": "tool_call_rate",
    "right, looked there": "right_for_the_right_reason",
    "IoU of looks": "iou",
}
ERASED = {
    "right with evidence": "accuracy_with_evidence",
    "old answer without": "old_answer_without_evidence",
    "abstains without": "abstained_without_evidence",
    "visual hallucination": "visual_hallucination_rate",
}


def draw_looking(policies: Mapping[str, Policy], width: float = WIDTH) -> Figure:
    """The picture, `width` inches wide, of what was measured."""
    looked = [Row(label, {name: each.means[key] for name, each in policies.items()}) for label, key in LOOKING.items()]
    pairs: dict[str, Counterfactual] = {name: each.counterfactual for name, each in policies.items()}
    erased = [Row(label, {name: getattr(each, key) for name, each in pairs.items()}) for label, key in ERASED.items()]
    measured = [row for row in (*looked, *erased) if any(value.mean is not None for value in row.values.values())]
    title = "Looking, and answering without evidence" if erased[0] in measured else "Looking"
    return draw_dots(title, measured or looked, list(policies), width)
