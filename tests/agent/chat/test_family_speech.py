"""What every family says beside its template: who it is, notes, an expert's turns, and a prompt read back."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from agent.chat.families.family import Before, Family, after
from agent.chat.families.find import family_of
from agent.chat.images import MessageImages
from agent.chat.messages import ImagePart, MessageContent, content_of
from agent.prompt import correction, user_turn
from agent.protocol import Turn, render_turn
from tests.agent.chat.test_families import INSTRUCT, QWEN25, THINKING, with_template
from tools.calls import ToolCall
from tools.images.store import ImageStore

ROOT = Path(__file__).parents[3]
LOOK = ToolCall(name="look", arguments={"image": 1})
CALLS = Turn("I must look.", calls=(LOOK, LOOK))
ANSWER = Turn("I see it.", answer="It is solid.")
TOOL = {"type": "function", "function": {"name": "look", "description": "Look.", "parameters": {"type": "object"}}}
NOTE = MessageContent("user", ("Your turn could not be read. Got a tag.",), note=True)


@pytest.fixture
def instruct(processor: Any) -> Family:
    return family_of(with_template(processor, INSTRUCT))


@pytest.fixture
def thinking(processor: Any) -> Family:
    return family_of(with_template(processor, THINKING))


@pytest.mark.parametrize("template", [INSTRUCT, QWEN25])
def test_an_instruct_model_is_told_what_every_agent_is_told(processor: Any, template: str) -> None:
    family = family_of(with_template(processor, template))
    system = MessageContent("system", ("Be brief.",))
    text = family.opening([system, MessageContent("user", ("What?",))], [TOOL])
    told = (
        "You read medical images. Research use only, not a medical device.\n"
        "Images are numbered from 1. Coordinates run from 0 to 999.\n"
        "If the images do not show it, answer cannot tell.\n\nBe brief."
    )
    assert text.removeprefix("<|im_start|>system").lstrip().startswith(told)
    without = family.opening([MessageContent("user", ("What?",))])
    assert "answer cannot tell" in without and "Coordinates" not in without


def test_a_note_is_no_question(store: ImageStore) -> None:
    asked = after(Before(), MessageContent("user", ("What?",)))
    assert after(asked, NOTE) == asked
    pictures = MessageImages(store)
    noted = HumanMessage("Could not be read.", additional_kwargs={"note": True})
    assert content_of(noted, pictures).note and content_of(noted, pictures) != content_of(
        HumanMessage("Could not be read."), pictures
    )


def test_our_policy_reads_a_note_as_an_observation(family: Family) -> None:
    text = family.continuation([NOTE], Before(1, "What?"))
    assert text == "<|im_end|>" + user_turn(correction("Got a tag."), "What?")
    seen = MessageContent("tool", ("A view.", ImagePart("2")))
    assert family.continuation([seen, NOTE], Before(1, "What?")).count("What?") == 1


def test_others_read_a_note_as_what_the_user_says(instruct: Family) -> None:
    text = instruct.continuation([NOTE], Before(1, "What?"))
    assert text == f"<|im_end|>\n<|im_start|>user\n{NOTE.text}<|im_end|>\n<|im_start|>assistant\n"


def test_our_experts_turn(family: Family) -> None:
    assert [family.write(each) for each in (CALLS, ANSWER)] == [render_turn(each) for each in (CALLS, ANSWER)]


def test_an_experts_turn_in_qwens_format(instruct: Family, thinking: Family) -> None:
    call = '<tool_call>\n{"name": "look", "arguments": {"image": 1}}\n</tool_call>'
    assert instruct.write(CALLS) == f"{call}\n{call}"
    assert instruct.write(ANSWER) == "It is solid."
    assert thinking.write(CALLS) == f"I must look.\n</think>\n\n{call}\n{call}"
    assert thinking.write(ANSWER) == "I see it.\n</think>\n\nIt is solid."


@pytest.mark.parametrize("kind", ["family", "instruct", "thinking"])
def test_what_an_expert_writes_is_read_back(request: pytest.FixtureRequest, kind: str) -> None:
    family = request.getfixturevalue(kind)
    for turn in (CALLS, ANSWER):
        reader = family.reader()
        pieces = [*reader.feed(family.write(turn)), *reader.close()]
        assert tuple(each for each in pieces if isinstance(each, ToolCall)) == turn.calls
        text = "".join(each.text for each in pieces if not isinstance(each, ToolCall) and each.kind == "text")
        assert (text or None, reader.fault) == (turn.answer, "")


@pytest.mark.parametrize("kind", ["family", "instruct", "thinking"])
def test_a_prompt_is_read_back(request: pytest.FixtureRequest, kind: str) -> None:
    family = request.getfixturevalue(kind)
    opened = family.opening([MessageContent("user", (ImagePart("1"), "What?"))], [TOOL])
    seen = family.continuation([MessageContent("tool", ("A view.", ImagePart("2")))], Before(1, "What?"))
    prompt = opened + family.write(CALLS) + seen
    assert [family.turns_written(text) for text in (opened, prompt)] == [0, 1]
    assert "What?" in family.last_observation(opened) and "Research use" not in family.last_observation(opened)
    assert "A view." in family.last_observation(prompt) and "I must look" not in family.last_observation(prompt)


def test_our_prompt_as_a_person_reads_it(family: Family) -> None:
    opened = family.opening([MessageContent("user", (ImagePart("1"), "Solid < or not?"))])
    grids = [(1, 8, 8)]
    ids, _ = family.encode(opened, grids)
    assert family.readable(family.decode(ids)) == family.readable(opened)
    assert family.readable(opened).endswith("cannot tell.\nImage 1: <image>\nSolid < or not?")
    seen = family.continuation([MessageContent("tool", ("A view.", ImagePart("2")))], Before(1, "What?"))
    assert family.readable("<think>a</think>" + seen) == "Image 2: <image> A view.\nWhat?"
    assert family.last_observation(opened + seen).endswith("A view.\nWhat?")


def test_an_installed_package_adds_a_family_by_entry_point(tmp_path: Path) -> None:
    (tmp_path / "their_family.py").write_text(
        "from agent.chat.families.qwen import Qwen\n"
        "class Theirs(Qwen):\n"
        "    name = 'theirs'\n"
        "    @classmethod\n"
        "    def fits(cls, processor):\n"
        "        return 9 * super().fits(processor)\n"
        "answer = 42\n"
    )
    metadata = tmp_path / "their_family-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: their-family\nVersion: 1.0\n")
    entry = metadata / "entry_points.txt"
    entry.write_text("[medvista.families]\ntheirs = their_family:Theirs\n")
    program = (
        "from pathlib import Path\nfrom agent.encoder import load_processor\n"
        "from agent.chat.families.find import seen_as\n"
        "print(seen_as(load_processor(Path('rl/toy/checkpoint'))).name)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}

    def output() -> str:
        command = [sys.executable, "-c", program]
        ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=500)
        return (ended.stdout + ended.stderr).strip().rpartition("\n")[2]

    assert output() == "theirs"
    entry.write_text("[medvista.families]\ntheirs = their_family:answer\n")
    assert "theirs = 'their_family:answer' of the package their-family (medvista.families), which is 42" in output()
