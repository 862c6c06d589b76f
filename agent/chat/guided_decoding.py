"""What a call of the chat model asks of the policy's form: tools to call, JSON to answer with; as a structural tag.

A grammar is set only where the caller leaves no choice (`tool_choice`, `response_format`): log-probabilities under a
grammar are not those that a trainer computes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from agent.chat.families.family import Family
from agent.chat.families.template import Tool
from tools.medical_tool import MedicalTool
from tools.signature import arguments_schema

ANY = ("any", "required", True)
FREE = (None, "auto", False, "none")


class GuideError(ValueError):
    """A tool choice or response format that cannot be followed; says what was got and expected."""


def described(tool: Mapping[str, Any] | type | Callable[..., Any] | BaseTool) -> dict[str, Any]:
    """A tool as OpenAI describes it; a medical tool keeps its whole schema."""
    tool = getattr(tool, "inner", tool)
    if isinstance(tool, MedicalTool):
        schema = dict(arguments_schema(tool))
        return {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": schema},
        }
    return convert_to_openai_tool(tool)  # pyright: ignore[reportArgumentType]


def response_format(schema: Mapping[str, Any] | type) -> dict[str, Any]:
    """The `response_format` that asks for JSON of a schema, as OpenAI writes it."""
    converted = convert_to_json_schema(cast("dict[str, Any]", schema))
    return {"type": "json_schema", "json_schema": {"name": converted.get("title", "answer"), "schema": converted}}


def structure(
    family: Family, tools: Sequence[Tool], choice: object, format_asked: object, parallel: bool
) -> str | None:
    """The structural tag for what was asked; None where the policy is free. Raises GuideError."""
    named = _named(choice)
    if named is not None:
        tools = [tool for tool in tools if named in (True, tool["function"]["name"])]
        if not tools:
            raise GuideError(
                f"Got the tool choice {choice!r}, expected 'auto', 'any', 'none' or the name of a bound tool."
            )
        return _tag(family.forced_calls(tools, parallel))
    if format_asked is None:
        return None
    return _tag(family.guided_json(_schema(format_asked)))


def _named(choice: object) -> str | bool | None:
    """The tool that must be called; True for any; None where none must."""
    if isinstance(choice, Mapping):
        return str(cast("Mapping[str, Any]", choice)["function"]["name"])
    if choice in FREE:
        return None
    return True if choice in ANY else str(choice)


def _schema(format_asked: object) -> Mapping[str, Any]:
    if isinstance(format_asked, Mapping):
        asked = cast("Mapping[str, Any]", format_asked)
        if asked.get("type") == "json_object":
            return {"type": "object"}
        if asked.get("type") == "json_schema":
            return asked["json_schema"]["schema"]
    raise GuideError(
        f"Got the response format {format_asked!r:.80}, expected {{'type': 'json_schema', 'json_schema': {{'name', "
        "'schema'}}}} or {'type': 'json_object'}."
    )


def _tag(tag: Mapping[str, Any]) -> str:
    return json.dumps({"type": "structural_tag", "format": tag})
