"""A map and a reduction over image tiles: the four quarters are read side by side, then one call sees all readings.

Nothing here is about training: see examples/debate.py. Research use only, not a medical device.
"""

from collections.abc import Sequence
from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from agent.chat.base import ImageChatModel
from agent.question import Question
from graphs.parts.state import Graph, question_message

QUARTERS = ("upper left", "upper right", "lower left", "lower right")
REDUCE = "Readers have each seen one quarter of the image. Put their readings together."


class Tile(TypedDict):
    """One quarter to read."""

    place: str
    image: str
    question: str


class Tiles(Question):
    """The readings, and the answer."""

    readings: Annotated[list[tuple[str, str]], add]
    answer: str


def factory(model: ImageChatModel, tools: Sequence[BaseTool]) -> Graph:
    """The graph on a chat model; the tiles are its tools."""
    del tools

    def each_tile(state: Question) -> list[Send]:
        scan = model.image_store.get(state["images"][0])
        across, down = scan.width // 2, scan.height // 2
        corners = [(x, y) for y in (0, down) for x in (0, across)]
        tiles = [model.image_store.put(scan.crop((x, y, x + across, y + down))) for x, y in corners]
        return [
            Send("read", Tile(place=place, image=tile, question=state["question"]))
            for place, tile in zip(QUARTERS, tiles, strict=True)
        ]

    async def read(tile: Tile) -> dict[str, Any]:
        said = await model.ainvoke(
            [
                SystemMessage(f"You see the {tile['place']} quarter."),
                question_message([tile["image"]], tile["question"]),
            ]
        )
        return {"readings": [(tile["place"], said.text.strip())]}

    async def put_together(state: Tiles) -> dict[str, Any]:
        readings = sorted(state["readings"], key=lambda each: QUARTERS.index(each[0]))
        told = "\n".join(f"{place}: {text}" for place, text in readings)
        said = await model.ainvoke(
            [SystemMessage(REDUCE), question_message(state["images"], f"{told}\n{state['question']}")]
        )
        return {"answer": said.text.strip()}

    graph: Any = StateGraph(Tiles, input_schema=Question)
    graph.add_node(read)
    graph.add_node(put_together)
    graph.add_conditional_edges(START, each_tile, ["read"])
    graph.add_edge("read", "put_together")
    graph.add_edge("put_together", END)
    return graph.compile()
