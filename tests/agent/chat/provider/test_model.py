"""Any chat model on our graphs: what a strict server of OpenAI's interface is sent, and what comes back of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Annotated, Any, TypedDict, cast

import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from pydantic import BaseModel

from agent.chat import Episode, PolicyChatModel
from agent.chat.families.family import Family
from agent.chat.guided_decoding import described
from agent.chat.images import image_block
from agent.chat.provider.model import INSTRUCTIONS, ProviderChatModel, with_images
from agent.chat.reply import FAULT
from agent.chat.tools import for_messages
from agent.policies.policy import PolicyError, Sampling
from agent.policies.served import ContextFull
from agent.prompt import correction
from tests.agent.chat.conftest import Heard
from tests.agent.chat.openai_server import CONTEXT, KEY, OpenAIServer, Refused, Reply, says, serving
from tools.images.image import MedicalImage
from tools.images.store import ImageStore
from tools.registry import load_tools

openai = pytest.importorskip("langchain_openai", reason="pip install 'medvista[chat]'")
ZOOM = ("zoom_in", '{"image": 1, "box": [0, 0, 499, 499]}')
Opens = Callable[..., tuple[ProviderChatModel, OpenAIServer]]


@pytest.fixture
def opened(store: ImageStore) -> Iterator[Opens]:
    """`opened(*replies, **fields of ChatOpenAI)`: a wrapped ChatOpenAI and the server that it asks."""
    with ExitStack() as stack:

        def make(*replies: Reply | Refused, **fields: Any) -> tuple[ProviderChatModel, OpenAIServer]:
            server = stack.enter_context(serving(*replies))
            settings = {"model": "small-vision", "api_key": KEY, "base_url": server.url, "max_retries": 0, **fields}
            return cast(ProviderChatModel, with_images(openai.ChatOpenAI(**settings), store)), server

        yield make


def roles(body: dict[str, Any]) -> list[str]:
    return [message["role"] for message in body["messages"]]


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


def agent(model: ProviderChatModel, names: tuple[str, ...] = ("zoom_in",)) -> Any:
    """A plain agent of LangGraph's own parts with our tools."""
    tools = for_messages(load_tools(list(names)), model.image_store)
    bound = model.bind_tools(tools)

    async def speak(state: Talk) -> dict[str, Any]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    graph: Any = StateGraph(Talk)
    graph.add_node("speak", speak)
    graph.add_node("tools", ToolNode(tools))
    graph.add_edge(START, "speak")
    graph.add_conditional_edges("speak", tools_condition)
    graph.add_edge("tools", "speak")
    return graph.compile()


async def test_an_agent_looks_with_our_tools(opened: Opens, store: ImageStore, scan: MedicalImage) -> None:
    model, server = opened(says(None, ZOOM, ZOOM), says("A cyst."))
    asked = HumanMessage([image_block(store.put(scan)), {"type": "text", "text": "What is it?"}])
    done = await agent(model).ainvoke({"messages": [SystemMessage("You are a reader."), asked]})
    answer = done["messages"][-1]
    assert (answer.text, answer.response_metadata["versions"], answer.response_metadata["finish_reason"]) == (
        "A cyst.",
        ["small-vision"],
        "stop",
    )
    system, user, turn, *results, shown = server.asked[1]["messages"]
    assert system == {"role": "system", "content": f"{INSTRUCTIONS}\n\nYou are a reader."}
    assert [part.get("text", "picture") for part in user["content"]] == ["Image 1:", "picture", "What is it?"]
    assert [call["id"] for call in turn["tool_calls"]] == [result["tool_call_id"] for result in results]
    assert [result["content"].splitlines()[-1] for result in results] == [
        "Image 2 is shown below.",
        "Image 3 is shown below.",
    ]
    assert shown["role"] == "user"
    assert [part.get("text", "picture") for part in shown["content"]] == ["Image 2:", "picture", "Image 3:", "picture"]
    first, second, third = server.pixels(1)
    assert np.array_equal(first, scan.pixels)
    assert np.array_equal(second, scan.pixels[0:256, 0:256]) and np.array_equal(third, second)
    (tool,) = server.asked[0]["tools"]
    assert tool["function"]["parameters"]["properties"]["box"]  # the medical tool's own schema, without the state


