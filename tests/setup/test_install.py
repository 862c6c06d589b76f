"""The set-up's decisions: when .venv is current, kept or made anew, and which torch may be fetched."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from setup import install
from setup.steps import SetupError


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """An empty place to set up, and what main() did with .venv there: its packages are not really installed."""
    (tmp_path / "setup").mkdir()
    for name in ("install", "verify"):
        (tmp_path / f"setup/{name}.py").write_text("")
    (tmp_path / "pyproject.toml").write_text("[project]\n[tool.ruff]\n")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/shared.txt").write_text("uv==1.0\n")
    (tmp_path / "requirements/cpu.txt").write_text("torch==2.0+cpu\ntorchvision==1.0\n")
    done: list[str] = []

    def make_venv(accelerator: str, keep: bool) -> dict[str, str]:
        done.append("kept" if keep else "anew")
        install.VENV.mkdir(exist_ok=True)
        return {}

    def nothing(*arguments: object) -> None:
        pass

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEDVISTA_ACCELERATOR", "cpu")
    monkeypatch.setattr(install, "make_venv", make_venv)
    for name in ("install", "compile_ops", "run"):
        monkeypatch.setattr(install, name, nothing)
    return done


def test_a_second_set_up_does_nothing(made: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    install.main()
    install.main()
    assert made == ["anew"]
    assert "up to date (CPU set" in capsys.readouterr().out


def test_a_changed_pin_keeps_the_environment_and_another_torch_does_not(made: list[str]) -> None:
    install.main()
    Path("requirements/shared.txt").write_text("uv==1.1\n")
    install.main()
    Path("requirements/cpu.txt").write_text("torch==2.1+cpu\ntorchvision==1.0\n")
    install.main()
    assert made == ["anew", "kept", "anew"]


def test_a_changed_entry_point_is_installed_and_another_tools_settings_are_not(made: list[str]) -> None:
    install.main()
    Path("pyproject.toml").write_text("[project]\n[tool.ruff]\nline-length = 100\n")
    install.main()
    assert made == ["anew"]
    Path("pyproject.toml").write_text("[project.entry-points.'medvista.tools']\na = 'b:c'\n")
    install.main()
    assert made == ["anew", "kept"]


def test_an_interrupted_set_up_starts_over(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    install.main()
    Path("requirements/shared.txt").write_text("uv==1.1\n")

    def interrupted(accelerator: str, environment: Mapping[str, str]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(install, "install", interrupted)
        with pytest.raises(KeyboardInterrupt):
            install.main()
    install.main()
    assert made == ["anew", "kept", "anew"]


@pytest.fixture
def asked(made: list[str]) -> Path:
    """What a program in uv's place was asked for, one call a line. It finds what WHERE has a word for."""
    uv = install.VENV / "bin/uv"
    uv.parent.mkdir(parents=True)
    uv.write_text('#!/bin/sh\necho "$*" >> asked\ncase "$*" in *"$WHERE"*) exit 0;; esac\nexit 1\n')
    uv.chmod(0o755)
    return Path("asked")


def test_torch_is_asked_for_as_a_cpu_build_where_pip_looks_then_at_pytorchs_own_index(asked: Path) -> None:
    install.install_cpu_torch("2.0+cpu", {"WHERE": "torch==2.0+cpu"})
    assert [line.split("--no-deps ")[1] for line in asked.read_text().splitlines()] == ["torch==2.0+cpu"]
    install.install_cpu_torch("2.0+cpu", {"WHERE": install.CPU_INDEX})
    last = asked.read_text().splitlines()[-1]
    assert last.endswith(f"--no-deps --default-index {install.CPU_INDEX} torch==2.0+cpu torchvision==1.0")


def test_without_a_cpu_torch_the_error_names_what_was_asked_and_how_to_mend_it(asked: Path) -> None:
    with pytest.raises(SetupError) as caught:
        install.install_cpu_torch("2.0+cpu", {"WHERE": "nowhere"})
    assert "no CPU build of torch, 2.0+cpu, for Python 3.1" in str(caught.value)
    assert install.CPU_INDEX in str(caught.value)
    assert "PIP_FIND_LINKS=FOLDER make setup" in str(caught.value)
    assert len(asked.read_text().splitlines()) == 2
