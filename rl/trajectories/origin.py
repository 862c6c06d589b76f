"""What made an episode besides its policy: the graph and the tools, each with a version.

Two episodes of one task can be compared only where these agree. A graph's version is a hash of the code that runs an
episode (its own file and those of the agent's turn), so that it cannot be forgotten when that code changes; a tool's
version is its own.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType

from langchain_core.tools import BaseTool

import agent

VERSION_DIGITS = 12


@dataclass(frozen=True)
class Origin:
    """The graph and the tools of an episode; empty where nobody said."""

    graph: str = ""
    """Its name in the catalogue, which is that of its module, or how it was named else (graphs/app/loading.py)."""
    graph_version: str = ""
    """12 hexadecimal digits of a hash of its code and the agent's."""
    tools: Mapping[str, str] = field(default_factory=dict[str, str])
    """Version by name of every tool in the prompt, called or not; empty text for a plain LangChain tool."""


def origin_of(graph: ModuleType, tools: Iterable[BaseTool], name: str | None = None) -> Origin:
    """The origin of the episodes of a graph's module with these tools; `name`: by default that of the module."""
    versions = {tool.name: str(getattr(tool, "version", "")) for tool in tools}
    return Origin(name or graph.__name__.rpartition(".")[2], _code_version(Path(str(graph.__file__))), versions)


@cache
def _code_version(graph: Path) -> str:
    digest = hashlib.sha256()
    ours = Path(str(agent.__file__)).parent
    for path in (*sorted(ours.glob("*.py")), *sorted((ours / "chat").rglob("*.py")), graph):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:VERSION_DIGITS]