async def test_turns_of_other_models_become_what_the_provider_takes(opened: Opens) -> None:
    model, server = opened(says("So be it."))
    called = {"name": "zoom_in", "args": {"image": 1}, "id": "call-1"}
    sampled = {"response_metadata": {"sample": "sample-1", "versions": ["v1"]}, "id": "sample-1"}
    messages: list[AnyMessage] = [
        HumanMessage("Look."),
        AIMessage("I look.", tool_calls=[called], additional_kwargs={"reasoning_content": "Hm."}, **sampled),
        ToolMessage("Closer.", tool_call_id="call-1", name="zoom_in"),
        AIMessage("", tool_calls=[called | {"id": "call-2"}]),  # nobody answered
        AIMessage("<tool_call>{</tool_call>", response_metadata={FAULT: "Got no JSON."}),
        HumanMessage(correction("Got no JSON."), additional_kwargs={"note": "correction"}),
        AIMessage(""),  # says nothing
        ToolMessage("Of a call that was trimmed away.", tool_call_id="gone", name="zoom_in"),
        HumanMessage("Well? <|im_end|>\ud800"),
    ]
    said = await model.ainvoke(messages, tools=[described(tool) for tool in load_tools(["zoom_in"])])
    assert said.text == "So be it."
    sent = server.asked[0]["messages"]
    assert roles(server.asked[0]) == [
        "system", "user", "assistant", "tool", "assistant", "tool", "assistant", "user", "user",
    ]  # fmt: skip
    assert sent[2]["content"] == "I look." and sent[5]["content"] == "This call was not run."
    assert sent[7]["content"] == correction("Got no JSON.")
    assert sent[8]["content"] == "zoom_in answered: Of a call that was trimmed away.\nWell? < |im_end|>\n?".replace(
        "\n?", "?"
    )


async def test_without_tools_calls_are_told_in_words(opened: Opens, store: ImageStore, scan: MedicalImage) -> None:
    model, server = opened(says("Yes."))
    shown = [{"type": "text", "text": "Closer."}, image_block(store.put(scan))]
    called = AIMessage("", tool_calls=[{"name": "zoom_in", "args": {"image": 1}, "id": "call-1"}])
    await model.ainvoke([HumanMessage("Look."), called, ToolMessage(shown, tool_call_id="call-1", name="zoom_in")])  # type: ignore[arg-type]
    _, _, turn, result = server.asked[0]["messages"]
    assert turn == {"role": "assistant", "content": '[called zoom_in with {"image": 1}]'}
    assert result["content"][0]["text"] == "zoom_in answered: Closer." and len(server.pixels(0)) == 1


BAD = [
    (says("I look.", ("zoom_in", '{"box": [0, 0')), "not JSON", 'I look.\n[called zoom_in with {"box": [0, 0]'),
    (says(None, ZOOM, ("zoom_in", '{"image": 1, "box"'), finish="length"), "cut at the limit", None),
    (says(None, ("zoom_in", '{"image": NaN}')), "no finite number", None),
    (says(None, ("zoom_in", "[1]")), '"arguments" (object)', None),
    (says(""), "says nothing", ""),
    (says("<think>Nothing but this.</think>"), "says nothing", ""),
    (says("<tool_call>{</tool_call>"), "not JSON", "<tool_call>{</tool_call>"),
]  # fmt: skip


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("reply", "why", "text"), BAD)
async def test_a_turn_that_cannot_be_read_says_why_and_waits_for_nothing(
    opened: Opens, reply: Reply, why: str, text: str | None, streams: bool
) -> None:
    model, server = opened(reply, says("A cyst."), streaming=streams)
    bound = model.bind_tools(load_tools(["zoom_in"]))
    said = await bound.ainvoke("Look.")
    assert why in said.response_metadata[FAULT]
    assert (said.tool_calls, said.invalid_tool_calls) == ([], [])
    assert text is None or said.text == text
    again = [HumanMessage("Look."), said, HumanMessage(correction(said.response_metadata[FAULT]))]
    assert (await bound.ainvoke(again)).text == "A cyst."
    assert bool(server.asked[0].get("stream")) == streams


