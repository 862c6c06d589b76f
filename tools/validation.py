"""Is this call one that a tool can run? If not, what is wrong, said so that the policy can mend it."""

import difflib
import json
from collections.abc import Mapping
from typing import Any, cast

from langchain_core.tools import BaseTool
from pydantic import BaseModel, ValidationError

from tools.calls import ToolCall
from tools.errors import ToolRetry
from tools.medical_tool import MedicalTool
from tools.signature import arguments_schema, example_call, type_name

_MOST_SHOWN = 80
"""Characters of a wrong value that a message repeats."""


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


def validated_arguments(tool: BaseTool, call: ToolCall, image_count: int) -> dict[str, Any]:
    """The arguments with their types and defaults. Raises ToolRetry for a wrong one or an image that there is not."""
    model = tool.args_schema if isinstance(tool, MedicalTool) else tool.tool_call_schema
    if isinstance(model, dict):  # a remote tool: only its server can validate
        return dict(call.arguments)
    try:
        values = cast("type[BaseModel]", model).model_validate(call.arguments)
    except ValidationError as error:
        raise ToolRetry(_explain(tool, call, error)) from error
    arguments = {name: getattr(values, name) for name in type(values).model_fields}
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
        elif each["type"] == "extra_forbidden":
            problem = f"got an unknown argument {_shown(name)}, expected {', '.join(properties) or 'none'}"
        elif name in properties:
            problem = f"got {name} {_shown(call.arguments.get(name))}, expected {_expected(name, properties, schema)}"
        else:
            problem = each["msg"]
        problems.setdefault(name, problem)
    return f"{tool.name}: {'; '.join(list(problems.values())[:3])}. Example: {example_call(tool)}"


def _expected(name: str, properties: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    kind = type_name(properties[name], schema)
    return f"{kind} with integers 0-999" if "[x" in kind else kind


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=repr)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
