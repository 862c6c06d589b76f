"""evaluation.md: Markdown tables of one policy a row, with intervals, for people who read."""

from collections.abc import Callable, Mapping, Sequence

from rl.evaluation.schema import Evaluation, Mean, Points, Policy

NOTICE = "Research use only, not a medical device."
NOT_MEASURED = "-"
Policies = Mapping[str, Policy]


def write_tables(report: Evaluation) -> str:
    """The whole text of evaluation.md."""
    policies, settings = report.policies, report.settings
    asked = next(((each.questions, each.images) for each in policies.values()), (0, 0))
    about = (
        f"{asked[0]} questions about {asked[1]} images ({', '.join(settings['tasks'])}, "
        f"{settings['split']} split), {settings['samples']} sample(s) each at temperature {settings['temperature']:g}; "
        f"graph {settings['graph']}. In brackets: 95 % intervals of a bootstrap over images. "
    )
    several = {"Several samples": _several(policies)} if settings["samples"] > 1 else {}
    tables = {
        "Accuracy": _accuracy(policies),
        "By kind of question": _kinds(policies),
        **several,
        "Differences in percentage points, paired": _differences(report),
        "Differences by kind": _differences_by_kind(report),
        "Looking": _of_each(LOOKING, policies),
        "Without the evidence": _of_each(WITHOUT, policies),
        "Abstention and cost": _of_each(COST, policies),
    }
    sections = [f"## {title}\n\n{table}" for title, table in tables.items()]
    return "\n\n".join([f"# Evaluation\n\n{about}{NOTICE}", *sections]) + "\n"


def formatted(value: Mean | Points | float | None, digits: int = 3) -> str:
    """0.933 [0.903, 0.960]; a dash for what was not measured."""
    if isinstance(value, Mean | Points):
        centre, (low, high) = value.mean if isinstance(value, Mean) else value.points, value.ci95
        missing = centre is None or low is None or high is None
        return NOT_MEASURED if missing else f"{centre:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"


LOOKING: Mapping[str, Callable[[Policy], str]] = {
    "episodes that call tools": lambda each: formatted(each.means["tool_call_rate"]),
    "invalid turns and calls": lambda each: formatted(each.invalid_rate),
    "IoU of looks": lambda each: formatted(each.means["iou"]),
    "right, having looked": lambda each: formatted(each.right_for_the_right_reason),
}
WITHOUT: Mapping[str, Callable[[Policy], str]] = {
    "pairs": lambda each: str(each.counterfactual.pairs),
    "right with it": lambda each: formatted(each.counterfactual.accuracy_with_evidence),
    "same answer without": lambda each: formatted(each.counterfactual.old_answer_without_evidence),
    "gap": lambda each: formatted(each.counterfactual.gap),
    "abstains without": lambda each: formatted(each.counterfactual.abstained_without_evidence),
    "hallucinates": lambda each: formatted(each.counterfactual.visual_hallucination_rate),
}
COST: Mapping[str, Callable[[Policy], str]] = {
    "abstains": lambda each: formatted(each.abstention.rate),
    "AURC": lambda each: formatted(each.abstention.aurc),
    "risk at 50 %": lambda each: formatted(each.abstention.risk_at_coverage["0.5"]),
    "at 80 %": lambda each: formatted(each.abstention.risk_at_coverage["0.8"]),
    "at 100 %": lambda each: formatted(each.abstention.risk_at_coverage["1"]),
    "tokens written": lambda each: formatted(each.cost.get("sampled_tokens"), 1),
    "tokens in all": lambda each: formatted(each.cost.get("tokens"), 0),
    "seconds (median)": lambda each: formatted(each.cost.get("seconds_median"), 2),
}


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns are as wide as their widest cell; a cell is one line, whatever it holds."""
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def _of_each(columns: Mapping[str, Callable[[Policy], str]], policies: Policies) -> str:
    rows = [[name, *(column(each) for column in columns.values())] for name, each in policies.items()]
    return markdown(["policy", *columns], rows)


def _accuracy(policies: Policies) -> str:
    sets = sorted({name for each in policies.values() for name in each.by_set})
    rows = [
        [
            name,
            formatted(each.means["accuracy"]),
            *(formatted(each.by_set[one].means["accuracy"] if one in each.by_set else None) for one in sets),
            formatted(each.macro_over_sets),
            formatted(each.macro_over_kinds),
        ]
        for name, each in policies.items()
    ]
    return markdown(["policy", "all", *sets, "mean of sets", "mean of kinds"], rows)


def _kinds(policies: Policies) -> str:
    rows = [
        [
            name,
            f"{one}/{kind}",
            formatted(part.means["accuracy"]),
            formatted(part.tool_call_rate),
            formatted(part.iou),
            formatted(part.right_for_the_right_reason.mean),
            str(part.n),
        ]
        for name, each in policies.items()
        for one, found in each.by_set.items()
        for kind, part in found.by_kind.items()
    ]
    return markdown(["policy", "kind", "accuracy", "calls tools", "IoU", "right reason", "questions"], rows)


def _several(policies: Policies) -> str:
    steps = sorted({k for each in policies.values() for k in each.pass_at}, key=int)
    rows = [
        [name, *(formatted(each.pass_at.get(k)) for k in steps), *(formatted(each.pass_all.get(k)) for k in steps)]
        for name, each in policies.items()
    ]
    return markdown(["policy", *(f"pass@{k}" for k in steps), *(f"pass^{k}" for k in steps)], rows)


def _differences(report: Evaluation) -> str:
    rows = [
        [f"{each.first} - {each.second}", formatted(each, 1), formatted(each.macro_over_sets, 1), str(each.n)]
        for each in report.differences
    ]
    return markdown(["difference", "all", "mean of sets", "questions"], rows) if rows else "One policy only."


def _differences_by_kind(report: Evaluation) -> str:
    rows = [
        [f"{each.first} - {each.second}", f"{one}/{kind}", formatted(part, 1), str(part.n)]
        for each in report.differences
        for one, found in each.by_set.items()
        for kind, part in found.by_kind.items()
    ]
    return markdown(["difference", "kind", "points", "questions"], rows) if rows else "One policy only."
