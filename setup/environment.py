"""The environment variables under which the set-up's commands run, and the checks after it."""

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

TORCH_EXTENSIONS = Path(".venv/torch_extensions")
"""Where DeepSpeed's compiled ops live (TORCH_EXTENSIONS_DIR): beside the torch they are built against."""


def pip_environment(inherited: Mapping[str, str], account_home: Path) -> dict[str, str]:
    """What pip runs under: as the person configured it, but installing into .venv whatever their settings say.

    pip finds a person's settings through HOME. Where HOME points elsewhere (a container, a clean-room build) the
    account's own settings still tell where packages come from, so they are named to pip outright.
    """
    environment = dict(inherited)
    environment.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONNOUSERSITE="1")
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        environment.pop(name, None)
    home = Path(inherited.get("HOME", account_home))
    found = pip_settings(home, inherited.get("XDG_CONFIG_HOME")) or pip_settings(account_home, None)
    if found is not None and found.is_relative_to(account_home) and home != account_home:
        environment.setdefault("PIP_CONFIG_FILE", str(found))
    return environment


def pip_settings(home: Path, xdg_config: str | None) -> Path | None:
    """The settings file that pip would read for a person with this home, or None."""
    configs = Path(xdg_config) if xdg_config else home / ".config"
    return next((file for file in (configs / "pip/pip.conf", home / ".pip/pip.conf") if file.is_file()), None)


def run_environment(inherited: Mapping[str, str], root: Path) -> dict[str, str]:
    """What the project's own programs run under: .venv's programs first (DeepSpeed calls ninja), its compiled ops.

    What they import is compiled once and kept: pip does not compile it, and a server or a training starts up to ten
    processes that each import thousands of files.
    """
    environment = dict(inherited)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PATH"] = f"{root / '.venv/bin'}{os.pathsep}{inherited.get('PATH', os.defpath)}"
    environment["TORCH_EXTENSIONS_DIR"] = str(root / TORCH_EXTENSIONS)
    environment["PYTHONNOUSERSITE"] = "1"
    return environment


def account_home() -> Path:
    """The home of the account that runs this, whatever HOME says."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path(os.environ.get("HOME", "/"))
