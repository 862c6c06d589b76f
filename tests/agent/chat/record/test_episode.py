"""The record of an episode: whatever is done to messages, tokens are what was sampled, or they are not trained."""

import asyncio
import copy
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.load import dumps, loads
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from agent.chat import Episode, PolicyCall, PolicyChatModel, Row
from agent.chat.families.family import Family
from agent.chat.record.ledger import LedgerError
from agent.encoder import Encoder
from agent.policies.policy import Completion
from tests.agent.chat.conftest import Heard
from tests.ledgers import prompt_of
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

Speaking = Callable[..., tuple[PolicyChatModel, Heard]]
CALL = '<think>I must look.</think><tool_call>{"name": "zoom_in", "arguments": {"box": [1, 2, 3, 4]}}</tool_call>'
ANSWER = "<think>I see it.</think><answer>cystic</answer>"
OTHER = "<think>Hm.</think><answer>solid</answer>"
QUESTION = HumanMessage("What is it?")


def seen(message: BaseMessage, text: str = "A closer view.") -> ToolMessage:
    assert isinstance(message, AIMessage)
    return ToolMessage(text, tool_call_id=str(message.tool_calls[0]["id"]))


def trained(row: Row, encoder: Encoder) -> list[str]:
    """The texts of a row's sampled ranges."""
    return [encoder.decode_turn(row.ledger.ids[each.start : each.end]) for each in row.ledger.sampled]


def ask(model: PolicyChatModel, *messages: BaseMessage) -> AIMessage:
    return model.invoke(list(messages))


