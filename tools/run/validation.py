"""Is this call one that a tool can run? If not, what is wrong, said so that the policy can mend it."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, ValidationError

from tools.calls import ToolCall
from tools.errors import ToolRetry
from tools.medical_tool import MedicalTool
from tools.signature import arguments_schema, example_call, type_name

ArgumentsModel = type[BaseModel] | dict[str, Any]
"""A pydantic model, or, for a remote tool, a JSON schema."""

_MOST_SHOWN = 80
"""Characters of a wrong value that a message repeats."""

_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
    "minItems": "at least",
    "maxItems": "at most",
}
"""How a bound in a JSON schema is said."""


def find_tool(call: ToolCall, tools: Mapping[str, BaseTool]) -> BaseTool:
    """The tool that `call` names. Raises ToolRetry with the nearest names where there is none."""
    if (tool := tools.get(call.name)) is not None:
        return tool
    near = difflib.get_close_matches(call.name, tools, n=3, cutoff=0.5)
    raise ToolRetry(
        f"Unknown tool {_shown(call.name)}. "
        + (f"Did you mean {' or '.join(near)}? " if near else "")
        + f"The tools are: {', '.join(tools)}."
    )


def arguments_model(tool: BaseTool) -> ArgumentsModel:
    """What checks the arguments of `tool`. For a plain LangChain tool it is made anew each time, so keep it.

    Such a tool ignores an argument that it does not know; here that is a fault: the policy meant something by it.
    """
    if isinstance(tool, MedicalTool):
        return cast("ArgumentsModel", tool.args_schema)
    model = cast("ArgumentsModel", tool.tool_call_schema)
    if isinstance(model, dict) or model.model_config.get("extra") is not None:
        return model
    return type(model.__name__, (model,), {"model_config": ConfigDict(extra="forbid"), "__module__": __name__})


def validated_arguments(
    tool: BaseTool, call: ToolCall, image_count: int, model: ArgumentsModel | None = None
) -> dict[str, Any]:
    """The arguments with their types and defaults. Raises ToolRetry for a wrong one or an image that there is not.

    `model` is what `arguments_model(tool)` gives, where the caller has it already.
    """
    model = model or arguments_model(tool)
    if isinstance(model, dict):  # a remote tool: only its server can validate
        return dict(call.arguments)
    try:
        values = model.model_validate(call.arguments)
    except ValidationError as error:
        raise ToolRetry(_explain(tool, call, error)) from error
    arguments = {name: getattr(values, name) for name in model.model_fields}
    if isinstance(tool, MedicalTool):
        tool.check_image_numbers(arguments, image_count)
    return arguments


def _explain(tool: BaseTool, call: ToolCall, error: ValidationError) -> str:
    schema = arguments_schema(tool)
    properties: Mapping[str, Any] = schema.get("properties", {})
    problems: dict[str, str] = {}
    for each in error.errors(include_url=False, include_context=False):
        name = str(each["loc"][0]) if each["loc"] else ""
        if each["type"] == "missing" and len(each["loc"]) == 1:
            problem = f"argument {name} is missing, expected {_expected(name, properties, schema)}"
        elif name not in properties and each["loc"]:  # unknown, or no text at all (half a surrogate pair)
            problem = f"got an unknown argument {_shown(name)}, expected {', '.join(properties) or 'none'}"
        elif name in properties:
            problem = f"got {name} {_shown(call.arguments.get(name))}, expected {_expected(name, properties, schema)}"
        else:
            problem = f"got arguments {_shown(call.arguments)}, expected others ({each['msg']})"
        problems.setdefault(name, problem)
    return f"{tool.name}: {'; '.join(list(problems.values())[:3])}. Example: {example_call(tool)}"


def _expected(name: str, properties: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind = type_name(properties[name], schema)
    return f"{kind} with integers 0-999" if "[x" in kind else kind + _bounds(properties[name])


def _bounds(schema: Mapping[str, Any]) -> str:
    """`, at least 1 and at most 5`; empty where all of its type is allowed."""
    of_type: Sequence[Mapping[str, Any]] = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    schema = of_type[0] if len(of_type) == 1 else schema
    limits = [
        f"{word} {schema[key]}" + (" entries" if key.endswith("Items") else "")
        for key, word in _BOUNDS.items()
        if key in schema
    ]
    return f", {' and '.join(limits)}" if limits else ""


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=repr)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
