"""One tool call, from validated arguments to evidence that a policy can be shown, whatever kind of tool it is.

A medical tool's function is called directly, any other LangChain tool as `tools/run/plain_tool.py` says. What comes
back is data from outside: its types and sizes are checked before any of it is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel, ValidationError

from tools.errors import ImageError, ToolFailed
from tools.evidence import Evidence, Measurement, Region
from tools.images.image import MedicalImage
from tools.images.limits import Limits
from tools.images.store import ImageStore
from tools.medical_tool import MedicalTool
from tools.run.plain_tool import answer, answer_async

M = TypeVar("M", bound=BaseModel)

MOST_TEXT = 20_000
"""Characters of a result: more would fill a policy's context."""

MOST_IMAGES = 64
"""Of a result."""

MOST_FINDINGS = 10_000
"""Regions, or measurements, of a result."""


def is_asynchronous(tool: BaseTool) -> bool:
    """Whether the tool was written as a coroutine, to be run in the event loop."""
    return isinstance(tool, StructuredTool) and tool.coroutine is not None


def evidence(tool: BaseTool, arguments: Mapping[str, Any], images: Sequence[MedicalImage]) -> Evidence:
    """What `tool` finds; image n is `images[n - 1]`. Raises what it raises; ToolFailed for a wrong return type."""
    if isinstance(tool, MedicalTool):
        return tool.apply(arguments, images)
    return answer(tool, arguments, images)


async def evidence_async(tool: BaseTool, arguments: Mapping[str, Any], images: Sequence[MedicalImage]) -> Evidence:
    """As `evidence`, for an asynchronous tool."""
    if isinstance(tool, MedicalTool):
        return await tool.aapply(arguments, images)
    return await answer_async(tool, arguments, images)


def checked(found: Evidence, tool: BaseTool, limits: Limits) -> Evidence:
    """The evidence with text that can be written down. Raises ToolFailed for what no policy can be shown."""
    _all_of(found.images, MedicalImage, MOST_IMAGES, "images", tool)
    regions = _valid(found.regions, Region, "regions", tool)
    measurements = _valid(found.measurements, Measurement, "measurements", tool)
    for image in found.images:
        try:
            limits.check_picture(image.width, image.height)
            if image.volume is not None:
                limits.check_volume(image.volume.count, image.width, image.height)
        except ImageError as error:
            raise ToolFailed(f"{tool.name} returned what is too large. {error}") from error
    return replace(found, text=_text(found.text, tool), regions=regions, measurements=measurements)


def keep(found: Evidence, tool: BaseTool, store: ImageStore, limits: Limits) -> Evidence:
    """The checked evidence, its images put into `store`."""
    found = checked(found, tool, limits)
    for image in found.images:
        store.put(image)
    return found


def _all_of(values: Sequence[object], kind: type, most: int, what: str, tool: BaseTool) -> None:
    if type(values) not in (tuple, list) or not all(isinstance(each, kind) for each in values):
        raise ToolFailed(
            f"{tool.name} returned {type(values).__name__} as {what}, expected a tuple of {kind.__name__}."
        )
    if len(values) > most:
        raise ToolFailed(f"{tool.name} returned {len(values)} {what}, expected at most {most}.")


def _valid(values: Sequence[M], kind: type[M], what: str, tool: BaseTool) -> tuple[M, ...]:
    """The values, each of exactly this kind and with what it declares: a tool can make one that nobody validated."""
    _all_of(values, kind, MOST_FINDINGS, what, tool)
    try:
        return tuple(kind.model_validate(vars(each)) for each in values)
    except ValidationError as error:
        raise ToolFailed(
            f"{tool.name} returned {what} with a wrong {error.errors()[0]['loc'][0]}, expected what {kind.__name__} "
            "declares."
        ) from error


def _text(text: object, tool: BaseTool) -> str:
    if not isinstance(text, str) or len(text) > MOST_TEXT:
        got = f"{len(text)} characters" if isinstance(text, str) else type(text).__name__
        raise ToolFailed(f"{tool.name} returned {got} as text, expected at most {MOST_TEXT} characters.")
    return text.encode(errors="replace").decode()  # half a surrogate pair can neither be stored nor tokenised
