"""What the README and the guides say is true: their code runs, their commands exist, their files are there."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = {"README.md": README} | {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))
}
BLOCKS = re.findall(r"^```python\n(.*?)^```", README + GUIDES["docs/tools.md"], re.DOTALL | re.MULTILINE)
NOT_OURS = {"report.html", "report.json", "curves.png", "accuracy.png", "swaps.jsonl", "config.yaml", "stages.json"}
NOT_OURS |= {"checkpoints/", "trajectories/", "images/", "tasks/", "logs/"}  # made by a run
NOT_OURS |= {"train.jsonl", "validation.jsonl", "test.jsonl"}  # given by a reader
NOT_OURS |= {".langgraph_api/", "samples/"}  # made by LangGraph's server, and beside images
NOT_OURS |= {"generation_config.json"}  # of a downloaded checkpoint
BASE = ROOT / "rl" / "toy" / "checkpoint"


def block(word: str) -> str:
    """The one Python block that holds `word`, of the README and the guide to tools."""
    (found,) = [text for text in BLOCKS if word in text]
    return found


def python(code: str, cwd: Path, **variables: str) -> str:
    """What a program prints, run apart from the tests' own process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **variables}
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def module(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def commands() -> list[list[str]]:
    """Every `python -m ...` of the guides, indented or in backticks, as words after `-m`."""
    texts = [found for guide in GUIDES.values() for found in re.findall(r"python -m ([a-z][^`\n]+)", guide)]
    return [shlex.split(text, comments=True) for text in dict.fromkeys(texts) if ".NAME" not in text]


def test_the_tool_of_the_readme_measures(tmp_path: Path) -> None:
    use = """
import numpy as np
from tools import load_tools
image = MedicalImage(np.array([[10, 20], [30, 41]], dtype=np.uint8))
print(load_tools(["mean_brightness"])[0].invoke({"image": 1}, {"configurable": {"images": [image]}}))
"""
    assert python(block("@medical_tool") + use, tmp_path) == "Mean brightness: 25.2.\n"  # 101 / 4


def test_the_wrappers_of_the_guide_ration_and_remember(tmp_path: Path) -> None:
    use = """
import asyncio
import numpy as np
from tools import ImageStore, MedicalImage, ToolCall
store = ImageStore("images")
image = store.put(MedicalImage(np.zeros((64, 64), np.uint8)))
look = ToolCall(name="zoom_in", arguments={"image": 1, "box": [0, 0, 499, 499]})
turns = [asyncio.run(tools.run([look] * 4, [image], store, {"zoom_in": spent})) for spent in (0, 6)]
print([[each.status for each in turn] for turn in turns], turns[0][0].images == turns[1][0].images)
"""
    said = python(block("Budget(8)") + use, tmp_path)
    assert said == "[['ok', 'ok', 'ok', 'ok'], ['ok', 'ok', 'retry', 'retry']] True\n"


def test_the_graph_of_the_readme_shows_four_quarters(tmp_path: Path, random_checkpoint: Path) -> None:
    use = """
import asyncio
from pathlib import Path
import numpy as np
from agent.chat.loading import family_in
from agent.policies.scripted import ScriptedPolicy
from graphs.app.chat_model import chat_model
from tools import ImageStore, MedicalImage, load_tools

encoder, store = family_in(Path(CHECKPOINT)), ImageStore("images")
pixels = np.arange(4, dtype=np.uint8).reshape(2, 2).repeat(128, 0).repeat(128, 1)
look = '<tool_call>{"name": "zoom_in", "arguments": {"image": 5, "box": [0, 0, 499, 499]}}</tool_call>'
script = ["<think>I must look closer.</think>" + look, "<think>I can see it.</think><answer>cystic</answer>"]
model = chat_model(ScriptedPolicy(script, encoder), encoder, store)
agent = factory(model, load_tools(["zoom_in"]))
question = {"images": [store.put(MedicalImage(pixels))], "question": "What type is the lesion?"}
episode = asyncio.run(agent.ainvoke(question))
print(episode["answer"], len(episode["images"]), [int(store.get(image).pixels[0, 0]) for image in episode["images"]])
print(episode["evidence"][0]["box"])
"""
    shown = python(block("StateGraph") + use.replace("CHECKPOINT", repr(str(random_checkpoint))), tmp_path)
    # The whole, its quarters (upper left, upper right, lower left, lower right), and a look at the last quarter.
    assert shown == "cystic 6 [0, 0, 1, 2, 3, 3]\n[128.0, 128.0, 192.0, 192.0]\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_agent_of_the_readme_asks_a_real_server(tmp_path: Path, random_checkpoint: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    checkpoint = BASE if BASE.is_dir() else random_checkpoint  # an untaught policy writes until its context is full
    try:
        said = python(block("connect("), tmp_path, MEDVISTA_CHECKPOINT=str(checkpoint))
    finally:
        stop = "from graphs.app.connection import disconnect; print(disconnect().base_url)"
        assert python(stop, tmp_path).startswith("http://127.0.0.1:")
    assert said.endswith("]\n")  # the list of evidence, empty where the policy did not look


def test_no_python_block_goes_unchecked() -> None:
    assert README.count("```python") == 3


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= 900


@pytest.mark.parametrize("name", sorted({words[0] for words in commands()}))
def test_every_module_says_how_it_is_used(name: str) -> None:
    done = module(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout


@pytest.mark.parametrize("words", [words for words in commands() if words[0] == "rl.train" and words[1:]], ids=" ".join)
def test_every_training_command_has_a_plan(words: list[str]) -> None:
    done = module(*words, "--dry-run")
    readers_own = any(re.search(r"path/to|FOLDER", word) for word in words)  # a reader's folder is not on this machine
    faults = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert all(readers_own and line.startswith("error: tasks: Got no ") for line in faults), done.stderr
    assert done.returncode == (2 if readers_own else 0), done.stderr
    trains = "-m rl.training.trainers.openrlhf.start_ray" in done.stdout
    assert trains or any(word.startswith("rl.trainer=") for word in words)


def test_asking_has_the_options_that_are_named() -> None:
    named = {word for words in commands() if words[:2] == ["graphs", "ask"] for word in words if word.startswith("--")}
    text = module("graphs", "ask", "--help").stdout
    assert named and all(option in text for option in named | {"--checkpoint"})


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        target for guide in GUIDES.values() for target in re.findall(r"(?:`|^    )make ([a-z]+)", guide, re.MULTILINE)
    }
    assert {"train", "test"} <= named <= targets


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_that_is_named_exists(guide: str) -> None:
    text = re.sub(r"^```.*?^```", "", GUIDES[guide], flags=re.DOTALL | re.MULTILINE)
    links = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    missing = [target for target in links if not (ROOT / guide).parent.joinpath(target).exists()]
    paths = [path for path in re.findall(r"`([\w./-]+(?:/|\.\w+))`", text) if "/" in path or path.count(".") == 1]
    files = [path for path in paths if re.search(r"/|\.(py|yaml|json|jsonl|md|html|png|cff)$", path)]
    ours = [path for path in files if path not in NOT_OURS and not re.search(r"^runs/|[A-Z]{4}", path)]
    assert len(links) > 5 or guide != "README.md"
    assert missing + [path for path in ours if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("guide", GUIDES)
def test_every_import_of_ours_is_there(guide: str) -> None:
    for module_name, names in re.findall(
        r"^ *from ((?:agent|graphs|rl|tools)\b[\w.]*) import ([\w, ]+)", GUIDES[guide], re.M
    ):
        found = importlib.import_module(module_name)
        for name in re.findall(r"\w+", re.sub(r" as \w+", "", names)):
            assert hasattr(found, name) or importlib.util.find_spec(f"{module_name}.{name}"), f"{module_name}.{name}"


def test_the_papers_the_licence_and_the_purpose_are_named() -> None:
    assert all(f"arXiv:{number}" in README for number in ("2601.07107", "2511.19773", "2604.08203"))
    assert "Apache-2.0" in README
    assert README.count("esearch use only, not a medical device") >= 2