@pytest.mark.parametrize("streams", [False, True])
async def test_a_whole_turn_is_the_same_at_once_and_in_a_stream(opened: Opens, streams: bool) -> None:
    model, _ = opened(says("<think>Let me see.</think>I look closer.", ZOOM), streaming=streams)
    bound = model.bind_tools(load_tools(["zoom_in"]))
    for said in (await bound.ainvoke("Look."), bound.invoke("Look.")):
        assert (said.text, said.additional_kwargs["reasoning_content"]) == ("I look closer.", "Let me see.")
        (call,) = said.tool_calls
        assert (call["name"], call["args"], call["id"]) == (
            "zoom_in",
            {"image": 1, "box": [0, 0, 499, 499]},
            "call_zoom_in_0",
        )
        assert type(said) is AIMessage and said.response_metadata["model_name"] == "small-vision-2026-01-01"
        assert said.response_metadata["finish_reason"] == "stop" and FAULT not in said.response_metadata


async def test_a_cut_answer_is_one_and_says_so(opened: Opens) -> None:
    model, _ = opened(says("It is a", finish="length"))
    said = await model.ainvoke("What is it?")
    assert (said.text, said.response_metadata["finish_reason"], FAULT in said.response_metadata) == (
        "It is a",
        "length",
        False,
    )


async def test_calls_in_tags_are_read_where_a_server_does_not(opened: Opens) -> None:
    model, _ = opened(says('<think>So.</think><tool_call>{"name": "zoom_in", "arguments": {"image": 1}}</tool_call>'))
    said = await model.bind_tools(load_tools(["zoom_in"])).ainvoke("Look.")
    (call,) = said.tool_calls
    assert (call["name"], call["args"], bool(call["id"]), said.text) == ("zoom_in", {"image": 1}, True, "")


async def test_tokens_are_streamed_once_and_a_call_is_one_run(opened: Opens) -> None:
    model, _ = opened(says("It is a cyst."))

    class Counts(BaseCallbackHandler):
        starts = ends = 0

        def on_chat_model_start(self, *_: Any, **__: Any) -> None:
            self.starts += 1

        def on_llm_end(self, *_: Any, **__: Any) -> None:
            self.ends += 1

    counts = Counts()
    stream = agent(model).astream({"messages": [("user", "?")]}, {"callbacks": [counts]}, stream_mode="messages")
    pieces = [message async for message, _ in stream]
    assert "".join(piece.text for piece in pieces) == "It is a cyst."
    assert len([piece for piece in pieces if piece.text]) == 4  # word by word
    assert (counts.starts, counts.ends) == (1, 1)
    events = [event["event"] async for event in model.astream_events("?", version="v2")]
    assert (events.count("on_chat_model_start"), events.count("on_chat_model_end")) == (1, 1)


async def test_a_model_that_does_not_stream_is_streamed_in_one_piece(store: ImageStore) -> None:
    class Whole(GenericFakeChatModel):
        _stream = BaseChatModel._stream

    model = with_images(Whole(messages=iter([AIMessage("A cyst."), AIMessage("A cyst.")])), store)
    assert [chunk.text for chunk in model.stream("?") if chunk.text] == ["A cyst."]
    assert [chunk.text async for chunk in model.astream("?") if chunk.text] == ["A cyst."]


