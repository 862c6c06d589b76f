"""Structured answers of a policy on a script: what fits its schema is read, all else is LangChain's one exception."""

import asyncio
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.scripted import ScriptedPolicy
from graphs.app.chat_model import chat_model
from tools.images.store import ImageStore


class Reading(BaseModel):
    """What a reader found."""

    answer: str
    size: float = 0.0


SCHEMA = {
    "title": "Reading",
    "description": "What a reader found.",
    "type": "object",
    "properties": {"answer": {"type": "string"}, "size": {"type": "number"}},
    "required": ["answer"],
}
WAYS = [(Reading, "json_schema"), (SCHEMA, "json_schema"), (Reading, "function_calling"), (SCHEMA, "function_calling")]


def written(arguments: str, method: str) -> str:
    call = f'<tool_call>{{"name": "Reading", "arguments": {arguments}}}</tool_call>'
    return f"<think>I see.</think>{call if method == 'function_calling' else f'<answer>{arguments}</answer>'}"


def asked(
    turn: str, way: tuple[Any, Any], encoder: Encoder, store: ImageStore, include_raw: bool = False, most: int = 900
) -> Any:
    model = chat_model(ScriptedPolicy([turn], encoder), encoder, store, Limits(turn_tokens=most, context=8192))
    held = model.with_structured_output(way[0], method=way[1], include_raw=include_raw)
    return asyncio.run(held.ainvoke([HumanMessage("What is it?")]))


@pytest.mark.parametrize("way", WAYS)
def test_what_fits_is_read(way: tuple[Any, Any], encoder: Encoder, store: ImageStore) -> None:
    found = asked(written('{"answer": "cystic", "size": 2.5}', way[1]), way, encoder, store)
    assert (found if isinstance(found, dict) else found.model_dump()) == {"answer": "cystic", "size": 2.5}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "arguments",
    [
        '{"answer": "\\ud800"}',
        '{"answer": "a", "size": NaN}',
        '{"answer": "a", "size": -Infinity}',
        '{"answer": "a", "size": ' + "9" * 5000 + "}",
        '{"answer": ' + "[" * 200 + "]" * 200 + "}",
        '{"answer": "a"',
        "[1, 2]",
        "yes",
        "",
    ],
    ids=["half a surrogate", "nan", "infinity", "5000 digits", "200 levels", "open", "list", "text", "nothing"],
)
def test_what_does_not_fit_is_one_exception(
    arguments: str, way: tuple[Any, Any], encoder: Encoder, store: ImageStore
) -> None:
    with pytest.raises(OutputParserException):
        asked(written(arguments, way[1]), way, encoder, store, most=400)
    raw = asked(written(arguments, way[1]), way, encoder, store, include_raw=True, most=400)
    assert raw["parsed"] is None and isinstance(raw["parsing_error"], OutputParserException)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_cut_is_not_mended(way: tuple[Any, Any], encoder: Encoder, store: ImageStore) -> None:
    """LangChain's own parser closes what is open: `lobulated with` would be an answer that nobody gave."""
    cut = written('{"answer": "lobulated with calcifications in its upper half"}', way[1])
    with pytest.raises(OutputParserException):
        asked(cut, way, encoder, store, most=24)


@pytest.mark.parametrize("way", WAYS)
def test_no_call_and_no_json_at_all(way: tuple[Any, Any], encoder: Encoder, store: ImageStore) -> None:
    with pytest.raises(OutputParserException):
        asked("<think>I see.</think>", way, encoder, store)
