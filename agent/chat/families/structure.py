"""Structural tags of xgrammar, of which families put together what a turn is held to."""

import json
from collections.abc import Mapping
from typing import Any

from agent.chat.families.template import Tool

MOST_SPACES = 1
"""White space between two parts of guided JSON; without a limit a small policy writes nothing else."""


def sequence(*elements: Mapping[str, Any]) -> dict[str, Any]:
    """The structural tag of one thing after another."""
    return {"type": "sequence", "elements": list(elements)}


def json_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The structural tag of JSON that a schema allows."""
    return {"type": "json_schema", "json_schema": dict(schema), "max_whitespace_cnt": MOST_SPACES}


def call_tag(tool: Tool, begin: str, end: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The tag of a call of `tool` with arguments of `schema`, between `begin` and `end`."""
    name = json.dumps(tool["function"]["name"])
    opened = f'{begin}{{"name": {name}, "arguments": '
    return {"type": "tag", "begin": opened, "content": json_format(schema), "end": f"}}{end}"}


def parameters(tool: Tool) -> Mapping[str, Any]:
    """The schema of a tool's arguments."""
    return tool["function"].get("parameters") or {"type": "object", "properties": {}}
