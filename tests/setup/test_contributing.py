"""What a contributor reads is true: links lead somewhere, commands exist, hooks fetch nothing."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_lead_to_files_and_headings_that_are_there(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#([^)]+))?\)", Path(page).read_text())
    assert links
    for file, heading in links:
        text = Path(file).read_text()
        headings = {line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
        assert not heading or heading in headings, f"{page}: {file}#{heading}"


def test_every_make_command_named_exists() -> None:
    named = set(re.findall(r"make ([a-z]+)", Path("CONTRIBUTING.md").read_text()))
    targets = set(re.findall(r"^([a-z]+):", Path("Makefile").read_text(), re.MULTILINE))
    assert {"setup", "quick", "check", "test"} <= named <= targets


def test_hooks_are_local_and_the_settings_are_pre_commits() -> None:
    file = ".pre-commit-config.yaml"
    repos = yaml.safe_load(Path(file).read_text())["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    assert all(hook["language"] == "system" for hook in repos[0]["hooks"])
    subprocess.run([".venv/bin/pre-commit", "validate-config", file], check=True)
