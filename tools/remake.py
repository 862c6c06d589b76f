"""Making a derived image again from its provenance: what a reader of a report, or an auditor, needs.

The tools are deterministic, so running the recorded operations in order on the same originals gives the same bits. Only
the originals are needed: what an operation was applied to is an original or was made by an operation before it. A tool
whose version has changed since is refused rather than trusted.
"""

from collections.abc import Callable, Mapping
from typing import cast

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.provenance import Operation, Provenance
from tools.medical_tool import MedicalTool
from tools.registry import load_tools


def remake(provenance: Provenance, find: Callable[[str], MedicalImage]) -> MedicalImage:
    """The image with this provenance. `find` gives an original by its id (e.g. `ImageStore.get`).

    Raises ImageError where a tool is not installed in the recorded version or does not return as many images any more.
    """
    image = find(provenance.source)
    made: dict[str, MedicalImage] = {}
    for operation in provenance.operations:
        image = _again(operation, made, find)
        made[image.id] = image
    return image


def _again(operation: Operation, made: Mapping[str, MedicalImage], find: Callable[[str], MedicalImage]) -> MedicalImage:
    tool = next((each for each in load_tools() if each.name == operation.name), None)
    if not isinstance(tool, MedicalTool) or tool.version != operation.version:
        there = f"version {tool.version}" if isinstance(tool, MedicalTool) else "none"
        raise ImageError(
            f"Got the operation {operation.name} version {operation.version}, expected an installed tool of that "
            f"version; there is {there}."
        )
    if tool.func is None:
        raise ImageError(f"Got the asynchronous operation {operation.name}, expected one that can be repeated.")
    arguments = dict(operation.parameters)
    inputs: list[MedicalImage] = []
    for number, name in enumerate(tool.image_parameters, 1):
        wanted = cast("str", arguments[name])
        inputs.append(made[wanted] if wanted in made else find(wanted))
        arguments[name] = number
    images = tool.apply(arguments, inputs).images
    if len(images) < operation.output:
        raise ImageError(
            f"Got {len(images)} images from {operation.name}, expected the one that its provenance describes, number "
            f"{operation.output}."
        )
    return images[operation.output - 1]