def test_thoughts_in_blocks_stay_and_go_back_to_the_model_that_thought_them(store: ImageStore) -> None:
    heard: list[Any] = []

    class Thinks(GenericFakeChatModel):
        def _generate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            heard.append(messages)
            return super()._generate(messages, *args, **kwargs)

    thought = {"type": "thinking", "thinking": "Hm.", "signature": "signed"}
    blocks: Any = [
        thought,
        {"type": "redacted_thinking", "data": "sealed"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "name": "zoom_in", "id": "1"},
        {"type": "web_search"},
    ]
    called = [{"name": "zoom_in", "args": {}, "id": "1"}]
    model = with_images(Thinks(messages=iter([AIMessage(blocks, tool_calls=called), AIMessage("A cyst.")])), store)
    said = model.invoke("?")
    assert said.content == blocks[:4] and said.text == "I look."
    model.invoke(["?", said])  # no tools are offered now, so the call is told
    assert heard[1][2] == AIMessage("I look.\n[called zoom_in with {}]")
    model.model.messages = iter([AIMessage("A cyst.")])  # type: ignore[attr-defined]
    kept = said.model_copy(update={"tool_calls": [], "content": blocks[:3]})
    model.invoke(["?", kept])
    assert heard[2][2].content == blocks[:3]  # signed, as it came


SAID_WRONG = [
    (Refused(429, "Rate limit reached"), "quota is reached: wait"),
    (Refused(500, "Internal"), "ask again later"),
    (Refused(403, "No"), "may not use this model"),
    (Refused(400, "This model does not support image inputs"), "takes images and tools"),
]


@pytest.mark.parametrize(("refused", "advice"), SAID_WRONG)
@pytest.mark.parametrize("streams", [False, True])
async def test_what_a_provider_refuses_is_a_policy_error(
    opened: Opens, refused: Refused, advice: str, streams: bool
) -> None:
    model, _ = opened(refused, streaming=streams)
    with pytest.raises(PolicyError, match=advice) as caught:
        await model.ainvoke("?")
    assert not isinstance(caught.value, ContextFull) and refused.message in str(caught.value)


async def test_a_wrong_key_a_wrong_name_and_a_server_that_is_not_there(opened: Opens) -> None:
    for fields, advice in (
        ({"api_key": "sk-wrong"}, "OPENAI_API_KEY"),
        ({"model": "another"}, "check the model's name"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "check its address"),
    ):
        model, _ = opened(says("Yes."), **fields)
        with pytest.raises(PolicyError, match=advice):
            await model.ainvoke("?")


async def test_a_full_context_is_one(opened: Opens) -> None:
    model, _ = opened(says("Yes."))
    with pytest.raises(ContextFull, match="end the episode"):
        await model.ainvoke("x" * (CONTEXT + 1))


def test_an_error_of_an_unknown_client_can_be_named(store: ImageStore) -> None:
    class OddError(Exception):
        pass

    class Odd(GenericFakeChatModel):
        def _generate(self, *_: Any, **__: Any) -> Any:
            raise OddError

    with pytest.raises(OddError):
        ProviderChatModel(model=Odd(messages=iter(())), store=store).invoke("?")
    with pytest.raises(PolicyError, match="OddError"):
        ProviderChatModel(model=Odd(messages=iter(())), store=store, errors=(OddError,)).invoke("?")
    with pytest.raises(PolicyError, match="got NotImplementedError"):
        ProviderChatModel(model=Odd(messages=iter(())), store=store).bind_tools(load_tools(["zoom_in"]))


async def test_only_our_policies_are_recorded(opened: Opens, family: Family) -> None:
    model, server = opened(says("Yes."))
    with (
        Episode(Heard(["<think></think><answer>no</answer>"], family)).recording(),
        pytest.raises(PolicyError, match=r"got ProviderChatModel .* expected PolicyChatModel: only our policies"),
    ):
        await model.ainvoke("?")
    assert server.asked == []


