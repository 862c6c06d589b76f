"""Any graph that is asked wrongly says what is wrong with the question; its policy is not asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.chat.families.family import Family
from agent.policies.scripted import ScriptedPolicy
from graphs.__main__ import main
from graphs.app import catalogue
from graphs.app.adapters import adapter_of
from graphs.app.application import Application, Settings
from tools.images.image import MedicalImage

ROOT = Path(__file__).parents[3]
CHECKPOINT = ROOT / "rl" / "toy" / "checkpoint"


@pytest.fixture
def application(encoder: Family, tmp_path: Path) -> Application:
    """Its policy has nothing to say."""
    settings = Settings(checkpoint=CHECKPOINT, images=tmp_path / "images")
    return Application(settings, ScriptedPolicy([], encoder))


@pytest.mark.parametrize("graph", catalogue.graphs())
@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (lambda id_: {"images": [id_, id_]}, "^Got no `question`, expected a text"),
        (lambda id_: {"question": "What is it?"}, "^Got no `images`, expected a list of ids"),
        (lambda id_: {"images": id_, "question": "What is it?"}, "^Got str as `images`, expected a list of ids"),
        (lambda id_: {"images": [id_, id_], "question": 7}, "^Got int as `question`, expected a text"),
        (lambda id_: {"images": [id_, None], "question": "What?"}, "^Got NoneType in `images`, expected a list of ids"),
        (lambda id_: {"images": [id_, "0" * 64], "question": "What is it?"}, "^Got the image id .*does not hold; put"),
    ],
)
async def test_every_graph_says_what_is_wrong(
    application: Application, scan: MedicalImage, graph: str, wrong: Callable[[str], Any], got: str
) -> None:
    image = application.store.put(scan)
    with pytest.raises(ValueError, match=got):
        await application.graph(graph).ainvoke(wrong(image))


@pytest.mark.parametrize("graph", ["reasoning", "no_tools", "verify"])
@pytest.mark.parametrize(
    ("sampling", "got"),
    [
        (0.5, "^Got float as `sampling`, expected the fields of Sampling"),
        ({"temperature": "hot"}, "^Got 'hot' as `sampling.temperature`"),
    ],
)
async def test_a_sampling_of_a_wrong_type(
    application: Application, scan: MedicalImage, graph: str, sampling: Any, got: str
) -> None:
    asked = {"images": [application.store.put(scan)], "question": "What is it?"}
    with pytest.raises(ValueError, match=got):
        await application.graph(graph).ainvoke(asked, {"configurable": {"thread_id": "1", "sampling": sampling}})


def test_a_graph_of_messages_that_ends_without_one_has_no_answer() -> None:
    import types

    from langgraph.graph import END, START, MessagesState, StateGraph

    graph = StateGraph(MessagesState).add_node("rest", lambda state: {}).add_edge(START, "rest").add_edge("rest", END)
    adapter = adapter_of("quiet", types.ModuleType("quiet"), graph.compile())
    assert adapter.to_answer({"messages": []}) == adapter.to_answer({}) == {"answer": None}
    wrong: Any = {"images": []}
    with pytest.raises(ValueError, match=r"^Got no `question`, expected a text"):
        adapter.to_input(wrong)


def test_a_place_for_images_that_is_none_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    picture = str(ROOT / "docs" / "pictures" / "phantom.png")
    assert main(["ask", picture, "--question", "What is it?", "--out", str(tmp_path / "file" / "images")]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: Got Not a directory when writing ") and told.count("\n") == 1
