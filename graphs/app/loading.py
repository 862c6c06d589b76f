"""A graph by its name: one of the catalogue, `module:factory`, or `path/file.py:factory`.

What is named is a factory `(model, tools)`: from a chat model and tools it makes a compiled graph. Further keyword
arguments (`turns`, `checkpointer`) are passed where they are taken.
"""

import hashlib
import importlib
import importlib.util
import sys
from inspect import signature
from pathlib import Path
from types import ModuleType

from graphs.app import catalogue
from graphs.app.source import FACTORY, GraphError, GraphSource, blamed
from tools.spelling import did_you_mean

FORMS = "expected one of {known}, module:factory, or path/file.py:factory"


def find_graph(name: str) -> GraphSource:
    """The graph of a name. Raises GraphError where there is none."""
    known = catalogue.graphs()
    if name in known:
        return known[name]
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
        with blamed(f"Got the graph {name!r}, whose file cannot be imported:", str(path)):
            spec.loader.exec_module(module)
    except GraphError:
        del sys.modules[module_name]
        raise
    return module


def _imported(name: str, module: str) -> ModuleType:
    doing = f"Got the graph {name!r}, but the module {module!r} cannot be imported:"
    with blamed(doing, None, "Is its folder on PYTHONPATH?"):
        return importlib.import_module(module)
