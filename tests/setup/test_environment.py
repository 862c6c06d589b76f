"""The variables that pip, uv and the checks run under."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from setup.environment import pip_environment, run_environment, uv_environment


@pytest.fixture
def account(tmp_path: Path) -> Path:
    home = tmp_path / "account"
    (home / ".config/pip").mkdir(parents=True)
    (home / ".config/pip/pip.conf").write_text("[global]\n")
    return home


def test_settings_that_would_install_elsewhere_are_overruled(account: Path) -> None:
    environment = pip_environment({"HOME": str(account), "PIP_USER": "1", "PIP_TARGET": "x", "A": "b"}, account)
    assert environment["PIP_USER"] == "0"
    assert "PIP_TARGET" not in environment
    assert environment["A"] == "b"
    assert "PIP_CONFIG_FILE" not in environment  # pip finds the file by itself


def test_an_emptied_home_does_not_hide_the_accounts_settings(account: Path, tmp_path: Path) -> None:
    environment = pip_environment({"HOME": str(tmp_path / "empty")}, account)
    assert environment["PIP_CONFIG_FILE"] == str(account / ".config/pip/pip.conf")


def test_the_persons_own_settings_come_first(account: Path, tmp_path: Path) -> None:
    home = tmp_path / "elsewhere"
    (home / ".pip").mkdir(parents=True)
    (home / ".pip/pip.conf").write_text("[global]\n")
    assert "PIP_CONFIG_FILE" not in pip_environment({"HOME": str(home)}, account)
    named = pip_environment({"HOME": str(tmp_path / "empty"), "PIP_CONFIG_FILE": "/x"}, account)
    assert named["PIP_CONFIG_FILE"] == "/x"


def test_uv_is_told_what_pip_is_configured_with(tmp_path: Path) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\nindex-url = https://a/\ntimeout = 7\nextra-index-url =\n  https://b/\n  https://c/\n"
    )
    pip = {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": str(settings), "PIP_FIND_LINKS": "/x /y", "PIP_TIMEOUT": "9"}
    command = (sys.executable, "-m", "pip", "config", "list")
    listed = subprocess.run(command, env=pip, capture_output=True, text=True, check=True).stdout
    uv = uv_environment(pip, listed)
    names = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_FIND_LINKS", "UV_HTTP_TIMEOUT", "UV_INDEX_STRATEGY", "UV_OFFLINE")
    assert [uv.get(name) for name in names] == [
        *("https://a/", "https://b/ https://c/", "/x,/y", "9", "unsafe-best-match"),
        None,
    ]
    assert uv_environment({**pip, "UV_DEFAULT_INDEX": "https://own/"}, listed)["UV_DEFAULT_INDEX"] == "https://own/"


def test_programs_of_the_environment_come_first(tmp_path: Path) -> None:
    environment = run_environment({"PATH": "/usr/bin", "PYTHONDONTWRITEBYTECODE": "1"}, tmp_path)
    assert environment["PATH"] == f"{tmp_path}/.venv/bin:/usr/bin"
    assert environment["TORCH_EXTENSIONS_DIR"] == f"{tmp_path}/.venv/torch_extensions"
    assert "PYTHONDONTWRITEBYTECODE" not in environment
