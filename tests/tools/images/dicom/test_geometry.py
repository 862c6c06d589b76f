"""Millimetres only where they hold in the body; slices in the order in which they lie."""

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tools.images.dicom.geometry import stacked
from tools.images.facts import CalibratedRegion
from tools.images.load import load_image

PIXELS = np.zeros((40, 60), np.uint16)
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


@pytest.mark.parametrize(
    ("attributes", "spacing", "detector"),
    [
        ({"Modality": "CT", "PixelSpacing": [0.7, 0.5]}, (0.7, 0.5), None),
        ({"Modality": "CT"}, None, None),
        # radiographs: the detector's spacing is not the body's
        ({"Modality": "DX", "ImagerPixelSpacing": [0.2, 0.1]}, None, (0.2, 0.1)),
        ({"Modality": "DX", "PixelSpacing": [0.2, 0.1]}, None, (0.2, 0.1)),
        ({"Modality": "DX", "PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.2, 0.1]}, None, (0.2, 0.1)),
        # calibrated: said so, or corrected against the detector's
        ({"Modality": "DX", "PixelSpacing": [0.2, 0.1], "PixelSpacingCalibrationType": "FIDUCIAL"}, (0.2, 0.1), None),
        ({"Modality": "CR", "PixelSpacing": [0.18, 0.09], "ImagerPixelSpacing": [0.2, 0.1]}, (0.18, 0.09), None),
        # film on a scanner
        ({"Modality": "RG", "NominalScannedPixelSpacing": [0.1, 0.1]}, None, (0.1, 0.1)),
        # nonsense
        ({"Modality": "CT", "PixelSpacing": [0.0, 0.5]}, None, None),
        ({"Modality": "CT", "PixelSpacing": [-1, 0.5]}, None, None),
    ],
)
def test_what_spacing_means(dicom, attributes, spacing, detector) -> None:
    image = load_image(dicom(PIXELS, **attributes))
    assert image.spacing == spacing
    assert image.facts.detector_spacing == detector


def region(units: int = 3, **corners: int) -> Dataset:
    made = Dataset()
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = units
    made.PhysicalDeltaX, made.PhysicalDeltaY = 0.02, -0.03
    made.RegionLocationMinX0, made.RegionLocationMinY0 = corners.get("left", 10), corners.get("top", 5)
    made.RegionLocationMaxX1, made.RegionLocationMaxY1 = corners.get("right", 49), corners.get("bottom", 34)
    return made


def test_ultrasound_measures_inside_its_region_only(dicom) -> None:
    image = load_image(dicom(PIXELS, Modality="US", SequenceOfUltrasoundRegions=[region()], PixelSpacing=[9, 9]))
    assert image.spacing is None
    # 0.02 cm across and 0.03 cm down: 0.2 and 0.3 mm; the last pixel, 49, is inside
    assert image.facts.regions == (CalibratedRegion((10, 5, 50, 35), (0.3, 0.2)),)
    assert image.crop((10, 5, 50, 35)).spacing == (0.3, 0.2)
    assert image.crop((20, 10, 30, 20)).crop((1, 1, 5, 5)).spacing == (0.3, 0.2)
    outside = image.crop((0, 0, 30, 20))
    assert outside.spacing is None
    assert outside.facts.regions == (CalibratedRegion((10, 5, 30, 20), (0.3, 0.2)),)


def test_a_region_of_time_or_speed_is_not_for_millimetres(dicom) -> None:
    doppler = region(units=4)
    assert load_image(dicom(PIXELS, Modality="US", SequenceOfUltrasoundRegions=[doppler])).facts.regions == ()


def test_a_region_that_is_the_whole_image_is_its_spacing(dicom) -> None:
    whole = region(left=0, top=0, right=59, bottom=39)
    assert load_image(dicom(PIXELS, Modality="US", SequenceOfUltrasoundRegions=[whole])).spacing == (0.3, 0.2)


def test_a_real_ultrasound(pydicom_files: Path) -> None:
    image = load_image(pydicom_files / "test_files/examples_palette.dcm")
    assert image.spacing is None
    (calibrated,) = image.facts.regions
    assert calibrated.box == (120, 60, 800, 350)
    assert calibrated.spacing[0] == pytest.approx(0.26228787661969977)


def test_slices_are_put_in_order_by_place() -> None:
    order, spacing, directions = stacked(AXIAL, [(0, 0, 7.5), (0, 0, 2.5), (0, 0, 5.0)])
    assert order == [1, 2, 0]
    assert spacing == 2.5
    assert directions == ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


def test_a_missing_slice_leaves_no_spacing_and_two_at_one_place_no_order() -> None:
    order, spacing, directions = stacked(AXIAL, [(0, 0, 7.5), (0, 0, 0.0), (0, 0, 2.5)])
    assert (order, spacing) == ([1, 2, 0], None)
    assert directions is not None
    assert stacked(AXIAL, [(0, 0, 5), (0, 0, 5), (0, 0, 7)]) == ([0, 1, 2], None, None)


def test_a_tilted_gantry_is_measured_upright_on_the_slices() -> None:
    # each slice 4 mm higher and 3 mm further back: 4 mm apart, though the places are 5 mm apart
    _, spacing, directions = stacked(AXIAL, [(0, 0, 0), (0, 3, 4), (0, 6, 8)])
    assert spacing == 4.0
    assert directions is not None
    assert directions[0] == (0.0, 0.6, 0.8)


def test_edges_are_told_as_letters(dicom) -> None:
    coronal = load_image(dicom(PIXELS, ImageOrientationPatient=[1, 0, 0, 0, 0, -1]))
    assert coronal.facts.orientation == ("L", "F")
    assert load_image(dicom(PIXELS, PatientOrientation=["R", "FP"])).facts.orientation == ("R", "F")
    assert load_image(dicom(PIXELS, PatientOrientation=["", ""])).facts.orientation is None
    assert load_image(dicom(PIXELS, ImageOrientationPatient=[1, 0, 0, 1, 0, 0])).facts.orientation is None


def test_frames_with_places_become_a_volume(dicom) -> None:
    def frame(z: float) -> Dataset:
        place, made = Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, z]
        made.PlanePositionSequence = [place]
        return made

    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [0.5, 0.25]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    pixels = np.stack([np.full((4, 5), value, np.uint16) for value in (30, 10, 20)])
    image = load_image(
        dicom(
            pixels,
            SharedFunctionalGroupsSequence=[shared],
            PerFrameFunctionalGroupsSequence=[frame(9), frame(3), frame(6)],
        )
    )
    assert image.volume is not None
    assert image.volume.voxels[:, 0, 0].tolist() == [10, 20, 30]
    assert image.volume.slice_spacing == 3.0
    assert image.spacing == (0.5, 0.25)


def test_a_real_dose_grid_lies_by_its_offsets(pydicom_files: Path) -> None:
    image = load_image(pydicom_files / "test_files/rtdose.dcm")
    assert image.volume is not None
    assert image.volume.voxels.shape == (15, 10, 10)
    assert image.volume.slice_spacing == 5.0
    assert image.spacing == (10.0, 10.0)
