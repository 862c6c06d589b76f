"""How a tool is described to the policy: its line in the prompt, and an example of a right call.

Read from the JSON schema that LangChain gives for any tool, so medical tools, plain `@tool`s and remote (MCP) tools are
described the same way. JSON is what the policy writes, so names of values (null, true) are JSON's.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from langchain_core.tools import BaseTool
from pydantic import BaseModel

from tools.geometry import SCALE
from tools.medical_tool import MedicalTool

Schema = Mapping[str, Any]

_NAMES = {"integer": "int", "number": "float", "string": "str", "boolean": "bool", "object": "dict", "null": "null"}
_EXAMPLES: dict[str, Any] = {"int": 1, "float": 1.0, "str": "text", "bool": True, "dict": {}}
_BOX, _POINT = "[x1, y1, x2, y2]", "[x, y]"
_EXAMPLE_BOXES = ([120, 340, 420, 610], [500, 340, 800, 610])
_EXAMPLE_POINTS = ([120, 340], [420, 610])


def arguments_schema(tool: BaseTool) -> Schema:
    """The JSON schema of what the policy may write as arguments."""
    # LangChain's copy of the schema loses the examples, which a tool of ours has no injected arguments to need it for
    model = tool.args_schema if isinstance(tool, MedicalTool) else tool.tool_call_schema
    return model if isinstance(model, dict) else cast("type[BaseModel]", model).model_json_schema()


def prompt_line(tool: BaseTool) -> str:
    """`- invert(image: int, box: [x1, y1, x2, y2] = null): What it does.`"""
    return signature_line(tool.name, tool.description, arguments_schema(tool))


def signature_line(name: str, description: str, schema: Schema) -> str:
    """The line of `prompt_line`, for a tool of which only these are known."""
    required: list[str] = schema.get("required", [])
    parameters = [
        f"{each}: {type_name(of, schema)}" + ("" if each in required else f" = {json.dumps(of.get('default'))}")
        for each, of in _properties(schema).items()
    ]
    return f"- {name}({', '.join(parameters)}): {first_sentence(description)}"


def first_sentence(text: str) -> str:
    """Up to the first full stop that ends a sentence, on one line."""
    flat = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=[.!?])\s", flat, maxsplit=1)[0]


def type_name(schema: Schema, root: Schema) -> str:
    """A short name of the type that `schema`, a part of `root`, allows."""
    schema = _resolved(schema, root)
    if values := schema.get("enum", [schema["const"]] if "const" in schema else None):
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in values)
    if options := schema.get("anyOf"):
        kinds = [type_name(each, root) for each in options if each.get("type") != "null"]
        return " | ".join(dict.fromkeys(kinds))
    if schema.get("type") == "array":
        item: Schema = schema.get("items", {})
        if item.get("maximum") == SCALE and schema.get("minItems") == schema.get("maxItems") in (2, 4):
            return _BOX if schema["minItems"] == 4 else _POINT
        return f"[{type_name(item, root)}, ...]"
    return _NAMES.get(str(schema.get("type")), "any")


def example_call(tool: BaseTool, whole: bool = False) -> str:
    """A call that the tool accepts, as JSON: what is required, and what the tool's author gave an example of.

    `whole`: with every argument that there is.
    """
    schema = arguments_schema(tool)
    required: list[str] = schema.get("required", [])
    arguments: dict[str, Any] = {}
    for name, each in _properties(schema).items():
        if whole or name in required or "examples" in each:
            points = sum(type_name(_properties(schema)[before], schema) == _POINT for before in arguments)
            arguments[name] = _example(each, schema, points)
    return json.dumps({"name": tool.name, "arguments": arguments})


def _example(schema: Schema, root: Schema, points: int) -> object:
    schema = _resolved(schema, root)
    if "examples" in schema:
        return schema["examples"][0]
    if values := schema.get("enum", [schema["const"]] if "const" in schema else None):
        return values[0]
    if options := schema.get("anyOf"):
        return _example(options[0], root, points)
    name = type_name(schema, root)
    if name == _BOX:
        return _EXAMPLE_BOXES[0]
    if name == _POINT:
        return _EXAMPLE_POINTS[points % len(_EXAMPLE_POINTS)]
    if schema.get("type") == "array":
        return [_example(schema.get("items", {}), root, points)]
    return _EXAMPLES.get(name)


def _properties(schema: Schema) -> Mapping[str, Schema]:
    return schema.get("properties", {})


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    return root.get("$defs", {}).get(reference.rsplit("/", 1)[-1], {})
