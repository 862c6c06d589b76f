"""A tool call as the policy wrote it, and what came of it: plain data for states, logs and trajectories."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from tools.evidence import Measurement, Region

Status = Literal["ok", "retry", "failed", "bug"]


class ToolCall(BaseModel):
    """One call of a turn, not yet validated."""

    model_config = ConfigDict(frozen=True)

    name: str
    arguments: dict[str, Any]
    """JSON values; images by number, from 1."""


class ToolResult(BaseModel):
    """What came of one call."""

    model_config = ConfigDict(frozen=True)

    call: ToolCall
    status: Status
    """ok; retry: the policy can mend its call; failed: it cannot; bug: our fault, never to become reward."""

    text: str
    """What the policy reads."""

    images: tuple[str, ...] = ()
    """Ids in the image store."""

    regions: tuple[Region, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    seconds: float = 0.0
    """From the start of the call to its result, waiting for its deadline included."""

    tool_version: str = ""
    """Empty for a tool that there is not, and for a plain LangChain tool."""
