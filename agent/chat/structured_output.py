"""Reading a structured answer, as LangChain's `with_structured_output` promises it: what fits the schema, or
OutputParserException.

LangChain's parsers mend JSON that was cut, and let through what no file or checkpoint can hold (NaN, half a surrogate
pair, a thousand levels); a call with wrong arguments, or none at all, leaves them in other ways. Here whatever a policy
writes that cannot be used is that one exception, which says why.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.outputs import ChatGeneration, Generation
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.utils.json import parse_json_markdown
from langchain_core.utils.pydantic import is_basemodel_subclass

from agent.protocol import DEEPEST, deeper_than

SHOWN = 200
"""Characters of an unreadable answer that its error repeats."""


class _Json(JsonOutputParser):
    """JSON that a checkpoint and a trajectory can hold."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        if partial:
            return _usable(lambda: super(_Json, self).parse_result(result, partial=True), result, partial)
        return _usable(
            lambda: _storable(parse_json_markdown(result[0].text.strip(), parser=json.loads)), result, partial
        )


class _JsonOfModel(PydanticOutputParser[Any], _Json):
    """Such JSON, as a pydantic model."""


class _JsonOfSchema(_Json):
    """Such JSON, an object with what its schema requires."""

    required: Sequence[str]

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        found = super().parse_result(result, partial=partial)
        if not partial and self.required and (lacking := _lacking(found, self.required)):
            raise _unusable(result, f"no {', '.join(lacking)} in it")
        return found


class _CallOfModel(PydanticToolsParser):
    """The arguments of a call, as a pydantic model."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        return _usable(lambda: super(_CallOfModel, self).parse_result(result, partial=partial), result, partial)


class _CallOfSchema(JsonOutputKeyToolsParser):
    """The arguments of a call, as they are."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        return _usable(lambda: super(_CallOfSchema, self).parse_result(result, partial=partial), result, partial)


def answer_parser(schema: object) -> "BaseOutputParser[Any]":
    """Reads an answer that is JSON of `schema`, a pydantic model or a JSON schema."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _JsonOfModel(pydantic_object=schema)
    required = cast("Mapping[str, Any]", schema).get("required", ()) if isinstance(schema, Mapping) else ()
    return _JsonOfSchema(required=required)


def call_parser(schema: object, name: str) -> "BaseOutputParser[Any]":
    """Reads the call of the tool `name` that `schema` is."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _CallOfModel(tools=[schema], first_tool_only=True)
    return _CallOfSchema(key_name=name, first_tool_only=True)


def parsed(held: Runnable[Any, AIMessage], parser: "BaseOutputParser[Any]", include_raw: bool) -> Runnable[Any, Any]:
    """What `held` answers, parsed; with `include_raw` the message, its content and why it could not be read."""
    if not include_raw:
        return held | parser

    def read(message: AIMessage) -> dict[str, Any]:
        try:
            return {"raw": message, "parsed": parser.invoke(message), "parsing_error": None}
        except OutputParserException as error:
            return {"raw": message, "parsed": None, "parsing_error": error}

    return held | RunnableLambda(read)


def _usable(read: Callable[[], Any], result: Sequence[Generation], partial: bool) -> Any:
    """What `read` gives. Raises OutputParserException for a whole answer that was cut, or that it cannot read."""
    if partial:
        try:
            return read()
        except (ValueError, TypeError, RecursionError):
            return None
    if _finish_reason(result) == "length":
        raise _unusable(result, "cut at the limit of its tokens; raise max_tokens (in a run episode.turn_tokens)")
    try:
        found = read()
    except OutputParserException:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise _unusable(result, str(error)) from error
    if found is None:
        raise _unusable(result, "nothing of the schema in it")
    return found


def _storable(value: object) -> object:
    """The value. Raises ValueError for what a checkpoint or a trajectory cannot hold."""
    if deeper_than(DEEPEST, value):
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return value


def _lacking(found: object, required: Sequence[str]) -> list[str]:
    held: Mapping[str, Any] = cast("Mapping[str, Any]", found) if isinstance(found, Mapping) else {}
    return [name for name in required if name not in held]


def _finish_reason(result: Sequence[Generation]) -> str:
    first = result[0]
    return str(first.message.response_metadata.get("finish_reason")) if isinstance(first, ChatGeneration) else ""


def _unusable(result: Sequence[Generation], why: str) -> OutputParserException:
    said = result[0].text
    return OutputParserException(
        f"Got a structured answer that cannot be used: {why}. Expected one of its schema, got {said[:SHOWN]!r}.",
        llm_output=said,
    )
