"""What identifies a person reaches nothing: no image, text, store, log, warning or error.

Every attribute of DICOM's whole dictionary that can hold a word gets a planted one: more than the basic profile of
PS3.15 (table E.1-1) lists, and so all that it lists.
"""

import io
import json
import logging
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.datadict import DicomDictionary, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from tools.errors import ImageError
from tools.images.dicom.dataset import ATTRIBUTES, read_dataset
from tools.images.limits import Limits
from tools.images.load import load_image
from tools.images.store import ImageStore
from tools.read.image_information import image_information

ROOT = Path(__file__).parents[3]
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


READABLE = [name for name in ATTRIBUTES if name != "PixelData"]


def told_of(content: bytes, caplog: pytest.LogCaptureFixture) -> list[object]:
    """All that is said of a file: its image and what tools tell of it, or its error with the whole traceback."""
    try:
        image = load_image(content)
    except ImageError as error:
        return ["".join(traceback.format_exception(error)), caplog.text]
    return [repr(image), image.facts.to_dict(), image_information.apply({"image": 1}, [image]).text, caplog.text]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("vr", ["LO", "OB", "SQ"])
def test_a_name_in_any_attribute_that_is_read(dicom, vr: str, caplog: pytest.LogCaptureFixture) -> None:
    plain = dicom(np.arange(12, dtype=np.uint16).reshape(3, 4), Modality="MR", WindowCenter="5", WindowWidth="9")
    inner = Dataset()
    plant(inner)
    for keyword in READABLE:
        dataset = dcmread(io.BytesIO(plain))
        tag = tag_for_keyword(keyword)
        assert tag is not None
        value: object = {"LO": NAME, "OB": NAME.encode() + b" ", "SQ": [inner]}[vr]
        dataset[tag] = DataElement(tag, vr, value, validation_mode=0)
        file = io.BytesIO()
        dataset.save_as(file)
        assert b"DOE^JOHN" in file.getvalue()
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            assert_clean(keyword, *told_of(file.getvalue(), caplog))


@pytest.mark.filterwarnings("ignore")
def test_names_nested_in_the_sequences_that_are_read(dicom, caplog: pytest.LogCaptureFixture) -> None:
    inner, region = Dataset(), Dataset()
    plant(inner)
    plant(region)
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.02
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 2, 2
    region.ReferencedImageSequence = [inner]
    inner.PixelMeasuresSequence = [Dataset()]
    inner.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.5]
    inner.PixelMeasuresSequence[0].PatientName = NAME
    content = dicom(
        np.arange(12, dtype=np.uint16).reshape(3, 4),
        SequenceOfUltrasoundRegions=[region],
        SharedFunctionalGroupsSequence=[inner],
        PerFrameFunctionalGroupsSequence=[inner],
    )
    assert content.count(b"DOE^JOHN") > 3000
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        assert_clean(*told_of(content, caplog))
        assert load_image(content).facts.regions


def test_what_pictures_and_volumes_say_beside_their_pixels(store: ImageStore, tmp_path: Path, caplog) -> None:
    import nibabel
    from PIL import Image, PngImagePlugin

    picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    exif = Image.Exif()
    for tag in (0x010E, 0x013B, 0x8298, 0x0132):  # description, artist, copyright, date
        exif[tag] = NAME
    words = PngImagePlugin.PngInfo()
    for key in ("Author", "Description", "Patient"):
        words.add_text(key, NAME)
    volume = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    for field in ("descrip", "db_name", "aux_file", "intent_name"):
        volume.header[field] = NAME[:10]
    volume.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    folder = tmp_path / "DOE_JOHN_1950"
    folder.mkdir()
    picture.save(folder / "DOE.png", pnginfo=words, exif=exif)
    picture.save(folder / "DOE.jpg", exif=exif)
    picture.save(folder / "DOE.tif", description=NAME, artist=NAME)
    picture.save(folder / "DOE.webp", exif=exif)
    nibabel.save(volume, folder / "DOE.nii.gz")
    caplog.clear()
    for path in sorted(folder.iterdir()):
        with caplog.at_level(logging.DEBUG):
            image = load_image(path)
            image_id = store.put(image)
            assert_clean(repr(image), image_information.apply({"image": 1}, [image]).text, caplog.text)
        for file in (store.path(image_id), store.path(image_id).with_suffix(".json")):
            assert b"DOE" not in file.read_bytes() and b"1950" not in file.read_bytes()


