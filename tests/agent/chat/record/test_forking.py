"""Forks of any graph's episode: what they share with their parent id by id, what is sampled anew, and what trains."""

import asyncio
from collections.abc import Callable, Sequence
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Send

from agent.chat import Episode, PolicyChatModel
from agent.chat.families.family import Family
from agent.encoder import Encoder
from agent.policies.policy import Completion, Sampling
from tests.agent.chat.conftest import Heard
from tools.calls import ToolCall, ToolResult
from tools.images.store import ImageStore

Speaking = Callable[..., tuple[PolicyChatModel, Heard]]
CALL = '<think>Where?</think><tool_call>{{"name": "zoom_in", "arguments": {{"box": [{}, 2, 3, 4]}}}}</tool_call>'.format


def answer(text: str) -> str:
    return f"<think>I see.</think><answer>{text}</answer>"


class Pieces:
    """A policy that samples given texts, one a call, and counts prompts as a server does where no image is."""

    def __init__(self, encoder: Encoder, *texts: str) -> None:
        self.turns = [tuple(encoder.encode(text + "<|im_end|>")[0]) for text in texts]
        self.prompts: list[list[int]] = []
        self.samplings: list[Sampling] = []

    async def generate(self, token_ids: Sequence[int], _: object, sampling: Sampling) -> Completion:
        self.prompts.append(list(token_ids))
        self.samplings.append(sampling)
        ids = self.turns[len(self.prompts) - 1]
        some = (-0.5,) * len(ids)
        return Completion(ids, some, "stop", ("new",), len(token_ids), (0.25,) * len(ids))


