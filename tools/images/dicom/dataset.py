"""Reading the few attributes that an image needs, and no other.

Identity is kept out at the door: pydicom is told which attributes to read, so a name, a date or a number of a person
(PS3.15, table E.1-1) never becomes an object here. What pydicom would say of a strange value quotes that value: its
warnings and log records are held back while we read.
"""

import io
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from tools.errors import ImageError
from tools.images.limits import Limits
from tools.images.reported import reported

MEND = "Give a whole DICOM file, as the scanner or archive writes it."

GEOMETRY = (
    "Rows Columns NumberOfFrames PixelSpacing PixelSpacingCalibrationType ImagerPixelSpacing "
    "NominalScannedPixelSpacing ImageOrientationPatient ImagePositionPatient PatientOrientation SpacingBetweenSlices "
    "GridFrameOffsetVector SequenceOfUltrasoundRegions SharedFunctionalGroupsSequence "
    "PerFrameFunctionalGroupsSequence"
)
KIND = "SOPClassUID Modality ImageType BurnedInAnnotation"
VALUES = (
    "RescaleSlope RescaleIntercept RescaleType ModalityLUTSequence DoseGridScaling DoseUnits Units WindowCenter "
    "WindowWidth VOILUTFunction VOILUTSequence SmallestImagePixelValue LargestImagePixelValue"
)
PIXELS = (
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration BitsAllocated BitsStored HighBit "
    "PixelRepresentation RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor "
    "BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData "
    "BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData "
    "SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData "
    "ExtendedOffsetTable ExtendedOffsetTableLengths PixelData FloatPixelData DoubleFloatPixelData"
)
ATTRIBUTES = tuple(" ".join((KIND, GEOMETRY, VALUES, PIXELS)).split())
"""All that is ever read of an object; none is in PS3.15's list of identifying attributes."""

_DEFLATED = "1.2.840.10008.1.2.1.99"

Dataset = Any
"""A pydicom.Dataset: pydicom is imported where a DICOM file is read, not before."""


def is_dicom(content: bytes) -> bool:
    """Whether `content` begins as a DICOM file does, or as the bare data set that old programs write."""
    if content[128:132] == b"DICM":
        return True
    little, big = content[:2], content[1:2] + content[:1]
    begins = {b"\x02\x00", b"\x08\x00"} & {little, big}
    return bool(begins) and len(content) > 64 and _first_vr_is_possible(content)


def read_dataset(content: bytes, limits: Limits) -> Dataset:
    """The attributes of ATTRIBUTES; to be called, and its result used, inside `reading`."""
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    library: Any = pydicom
    content = _inflated(content, limits)
    dataset: Any = library.dcmread(io.BytesIO(content), force=True, specific_tags=list(ATTRIBUTES))
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def series_and_position(header: bytes) -> tuple[str, Dataset]:
    """What tells one series of a folder from another, for comparing only (it identifies: keep it nowhere)."""
    import pydicom

    library: Any = pydicom
    names = ["SeriesInstanceUID", "SOPClassUID", *GEOMETRY.split()]
    dataset: Any = library.dcmread(io.BytesIO(header), force=True, specific_tags=names, stop_before_pixels=True)
    return str(dataset.get("SeriesInstanceUID", "")), dataset


def group(dataset: Dataset, sequence: str, frame: int = 0) -> Dataset:
    """What holds the attributes of a functional group for a frame (from 0): the frame, all frames, or the object."""
    for holder in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        groups = cast("list[Any]", dataset.get(holder) or [])
        of_frame = groups[min(frame, len(groups) - 1)] if groups else None
        if of_frame is not None and of_frame.get(sequence):
            return of_frame[sequence][0]
    return dataset


def numbers(value: object, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, or None where the attribute is missing or anything else."""
    import math

    try:
        found = tuple(float(each) for each in cast("Any", value))
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(math.isfinite(each) for each in found) else None


@contextmanager
def reading() -> Generator[None]:
    """Inside, what pydicom raises is an ImageError, and it neither warns nor logs.

    pydicom turns bytes into values when they are asked for, so all that asks belongs inside.
    """
    from pydicom.errors import BytesLengthException

    warnings.filterwarnings("ignore", module=r"pydicom\.")  # for good: undoing it is not safe between threads
    with reported("a DICOM object", MEND, also=(BytesLengthException,)):
        yield


def _first_vr_is_possible(content: bytes) -> bool:
    """Whether the first element has a value representation, or a length that is inside the file."""
    if content[4:6].isalpha() and content[4:6].isupper():
        return True
    return int.from_bytes(content[4:8], "little") < min(len(content), 4096)


def _inflated(content: bytes, limits: Limits) -> bytes:
    """A deflated data set unpacked here, up to the limit: pydicom would unpack whatever comes."""
    from pydicom import filereader, filewriter
    from pydicom.filebase import DicomBytesIO
    from pydicom.uid import ExplicitVRLittleEndian

    if content[128:132] != b"DICM" or _DEFLATED.encode() not in content[:2048]:
        return content
    reader: Any = filereader
    file = io.BytesIO(content)
    reader.read_preamble(file, force=True)
    meta = reader._read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != _DEFLATED:
        return content
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = unpacker.decompress(content[file.tell() :], limits.file_bytes + 1)
    limits.check_bytes(len(plain))
    if not unpacker.eof:
        raise ImageError(f"Got a deflated DICOM file that was cut short. {MEND}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    head = DicomBytesIO()
    filewriter.write_file_meta_info(head, meta, enforce_standard=False)
    return bytes(128) + b"DICM" + head.getvalue() + plain
