"""Where the CPU builds of torch and torchvision come from.

A plain `torch` on Linux is the build for CUDA, with gigabytes of CUDA packages. A CPU build has a version of its own,
`2.13.0+cpu`, so asking for that one exactly can never fetch the other. What pip is configured with is asked first, then
PyTorch's own index, for these two packages alone: an index that cannot be reached costs seconds for each package.
"""

from collections.abc import Sequence
from dataclasses import dataclass

CPU_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True)
class Source:
    """One place to try: pip's arguments, and the words for the line that tells which one it was."""

    arguments: tuple[str, ...]
    words: str


def cpu_sources(name: str, version: str) -> Sequence[Source]:
    """The places for a CPU build, best first.

    torchvision has a last resort, its build for CUDA: its Python side works under a torch for the CPU once two operator
    schemas are declared, which our CPU adaptation does. torch has none.
    """
    exact = f"{name}=={version}+cpu"
    sources = [
        Source((exact,), f"{name} {version}+cpu from where pip is configured to look"),
        Source(("--retries", "1", "--index-url", CPU_INDEX, exact), f"{name} {version}+cpu from PyTorch's CPU index"),
    ]
    if name == "torchvision":
        sources.append(Source((f"{name}=={version}",), f"{name} {version}: no CPU build found, its Python side serves"))
    return sources


def no_cpu_torch(version: str, python: str) -> str:
    """The message when no place had a CPU build of torch."""
    return (
        f"no CPU build of torch {version} for Python {python} was found: asked where pip is configured to look "
        f"(`pip config list`), then {CPU_INDEX}. To mend: make one of them reachable, or put the wheel "
        f"torch-{version}+cpu into a folder and run PIP_FIND_LINKS=FOLDER make setup."
    )
