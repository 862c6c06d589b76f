"""Making a derived image again from its provenance: what a reader of a report, or an auditor, needs.

The tools are deterministic, so running the recorded operations in order on the same original gives the same bits. A
tool whose version has changed since is refused rather than trusted.
"""

from collections.abc import Callable
from typing import cast

from tools.errors import ImageError
from tools.images.image import MedicalImage
from tools.images.provenance import Operation, Provenance
from tools.medical_tool import MedicalTool
from tools.registry import load_tools


def remake(provenance: Provenance, find: Callable[[str], MedicalImage]) -> MedicalImage:
    """The image with this provenance. `find` gives an image by id (e.g. `ImageStore.get`): the original, at least.

    Raises ImageError where a tool is not installed in the recorded version or made no or several images.
    """
    image = find(provenance.source)
    for operation in provenance.operations:
        image = _again(operation, image, find)
    return image


def _again(operation: Operation, before: MedicalImage, find: Callable[[str], MedicalImage]) -> MedicalImage:
    tool = next((each for each in load_tools() if each.name == operation.name), None)
    if not isinstance(tool, MedicalTool) or tool.version != operation.version:
        there = f"version {tool.version}" if isinstance(tool, MedicalTool) else "none"
        raise ImageError(
            f"Got the operation {operation.name} version {operation.version}, expected an installed tool of that "
            f"version; there is {there}."
        )
    arguments = dict(operation.parameters)
    inputs: list[MedicalImage] = []
    for number, name in enumerate(tool.image_parameters, 1):
        wanted = cast("str", arguments[name])
        inputs.append(before if wanted == before.id else find(wanted))
        arguments[name] = number
    made = tool.apply(arguments, inputs).images
    if len(made) != 1:
        raise ImageError(
            f"Got {len(made)} images from {operation.name}, expected the one that its provenance describes."
        )
    return made[0]
