"""`python -m graphs ask`: what it prints, what it refuses and with which exit status; and once with a real vLLM."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agent.chat.families.family import Family
from agent.policies.scripted import ScriptedPolicy
from agent.question import Question
from agent.serving.checkpoint import CheckpointError, publish
from graphs import reasoning
from graphs.__main__ import main
from graphs.app import catalogue, connection, default_checkpoint
from graphs.app.ask import follow, load_images
from graphs.app.chat_model import chat_model
from graphs.app.default_checkpoint import default_folder, open_checkpoint
from graphs.app.transcript import NOTICE, as_json, describe_answer, printable
from tests.answering import Answers
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools

ZOOM = (
    '<think>Look.</think><tool_call>{"name": "zoom_in", "arguments": {"image": 1, "box": [0, 0, 499, 499]}}</tool_call>'
)
CALL = '<tool_call>{"name": "zoom_in", "arguments": {"box": [0, 0, 499, 499], "image": 1}}</tool_call>'
ANSWER = "<think>I see.\x1b[2J</think><answer>cystic</answer>"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with no checkpoint named anywhere and no committed base."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(default_checkpoint.VARIABLE, raising=False)
    base = tmp_path / "no base"
    monkeypatch.setattr(default_checkpoint, "shipped", lambda: base if base.is_dir() else None)
    return tmp_path


@pytest.fixture
def picture(tmp_path: Path, scan: MedicalImage) -> str:
    path = tmp_path / "chest.png"
    Image.fromarray(scan.pixels).save(path)
    return str(path)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message of a command that ends with exit status 2."""
    try:
        status = main(["ask", *arguments])
    except SystemExit as ending:
        status = ending.code
    assert status == 2
    return capsys.readouterr().err


def test_an_unreadable_image_is_named_before_anything_starts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    said = refused(capsys, "broken.png", "--question", "What?")
    assert said.startswith("error: broken.png: Got 15 bytes that hold no whole image")
    assert "absent.png: Got a path" in refused(capsys, "absent.png", "--question", "What?")


