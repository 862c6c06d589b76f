"""A graph's maker, and where it comes from: what loading gives, whichever way a graph was named."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from types import ModuleType
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from graphs.app import error_summary

FACTORY = "factory"
"""The name of the maker, where a module or file is named alone."""


class GraphError(LookupError):
    """A graph that cannot be loaded or run; says what was got, what was expected and how to mend it."""


@dataclass(frozen=True)
class GraphSource:
    """Where a graph comes from."""

    name: str
    """As it was asked for."""
    module: ModuleType
    make: Callable[..., Any]

    def takes(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Of `options` those that the maker takes."""
        return {name: value for name, value in options.items() if name in signature(self.make).parameters}

    def compiled(self, *arguments: Any, **options: Any) -> Any:
        """The compiled graph. Raises GraphError where something else is made, or the maker raises."""
        with blamed(f"Got the graph {self.name!r}, whose {self.make.__name__} raises", str(self.module.__file__)):
            made = self.make(*arguments, **self.takes(options))
        if not isinstance(made, CompiledStateGraph):
            raise GraphError(
                f"Got a {type(made).__name__} from {self.name}, expected a compiled LangGraph graph: end it with "
                "`return graph.compile()`."
            )
        return made  # pyright: ignore[reportUnknownVariableType]


@contextmanager
def blamed(doing: str, own: str | None, mend: str = "Mend it there.") -> Generator[None]:
    """Around code that is not ours: whatever it raises is a GraphError that says what and in which line."""
    try:
        yield
    except GraphError:
        raise
    except Exception as error:
        raise GraphError(f"{doing} {error_summary.summary_of(error, own)}. {mend}") from error
