"""How a rollout's weights are named: by the number of OpenRLHF steps before it.

The executor cannot ask OpenRLHF which step it is at, but in synchronous training every step samples a fixed number of
episodes before its update, so the count of finished ones tells. (Asynchronous training mixes steps: there the name is
the step in which the sampling began.)
"""

FIRST_VERSION = "step-00000"


def step_version(finished: int, per_step: int) -> str:
    """The name of the weights after `finished` episodes, `per_step` of which make a step."""
    return f"step-{finished // per_step:05d}"
