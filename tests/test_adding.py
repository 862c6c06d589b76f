"""Adding is what docs/adding.md says: a command writes a file and its test, and by an entry point it is found and used.

One of each kind is written as a package of somebody else's would have it, and is used in a process of its own.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from graphs.__main__ import main as graphs
from rl.new.__main__ import KINDS
from rl.new.__main__ import main as new
from tools.__main__ import main as tools
from tools.scaffold import ScaffoldError, write

ROOT = Path(__file__).parents[1]
COMMANDS: dict[str, Callable[[str, str], int]] = {
    "tool": lambda name, out: tools(["new", name, "--family", "theirs", "--out", out]),
    "graph": lambda name, out: graphs(["new", name, "--out", out]),
    **{kind: lambda name, out, kind=kind: new([kind, name, "--out", out]) for kind in KINDS},
}
USED = """
from rl.rewards.compose import score
from rl.tasks import Task
task = Task("t/1", "name", "What?", ("scan",), "left, right", "their_grader")
state = {"answer": "right, left", "turns": 1, "calls": [], "outcome": "answered", "transcript": []}
print(score(task, state, {"answer": 1.0, "their_reward": 0.5}))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A distribution as pip leaves it: one of each kind and its test, and the entry points that the commands tell."""
    folder = tmp_path_factory.mktemp("site")
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        assert [command(f"their_{kind}", str(folder)) for kind, command in COMMANDS.items()] == [0] * len(COMMANDS)
    installed(folder, re.findall(r"^    (\[project.*|\w+ = \".*)$", told.getvalue(), re.MULTILINE))
    return folder


def installed(folder: Path, lines: Sequence[str]) -> None:
    metadata = folder / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    text = "\n".join(lines).replace("YOUR_PACKAGE.", "").replace('"', "").replace("project.entry-points.", "")
    (metadata / "entry_points.txt").write_text(text + "\n")


def run(site: Path, *words: str) -> str:
    """What `python ...` says that finds the distribution, on both streams."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    ended = subprocess.run(
        [sys.executable, *words], cwd=site, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    return f"{ended.returncode}\n{ended.stdout}{ended.stderr}"


@pytest.mark.slow
def test_what_is_written_passes_its_own_tests(site: Path) -> None:
    """The tool is called, the task set proves itself, the grader and the reward score, the graph answers a question of
    a scripted policy, the family's checkpoint is known, the trainer says what it would run."""
    said = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(site), str(site))
    assert said.startswith("0\n"), said
    for kind in COMMANDS:
        assert (site / f"test_their_{kind}.py").read_text().count("\ndef test_") >= 1


@pytest.mark.parametrize("name", ["me", "a_name_of_thirty_letters_or_so"])
def test_what_is_written_is_in_order(name: str, tmp_path: Path) -> None:
    """Whatever its name; that its types are right is seen where the templates are checked, as all code is."""
    for kind, command in COMMANDS.items():
        assert command(name, str(tmp_path / kind)) == 0
    for words in (["check"], ["format", "--check"]):
        said = run(tmp_path, "-m", "ruff", *words, "--no-cache", "--config", str(ROOT / "pyproject.toml"), ".")
        assert said.startswith("0\n"), said
    left = re.compile("|".join(f"new_{kind}|New{kind.title().replace('_', '')}" for kind in COMMANDS))
    assert [path.name for path in tmp_path.rglob("*.py") if left.search(path.read_text())] == []


@pytest.mark.slow
def test_the_commands_know_it(site: Path) -> None:
    assert run(site, "-m", "tools", "list", "theirs").startswith("0\ntheirs\n")
    assert "\ntheir_graph: " in run(site, "-m", "graphs", "list")
    assert "every gold answer is right" in run(site, "-m", "rl.tasks", "check", "their_task_set", "--count", "5")
    assert run(site, "-c", USED) == "0\n(1.5, {'answer': 1.0, 'their_reward': 1.0})\n"


@pytest.mark.slow
def test_what_is_wrong_is_told_in_the_same_words_for_every_kind(tmp_path: Path) -> None:
    groups = ["medvista.tools", "medvista.graphs", *(kind.group for kind in KINDS.values())]
    installed(tmp_path, [line for group in groups for line in (f"[{group}]", "one = json:nothing")])
    program = (
        "from agent.chat.families.find import families\nfrom graphs.app.catalogue import graphs\n"
        "from rl.graders import graders\nfrom rl.rewards.registry import components\nfrom rl.tasks import task_sets\n"
        "from rl.training.trainers.find import trainers\n"
        "from tools import load_tools\nfrom tools.discovery import EntryPointError\n"
        "for found in (load_tools, graphs, task_sets, components, graders, families, trainers):\n"
        "    try:\n        found()\n    except EntryPointError as error:\n        print(error)\n"
    )
    words = "of the package theirs ({}), which {}"
    lost = "cannot be loaded: module 'json' has no attribute 'nothing'. Mend that package or uninstall it."
    said = run(tmp_path, "-c", program).splitlines()[1:]
    assert said == [f"Got the entry point one = 'json:nothing' {words.format(group, lost)}" for group in groups]
    metadata = tmp_path / "theirs-1.0.dist-info" / "entry_points.txt"
    metadata.write_text(metadata.read_text().replace("nothing", "__all__"))
    said = run(tmp_path, "-c", program).splitlines()[1:]
    assert [line.partition(", which is [")[0] for line in said] == [
        f"Got the entry point one = 'json:__all__' of the package theirs ({group})" for group in groups
    ]
    assert all("; expected a" in line for line in said)
    for command in (["tools", "list"], ["graphs", "list"], ["rl.tasks", "list"]):
        said = run(tmp_path, "-m", *command)
        assert said.startswith("2\n") and "Traceback" not in said and "of the package theirs" in said


def test_in_this_repository_a_file_goes_where_its_kind_is(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    said = write(KINDS["task_set"], "their_set", root=tmp_path)
    written = [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.py"))]
    assert written == ["rl/tasks/sets/their_set.py", "tests/rl/tasks/sets/test_their_set.py"]
    assert "entry-points" not in said and f"python -m pytest {tmp_path}/tests/rl" in said


def test_nothing_is_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new(["grader", "mine", "--out", str(tmp_path)]) == 0
    (tmp_path / "mine.py").unlink()
    (tmp_path / "test_mine.py").write_text("mine")  # this one alone is enough
    assert new(["grader", "mine", "--out", str(tmp_path)]) == 2
    assert "test_mine.py is there already; choose another name" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("test_mine.py", "mine")]


@pytest.mark.parametrize("name", ["", "Mine", "a-b", "7up", "_mine", "class", "lésion", "a.b"])
def test_a_name_is_one_that_python_and_a_prompt_can_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="expected small letters, digits and _, such as"):
        write(KINDS["grader"], name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_checkout_a_folder_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ScaffoldError, match=r"is no checkout of MedVista; expected --out FOLDER"):
        write(KINDS["grader"], "mine", root=tmp_path)
    assert tools(["new", "mine", "--family", "nowhere"]) == 2
    assert "expected one of " in capsys.readouterr().err