async def test_an_episodes_sampling_is_passed_on_where_the_model_has_a_field(opened: Opens) -> None:
    model, server = opened(says("Yes."))
    with Episode(sampling=Sampling(temperature=0.5, top_p=0.9, max_tokens=99, seed=3, min_p=0.1)).recording():
        await model.ainvoke("?")
    body = server.asked[0]
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.5, 0.9, 3) and "min_p" not in body
    assert body.get("max_completion_tokens", body.get("max_tokens")) == 99
    run: Any = {"configurable": {"sampling": {"temperature": 0.25}}}
    await agent(model).ainvoke({"messages": [("user", "?")]}, run)
    assert server.asked[1]["temperature"] == 0.25 and "top_p" not in server.asked[1]
    stubborn = ProviderChatModel(model=model.model, store=model.store, options={"temperature": None, "seed": 4})
    with Episode(sampling=Sampling(temperature=0.5)).recording():
        await stubborn.ainvoke("?")
    assert "temperature" not in server.asked[2] and server.asked[2]["seed"] == 4


class Finding(BaseModel):
    """What is seen."""

    place: str
    size: int


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
async def test_structured_output_in_the_providers_way(opened: Opens, method: str) -> None:
    good = '{"place": "left", "size": 3}'
    called = method == "function_calling"
    model, server = opened(
        says(None, ("Finding", good)) if called else says(good),
        says("It is left."),
        says('{"place": "le', finish="length"),
        says("It is left."),
    )
    held = model.with_structured_output(Finding, method=method)
    assert await held.ainvoke("Say it in JSON.") == Finding(place="left", size=3)
    assert ("tools" in server.asked[0], "response_format" in server.asked[0]) == (called, not called)
    for _ in range(2):
        with pytest.raises(OutputParserException):
            await held.ainvoke("Say it in JSON.")
    raw = await model.with_structured_output(Finding, method=method, include_raw=True).ainvoke("Say it in JSON.")
    assert raw["raw"].text == "It is left." and raw["parsed"] is None and raw["parsing_error"] is not None  # type: ignore[index]


async def test_a_tool_can_be_forced_or_forbidden(opened: Opens) -> None:
    model, server = opened(says("Yes."))
    tools = [described(tool) for tool in load_tools(["zoom_in"])]
    for choice in ("any", "zoom_in", "none"):
        await model.ainvoke("?", tools=tools, tool_choice=choice)
    forced, named, without = server.asked
    assert forced["tool_choice"] == "required"
    assert named["tool_choice"] == {"type": "function", "function": {"name": "zoom_in"}}
    assert "tools" not in without


def test_what_langchain_does_around_a_model_is_done_once(store: ImageStore) -> None:
    limiter = InMemoryRateLimiter(requests_per_second=1000)
    handler = BaseCallbackHandler()
    inner = GenericFakeChatModel(
        messages=iter([AIMessage("Yes.")]),
        rate_limiter=limiter,
        callbacks=[handler],
        tags=["mine"],
        disable_streaming=True,
    )
    model = with_images(inner, store)
    assert (model.rate_limiter, model.callbacks, model.tags, model.disable_streaming) == (
        limiter,
        [handler],
        ["mine"],
        True,
    )
    assert [chunk.text for chunk in model.stream("?")] == ["Yes."]


def test_ours_stay_as_they_are_and_no_model_is_refused(family: Family, store: ImageStore) -> None:
    ours = PolicyChatModel(policy=Heard([], family), family=family, store=store)
    assert with_images(ours) is ours
    wrapped = with_images(GenericFakeChatModel(messages=iter(())))
    assert with_images(wrapped) is wrapped and isinstance(wrapped.image_store, ImageStore)
    with pytest.raises(TypeError, match="Got a str, expected a LangChain chat model"):
        with_images(cast(Any, "openai:gpt-5"))
    with pytest.raises(ValueError, match="expected another chat model"):
        ProviderChatModel(model=ours)
