"""What a caller of the chat model may ask for: stop sequences, one call a turn, usage, other settings."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from agent.chat import Episode, PolicyChatModel
from agent.chat.families.family import Family
from agent.chat.guided_decoding import GuideError
from agent.encoder import Encoder
from agent.policies.policy import PolicyError
from tests.agent.chat.conftest import Heard
from tools.images.image import MedicalImage
from tools.images.store import ImageStore

Speaking = Callable[..., tuple[PolicyChatModel, Heard]]
ANSWER = "<think>I see.</think><answer>one two three</answer>"
CALL = '<tool_call>{"name": "note", "arguments": {"text": "a"}}</tool_call>'
CHECKPOINT = Path(__file__).parents[3] / "rl" / "toy" / "checkpoint"


@tool
def note(text: str) -> str:
    """Note something."""
    return text


def test_a_stop_sequence_ends_the_text_and_the_tokens_stay_whole(speaking: Speaking, encoder: Encoder) -> None:
    """Three ways to ask for it, and a stream; what was sampled is recorded, and stands behind it, to the last id."""
    model, heard = speaking([ANSWER] * 9)
    other, _ = speaking([ANSWER] * 4, stop=["two"])
    assert [model.invoke("x", stop=["two"]).text, model.bind(stop=["two"]).invoke("x").text] == ["one", "one"]
    assert other.invoke("x").text == "one"
    chunks = [chunk.text for chunk in model.stream("x", stop=["two"])]
    assert "".join(chunks) == "one"
    assert [each.stop for each in heard.samplings] == [("two",)] * 3
    with Episode().recording() as episode:
        said = model.invoke("x", stop=["two"])
        model.invoke([HumanMessage("x"), said, HumanMessage("y")])
    (row,) = episode.rows()
    first, second = row.ledger.sampled
    assert encoder.decode_turn(row.ledger.ids[first.start : first.end]) == ANSWER
    assert len(row.calls) == 2 and second.start > first.end


def test_usage_counts_images_as_the_server_does(speaking: Speaking, encoder: Encoder, scan: MedicalImage) -> None:
    """512 x 512 pixels are one placeholder in what is sent, and many ids in what is read."""
    model, heard = speaking([ANSWER])
    image = model.store.put(scan)
    said = model.invoke([HumanMessage([{"type": "image", "file_id": image}, {"type": "text", "text": "What?"}])])
    expanded = encoder.placeholders(encoder.grid(scan))
    sampled = len(encoder.encode(ANSWER + "<|im_end|>")[0])
    assert said.usage_metadata == {
        "input_tokens": len(heard.prompts[0]) - 1 + expanded,
        "output_tokens": sampled,
        "total_tokens": len(heard.prompts[0]) - 1 + expanded + sampled,
    }
    assert said.response_metadata["versions"] == ["v1"]


def test_chunks_add_up_to_the_message(speaking: Speaking) -> None:
    turn = f"<think>Both.</think>{CALL}{CALL}"
    model, _ = speaking([turn, turn])
    whole = model.bind_tools([note]).invoke("x")
    added = AIMessageChunk("")
    for chunk in model.bind_tools([note]).stream("x"):
        added += chunk
    for said in (whole, added):
        assert [(call["name"], call["args"]) for call in said.tool_calls] == [("note", {"text": "a"})] * 2
        assert said.additional_kwargs["reasoning_content"] == "Both."
        assert said.usage_metadata == whole.usage_metadata


async def test_who_listens_changes_nothing(speaking: Speaking, encoder: Encoder, scan: MedicalImage) -> None:
    """Without callbacks a call goes a shorter way: the same prompt, message and record, node and tags included."""

    class Listens(AsyncCallbackHandler):
        pass

    def ask(model: PolicyChatModel) -> Any:
        async def node(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.bind_tools([note]).ainvoke(state["messages"], {"tags": ["a"]})]}

        graph: Any = StateGraph(MessagesState)
        return graph.add_node("look", node).add_edge(START, "look").compile()

    told: list[Any] = []
    for callbacks in ([], [Listens()]):
        model, heard = speaking([CALL])
        kept = {"type": "image", "source_type": "id", "id": model.image_store.put(scan)}
        with Episode().recording() as episode:
            state = await ask(model).ainvoke({"messages": [HumanMessage([kept])]}, {"callbacks": callbacks})
        (turn,) = episode.turns
        (said,) = state["messages"][1:]
        assert (turn.call.node, turn.call.namespace, set(turn.call.tags)) == ("look", "look", {"a", "seq:step:1"})
        assert said.response_metadata["sample"] == said.id == turn.call.sample
        told.append((heard.prompts, said.tool_calls[0]["args"], said.usage_metadata, turn.said, turn.completion))
    assert told[0] == told[1]


def test_one_call_a_turn_where_that_is_asked_for(speaking: Speaking, encoder: Encoder) -> None:
    """A free policy is stopped behind its first call, a forced one is held to one by its grammar."""
    model, heard = speaking([CALL] * 3)
    model.bind_tools([note], parallel_tool_calls=False).invoke("x")
    model.bind_tools([note], parallel_tool_calls=False, tool_choice="any").invoke("x")
    model.bind_tools([note]).invoke("x")
    free, forced, several = heard.samplings
    assert (free.stop, free.structure) == (("</tool_call>",), None)
    held = json.loads(str(forced.structure))["format"]["elements"][-1]
    assert (held["stop_after_first"], forced.stop) == (True, ())
    assert (several.stop, several.structure) == ((), None)


def test_a_tool_that_is_not_bound_cannot_be_chosen(speaking: Speaking) -> None:
    model, heard = speaking([CALL])
    with pytest.raises(GuideError, match="Got the tool choice 'look', expected"):
        model.bind_tools([note], tool_choice="look").invoke("x")
    with pytest.raises(TypeError, match=r"Got the options \['logit_bias'\], expected some of"):
        model.invoke("x", logit_bias={})
    assert heard.prompts == []


def test_settings_are_changed_for_one_run(speaking: Speaking) -> None:
    """As `init_chat_model` models are: by fields that the config sets, or by options of a call."""
    model, heard = speaking([ANSWER] * 3)
    warm = model.configurable_fields(
        temperature=ConfigurableField(id="temperature"), max_tokens=ConfigurableField(id="max_tokens")
    )
    warm.invoke("x", {"configurable": {"temperature": 0.7, "max_tokens": 9}})
    model.invoke("x", temperature=0.2, seed=3)
    model.invoke("x")
    seen = [(each.temperature, each.max_tokens, each.seed) for each in heard.samplings]
    assert seen == [(0.7, 9, None), (0.2, 256, 3), (0.0, 256, None)]


def test_a_model_is_made_from_names(tmp_path: Path, scan: MedicalImage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint's folder, a server's address and a folder of images; nothing is asked before the first call."""
    model = PolicyChatModel(
        model="policy", checkpoint=str(CHECKPOINT), base_url="http://127.0.0.1:9", images=str(tmp_path / "images")
    )
    assert (model.version, model.family.name, model.model_name) == ("checkpoint", "medvista", "policy")
    assert ImageStore(tmp_path / "images").get(model.store.put(scan)).id == scan.id
    monkeypatch.delenv("MEDVISTA_CHECKPOINT", raising=False)
    with pytest.raises(ValueError, match="Got neither family nor checkpoint"):
        PolicyChatModel(model="policy", base_url="http://127.0.0.1:9")


def test_a_model_without_a_policy_says_so(family: Family, store: ImageStore) -> None:
    model: Any = PolicyChatModel(family=family, store=store)
    assert model.version is None
    with pytest.raises(PolicyError, match="has no policy: give it one"):
        model.invoke("x")
