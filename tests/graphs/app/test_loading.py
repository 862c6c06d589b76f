"""Graphs by name: from the catalogue, a module or a file; and what is told where there is none."""

from pathlib import Path
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from agent.answer import Answer
from agent.question import Question
from graphs.app import catalogue
from graphs.app.adapters import adapter_of, agree
from graphs.app.loading import GraphError, absolute, find_graph

ROOT = Path(__file__).parents[3]


def compiled(state: Any, taken: Any = None) -> Any:
    """A graph of a schema that does nothing."""
    graph: Any = StateGraph(state, input_schema=taken or state)
    graph.add_node("nothing", lambda state: {})
    graph.add_edge(START, "nothing")
    return graph.compile()


@pytest.mark.parametrize("name", list(catalogue.graphs()))
def test_the_catalogue_by_name(name: str) -> None:
    found = find_graph(name)
    assert (found.name, found.module.__name__, found.make) == (name, f"graphs.{name}", found.module.factory)


@pytest.mark.parametrize(
    "name",
    [f"{ROOT}/examples/debate.py:factory", f"{ROOT}/examples/debate.py", "graphs.verify:factory"],
)
def test_a_module_and_a_file(name: str) -> None:
    found = find_graph(name)
    assert found.make.__name__ == "factory"


def test_what_is_made_must_be_a_graph(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def make(model, tools):\n    return 7\n")
    found = find_graph(f"{tmp_path}/mine.py:make")
    with pytest.raises(GraphError, match=r"Got a int from .*, expected a compiled LangGraph graph"):
        found.compiled(None, ())


def test_only_what_is_taken_is_given() -> None:
    assert find_graph("verify").takes({"turns": 3, "limits": 4}) == {"turns": 3}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", "expected one of compare_prior, .*, module:factory, or path/file.py:factory"),
        ("no/such/file.py:factory", "expected a Python file at .*no/such/file.py, where there is none"),
        (
            "no_such_module:factory",
            "cannot be imported: .*No module named 'no_such_module'. Is its folder on PYTHONPATH",
        ),
        (f"{ROOT}/examples/debate.py:nope", r"expected a function nope\(model, tools\) there; that module defines"),
        (f"{ROOT}/examples/debate.py:last_words2", "defines Debate, factory, last_words"),
        (f"{ROOT}/examples/debate.py:JUDGE", "expected a function JUDGE"),
    ],
)
def test_what_is_not_there_is_told(name: str, said: str) -> None:
    with pytest.raises(GraphError, match=said):
        find_graph(name)


def test_a_file_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import no_such_thing\n")
    with pytest.raises(
        GraphError, match=r"cannot be imported: .*No module named 'no_such_thing' \(line 1 of broken.py"
    ):
        find_graph(f"{tmp_path}/broken.py")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "LESIONS = {}\ndef factory(model, tools):\n    return LESIONS['left']\n",
            "whose factory raises KeyError: 'left'",
        ),
        ("def factory(model, tools):\n    pass\nraise OSError('no disk')\n", "cannot be imported: OSError: no disk"),
        ("def factory(model, tools):\n    pass\n1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_file_or_its_factory_raises_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(GraphError, match=said) as raised:
        find_graph(f"{tmp_path}/mine.py").compiled(None, ())
    assert "(line 3 of mine.py, in " in str(raised.value)


def test_a_misspelt_name_is_told_what_it_may_mean() -> None:
    with pytest.raises(GraphError, match="Did you mean second_opinion"):
        find_graph("second_opinon")


def test_a_path_is_found_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("a/b.py:factory") == f"{tmp_path}/a/b.py:factory"
    assert absolute("b.py") == f"{tmp_path}/b.py"
    assert (absolute("verify"), absolute("my.graphs:factory")) == ("verify", "my.graphs:factory")


def test_our_schema_needs_no_adapter() -> None:
    module = find_graph("no_tools").module
    adapter = adapter_of("t", module, compiled(Answer, Question))
    question = Question(images=["a"], question="What?")
    assert adapter.to_input(question) == question
    assert adapter.to_answer({"answer": "x"}) == {"answer": "x"}
    assert adapter.to_answer({}) == {"answer": None}


def test_messages_are_asked_and_answer() -> None:
    adapter = adapter_of("t", find_graph("no_tools").module, compiled(MessagesState))
    asked = adapter.to_input(Question(images=["a"], question="What?"))["messages"][0]
    assert asked.content == [{"type": "image", "file_id": "a"}, {"type": "text", "text": "What?"}]
    said = [
        AIMessage(" cystic "),
        AIMessage("", tool_calls=[{"name": "zoom_in", "args": {}, "id": "1"}]),
        AIMessage("<tool_call>{", response_metadata={"fault": "unreadable"}),
        HumanMessage("cystic"),
    ]
    answers = [adapter.to_answer({"messages": [each]})["answer"] for each in said]
    assert answers == ["cystic", None, None, None]


def test_another_schema_needs_one() -> None:
    module = find_graph("no_tools").module

    class Wish(TypedDict):
        wish: str

    class Granted(Answer):
        wish: str

    class Half(Question):
        verdict: str

    with pytest.raises(
        GraphError, match=r"whose output is .*'verdict'.*, expected `answer`, or `messages`; define output"
    ):
        adapter_of("t", module, compiled(Half))

    with pytest.raises(
        GraphError, match=r"whose input is \['wish'\], expected `images` and `question`.*question_to_input"
    ):
        adapter_of("t", module, compiled(Granted, Wish))


def test_a_person_agrees_by_default() -> None:
    assert agree("Go on?") == "yes"
    assert agree({"ask": "Go on?"}) == "yes"
    asked = {"action_requests": [{"name": "zoom_in"}, {"name": "zoom_in"}], "review_configs": []}
    assert agree(asked) == {"decisions": [{"type": "approve"}, {"type": "approve"}]}
