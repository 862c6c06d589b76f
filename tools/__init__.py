"""Medical images and what can be done to them. Research use only, not a medical device.

The names that most callers need; each is imported when it is first used, so `import tools` costs nothing. The decorator
has the name of its module, so it is imported from there: `from tools.medical_tool import medical_tool`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.errors import ImageError, ToolFailed, ToolRetry
    from tools.evidence import Evidence, Measurement, Region
    from tools.geometry import Box, Point
    from tools.images.image import MedicalImage
    from tools.images.load import load_image
    from tools.images.store import ImageStore
    from tools.registry import load_tools
    from tools.toolbox import Toolbox, ToolCall, ToolResult

__all__ = [
    "Box",
    "Evidence",
    "ImageError",
    "ImageStore",
    "Measurement",
    "MedicalImage",
    "Point",
    "Region",
    "ToolCall",
    "ToolFailed",
    "ToolResult",
    "ToolRetry",
    "Toolbox",
    "load_image",
    "load_tools",
]

_HOMES = {
    "Box": "tools.geometry",
    "Evidence": "tools.evidence",
    "ImageError": "tools.errors",
    "ImageStore": "tools.images.store",
    "Measurement": "tools.evidence",
    "MedicalImage": "tools.images.image",
    "Point": "tools.geometry",
    "Region": "tools.evidence",
    "ToolCall": "tools.toolbox",
    "ToolFailed": "tools.errors",
    "ToolResult": "tools.toolbox",
    "ToolRetry": "tools.errors",
    "Toolbox": "tools.toolbox",
    "load_image": "tools.images.load",
    "load_tools": "tools.registry",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tools' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
