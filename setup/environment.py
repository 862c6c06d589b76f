"""The environment variables under which pip, uv and the project's own programs run."""

import ast
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

TORCH_EXTENSIONS = Path(".venv/torch_extensions")
"""Where DeepSpeed's compiled ops live (TORCH_EXTENSIONS_DIR): beside the torch they are built against."""

UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_OFFLINE",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "ALL_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
"""pip's settings that say where packages come from and how to reach it: uv's variable for each."""


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


def uv_environment(pip: Mapping[str, str], config_list: str) -> dict[str, str]:
    """What uv runs under: `pip` is pip's environment, `config_list` what `pip config list` prints there.

    uv reads none of pip's settings, so they are named to it; its own variables, where set, come first. As with pip, a
    version is looked for in every index, not in the first alone that has the name.
    """
    lines = [line.partition("=")[::2] for line in config_list.splitlines()]
    settings = {name: str(ast.literal_eval(value)) for name, value in lines if value[:1] in ("'", '"')}
    found: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # the later overrules
        for name, variable in UV_NAMES.items():
            if words := settings.get(section + name, "").split():
                found[variable] = ("," if name == "find-links" else " ").join(words)
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **found, **pip}


def run_environment(inherited: Mapping[str, str], root: Path) -> dict[str, str]:
    """What the project's own programs run under: .venv's programs first (DeepSpeed calls ninja), its compiled ops.

    What they import is compiled once and kept: uv does not compile it, and a server or a training starts up to ten
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
