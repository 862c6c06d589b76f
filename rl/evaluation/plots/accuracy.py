"""Right answers: over all questions, for each set and each kind of question in it."""

from collections.abc import Iterable, Mapping

from matplotlib.figure import Figure

from rl.evaluation.plots.dots import WIDTH, Row, draw_dots
from rl.evaluation.schema import Mean, Policy, SetFigures


def draw_accuracy(policies: Mapping[str, Policy], width: float = WIDTH) -> Figure:
    """The picture, `width` inches wide; a policy that was asked nothing of a kind has no dot there."""
    rows = [Row("all questions", _means(policies, "accuracy"), strong=True)]
    sets = _names(each.by_set for each in policies.values())
    several = len(sets) > 1
    if several:
        rows.append(Row("mean of sets", {name: each.macro_over_sets for name, each in policies.items()}, strong=True))
    for one in sets:
        known = {name: each.by_set[one] for name, each in policies.items() if one in each.by_set}
        if several:
            rows.append(Row(one, _means(known, "accuracy"), strong=True))
        for kind in _names(part.by_kind for part in known.values()):
            parts = {name: part.by_kind[kind].means["accuracy"] for name, part in known.items() if kind in part.by_kind}
            rows.append(Row(f"{one}: {kind}" if several else kind, parts))
    return draw_dots("Right answers, with 95 % intervals over images", rows, list(policies), width)


def _means(policies: Mapping[str, SetFigures], figure: str) -> dict[str, Mean]:
    return {name: each.means[figure] for name, each in policies.items()}


def _names(parts: Iterable[Mapping[str, object]]) -> list[str]:
    return sorted({name for part in parts for name in part})
