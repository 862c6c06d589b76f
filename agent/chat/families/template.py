"""A checkpoint's chat template, whether the processor holds it or its tokenizer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Tool = Mapping[str, Any]
"""A tool as OpenAI describes it: {"type": "function", "function": {"name", "description", "parameters"}}."""
PROBE = "a_tool_that_is_looked_for"
A_TOOL: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": PROBE, "description": "Probe.", "parameters": {"type": "object"}}}
]


class TemplateError(ValueError):
    """A chat template that cannot be extended without changing what went before; says where it drifts."""


def render(processor: Any, messages: Sequence[Mapping[str, Any]], tools: list[dict[str, Any]] | None) -> str:
    """What a processor's chat template makes of messages, the beginning of the policy's turn included.

    Raises TemplateError where the template refuses them.
    """
    from jinja2 import TemplateError as JinjaError

    template: Callable[..., object] = _holder(processor).apply_chat_template
    try:
        return str(template(list(messages), tools=tools, add_generation_prompt=True, tokenize=False))
    except JinjaError as error:
        roles = [message["role"] for message in messages]
        raise TemplateError(f"The chat template refuses a conversation of {roles}: {error}") from error


def template_of(processor: Any) -> str:
    """The template itself."""
    return str(_holder(processor).chat_template)


def _holder(processor: Any) -> Any:
    return processor if getattr(processor, "chat_template", None) else processor.tokenizer