def looking(model: PolicyChatModel, sees: Callable[[int], str] = lambda _: "A closer view.") -> Any:
    """A graph that asks and looks until there is an answer; `sees` says what its nth look gives."""
    looks: list[int] = []

    async def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def look(state: MessagesState) -> dict[str, Any]:
        looks.append(len(looks))
        last = state["messages"][-1]
        assert isinstance(last, AIMessage)
        return {"messages": [ToolMessage(sees(looks[-1]), tool_call_id=str(call["id"])) for call in last.tool_calls]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node(read)
    graph.add_node(look)
    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", lambda state: "look" if state["messages"][-1].tool_calls else END)
    graph.add_edge("look", "read")
    return graph.compile()


def run(graph: Any, episode: Episode) -> str:
    with episode.recording():
        return asyncio.run(graph.ainvoke({"messages": [HumanMessage("What is it?")]}))["messages"][-1].text


def argument(turn: Any, encoder: Encoder) -> int:
    """How many ids of a call stand before the first number of its box."""
    ids = turn.completion.token_ids
    return next(n for n in range(len(ids)) if encoder.decode(ids[: n + 1]).endswith("[")) + 1


def test_a_fork_shares_what_was_sampled_and_trains_only_its_own(family: Family, store: ImageStore) -> None:
    encoder = family
    old = Pieces(encoder, CALL(1), CALL(5), answer("cystic"))
    model = PolicyChatModel(policy=old, family=family, store=store)
    graph = looking(model)
    parent = Episode(policy=old, sampling=Sampling(max_tokens=99))
    assert run(graph, parent) == "cystic"
    before = parent.rows()
    _, second, third = parent.turns
    kept = argument(second, encoder)

    fork = parent.fork(second, kept)
    new = Pieces(encoder, "7, 2, 3, 4]}}</tool_call>", answer("solid"))
    fork.policy = new
    assert run(graph, fork) == "solid"

    # it is asked once behind the parent's ids, then for what is new
    assert [len(old.prompts), len(new.prompts)] == [3, 2]
    assert new.prompts[0] == [*old.prompts[1], *second.completion.token_ids[:kept]]
    assert [each.max_tokens for each in new.samplings] == [99 - kept, 99]
    (row,) = fork.rows()
    text = encoder.decode(row.ledger.ids)
    assert [part in text for part in (CALL(1), CALL(7), CALL(5), answer("solid"))] == [True, True, False, True]
    one, two = row.ledger.sampled
    start = len(old.prompts[1])
    assert (one.start, row.ledger.ids[: one.start]) == (start + kept, before[0].ledger.ids[: start + kept])
    assert encoder.decode(row.ledger.ids[one.start : one.end]) == "7, 2, 3, 4]}}</tool_call><|im_end|>"
    assert encoder.decode_turn(row.ledger.ids[two.start : two.end]) == answer("solid")
    assert len(one.logprobs) == one.end - one.start
    assert one.versions == ("new",)  # both policies say so

    # the course is whole, its own part is told apart, the parent is as it was
    assert [len(fork.turns), len(fork.own)] == [3, 2]
    assert fork.turns[0] is parent.turns[0]
    joined = fork.turns[1].completion
    assert joined.token_ids[:kept] == second.completion.token_ids[:kept]
    assert len(joined.logprobs) == len(joined.entropies) == len(joined.token_ids)
    assert joined.prompt_tokens == start
    assert {each.call.sample for each in fork.own}.isdisjoint(each.call.sample for each in parent.turns)
    assert parent.rows() == before and len(parent.turns) == 3
    with pytest.raises(ValueError, match="expected one of this episode's `turns`"):
        fork.fork(third, 0)


def test_a_fork_that_keeps_nothing_of_a_turn_samples_it_whole(family: Family, store: ImageStore) -> None:
    encoder = family
    old = Pieces(encoder, CALL(1), answer("cystic"))
    graph = looking(PolicyChatModel(policy=old, family=family, store=store))
    parent = Episode()
    run(graph, parent)
    fork = parent.fork(parent.turns[1], 0)
    fork.policy = Pieces(encoder, answer("solid"))
    assert run(graph, fork) == "solid"
    (sampled,) = fork.rows()[0].ledger.sampled
    assert (sampled.start, sampled.versions) == (len(old.prompts[1]), ("new",))
    length = len(parent.turns[1].completion.token_ids)
    for kept in (-1, length):
        with pytest.raises(ValueError, match=f"Got {kept} ids to keep, expected 0 to {length - 1}"):
            parent.fork(parent.turns[1], kept)


def test_versions_of_both_policies_are_told_where_ids_of_both_stand(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking([CALL(1), answer("cystic")])
    graph, parent = looking(model), Episode()
    run(graph, parent)
    first = parent.turns[0]
    fork = parent.fork(first, kept := argument(first, encoder))
    fork.policy = Pieces(encoder, "7, 2, 3, 4]}}</tool_call>", answer("solid"))
    run(graph, fork)
    assert fork.turns[0].completion.versions == ("v1", "new")
    assert fork.turns[0].completion.logprobs[:kept] == first.completion.logprobs[:kept]
    assert set(fork.turns[0].completion.logprobs[kept:]) == {-0.5}


def test_a_fork_of_a_fork(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking([CALL(1), CALL(2), answer("cystic")])
    graph, parent = looking(model), Episode()
    run(graph, parent)
    child = parent.fork(parent.turns[1], kept := argument(parent.turns[1], encoder))
    child.policy = Pieces(encoder, "7, 2, 3, 4]}}</tool_call>", answer("solid"))
    run(graph, child)
    later = child.fork(child.turns[2], 3)
    later.policy = Pieces(encoder, "!</answer>")
    run(graph, later)
    sooner = child.fork(child.turns[1], kept - 1)  # before the place that the child was forked at
    sooner.policy = Pieces(encoder, "[9, 2, 3, 4]}}</tool_call>", answer("none"))
    assert run(graph, sooner) == "none"
    assert len(heard.prompts) == 3
    rows = [each.rows()[0].ledger for each in (parent, child, later, sooner)]
    length = len(rows[1].ids) - len(child.turns[2].completion.token_ids)
    assert rows[2].ids[: length + 3] == rows[1].ids[: length + 3]
    assert [(each.start, each.end) for each in rows[2].sampled] == [(length + 3, len(rows[2].ids))]
    assert CALL(9) in encoder.decode(rows[3].ids)
    assert rows[3].sampled[0].start == rows[1].sampled[0].start - 1
    assert [len(each) for each in (child.own, later.own, sooner.own)] == [2, 1, 2]


def test_a_graph_that_takes_another_course_is_sampled_from_there(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking([CALL(1), CALL(2), answer("cystic"), CALL(3), answer("solid")])
    graph = looking(model, lambda look: "A closer view." if look < 2 else f"Noise {look}.")
    parent = Episode()
    run(graph, parent)
    fork = parent.fork(parent.turns[2], 4)  # it never comes there: the first look shows something else
    assert run(graph, fork) == "solid"
    (row,) = fork.rows()
    assert row.ledger.ids[: len(heard.prompts[4])] == tuple(heard.prompts[4])
    assert [each.node for each in row.ledger.sampled] == ["read", "read"]
    assert [each.sample for each in row.ledger.sampled] == [each.call.sample for each in fork.own]
    assert [len(fork.turns), len(fork.own)] == [3, 2]


class Readings(TypedDict):
    sides: list[str]
    found: Annotated[list[str], add]
    answer: str


def readers(model: PolicyChatModel) -> Any:
    """Two readers side by side, each of two turns, and one who judges."""

    async def read(state: dict[str, str]) -> dict[str, Any]:
        asked = HumanMessage(state["side"])
        first = await model.ainvoke([asked])
        await asyncio.sleep(0.01 if state["side"] == "left" else 0)  # the second one ends first
        return {"found": [(await model.ainvoke([asked, first, HumanMessage("Sure?")])).text]}

    async def judge(state: Readings) -> dict[str, Any]:
        return {"answer": (await model.ainvoke(" and ".join(state["found"]))).text}

    graph: Any = StateGraph(Readings)
    graph.add_node(read)
    graph.add_node(judge)
    graph.add_conditional_edges(START, lambda s: [Send("read", {"side": side}) for side in s["sides"]], ["read"])
    graph.add_edge("read", "judge")
    graph.add_edge("judge", END)
    return graph.compile()


@pytest.mark.parametrize("sides", [["left", "right"], ["left", "left"]])
def test_parallel_readers_are_replayed_and_one_is_forked(
    speaking: Speaking, encoder: Encoder, sides: list[str]
) -> None:
    """Where both are asked the same, they are told apart by their order."""
    model, heard = speaking([answer(word) for word in "abcde"])
    graph = readers(model)

    def ask(episode: Episode) -> Any:
        with episode.recording():
            return asyncio.run(graph.ainvoke({"sides": sides}))

    parent = Episode()
    found = ask(parent)["found"]
    turn = next(each for each in parent.turns if f"<answer>{found[1]}<" in encoder.decode(each.completion.token_ids))
    fork = parent.fork(turn, 2)
    new = Pieces(encoder, "</think><answer>new</answer>", answer("both"))
    fork.policy = new
    done = ask(fork)
    assert (done["found"], done["answer"]) == ([found[0], "new"], "both")
    assert [len(heard.prompts), len(new.prompts)] == [5, 2]
    forked, judged = sorted((row.ledger for row in fork.rows()), key=lambda each: -len(each.ids))
    (one,), (two,) = forked.sampled, judged.sampled
    assert (one.node, two.node) == ("read", "judge")
    assert one.start == turn.context.length + 2


def test_several_samples_of_one_prompt_come_again_in_their_order(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking([answer(word) for word in "abc"])

    def ask(episode: Episode) -> list[str]:
        with episode.recording():
            return [model.invoke("What?").text for _ in range(3)]

    parent = Episode()
    assert ask(parent) == ["a", "b", "c"]
    fork = parent.fork(parent.turns[1], 2)
    fork.policy = Pieces(encoder, "</think><answer>new</answer>")
    assert ask(fork) == ["a", "new", "c"]
    assert [len(row.ledger.sampled) for row in fork.rows()] == [1]


def test_a_fork_streams(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking([CALL(1), answer("cystic")])

    def ask(episode: Episode) -> list[str]:
        history: list[Any] = [HumanMessage("What is it?")]
        texts: list[str] = []
        with episode.recording():
            for _ in range(2):
                chunks = list(model.stream(history))
                texts.append("".join(chunk.text for chunk in chunks))
                whole: Any = chunks[0]
                for chunk in chunks[1:]:
                    whole += chunk
                history += [whole, *(ToolMessage("A view.", tool_call_id=call["id"]) for call in whole.tool_calls)]
        return texts

    parent = Episode()
    assert ask(parent) == ["", "cystic"]
    kept = len(encoder.encode("<think>I see.</think><answer>")[0])
    fork = parent.fork(parent.turns[1], kept)
    fork.policy = Pieces(encoder, "solid</answer>")
    assert ask(fork) == ["", "solid"]
    (row,) = fork.rows()
    (sampled,) = row.ledger.sampled
    assert encoder.decode_turn(row.ledger.ids[sampled.start : sampled.end]) == "solid</answer>"
    assert sampled.start == parent.rows()[0].ledger.sampled[1].start + kept


def test_a_fork_is_given_what_the_same_call_over_the_same_images_gave_its_parent(speaking: Speaking) -> None:
    model, _ = speaking([answer("a")])
    call = ToolCall(name="zoom_in", arguments={"image": 1, "box": [1, 2, 3, 4]})
    same = ToolCall(name="zoom_in", arguments={"box": [1, 2, 3, 4], "image": 1})
    other = ToolCall(name="zoom_in", arguments={"image": 1, "box": [1, 2, 3, 5]})
    bad = ToolCall(name="rotate", arguments={"image": 1})
    result = ToolResult(call=call, status="ok", text="A view.", images=("view",))
    with (parent := Episode()).recording():
        model.invoke("What?")
        parent.note_result(result, ["scan"])
        parent.note_result(ToolResult(call=bad, status="failed", text="No."), ["scan"])
    assert parent.known_result(call, ["scan"]) is None  # only a fork repeats nothing
    fork = parent.fork(parent.turns[0], 1)
    assert fork.results == []
    assert fork.known_result(same, ["scan"]) == result
    unknown = [(other, ["scan"]), (same, ["scan", "view"]), (bad, ["scan"])]
    assert [fork.known_result(*each) for each in unknown] == [None, None, None]
    fork.note_result(result, ["scan"])
    assert fork.results == parent.results[:1]