def test_a_spacing_that_makes_no_sense(folder: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "both above 0" in refused(capsys, picture, "--question", "What?", "--spacing", "0", "1")


def test_an_unknown_tool_names_the_nearest(folder: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean zoom_in" in refused(capsys, picture, "--question", "What?", "--tools", "zoomin")


def test_an_image_and_a_question_are_needed(folder: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "an IMAGE and --question are needed" in refused(capsys, picture)
    assert "an IMAGE and --question are needed" in refused(capsys, "--question", "What?")


def test_no_checkpoint_says_how_to_get_one(folder: Path, picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, picture, "--question", "What?")
    assert "got no checkpoint" in said
    assert "make train" in said
    assert "expected the folder of a published version" in refused(
        capsys, picture, "--question", "What?", "--checkpoint", "nowhere"
    )


def test_a_server_that_is_gone(
    folder: Path, picture: str, random_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(
        capsys,
        *(picture, "--question", "What?", "--checkpoint", str(random_checkpoint), "--server", "http://127.0.0.1:9"),
    )
    assert "from http://127.0.0.1:9, expected a running vLLM server" in said


def test_a_context_that_is_too_small(
    folder: Path, picture: str, random_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--checkpoint", str(random_checkpoint), "--server", "http://127.0.0.1:9", "--context", "30"]
    assert "expected fewer than the context's 30" in refused(capsys, picture, "--question", "What?", *more)


def test_stopping_where_nothing_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "--stop-server"]) == 0
    assert capsys.readouterr().out == "No server was running.\n"


def test_list_and_draw(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    assert "reasoning: The reasoning graph" in capsys.readouterr().out
    assert main(["draw", "reasoning"]) == 0
    drawn = capsys.readouterr().out
    for edge in (
        "__start__ --> reason;",
        "reason --> select_tool;",
        "execute --> integrate;",
        "integrate -.-> reason;",
    ):
        assert edge in drawn


def test_the_default_checkpoint_is_named_else_newest_else_the_base(
    folder: Path, random_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError, match="got no checkpoint"):
        default_folder()
    (folder / "no base").mkdir()
    assert default_folder() == folder / "no base"
    publish(random_checkpoint, Path("runs/b/checkpoints"), "v1", None, {})
    publish(random_checkpoint, Path("runs/a/checkpoints"), "v2", "v1", {})
    assert default_folder() == Path("runs/a/checkpoints/v2")
    publish(random_checkpoint, Path("runs/b/checkpoints"), "v3", "v2", {})
    assert default_folder() == Path("runs/b/checkpoints/v3")
    monkeypatch.setenv(default_checkpoint.VARIABLE, "elsewhere")
    assert default_folder() == Path("elsewhere")


def test_what_is_no_version_does_not_stand_in_the_way(
    folder: Path, random_checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    versions = Path("runs/a/checkpoints")
    for name in ("v1", "truncated", "with-code", "not-json", "nameless", "timeless"):
        publish(random_checkpoint, versions, name, None, {})
    os.truncate(_writable(versions / "truncated" / "model.safetensors"), 1000)
    (versions / "with-code" / "modeling.py").write_text("raise SystemExit")
    _writable(versions / "not-json" / "manifest.json").write_text("[" * 500_000)
    for name, change in (("nameless", {"version": "../v9"}), ("timeless", {"created": "9999-01-01T00:00:00"})):
        manifest = _writable(versions / name / "manifest.json")
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **change}))
    (versions / "copied by hand").mkdir()
    (versions / "notes.txt").write_text("mine")
    (versions / ".v2.half").mkdir()
    Path("runs/b").mkdir()
    Path("runs/b/checkpoints").write_text("a file")
    assert default_folder() == versions / "v1"
    for name in ("truncated", "with-code", "not-json", "nameless", "timeless", "copied by hand"):
        assert str(versions / name) in caplog.text


def _writable(path: Path) -> Path:
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("name", ["modeling.py", "pytorch_model.bin", "training_args.bin"])
def test_a_folder_with_code_or_pickles_is_not_opened(random_checkpoint: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(random_checkpoint, tmp_path / "hub")
    (tmp_path / "hub" / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=f"got {re.escape(name)} in .* neither code nor pickles"):
        open_checkpoint(tmp_path / "hub")


def test_a_published_version_and_a_plain_folder_are_opened(folder: Path, random_checkpoint: Path) -> None:
    published = publish(random_checkpoint, Path("runs/a/checkpoints"), "v1", None, {"accuracy": 0.5})
    assert open_checkpoint(published.folder) == published
    plain = open_checkpoint(random_checkpoint)
    assert (plain.version, plain.folder) == ("random", random_checkpoint)


async def told(
    encoder: Family, store: ImageStore, scan: MedicalImage, script: list[str], turns: int = 6
) -> tuple[list[str], Any]:
    """What is said during an episode, and its final state."""
    model = chat_model(ScriptedPolicy(script, encoder, version="v7"), encoder, store)
    graph = reasoning.factory(model, load_tools(["zoom_in"]), turns=turns)
    said: list[str] = []
    state = await follow(graph, Question(images=[store.put(scan)], question="What?"), store, said.append)
    return said, state


async def test_the_turns_the_files_the_answer_and_the_evidence_are_told(
    encoder: Family, store: ImageStore, scan: MedicalImage
) -> None:
    said, state = await told(encoder, store, scan, [ZOOM, "no tags", ANSWER])
    view = store.path(state["images"][1])
    assert "\n".join(said).splitlines() == [
        f"Turn 1: <think>Look.</think>{CALL}",
        f"  {view} Closer view of image 1.",
        "Turn 2: no tags",
        f"  {printable(state['transcript'][4]['text']).removeprefix('Your turn could not be read. ')}",
        "Turn 3: <think>I see.?[2J</think>cystic",  # no escape sequence reaches the terminal
    ]
    assert np.array_equal(np.asarray(Image.open(view)), scan.pixels[0:256, 0:256])
    assert describe_answer(state, store).splitlines() == [
        "Answer: cystic",
        f"Evidence: image 2, box [0, 0, 256, 256] in pixels of image 1, by zoom_in: {view}",
        NOTICE,
    ]


async def test_no_answer_says_why(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    _, state = await told(encoder, store, scan, ["no tags"], turns=1)
    assert describe_answer(state, store) == f"No answer: the policy used all its turns without an answer.\n{NOTICE}"
    _, state = await told(encoder, store, scan, ["<think>a</think><answer>cannot tell</answer>"])
    assert describe_answer(state, store) == f"Answer: cannot tell\n{NOTICE}"


async def test_a_program_gets_json(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    _, state = await told(encoder, store, scan, [ZOOM, ANSWER])
    read = json.loads(json.dumps(as_json(state, store)))
    assert (read["question"], read["answer"], read["outcome"]) == ("What?", "cystic", "answered")
    assert (read["versions"], read["notice"]) == (["v7"], NOTICE)
    assert read["evidence"][0]["file"] == str(store.path(state["images"][1]))
    assert [turn["role"] for turn in read["transcript"]] == ["user", "policy", "tools", "policy"]
    assert read["transcript"][2]["files"] == [read["evidence"][0]["file"]]


def test_images_are_loaded_with_their_spacing(picture: str, store: ImageStore, scan: MedicalImage) -> None:
    (image,) = load_images([Path(picture)], [0.5, 0.25], store)
    assert image == scan.id
    assert store.get(image).spacing == (0.5, 0.25)


async def test_any_graph_can_be_asked(encoder: Family, store: ImageStore, scan: MedicalImage) -> None:
    policy = Answers(lambda chat: ANSWER if "Look." in chat else ZOOM, encoder)
    model = chat_model(policy, encoder, store)
    graph = catalogue.graphs()["verify"].compiled(model, load_tools(["zoom_in"]))
    said: list[str] = []
    state = await follow(graph, Question(images=[store.put(scan)], question="What?"), store, said.append)
    assert "\n".join(said).splitlines() == [
        f"Turn 1: <think>Look.</think>{CALL}",
        f"  {store.path(state['images'][1])} Closer view of image 1.",
        "Turn 2: <think>I see.?[2J</think>cystic",
        "Turn 3: <think>I see.?[2J</think>cystic",
    ]
    assert describe_answer(state, store).startswith("Answer: cystic\nEvidence: image 2, box [0, 0, 256, 256]")
    assert as_json(state, store)["versions"] == ["v1"]


@pytest.fixture
def no_server_left(folder: Path) -> Iterator[None]:
    yield
    connection.disconnect()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("no_server_left")
def test_two_questions_to_a_real_server(folder: Path, picture: str, random_checkpoint: Path) -> None:
    """The first starts a server, the second reuses and stops it. The policy was taught nothing: one turn of noise."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "graphs", "ask", picture, "--question", "What?", "--turns", "1"]
    command += ["--checkpoint", str(random_checkpoint)]

    def ask(*more: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*command, *more], env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        return done

    first = ask()
    assert NOTICE in first.stdout
    assert "Turn 1: " in first.stdout
    record = json.loads(connection.RECORD.read_text())
    assert f"Policy: random ({random_checkpoint}) at http://127.0.0.1:{record['port']}" in first.stdout
    assert re.search(r"^(No answer: the policy used all its turns|Answer: )", first.stdout, re.MULTILINE)

    second = json.loads(ask("--json", "--stop-server").stdout)
    assert second["versions"] == ["random"]
    assert connection.LOG.read_text().count("Application startup complete") == 1  # the same server answered both
    assert not connection.RECORD.exists()
    assert connection.disconnect() is None
