"""What identifies a person reaches nothing: no image, text, store, log, warning or error.

Every attribute of DICOM's whole dictionary that can hold a word gets a planted one: more than the basic profile of
PS3.15 (table E.1-1) lists, and so all that it lists.
"""

import io
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset

from tools.errors import ImageError
from tools.images.dicom.dataset import ATTRIBUTES, read_dataset
from tools.images.limits import Limits
from tools.images.load import load_image
from tools.images.store import ImageStore
from tools.read.image_information import image_information

NAME = "DOE^JOHN^1950"
WORDS = ("PN", "LO", "SH", "ST", "LT", "UT", "UC", "CS", "AE", "UN", "UR", "OB")
NUMBERS = {"DA": "19500102", "TM": "195001", "DT": "19500102195001", "AS": "070Y", "UI": "1.2.1950.666"}
PLANTED = ("DOE", "JOHN", "1950", "070Y")

PS3_15 = (
    "AccessionNumber AcquisitionDate AcquisitionDateTime AcquisitionTime AdmissionID BurnedInAnnotationText "
    "ContentDate ContentTime DeviceSerialNumber FrameComments FrameOfReferenceUID IconImageSequence ImageComments "
    "InstanceCreationDate InstitutionAddress InstitutionName IssuerOfPatientID OperatorsName OtherPatientIDs "
    "PatientAddress PatientAge PatientBirthDate PatientBirthName PatientComments PatientID PatientName PatientSex "
    "PatientSize PatientTelephoneNumbers PatientWeight PerformingPhysicianName ProtocolName ReferringPhysicianName "
    "RequestingPhysician SeriesDate SeriesDescription SeriesInstanceUID SeriesTime SOPInstanceUID StationName "
    "StudyDate StudyDescription StudyID StudyInstanceUID StudyTime TextString UID ContentSequence "
    "RequestAttributesSequence ReferencedImageSequence SourceImageSequence OriginalAttributesSequence "
    "ModifiedAttributesSequence GraphicAnnotationSequence OverlayData OverlayComments"
)
"""Of the basic profile, what images carry most; read_dataset is asked for none of them."""


def plant(dataset: Dataset) -> int:
    """Puts words and dates of a person into every attribute that can hold them, but for those of the pixels' layout."""
    count = 0
    for tag, (vr, *_) in DicomDictionary.items():
        keyword = keyword_for_tag(tag)
        if tag < 0x00080000 or keyword in dataset or not keyword or tag >> 16 == 0x0028:
            continue
        if vr in WORDS:
            dataset.add_new(tag, vr, NAME.encode() + b" " if vr in ("OB", "UN") else NAME)
        elif vr in NUMBERS:
            dataset.add_new(tag, vr, NUMBERS[vr])
        else:
            continue
        count += 1
    return count


@pytest.fixture(scope="module")
def planted(dicom) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(io.BytesIO(dicom(np.arange(12, dtype=np.uint16).reshape(3, 4))))
        assert plant(dataset) > 1700
        dataset.Modality = "CT"
        dataset.add_new(0x00091001, "LO", NAME)  # private
        dataset.add_new(0x60003000, "OW", NAME.encode() + b" ")
        file = io.BytesIO()
        dataset.save_as(file)
        return file.getvalue()


def assert_clean(*told: object) -> None:
    for each in told:
        for word in PLANTED:
            assert word not in str(each), f"{word} in {str(each)[:200]}"


def test_nothing_planted_gets_past_the_door(
    planted: bytes,
    store: ImageStore,
    caplog: pytest.LogCaptureFixture,
    recwarn: pytest.WarningsRecorder,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert b"DOE^JOHN" in planted
    with caplog.at_level(logging.DEBUG):
        image = load_image(planted)
        stored = ImageStore(store.folder).get(store.put(image))
        text = image_information.apply({"image": 1}, [image]).text
    assert image.facts.modality == "CT"
    assert_clean(repr(image), repr(stored), text, image.facts, caplog.text, [str(each.message) for each in recwarn])
    assert_clean(*capfd.readouterr())
    assert all(
        b"DOE" not in path.read_bytes() and b"1950" not in path.read_bytes() for path in store.folder.rglob("*.*")
    )


def test_a_name_in_an_attribute_that_is_read_is_not_told_either(dicom) -> None:
    wrong = {
        "Modality": NAME,
        "PatientOrientation": ["DOE", "JOHN"],
        "RescaleType": NAME,
        "RescaleSlope": "1",
        "RescaleIntercept": "0",
        "BurnedInAnnotation": NAME,
        "VOILUTFunction": NAME,
        "PixelSpacingCalibrationType": NAME,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = dicom(np.arange(12, dtype=np.uint16).reshape(3, 4), **wrong)
    image = load_image(content)
    assert_clean(repr(image), image_information.apply({"image": 1}, [image]).text)


def test_only_the_named_attributes_are_ever_read(planted: bytes) -> None:
    dataset = read_dataset(planted, Limits())
    assert {element.keyword for element in dataset} - {"SpecificCharacterSet"} <= set(ATTRIBUTES)
    assert not set(ATTRIBUTES) & set(PS3_15.split())


@pytest.mark.parametrize("harm", ["cut", "no pixels", "damaged"])
def test_errors_and_their_tracebacks_say_nothing(planted: bytes, harm: str, tmp_path: Path, caplog) -> None:
    at = planted.index(b"\xe0\x7f\x10\x00")
    content = {
        "cut": planted[: at + 20],
        "no pixels": planted[:at],
        "damaged": planted[:at].replace(b"\x28\x00\x10\x00US\x02\x00\x03\x00", b"\x28\x00\x10\x00PN\x02\x00D ")
        + planted[at:],
    }[harm]
    path = tmp_path / "DOE_JOHN_1950.dcm"
    path.write_bytes(content)
    with pytest.raises(ImageError) as error, caplog.at_level(logging.DEBUG):
        load_image(path)
    import traceback

    told = "".join(traceback.format_exception_only(error.value))
    assert_clean(told, caplog.text)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_a_folders_names_and_series_are_not_told(planted: bytes, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"DOE_JOHN_{number}.dcm").write_bytes(planted)
    with pytest.raises(ImageError) as error:
        load_image(tmp_path)
    assert_clean(error.value)


def test_pydicom_speaks_again_afterwards(planted: bytes, caplog: pytest.LogCaptureFixture) -> None:
    load_image(planted)
    logging.getLogger("pydicom").warning("for its other users")
    assert "for its other users" in caplog.text
