"""What preflight finds: a fault that stops a run before it starts, or a warning that does not."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    setting: str
    """Where it is mended: the setting's dotted name, as an override has it."""
    said: str
    """What was got, what was expected, how to mend it."""
    stops: bool = True
    """False: the run can start, and its owner should know."""

    def __str__(self) -> str:
        return f"{'error' if self.stops else 'warning'}: {self.setting}: {self.said}"


def stop(findings: Iterable[Finding]) -> bool:
    """Whether one of them stops the run."""
    return any(each.stops for each in findings)
