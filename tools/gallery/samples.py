"""A sample image and a call for each tool, for the contact sheet: real images whose licences let a picture be shown.

Some are installed with pydicom (MIT), scikit-image (BSD) and nibabel (MIT); the others lie in a folder of sets that are
in the public domain or under the MIT licence (VQA-RAD, 2018 Data Science Bowl, BCCD). A tool that has no call here is
shown on the x-ray with its own example.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tools.images.image import MedicalImage
from tools.images.load import load_image
from tools.medical_tool import MedicalTool
from tools.signature import example_call


@dataclass(frozen=True)
class Sample:
    """What a tool is shown with."""

    images: tuple[str, ...]
    """Names of `sample_image`; the tool's image 1, 2 ..."""

    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Without the image numbers."""


X_RAY, SMEAR, NUCLEI, SECTION = ("x_ray",), ("smear",), ("nuclei",), ("section",)
CT, MR, HEART, BRAIN, RETINA = ("ct",), ("mr",), ("heart",), ("brain",), ("retina",)

FILES = {
    "x_ray": "vqa_rad/images/synpic52767.jpg",
    "smear": "bccd/images/BloodImage_00000.jpg",
    "nuclei": "dsb2018/images/12f89395ad5d2149.png",
    "section": "dsb2018/images/4193474b2f1c72f7.png",
}
"""In the folder of images."""

IN_PYDICOM = {"ct": "CT_small.dcm", "mr": "examples_overlay.dcm", "heart": "examples_ybr_color.dcm"}

KIDNEY = [[180, 801], [281, 604], [421, 510], [531, 510], [585, 604], [570, 749], [468, 916], [328, 978], [219, 895]]
LEFT_LUNG, RIGHT_LUNG = [540, 150, 880, 700], [130, 150, 470, 700]

SAMPLES: dict[str, Sample] = {
    "zoom_in": Sample(X_RAY, {"box": [560, 330, 800, 570]}),
    "compare_regions": Sample((*X_RAY, *X_RAY), {"box": RIGHT_LUNG, "other_box": LEFT_LUNG}),
    "magnify_series": Sample(SMEAR, {"point": [586, 575], "steps": 2}),
    "mirror_compare": Sample(X_RAY, {"box": RIGHT_LUNG}),
    "rotate_flip": Sample(MR, {"degrees": 90}),
    "tile_overview": Sample(NUCLEI, {"rows": 3, "columns": 3}),
    "colour_channel": Sample(SECTION, {"channel": "saturation"}),
    "denoise": Sample(CT, {"radius": 3}),
    "enhance_contrast": Sample(X_RAY, {"strength": 3}),
    "gamma": Sample(X_RAY, {"gamma": 2.5}),
    "invert": Sample(X_RAY),
    "sharpen": Sample(MR, {"radius": 2, "amount": 3}),
    "stain_separation": Sample(SECTION, {"stain": "haematoxylin"}),
    "window_level": Sample(CT, {"preset": "bone"}),
    "intensity_profile": Sample(MR, {"start": [120, 430], "end": [880, 430]}),
    "measure_angle": Sample(X_RAY, {"start": [500, 120], "corner": [500, 420], "end": [640, 560]}),
    "measure_area": Sample(("kidney",), {"points": KIDNEY}),
    "measure_distance": Sample(HEART, {"start": [500, 300], "end": [500, 800]}),
    "region_statistics": Sample(CT, {"box": [400, 300, 620, 520]}),
    "symmetry_index": Sample(X_RAY),
    "texture": Sample(MR, {"box": [110, 330, 260, 520]}),
    "count_objects": Sample(NUCLEI),
    "detect_edges": Sample(MR, {"blur": 2}),
    "difference_map": Sample((*MR, "mr_moved"), {"align": False}),
    "enhance_vessels": Sample(RETINA, {"vessels": "dark", "narrowest": 3, "widest": 12}),
    "find_lungs": Sample(X_RAY),
    "locate_objects": Sample(SMEAR, {"colour": "purple", "smallest": 90}),
    "segment_at": Sample(MR, {"point": [180, 420], "tolerance": 10}),
    "segment_threshold": Sample(X_RAY, {"classes": 3}),
    "blank_text": Sample(X_RAY),
    "image_information": Sample(HEART),
    "read_text": Sample(X_RAY),
    "annotate": Sample(
        ("cell",), {"points": [[300, 250], [430, 720], [860, 360]], "labels": ["lobe 1", "lobe 2", "lobe 3"]}
    ),
    "mark_regions": Sample(X_RAY, {"boxes": [RIGHT_LUNG, LEFT_LUNG], "labels": ["right", "left"]}),
    "overlay_mask": Sample((*RETINA, "vessels"), {"level": 60, "colour": "blue"}),
    "show_slice": Sample(BRAIN, {"slice": 9}),
    "reslice": Sample(BRAIN, {"plane": "sagittal"}),
    "maximum_intensity_projection": Sample(BRAIN, {"plane": "axial", "first": 11, "last": 14}),
    "volume_of_region": Sample(
        BRAIN,
        {
            "box": [300, 250, 700, 700],
            "first": 5,
            "last": 20,
            "low": -1000,
            "high": 4500,
            "largest_piece": True,
        },
    ),
}


def sample_of(tool: MedicalTool) -> Sample:
    """The tool's sample; of a tool that has none, the x-ray with its own example call."""
    if tool.name in SAMPLES:
        return SAMPLES[tool.name]
    example: dict[str, Any] = json.loads(example_call(tool))["arguments"]
    own = {name: value for name, value in example.items() if name not in tool.image_parameters}
    return Sample(X_RAY * len(tool.image_parameters), own)


@cache
def sample_image(name: str, folder: Path) -> MedicalImage:
    """The image of this name; `folder` holds FILES. Raises ImageError where one is missing."""
    if name in FILES:
        return load_image(folder / FILES[name])
    if name in IN_PYDICOM:
        from pydicom.data import get_testdata_file

        return load_image(str(get_testdata_file(IN_PYDICOM[name], download=False)))
    return _MADE[name](folder)


def _brain(folder: Path) -> MedicalImage:
    import nibabel

    return load_image(Path(nibabel.__file__).parent / "tests" / "data" / "anatomical.nii")


def _kidney(folder: Path) -> MedicalImage:
    return sample_image("mr", folder).crop((90, 130, 250, 250))


def _cell(folder: Path) -> MedicalImage:
    return sample_image("smear", folder).crop((275, 186, 475, 366))


def _retina(folder: Path) -> MedicalImage:
    import skimage

    return load_image(Path(skimage.__file__).parent / "data" / "retina.jpg").crop((300, 300, 1000, 1000))


def _vessels(folder: Path) -> MedicalImage:
    from tools.find.enhance_vessels import enhance_vessels

    arguments = {"image": 1, "vessels": "dark", "narrowest": 3, "widest": 12}
    return enhance_vessels.apply(arguments, [sample_image("retina", folder)]).images[0]


def _mr_moved(folder: Path) -> MedicalImage:
    whole = sample_image("mr", folder)
    moved = whole.pixels.copy()
    moved[:, 6:] = whole.pixels[:, :-6]
    return MedicalImage(moved, whole.spacing, window=whole.window)


_MADE = {
    "brain": _brain,
    "kidney": _kidney,
    "cell": _cell,
    "retina": _retina,
    "vessels": _vessels,
    "mr_moved": _mr_moved,
}
