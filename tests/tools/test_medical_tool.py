"""@medical_tool: what LangChain sees of a plain function, and what the function sees of a call."""

import numpy as np
import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import ValidationError

from tools.errors import ToolFailed, ToolRetry
from tools.evidence import Evidence
from tools.geometry import Box
from tools.images.image import MedicalImage
from tools.images.provenance import Operation
from tools.look.zoom_in import zoom_in
from tools.medical_tool import MedicalTool, medical_tool


def config(*images: MedicalImage) -> dict:
    return {"configurable": {"images": list(images)}}


def test_it_is_a_langchain_tool_with_numbers_for_images() -> None:
    assert isinstance(zoom_in, BaseTool)
    assert (zoom_in.name, zoom_in.family) == ("zoom_in", "look")
    assert zoom_in.description.startswith("Look closer at a box of an image.\n\n")
    schema = zoom_in.args_schema.model_json_schema()
    assert schema["properties"]["image"]["type"] == "integer"
    assert schema["properties"]["box"]["items"] == {"maximum": 999, "minimum": 0, "type": "integer"}
    assert schema["required"] == ["image", "box"]


def test_invoked_by_langchain_it_gives_text_and_as_a_call_the_evidence_too(
    noise: MedicalImage, ct: MedicalImage
) -> None:
    arguments = {"image": 2, "box": [0, 0, 999, 999]}
    assert zoom_in.invoke(arguments, config=config(noise, ct)) == "Closer view of image 2."
    message = zoom_in.invoke({"type": "tool_call", "id": "c1", "name": "zoom_in", "args": arguments}, config(noise, ct))
    assert isinstance(message, ToolMessage)
    assert isinstance(message.artifact, Evidence)
    assert (message.artifact.images[0].pixels == ct.pixels).all()


async def test_it_runs_in_langgraphs_own_tool_node(noise: MedicalImage) -> None:
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([zoom_in]))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    call = {"type": "tool_call", "id": "c1", "name": "zoom_in", "args": {"image": 1, "box": [0, 0, 100, 100]}}
    state = await graph.compile().ainvoke({"messages": [AIMessage("", tool_calls=[call])]}, config(noise))
    answer = state["messages"][-1]
    assert answer.content == "Closer view of image 1."
    assert answer.artifact.images[0].size == (51, 51)


def test_the_arguments_are_typed() -> None:
    for wrong in ({"image": 0, "box": [0, 0, 9, 9]}, {"image": 1, "box": [0, 0, 1001, 9]}, {"image": 1}, {"a": 1}):
        with pytest.raises(ValidationError):
            zoom_in.invoke(wrong, config())


def test_an_image_that_there_is_not(noise: MedicalImage) -> None:
    with pytest.raises(ToolRetry, match="got image 2, but the images are 1 to 1"):
        zoom_in.invoke({"image": 2, "box": [0, 0, 9, 9]}, config(noise))
    with pytest.raises(ToolRetry, match="there is no image yet"):
        zoom_in.invoke({"image": 1, "box": [0, 0, 9, 9]})


def test_langchain_agents_can_handle_our_errors(noise: MedicalImage) -> None:
    assert issubclass(ToolRetry, ToolException)
    handled = zoom_in.model_copy(update={"handle_tool_error": True})
    call = {"type": "tool_call", "id": "c1", "name": "zoom_in", "args": {"image": 9, "box": [0, 0, 9, 9]}}
    message = handled.invoke(call, config(noise))
    assert message.status == "error"
    assert "got image 9" in message.content


def test_every_new_image_is_stamped_with_what_made_it(noise: MedicalImage) -> None:
    @medical_tool(family="test", version="7")
    def invert(image: MedicalImage, strength: float = 1.0) -> Evidence:
        """Invert an image."""
        return Evidence("Done.", images=(MedicalImage(255 - image.pixels), image))

    first = noise.crop((100, 50, 300, 250))
    inverted, same = invert.apply({"image": 1, "strength": 0.5}, [first]).images
    # the author said nothing about provenance: the call's image is the parent, and all of it is seen
    assert inverted.provenance is not None
    assert inverted.provenance.source == noise.id
    assert inverted.provenance.box == (100.0, 50.0, 300.0, 250.0)
    assert inverted.provenance.operations == (Operation("invert", "7", {"image": first.id, "strength": 0.5}),)
    # an image that is handed through is not new
    assert same.provenance == first.provenance


def test_several_images_in_one_call(noise: MedicalImage, ct: MedicalImage) -> None:
    @medical_tool
    def compare(first: MedicalImage, second: MedicalImage, box: Box) -> Evidence:
        """Compare."""
        return Evidence(f"{first.number} {first.size} against {second.number} {second.size}")

    assert compare.image_parameters == ("first", "second")
    arguments = {"first": 2, "second": 1, "box": [0, 0, 1, 1]}
    assert compare.apply(arguments, [noise, ct]).text == "2 (64, 48) against 1 (512, 512)"
    assert (compare.family, compare.version) == ("other", "1")


async def test_an_async_function_becomes_an_async_tool(noise: MedicalImage) -> None:
    @medical_tool
    async def ask(image: MedicalImage) -> Evidence:
        """Ask."""
        return Evidence(f"It is {image.width} wide.")

    assert await ask.ainvoke({"image": 1}, config(noise)) == "It is 512 wide."
    with pytest.raises(TypeError, match="await aapply"):
        ask.apply({"image": 1}, [noise])


@pytest.mark.parametrize("returned", [None, "text", 3, Evidence("x", images=("no image",)), ("a", "b")])  # type: ignore[arg-type]
def test_anything_but_evidence_is_a_failure(noise: MedicalImage, returned) -> None:
    @medical_tool
    def lie(image: MedicalImage) -> Evidence:
        """Lie."""
        return returned

    with pytest.raises(ToolFailed, match="expected Evidence"):
        lie.apply({"image": 1}, [noise])


def test_a_tool_must_be_documented_and_typed() -> None:
    def silent(image: MedicalImage) -> Evidence:
        return Evidence("")

    def untyped(image: MedicalImage, box) -> Evidence:
        """Look."""
        return Evidence("")

    with pytest.raises(TypeError, match="without a docstring"):
        medical_tool(silent)
    with pytest.raises(TypeError, match=r"no type: \['box'\]"):
        medical_tool(untyped)


def test_a_tool_is_used_without_langchain_in_one_line() -> None:
    image = MedicalImage(np.zeros((100, 100), np.uint8))
    assert isinstance(zoom_in, MedicalTool)
    assert zoom_in.apply({"image": 1, "box": [0, 0, 500, 500]}, [image]).images[0].size == (50, 50)
