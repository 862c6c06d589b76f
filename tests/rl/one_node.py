"""Graphs of one node, as somebody would write them into a file."""

from pathlib import Path

ASK = "said = await model.ainvoke([question_message(state['images'], state['question'])])"


def one_node(folder: Path, *lines: str) -> str:
    """The name of a graph whose node `read(state)` is of these lines, the first of which is line 5 of own.py."""
    body = "".join(f"        {line}\n" for line in lines)
    (folder / "own.py").write_text(
        "from langgraph.graph import START, StateGraph\nfrom graphs.parts.state import Answer, question_message\n"
        f"def factory(model, tools):\n    {'' if 'model.invoke' in body else 'async '}def read(state):\n{body}"
        "    graph = StateGraph(Answer)\n    graph.add_node(read)\n    graph.add_edge(START, 'read')\n"
        "    return graph.compile()\n"
    )
    return f"{folder}/own.py"