@pytest.mark.parametrize("beside", [[NAME, 1], NAME, [1, 1, NAME], {"DOE": "JOHN"}, [True, NAME]])
def test_the_file_beside_is_not_repeated(tmp_path: Path, beside: object) -> None:
    from PIL import Image

    Image.new("L", (4, 4)).save(tmp_path / "scan.png")
    (tmp_path / "scan.json").write_text(json.dumps({"spacing_mm": beside, "patient": NAME}))
    with pytest.raises(ImageError, match="expected") as error:
        load_image(tmp_path / "scan.png")
    assert_clean("".join(traceback.format_exception(error.value)))


@pytest.mark.parametrize("url", [f"data:image/png;name={NAME},AAAA", f"data:{NAME}", f"data:image/png;base64,{NAME}"])
def test_a_wrong_data_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ImageError) as error:
        load_image(url)
    assert_clean(str(error.value))


AT_DEBUG = """
import io, logging, sys, warnings
from pathlib import Path
from tools.images.load import load_image
from tools.images.store import ImageStore

class Told(logging.Handler):
    def emit(self, record):
        print(record.name, record.getMessage(), record.args)

logging.root.addHandler(Told())
logging.root.setLevel(logging.NOTSET)
warnings.simplefilter("always")
logging.captureWarnings(True)
logging.getLogger("test").debug("it listens")
from PIL import Image

folder = Path(sys.argv[1])
for path in sorted(folder.iterdir()):
    sources = [path, path.read_bytes()] + ([] if path.suffix in (".nii", ".dcm") else [Image.open(path)])
    images = [load_image(source) for source in sources]
    store = ImageStore(folder.parent / "store")
    ImageStore(store.folder).get(store.put(images[0])).display()
"""


def test_a_name_in_a_files_tags_is_in_no_log(planted: bytes, tmp_path: Path) -> None:
    """Every logger at DEBUG, every warning, a fresh process: by path, by bytes, opened by Pillow before."""
    import nibabel
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    (folder := tmp_path / "files").mkdir()
    tags, text, picture = Image.Exif(), PngInfo(), Image.new("RGB", (32, 16), "red")
    tags.update({0x010E: NAME, 0x013B: NAME, 0x0132: "1950:01:02 00:00:00", 0x0112: 6, 0x9286: NAME})
    text.add_text("Description", NAME)
    for kind, more in {"JPEG": {}, "TIFF": {}, "WEBP": {}, "MPO": {}, "PNG": {"pnginfo": text}}.items():
        picture.save(folder / f"scan.{kind.lower()}", kind, exif=tags, **more)
    volume = nibabel.Nifti1Image(np.zeros((4, 4, 2), np.int16), np.eye(4))
    volume.header["descrip"] = volume.header["aux_file"] = NAME
    volume.header["db_name"], volume.header["intent_name"] = NAME, NAME
    volume.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    (folder / "scan.nii").write_bytes(volume.to_bytes())
    (folder / "scan.dcm").write_bytes(planted)
    assert all(b"DOE" in path.read_bytes() for path in folder.iterdir())
    run = subprocess.run(
        [sys.executable, "-c", AT_DEBUG, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "it listens" in run.stdout
    assert_clean(run.stdout, run.stderr)
    assert all(b"DOE" not in path.read_bytes() for path in (tmp_path / "store").rglob("*.*"))
