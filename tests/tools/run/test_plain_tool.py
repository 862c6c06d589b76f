"""A plain LangChain tool answers the same whether its function is called or LangChain's `invoke`."""

import asyncio
from typing import Annotated, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool, ToolException, tool

from tools.images.image import MedicalImage
from tools.run.plain_tool import answer, answer_async

TEXT_BLOCKS = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]


def returning(value: object) -> BaseTool:
    @tool
    def say(x: int = 1) -> Any:
        """Say."""
        return value

    return say


def returning_later(value: object) -> BaseTool:
    @tool
    async def say(x: int = 1) -> Any:
        """Say."""
        return value

    return say


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "",
        "ä \u2003",
        None,
        3,
        2.5,
        True,
        {"a": [1, "ä"]},
        [1, 2],
        TEXT_BLOCKS,
        object,
        ToolMessage("m", tool_call_id="1"),
    ],
    ids=repr,
)
async def test_the_text_is_what_langchain_makes_of_it(value: object) -> None:
    by_langchain = returning(value).invoke({"type": "tool_call", "id": "1", "name": "say", "args": {"x": 1}})
    assert answer(returning(value), {"x": 1}, []).text == by_langchain.text
    assert (await answer_async(returning_later(value), {"x": 1}, [])).text == by_langchain.text


class Listener(BaseCallbackHandler):
    """Notes what LangChain tells of tools."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def on_tool_start(self, serialized: dict[str, Any], input_str: str, **kwargs: Any) -> None:
        self.heard.append(f"{serialized['name']} {kwargs['inputs']}")


async def test_who_listens_hears_of_every_call() -> None:
    around = Listener()
    graph = RunnableLambda(lambda _: answer(returning("seen"), {"x": 2}, []).text)
    assert graph.invoke({}, {"callbacks": [around]}) == "seen"
    assert around.heard == ["say {'x': 2}"]

    async def later(_: object) -> str:
        return (await answer_async(returning_later("seen"), {"x": 3}, [])).text

    assert await RunnableLambda(later).ainvoke({}, {"callbacks": [around]}) == "seen"
    assert around.heard[1:] == ["say {'x': 3}"]
    own = Listener()
    answer(returning("seen").model_copy(update={"callbacks": [own]}), {"x": 4}, [])
    assert own.heard == ["say {'x': 4}"]


def test_a_tool_gets_what_it_wants_beside_its_arguments(noise: MedicalImage) -> None:
    @tool
    def wide(x: int, config: RunnableConfig) -> str:
        """Say how wide image 1 is."""
        return f"{x} {config['configurable']['images'][0].width}"

    @tool
    def hidden(x: int, y: Annotated[int, InjectedToolArg] = 5) -> str:
        """Have an argument that no policy sees."""
        return f"{x} {y}"

    assert answer(wide, {"x": 1}, [noise]).text == "1 512"
    assert answer(hidden, {"x": 1}, []).text == "1 5"


def test_errors_are_handled_as_the_tool_says() -> None:
    def refuse(x: int) -> str:
        """Refuse."""
        raise ToolException("No.")

    with pytest.raises(ToolException, match=r"No\."):
        answer(StructuredTool.from_function(refuse), {"x": 1}, [])
    with pytest.raises(ToolException, match="as handled"):
        answer(StructuredTool.from_function(refuse, handle_tool_error="as handled"), {"x": 1}, [])


def test_a_tool_of_another_class_is_called_as_langchain_does() -> None:
    class Twice(BaseTool):
        name: str = "twice"
        description: str = "Twice."

        def _run(self, x: int) -> str:
            return str(2 * x)

    assert answer(Twice(), {"x": 2}, []).text == "4"
    assert asyncio.run(answer_async(Twice(), {"x": 2}, [])).text == "4"
