"""Graphs on a chat model that is none of ours: every shipped graph, the command line, an application, the factories."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from PIL import Image

from agent.chat.guided_decoding import described
from agent.chat.images import image_block
from agent.chat.loading import family_in
from agent.chat.provider.model import ProviderChatModel, with_images
from agent.chat.provider.names import chat_model_named
from agent.question import ContextTooSmall
from agent.serving.server import VLLMServer
from agent.serving.server_command import ServerOptions
from graphs.__main__ import main
from graphs.app import catalogue
from graphs.app.application import Settings, open_application
from graphs.app.default_checkpoint import embedded, open_checkpoint
from graphs.parts.state import correction_message
from tests.agent.chat.openai_server import KEY, OpenAIServer, Refused, says, serving
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools

pytest.importorskip("langchain_openai", reason="pip install 'medvista[chat]'")
ROOT = Path(__file__).parents[3]
ZOOM = ("zoom_in", '{"image": 1, "box": [0, 0, 499, 499]}')


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def picture(tmp_path: Path, scan: MedicalImage) -> str:
    path = tmp_path / "chest.png"
    Image.fromarray(scan.pixels).save(path)
    return str(path)


def graph_of(name: str, server: OpenAIServer, store: ImageStore) -> Any:
    model = with_images(chat_model_named(server.url), store)
    return catalogue.graphs()[name].compiled(model, load_tools(["zoom_in"]))


async def test_the_reasoning_graph_looks_is_corrected_and_answers(store: ImageStore, scan: MedicalImage) -> None:
    bad = says("I look.", ("zoom_in", '{"image": 1'))
    with serving(bad, says(None, ZOOM, ZOOM), says("<think>I see.</think>A cyst.")) as server:
        graph = graph_of("reasoning", server, store)
        done = await graph.ainvoke({"images": [store.put(scan)], "question": "What is it?"})
    assert (done["answer"], done["outcome"], done["turns"], done["faults"]) == ("A cyst.", "answered", 3, 1)
    assert done["versions"] == ["small-vision"]
    assert [(each["number"], each["tool"]) for each in done["evidence"]] == [(2, "zoom_in"), (3, "zoom_in")]
    assert done["evidence"][0]["box"] == [0, 0, 256, 256]
    _, _, turn, correction = server.asked[1]["messages"]
    assert turn["content"].startswith("I look.\n[called zoom_in with")
    assert "could not be read" in correction["content"]


async def test_it_abstains_and_ends_where_the_context_is_full(store: ImageStore, scan: MedicalImage) -> None:
    full = Refused(400, "This model's maximum context length is exceeded.", "context_length_exceeded")
    question = {"images": [store.put(scan)], "question": "What is it?"}
    with serving(says("Cannot tell."), says(None, ZOOM), full) as server:
        graph = graph_of("reasoning", server, store)
        assert (await graph.ainvoke(question))["outcome"] == "abstained"
        assert (await graph.ainvoke(question))["outcome"] == "context_full"


async def test_tokens_of_a_graph_are_streamed_once(store: ImageStore, scan: MedicalImage) -> None:
    with serving(says(None, ZOOM), says("It is a cyst.")) as server:
        graph = graph_of("reasoning", server, store)
        question = {"images": [store.put(scan)], "question": "What is it?"}
        pieces = [message async for message, _ in graph.astream(question, stream_mode="messages")]
    assert "".join(piece.text for piece in pieces if piece.type == "AIMessageChunk") == "It is a cyst."
    assert sum(len(piece.tool_call_chunks) for piece in pieces if piece.type == "AIMessageChunk") == 1


def test_ask_with_a_model(picture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(says(None, ZOOM), says("A cyst.")) as server:
        options = ["--question", "What?", "--model", server.url, "--out", str(tmp_path / "out"), "--json"]
        assert main(["ask", picture, *options]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answer"], told["versions"], len(told["evidence"])) == ("A cyst.", ["small-vision"], 1)
    offered = {tool["function"]["name"] for tool in server.asked[0]["tools"]}
    assert {"zoom_in", "window_level", "measure_distance", "show_slice", "read_text"} <= offered


def test_ask_refuses_what_cannot_be(picture: str, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["ask", picture, "--question", "What?", "--model"]
    with pytest.raises(SystemExit):
        main([*asked, "openai:x", "--server", "http://127.0.0.1:1"])
    assert "leave out --checkpoint, --server and --stop-server" in capsys.readouterr().err
    assert main([*asked, "gpt-5"]) == 2
    assert "expected PROVIDER:MODEL" in capsys.readouterr().err


def test_no_torch_is_loaded_for_another_model(picture: str, tmp_path: Path) -> None:
    program = (
        "import sys; from graphs.__main__ import main; status = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'transformers', 'vllm') if name in sys.modules]); sys.exit(status)"
    )
    with serving(says("A cyst.")) as server:
        command = [sys.executable, "-c", program, "ask", picture, "--question", "What?", "--model", server.url]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=200,
        )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stderr
    assert "Answer: A cyst." in done.stdout and "Research use only" in done.stdout


async def test_an_application_on_a_model_or_its_name(tmp_path: Path, scan: MedicalImage) -> None:
    settings = Settings(images=tmp_path / "images", threads=str(tmp_path / "threads.sqlite"))
    with serving(says("A cyst.")) as server:
        async with open_application(settings, model=server.url) as application:
            question = {"images": [application.store.put(scan)], "question": "What?"}
            thread: Any = {"configurable": {"thread_id": "1"}}
            done = await application.graph("reasoning").ainvoke(question, thread)
            assert (done["answer"], done["versions"]) == ("A cyst.", ["small-vision"])
            assert "show_slice" in {tool.name for tool in application.tools}
    ours = with_images(GenericFakeChatModel(messages=iter([AIMessage("A cyst.")])))
    async with open_application(settings, model=ours) as application:
        assert application.model is ours and application.store is ours.image_store


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_our_own_vllm_as_any_server(store: ImageStore, scan: MedicalImage, tmp_path: Path) -> None:
    """The embedded policy behind vLLM's own /v1, which knows nothing of our record: a real server takes all we send."""
    parsers = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    options = ServerOptions(max_model_len=2048, extra_arguments=parsers, environment={"OMP_NUM_THREADS": "1"})
    question = {"images": [store.put(scan)], "question": "How many calcifications does the lesion hold?"}
    with VLLMServer(open_checkpoint(embedded()), options, log=tmp_path / "server.log") as server:
        model = with_images(chat_model_named(f"{server.base_url}/v1"), store)
        for name in ("reasoning", "no_tools"):
            done = await catalogue.graphs()[name].compiled(model, load_tools(["zoom_in"])).ainvoke(question)
            assert (done["versions"], done["turns"] > 0) == (["policy"], True)
            assert done["outcome"] in ("answered", "abstained", "too_many_turns", "context_full")
        looked: Any = AIMessage("", tool_calls=[{"name": "zoom_in", "args": {"image": 1}, "id": "call-1"}])
        shown: Any = [image_block(question["images"][0])]
        told = [HumanMessage("Look."), looked, ToolMessage(shown, tool_call_id="call-1"), correction_message("Go on.")]
        tools = [described(tool) for tool in load_tools(["zoom_in"])]
        once, twice = [await model.ainvoke(shows, tools=tools) for shows in (told, [*told[:3], *told[1:]])]
        assert once.usage_metadata and twice.usage_metadata
        family = family_in(embedded())
        a_picture = family.placeholders(family.grid(store.get(question["images"][0])))
        assert twice.usage_metadata["input_tokens"] > once.usage_metadata["input_tokens"] + a_picture
        assert [chunk async for chunk in model.astream("Look.")][-1].response_metadata["versions"] == ["policy"]
        with pytest.raises(ContextTooSmall, match="maximum context length"):
            graph = catalogue.graphs()["reasoning"].compiled(model, [])
            await graph.ainvoke({**question, "question": "calcification " * 3000})


def test_the_environment_names_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from graphs.app.server import factories

    monkeypatch.setenv("MEDVISTA_MODEL", "openai:small-vision")
    monkeypatch.setenv("MEDVISTA_IMAGES", str(tmp_path / "images"))
    factories.application.cache_clear()
    try:
        model = factories.application().model
    finally:
        factories.application.cache_clear()
    assert isinstance(model, ProviderChatModel) and model.version == "small-vision"


def test_the_code_of_the_guide_makes_a_graph() -> None:
    """The Python of docs/applications.md about any chat model."""
    guide = (ROOT / "docs" / "applications.md").read_text(encoding="utf-8")
    about = guide.partition("## Any chat model")[2].partition("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", about, re.DOTALL | re.MULTILINE)
    made: dict[str, Any] = {}
    exec(code, made)
    assert isinstance(made["model"], ProviderChatModel) and "verify" in made["graph"].get_graph().nodes
