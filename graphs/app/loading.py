"""A graph by its name: one of the catalogue, `module:factory`, or `path/file.py:factory`.

What is named is a factory `(model, tools)`: from a chat model and tools it makes a compiled graph. Further keyword
arguments (`turns`, `checkpointer`) are passed where they are taken.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from graphs.app import catalogue, error_summary
from tools.spelling import did_you_mean

FACTORY = "factory"
"""The name that is meant where a module or file is named alone."""
FORMS = "expected one of {known}, module:factory, or path/file.py:factory"


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
        with _blamed(f"Got the graph {self.name!r}, whose {self.make.__name__} raises", str(self.module.__file__)):
            made = self.make(*arguments, **self.takes(options))
        if not isinstance(made, CompiledStateGraph):
            raise GraphError(
                f"Got a {type(made).__name__} from {self.name}, expected a compiled LangGraph graph: end it with "
                "`return graph.compile()`."
            )
        return made  # pyright: ignore[reportUnknownVariableType]


def find_graph(name: str) -> GraphSource:
    """The graph of a name. Raises GraphError where there is none."""
    known = catalogue.graphs()
    if name in known:
        module = known[name]
        return GraphSource(name, module, module.factory)
    where, _, function = name.rpartition(":") if ":" in name else (name, "", FACTORY)
    if where.endswith(".py"):
        module = _from_file(name, Path(where))
    elif ":" in name:
        module = _imported(name, where)
    else:
        raise GraphError(f"Got the graph {name!r}, {FORMS.format(known=', '.join(known))}.{did_you_mean(name, known)}")
    make = getattr(module, function, None)
    if not callable(make) or len(signature(make).parameters) < 2:
        own = [each for each, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise GraphError(
            f"Got the graph {name!r}, expected a function {function}(model, tools) there; that module defines "
            f"{', '.join(own) or 'nothing'}."
        )
    return GraphSource(name, module, make)


def absolute(name: str) -> str:
    """The name, as it can be found from every folder."""
    where, colon, function = name.rpartition(":") if ":" in name else (name, "", "")
    return f"{Path(where).resolve()}{colon}{function}" if where.endswith(".py") else name


def _from_file(name: str, path: Path) -> ModuleType:
    module_name = f"{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise GraphError(f"Got the graph {name!r}, expected a Python file at {path.resolve()}, where there is none.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # LangGraph reads a state's types from there
    try:
        with _blamed(f"Got the graph {name!r}, whose file cannot be imported:", str(path)):
            spec.loader.exec_module(module)
    except GraphError:
        del sys.modules[module_name]
        raise
    return module


def _imported(name: str, module: str) -> ModuleType:
    doing = f"Got the graph {name!r}, but the module {module!r} cannot be imported:"
    with _blamed(doing, None, "Is its folder on PYTHONPATH?"):
        return importlib.import_module(module)


@contextmanager
def _blamed(doing: str, own: str | None, mend: str = "Mend it there.") -> Generator[None]:
    """Around code that is not ours: whatever it raises is a GraphError that says what and in which line."""
    try:
        yield
    except GraphError:
        raise
    except Exception as error:
        raise GraphError(f"{doing} {error_summary.told(error, own)}. {mend}") from error
