"""Who decides how a turn is sampled: the call, then the run's config, then the episode, then the model."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.graph import END, START, MessagesState, StateGraph

from agent.chat import Episode, PolicyChatModel
from agent.policies.policy import Sampling
from agent.question import QuestionError
from tests.agent.chat.conftest import Heard

Speaking = Callable[..., tuple[PolicyChatModel, Heard]]
ANSWER = "<think>I see.</think><answer>cystic</answer>"


def run(model: Any, sampling: object) -> None:
    """A graph in a graph, run with a config."""

    async def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    inner: Any = StateGraph(MessagesState)
    inner.add_node(read)
    inner.add_edge(START, "read")
    inner.add_edge("read", END)
    outer: Any = StateGraph(MessagesState)
    outer.add_node("reader", inner.compile())
    outer.add_edge(START, "reader")
    outer.add_edge("reader", END)
    config = {"configurable": {"sampling": sampling}}
    asyncio.run(outer.compile().ainvoke({"messages": ["What is it?"]}, config))


def test_the_config_goes_before_the_episode_and_the_call_before_both(speaking: Speaking) -> None:
    model, heard = speaking(lambda *_: ANSWER, temperature=0.1, max_tokens=77)
    episode = Episode(sampling=Sampling(temperature=0.5, max_tokens=88, alternatives=3))
    run(model, {"temperature": 0.9})
    with episode.recording():
        run(model, None)
        run(model, {"temperature": 0.9, "alternatives": 5})
        run(model.bind(temperature=0.7), {"temperature": 0.9, "max_tokens": 66})
        run(model, Sampling(0.5, top_p=0.8, max_tokens=55, banned=(1,)))
    found = [(each.temperature, each.max_tokens, each.alternatives) for each in heard.samplings]
    assert found == [(0.9, 77, 0), (0.5, 88, 3), (0.9, 88, 5), (0.7, 66, 3), (0.5, 55, 0)]
    assert heard.samplings[4].banned == heard.encoder.banned
    # what is sampled from another distribution than the episode's does not train
    assert [len(row.calls) for row in episode.rows()] == [1]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (0.5, "Got float as `sampling`"),
        ({"temprature": 1}, "Got `sampling.temprature`, expected some of temperature, top_p"),
        ({"stop": ["x"]}, "Got `sampling.stop`, expected some of temperature, top_p"),
        ({"temperature": "hot"}, "Got 'hot' as `sampling.temperature`"),
    ],
)
def test_what_cannot_be_sampled_so_is_refused(speaking: Speaking, wrong: object, told: str) -> None:
    model, heard = speaking([ANSWER])
    with pytest.raises(QuestionError, match=told):
        run(model, wrong)
    assert heard.prompts == []
