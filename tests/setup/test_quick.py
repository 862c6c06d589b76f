"""Which files `make quick` takes for changed, and which tests belong to them."""

import subprocess
import sys
from pathlib import Path

import pytest

from setup.quick import changed_files, module_of, nearest_tests, run_together, typed


def git(*arguments: str) -> None:
    command = ("git", "-c", "user.name=a", "-c", "user.email=a", "-c", "core.hooksPath=/dev/null", *arguments)
    subprocess.run(command, check=True, capture_output=True)


def test_changed_is_what_differs_from_where_the_branch_left_main(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("kept", "deleted", "edited", "ignored"):
        Path(f"{name}.py").touch()
    Path(".gitignore").write_text("ignored.py\n")
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "start")
    git("checkout", "-qb", "branch")
    Path("committed.py").touch()
    git("add", "committed.py")
    git("commit", "-qm", "work")
    Path("edited.py").write_text("x = 1\n")
    Path("deleted.py").unlink()
    Path("new.py").touch()
    assert changed_files() == ["committed.py", "deleted.py", "edited.py", "new.py"]
    git("checkout", "-q", "main")
    Path("on_main.py").touch()
    git("add", "on_main.py")
    git("commit", "-qm", "main goes on")
    git("checkout", "-q", "branch")
    assert changed_files() == ["committed.py", "deleted.py", "edited.py", "new.py"]


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Tests of two packages, in files named by what they are to a/b/c.py and a/b/page.html."""
    monkeypatch.chdir(tmp_path)
    sources = {
        "tests/a/b/test_c.py": "",
        "tests/a/b/test_imports.py": "from a.b.c import name\n",
        "tests/a/test_further.py": "def test():\n    from a.b import c\n",
        "tests/z/test_furthest.py": "import a.b.c\n",
        "tests/a/b/test_page.py": "PAGE = Path('page.html')\n",
        "tests/z/test_package.py": "import a.b\n",
        "tests/z/test_c.py": "import a.b.cd\n",
    }
    for name, source in sources.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(source)
    return [Path(name) for name in sorted(sources)]


def test_a_source_has_the_tests_that_mirror_or_import_it_nearest_first(tests: list[Path]) -> None:
    assert [str(test) for test in nearest_tests(["a/b/c.py"], tests)] == [
        "tests/a/b/test_c.py",
        "tests/a/b/test_imports.py",
        "tests/a/test_further.py",
        "tests/z/test_furthest.py",
    ]


def test_a_test_is_its_own_and_a_page_has_the_tests_that_name_it(tests: list[Path]) -> None:
    assert nearest_tests(["tests/z/test_c.py"], tests) == [Path("tests/z/test_c.py")]
    assert nearest_tests(["a/b/page.html"], tests) == [Path("tests/a/b/test_page.py")]
    assert nearest_tests(["a/b/__init__.py"], tests) == [
        Path("tests/a/test_further.py"),
        Path("tests/z/test_package.py"),
    ]
    assert nearest_tests(["docs/b.md"], tests) == []


def test_a_package_is_imported_by_its_folder() -> None:
    assert (module_of("a/b/__init__.py"), module_of("a/b/c.py")) == ("a.b", "a.b.c")


def test_types_are_checked_where_pyright_checks_them() -> None:
    assert typed(["rl/train.py", "tests/rl/test_train.py", "setup/quick.py"]) == ["rl/train.py", "setup/quick.py"]


def test_every_check_is_run_and_the_failing_one_shown(capsys: pytest.CaptureFixture[str]) -> None:
    says = [sys.executable, "-c", "import sys; print(sys.argv[1]); sys.exit(int(sys.argv[2]))"]
    checks = [
        ("lint", [*says, "bad line", "1"]),
        ("types", [*says, "all good", "0"]),
        ("fast tests", [*says, "2", "5"]),
    ]
    assert run_together(checks) == 1
    lines = [line.split(" after ")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["quick: lint failed", "bad line", "quick: types well", "quick: fast tests well", "2"]


def test_when_the_time_is_over_no_test_starts_and_that_is_no_failure(tmp_path: Path) -> None:
    file = tmp_path / "test_three.py"
    file.write_text("from setup import quick\ndef test_a(): quick.MOST_SECONDS = 0\ndef test_b(): assert False\n")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "setup.quick", "-p", "no:cacheprovider", str(file))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "make check runs all" in done.stdout
    file.write_text("from setup import quick\ndef test_a():\n    quick.MOST_SECONDS = 0\n    assert False\n")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