def test_a_conversation_is_one_row_of_exactly_what_was_read_and_sampled(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking([CALL, ANSWER, OTHER])
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        second = ask(model, QUESTION, first, seen(first))
        ask(model, QUESTION, first, seen(first), second, HumanMessage("Sure?"))
    (row,) = episode.rows()
    turns = [tuple(encoder.encode(text + "<|im_end|>")[0]) for text in (CALL, ANSWER, OTHER)]
    assert row.ledger.ids == (*heard.prompts[-1], *turns[2])  # the last prompt holds the earlier ones: no image here
    for number, (prompt, turn, sampled) in enumerate(zip(heard.prompts, turns, row.ledger.sampled, strict=True), 1):
        assert (sampled.start, sampled.end) == (len(prompt), len(prompt) + len(turn))
        assert row.ledger.ids[: sampled.start] == tuple(prompt)
        assert row.ledger.ids[sampled.start : sampled.end] == turn
        assert sampled.logprobs == tuple(-number - place / 100 for place in range(len(turn)))
        assert sampled.versions == (f"v{number}",)
    assert [call.sample for call in row.calls] == [first.id, second.id, row.calls[-1].sample]


def test_the_prompt_is_written_as_the_base_was_taught(
    speaking: Speaking, encoder: Encoder, store: ImageStore, scan: MedicalImage, tool_section: str
) -> None:
    from agent.prompt import IMAGE, opening, system_prompt, user_turn
    from tools.registry import load_tools

    model, heard = speaking([CALL, ANSWER])
    bound = model.bind_tools(load_tools(["zoom_in", "measure_distance"]))
    whole, view = store.put(scan), store.put(scan.crop((0, 0, 99, 99)))
    asked = HumanMessage([{"type": "image", "file_id": whole}, {"type": "text", "text": "What is it?"}])
    with Episode().recording() as episode:
        first = bound.invoke([asked])
        blocks = [{"type": "text", "text": "A view."}, {"type": "image", "file_id": view}]
        call_id = str(first.tool_calls[0]["id"])
        bound.invoke([asked, first, ToolMessage(blocks, tool_call_id=call_id)])
    prompt = opening(system_prompt(tool_section), "What is it?", 1)
    expected = prompt + CALL + "<|im_end|>" + user_turn(f"Image 2: {IMAGE} A view.", "What is it?")
    assert heard.texts == [prompt, expected]
    assert heard.images == [1, 2]
    (row,) = episode.rows()
    assert [placed.image for placed in row.ledger.images] == [whole, view]
    grids = {placed.grid: encoder.placeholders(placed.grid) for placed in row.ledger.images}
    assert list(row.ledger.faults(encoder.image_pad, grids)) == []
    assert prompt_of(row.ledger, encoder)[: len(heard.prompts[1])] == heard.prompts[1]


def copied(message: AnyMessage) -> AnyMessage:
    return message.model_copy(deep=True)


def checkpointed(message: AnyMessage) -> AnyMessage:
    serializer = JsonPlusSerializer()
    return serializer.loads_typed(serializer.dumps_typed(message))


def dumped(message: AnyMessage) -> AnyMessage:
    return loads(dumps(message), allowed_objects="messages")


def without_metadata(message: AnyMessage) -> AnyMessage:
    return message.model_copy(update={"response_metadata": {}})


def without_any_id(message: AnyMessage) -> AnyMessage:
    return message.model_copy(update={"response_metadata": {}, "id": "mine" if message.type == "ai" else None})


@pytest.mark.parametrize(
    "change",
    [
        copied,
        copy.deepcopy,
        checkpointed,
        dumped,
        without_metadata,
        without_any_id,
        lambda m: pickle.loads(pickle.dumps(m)),
    ],
)
def test_messages_keep_their_ids_whatever_carries_them(
    speaking: Speaking, encoder: Encoder, change: Callable[[Any], BaseMessage]
) -> None:
    model, heard = speaking([CALL, ANSWER])
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        ask(model, *map(change, [QUESTION, first, seen(first)]))
    (row,) = episode.rows()
    assert trained(row, encoder) == [CALL, ANSWER]
    assert heard.prompts[1][: row.ledger.sampled[0].end] == list(row.ledger.ids[: row.ledger.sampled[0].end])


def spelt(text: str, encoder: Encoder) -> tuple[int, ...]:
    """The text in one id for each byte, as no tokenizer would write it."""
    return (*(token for character in text for token in encoder.encode(character)[0]), encoder.end_of_turn)


class Saying:
    """A policy that samples given ids."""

    def __init__(self, *turns: tuple[int, ...]) -> None:
        self.turns = list(turns)
        self.prompts: list[list[int]] = []

    async def generate(self, token_ids: Sequence[int], *_: Any) -> Completion:
        self.prompts.append(list(token_ids))
        ids = self.turns.pop(0)
        return Completion(ids, (-1.0,) * len(ids), "stop", ("v",), None)


def test_ids_stay_as_sampled_where_the_tokenizer_would_write_them_otherwise(
    family: Family, store: ImageStore, encoder: Encoder
) -> None:
    ids = spelt(CALL, encoder)
    assert ids != tuple(encoder.encode(CALL + "<|im_end|>")[0])
    policy = Saying(ids, spelt(ANSWER, encoder))
    model = PolicyChatModel(policy=policy, family=family, store=store)
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        ask(model, QUESTION, first, seen(first))
    start = len(policy.prompts[0])
    assert tuple(policy.prompts[1][start : start + len(ids)]) == ids
    assert episode.rows()[0].ledger.ids[start : start + len(ids)] == ids


def test_two_samples_of_one_text_are_told_apart_by_id_and_never_guessed(
    family: Family, store: ImageStore, encoder: Encoder
) -> None:
    """The same words in other tokens: with its id a message is its own sample, without it is only a prompt."""
    plain, odd = tuple(encoder.encode(CALL + "<|im_end|>")[0]), spelt(CALL, encoder)
    end = spelt(ANSWER, encoder)
    policy = Saying(plain, odd, end, end, end)
    model = PolicyChatModel(policy=policy, family=family, store=store)
    with Episode().recording() as episode:
        one, two = ask(model, QUESTION), ask(model, QUESTION)
        start = len(policy.prompts[0])
        for message, ids in ((one, plain), (two, odd)):
            ask(model, QUESTION, message, seen(message))
            assert tuple(policy.prompts[-1][start : start + len(ids)]) == ids
        assert [len(row.ledger.sampled) for row in episode.rows()] == [2, 2]
        ask(model, QUESTION, without_any_id(one), seen(one))
    assert [len(row.ledger.sampled) for row in episode.rows()] == [2, 2, 1]  # the third trains its answer alone


@pytest.mark.parametrize(
    "edit",
    [
        {"content": "solid"},
        {"tool_calls": []},
        {"additional_kwargs": {"reasoning_content": "I need not look."}},
        {"additional_kwargs": {}},
    ],
)
def test_an_edited_turn_is_a_prompt_in_a_row_of_its_own(
    speaking: Speaking, encoder: Encoder, edit: dict[str, Any]
) -> None:
    model, _ = speaking([CALL, ANSWER])
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        ask(model, QUESTION, first.model_copy(update=edit), seen(first))
    before, after = episode.rows()
    assert (trained(before, encoder), trained(after, encoder)) == ([CALL], [ANSWER])


def test_a_turn_that_no_policy_sampled_is_written_as_the_family_writes_it(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking([OTHER])
    call: Any = {"name": "zoom_in", "args": {"box": [1, 2, 3, 4]}, "id": "1", "type": "tool_call"}
    said = AIMessage("", tool_calls=[call], additional_kwargs={"reasoning_content": "I must look."})
    with Episode().recording() as episode:
        ask(model, QUESTION, said, seen(said), AIMessage("cystic"), HumanMessage("Sure?"))
    assert CALL + "<|im_end|>" in heard.texts[0]
    assert "<think></think><answer>cystic</answer><|im_end|>" in heard.texts[0]
    assert trained(episode.rows()[0], encoder) == [OTHER]


def test_a_branch_trains_what_it_shares_in_one_row_only(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking(lambda turn, last: CALL if turn == 0 else f"<think>{last}</think><answer>x</answer>")
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        for view in ("left", "right", "left"):
            ask(model, QUESTION, first, seen(first, view))
    rows = episode.rows()
    turn = "<think>{}\nWhat is it?</think><answer>x</answer>".format
    assert [trained(row, encoder) for row in rows] == [[CALL, turn("left")], [turn("right")], [turn("left")]]
    start, end = rows[0].ledger.sampled[0].start, rows[0].ledger.sampled[0].end
    assert all(row.ledger.ids[:end] == rows[0].ledger.ids[:end] for row in rows)
    assert all(sum(row.ledger.loss_mask()[start:end]) == 0 for row in rows[1:])


def test_deleting_or_summarising_starts_a_row_that_quotes_exact_ids(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking([CALL, ANSWER, OTHER])
    summary = SystemMessage("Earlier, a closer view was asked for.")
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        second = ask(model, QUESTION, first, seen(first))
        ask(model, summary, HumanMessage("And now?"), second, HumanMessage("Sure?"))
    whole, cut = episode.rows()
    assert (trained(whole, encoder), trained(cut, encoder)) == ([CALL, ANSWER], [OTHER])
    quoted = tuple(encoder.encode(ANSWER + "<|im_end|>")[0])
    start = heard.texts[2].index(ANSWER)
    at = len(encoder.encode(heard.texts[2][:start])[0])
    assert cut.ledger.ids[at : at + len(quoted)] == quoted


def test_a_retry_that_drops_a_turn_trains_both(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking(lambda turn, last: ANSWER)
    with Episode().recording() as episode:
        ask(model, QUESTION)
        ask(model, QUESTION)
    assert heard.prompts[0] == heard.prompts[1]
    assert [trained(row, encoder) for row in episode.rows()] == [[ANSWER], [ANSWER]]


def test_other_tools_or_another_system_prompt_make_another_row(speaking: Speaking) -> None:
    from tools.registry import load_tools

    model, _ = speaking(lambda turn, last: ANSWER)
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        ask(model, SystemMessage("You plan."), QUESTION, first, HumanMessage("Sure?"))
        model.bind_tools(load_tools(["zoom_in"])).invoke([QUESTION, first, HumanMessage("Sure?")])
    assert [len(row.calls) for row in episode.rows()] == [1, 1, 1]


def test_a_turn_cut_by_length_is_closed_behind_its_tokens(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking([ANSWER, OTHER], max_tokens=5)
    with Episode().recording() as episode:
        first = ask(model, QUESTION)
        assert first.response_metadata["finish_reason"] == "length"
        ask(model, QUESTION, first, HumanMessage("Go on."))
    (row,) = episode.rows()
    cut = row.ledger.sampled[0]
    assert cut.end - cut.start == 5
    assert row.ledger.ids[cut.end] == encoder.end_of_turn
    assert row.ledger.loss_mask()[cut.end] == 0
    assert heard.prompts[1][: cut.end + 1] == list(row.ledger.ids[: cut.end + 1])


def test_concurrent_episodes_on_one_model_do_not_mix(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking(lambda turn, last: CALL if turn == 0 else ANSWER)

    async def episode(number: int) -> Episode:
        with Episode().recording() as mine:
            first = await model.ainvoke([QUESTION])
            await asyncio.sleep(0.001 * (number % 3))
            await model.ainvoke([QUESTION, first, seen(first, f"View {number}.")])
        return mine

    async def all_at_once() -> list[Episode]:
        return await asyncio.gather(*map(episode, range(16)))

    for number, mine in enumerate(asyncio.run(all_at_once())):
        (row,) = mine.rows()
        assert trained(row, encoder) == [CALL, ANSWER]
        assert f"View {number}." in encoder.decode(row.ledger.ids)


def test_what_another_episode_sampled_is_a_prompt_here(speaking: Speaking, encoder: Encoder) -> None:
    model, _ = speaking(lambda turn, last: CALL if turn == 0 else ANSWER)
    with Episode().recording():
        first = ask(model, QUESTION)
    with Episode().recording() as later:
        ask(model, QUESTION, first, seen(first))
    assert [trained(row, encoder) for row in later.rows()] == [[ANSWER]]


def test_an_episode_brings_its_own_policy_and_sampling(speaking: Speaking, encoder: Encoder) -> None:
    from agent.policies.policy import Sampling

    model, heard = speaking([OTHER])
    own = Heard([ANSWER], encoder)
    with Episode(policy=own, sampling=Sampling(temperature=0.7, max_tokens=99)).recording():
        assert ask(model, QUESTION).text == "cystic"
    assert heard.prompts == []
    assert (own.samplings[0].temperature, own.samplings[0].max_tokens) == (0.7, 99)
    assert own.samplings[0].banned == encoder.banned


def test_calls_are_picked_by_tag_and_a_row_ends_behind_the_last_that_trains(
    speaking: Speaking, encoder: Encoder
) -> None:
    from agent.chat import with_tags

    model, _ = speaking([CALL, ANSWER, OTHER])
    with Episode().recording() as episode:
        first = model.invoke([QUESTION], {"tags": ["reader"]})
        second = model.invoke([QUESTION, first, seen(first)], {"tags": ["reader", "late"]})
        model.invoke([QUESTION, first, seen(first), second, HumanMessage("Sure?")])
    (row,) = episode.rows(with_tags("late"))
    assert trained(row, encoder) == [ANSWER]
    assert row.ledger.sampled[-1].end == len(row.ledger)
    assert [call.tags for call in row.calls] == [("reader", "late")]
    assert episode.rows(with_tags("nobody")) == []


def test_guided_calls_do_not_train_unless_asked_for(speaking: Speaking, encoder: Encoder) -> None:
    model, heard = speaking(['<think></think><answer>{"a": 1}</answer>', ANSWER])
    held = model.with_structured_output({"title": "A", "type": "object", "properties": {"a": {"type": "integer"}}})
    with Episode().recording() as episode:
        assert held.invoke([QUESTION]) == {"a": 1}
        ask(model, QUESTION)
    assert heard.samplings[0].structure is not None
    assert [trained(row, encoder) for row in episode.rows()] == [[ANSWER]]

    def every(call: PolicyCall) -> bool:
        return True

    assert len(episode.rows(every)) == 2


def test_a_prompt_that_the_server_counts_otherwise_is_refused(family: Family, store: ImageStore) -> None:
    class Miscounts:
        async def generate(self, *_: Any) -> Completion:
            return Completion((1, 2), (0.0, 0.0), "stop", ("v",), 7)

    model = PolicyChatModel(policy=Miscounts(), family=family, store=store)
    with pytest.raises(LedgerError, match="saw a prompt of 7 tokens"):
        ask(model, QUESTION)


def test_a_model_outside_an_episode_remembers_a_bounded_number_of_turns(speaking: Speaking) -> None:
    model, _ = speaking(lambda turn, last: ANSWER)
    episode = Episode(keep=3)
    with episode.recording():
        for number in range(10):
            ask(model, HumanMessage(f"Question {number}"))
            assert len(episode.turns) <= 3


def test_the_record_is_found_by_config_too(speaking: Speaking) -> None:
    from langgraph.graph import END, START, MessagesState, StateGraph

    model, _ = speaking(lambda turn, last: ANSWER)

    def read(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("read", read)
    graph.add_edge(START, "read")
    graph.add_edge("read", END)
    episode = Episode()
    graph.compile().invoke({"messages": [QUESTION]}, {"configurable": {"episode": episode}})
    (row,) = episode.rows()
    assert [call.node for call in row.calls] == ["read"]
