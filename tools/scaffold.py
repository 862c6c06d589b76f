"""`new NAME`: writes the file and the test of something new, by copying a template that is real code.

A template is a module in a folder named `templates`, with its test beside it, in which the new thing is called new_KIND
(NewKind where it is a class). Both find it by its name, so they need no edit wherever they are put: into this
repository, where its file is all that it takes, or into a package of one's own, which names it by an entry point.
"""

import argparse
import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class ScaffoldError(ValueError):
    """Nothing was written; says what was got, what was expected and how to mend it."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing that can be added."""

    templates: Path
    """The folder with NAME.py and test_NAME.py of this kind."""
    name: str
    package: str
    """Where it goes in this repository, such as rl.graders."""
    group: str
    """The entry points by which other packages name theirs."""
    after: str = ""
    """A command that is to be run when it is written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every `new`."""
    parser.add_argument("name", metavar="NAME", help="in small_letters")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="a folder of your own package (default: this repository)"
    )


def write(kind: Kind, name: str, out: Path | None = None, words: Mapping[str, str] = {}, root: Path = ROOT) -> str:
    """Writes both files, into `out` or where the repository in `root` has such; returns what is to be done next.

    `words` are further words of the template and what stands in their place. Raises ScaffoldError.
    """
    if not (name.isidentifier() and name.islower() and name.isascii()) or keyword.iskeyword(name) or name[0] == "_":
        raise ScaffoldError(f"Got the name {name!r}, expected small letters, digits and _, such as zoom_out.")
    places = kind.package.split(".")
    if out is None and not (root / "tests").is_dir():
        raise ScaffoldError(f"Got no --out, and {root} is no checkout of MedVista; expected --out FOLDER.")
    folder, tests = (out, out) if out is not None else (root.joinpath(*places), root.joinpath("tests", *places))
    title = "".join(part.capitalize() for part in name.split("_"))
    kind_title = "".join(part.capitalize() for part in kind.name.split("_"))
    renamed = {f"new_{kind.name}": name, f"New{kind_title}": title, **words}
    files = {folder / f"{name}.py": f"{kind.name}.py", tests / f"test_{name}.py": f"test_{kind.name}.py"}
    if there := [str(file) for file in files if file.exists()]:
        raise ScaffoldError(f"Got the name {name}, but {' and '.join(there)} is there already; choose another name.")
    entry = f"YOUR_PACKAGE.{name}"
    for file, template in files.items():
        text = (kind.templates / template).read_text(encoding="utf-8")
        if f"class New{kind_title}" in text:
            entry = f"{entry}:{title}"
        for old, new in renamed.items():
            text = text.replace(old, new)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    written, test = files
    steps = [f"Wrote {written} and {test}: write what it does, then what that is, worked out by hand."]
    if out is not None:
        steps += ["Name it in your pyproject.toml, and install your package:"]
        steps += ["", f'    [project.entry-points."{kind.group}"]', f'    {name} = "{entry}"', ""]
    steps += [f"Test it: python -m pytest {test}"]
    return "\n".join([*steps, *([f"Then: {kind.after}"] if kind.after and out is None else [])])
