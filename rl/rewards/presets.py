"""Rewards named after the papers whose idea they follow: what each pays for is theirs, the weights are ours.

In a config, `rl.rewards: medvistagym` stands for the weights. `careful` is our own: what a lucky guess, an unmended
failure and idle calls earn is taken back.
"""

from collections.abc import Mapping

from tools.spelling import did_you_mean

PRESETS: Mapping[str, Mapping[str, float]] = {
    # MedVistaGym, arXiv 2601.07107: the answer, the format, and tools only where the answer is right
    "medvistagym": {"answer": 1.0, "format": 0.2, "tool_use": 0.5},
    # VISTA-Gym, arXiv 2511.19773: the answer, the format, and no repetition
    "vista_gym": {"answer": 1.0, "format": 0.2, "repetition": -0.5},
    # MedVR, arXiv 2604.08203: the answer, the format, and the credit that a group's looks agree on
    "medvr": {"answer": 1.0, "format": 0.2, "cca": 0.5},
    "careful": {
        "answer": 1.0,
        "format": 0.2,
        "tool_use": 0.5,
        "unlooked": -0.5,
        "unmended": -0.3,
        "repetition": -0.3,
        "calls": -0.05,
        "turns": -0.02,
    },
}


def weights_of(name: str) -> dict[str, float]:
    """The weights of a preset. Raises ValueError that names those there are."""
    if name not in PRESETS:
        raise ValueError(
            f"Got the rewards {name!r}, expected weights by component, or one of {', '.join(PRESETS)}."
            + did_you_mean(name, PRESETS)
        )
    return dict(PRESETS[name])
