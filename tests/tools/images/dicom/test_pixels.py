"""From stored values to measured ones, against values worked by hand and against pydicom's own functions."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_windowing
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tools.errors import ImageError
from tools.images.dicom import stored
from tools.images.limits import Limits
from tools.images.load import load_image

STORED = np.array([[0, 1000, 2048, 4095]], np.uint16)


def test_a_ct_is_in_hounsfield_units_16_bits_kept(pydicom_files: Path) -> None:
    path = pydicom_files / "test_files/CT_small.dcm"
    image = load_image(path)
    # 128 x 128 stored 16-bit values at the end of the file; slope 1, intercept -1024
    stored = np.frombuffer(dcmread(path).PixelData, "<i2").reshape(128, 128)
    assert image.pixels.dtype == np.int16
    assert (image.pixels == stored - 1024).all()
    assert (image.facts.modality, image.facts.unit) == ("CT", "HU")
    assert image.spacing == (0.661468, 0.661468)


def test_slope_and_intercept_make_whole_numbers_or_fractions(dicom) -> None:
    whole = load_image(dicom(STORED, RescaleSlope="2", RescaleIntercept="-100"))
    assert whole.pixels.dtype == np.int16
    assert whole.pixels.tolist() == [[-100, 1900, 3996, 8090]]
    fractions = load_image(dicom(STORED, RescaleSlope="0.5", RescaleIntercept="0"))
    assert fractions.pixels.dtype == np.float32
    assert fractions.pixels.tolist() == [[0.0, 500.0, 1024.0, 2047.5]]


def test_a_localizer_and_an_mr_have_no_unit(dicom) -> None:
    facts = {"Modality": "CT", "RescaleSlope": "1", "RescaleIntercept": "-1024"}
    assert load_image(dicom(STORED, **facts)).facts.unit == "HU"
    assert load_image(dicom(STORED, **facts, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])).facts.unit == ""
    assert load_image(dicom(STORED, **{**facts, "Modality": "MR"})).facts.unit == ""


def test_the_first_of_several_windows_is_used_and_shown_as_pydicom_shows_it(dicom, pydicom_files: Path) -> None:
    image = load_image(dicom(STORED, WindowCenter=["1000", "40"], WindowWidth=["500", "80"]))
    assert image.window == (999.5, 499.0)  # PS3.3 C.11.2.1.2.1: centre - 0.5, width - 1
    path = pydicom_files / "test_files/MR_small.dcm"
    dataset = dcmread(path)
    theirs = apply_windowing(dataset.pixel_array, dataset)
    theirs = (theirs + 32768) / 65535 * 255  # its output is signed and of 16 bits, as the stored values are
    assert np.abs(np.asarray(load_image(path).display()) - theirs).max() <= 1.0


@pytest.mark.parametrize("wrong", [{"WindowWidth": "0"}, {"WindowWidth": "-5"}, {"WindowWidth": None}])
def test_a_window_without_width_is_none(dicom, wrong: dict[str, str]) -> None:
    assert load_image(dicom(STORED, WindowCenter="40", **wrong)).window is None


def test_an_exact_window_is_taken_as_it_is(dicom) -> None:
    exact = {"WindowCenter": "2048", "WindowWidth": "4096", "VOILUTFunction": "LINEAR_EXACT"}
    assert load_image(dicom(STORED, **exact)).window == (2048.0, 4096.0)


def test_a_sigmoid_is_applied_as_no_window_can_say_it(dicom) -> None:
    # 12 bits: 4095 / (1 + exp(-4 (x - 2048) / 1000)): at 2048 the middle; at 1000 4095 / (1 + e^4.192) = 60.96
    image = load_image(
        dicom(STORED, BitsStored=12, HighBit=11, WindowCenter="2048", WindowWidth="1000", VOILUTFunction="SIGMOID")
    )
    assert image.window is None
    assert image.pixels.tolist() == [[1, 61, 2048, 4094]]


def test_a_voi_table_is_applied_to_values_without_a_unit(dicom) -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4, 0, 16])
    table.add_new("LUTData", "US", [100, 300, 200, 1000])
    pixels = np.array([[0, 1, 2, 3, 7]], np.uint16)
    assert load_image(dicom(pixels, VOILUTSequence=[table])).pixels.tolist() == [[100, 300, 200, 1000, 1000]]
    # where there is a window too, it is what shows the image, and the values stay
    both = load_image(dicom(pixels, VOILUTSequence=[table], WindowCenter="4", WindowWidth="8"))
    assert both.pixels.tolist() == pixels.tolist()


def test_a_modality_table_is_applied(dicom) -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [3, 10, 16])
    table.add_new("LUTData", "US", [7, 8, 9])
    table.ModalityLUTType = "US"
    assert load_image(dicom(np.array([[5, 10, 11, 50]], np.uint16), ModalityLUTSequence=[table])).pixels.tolist() == [
        [7, 7, 8, 9]
    ]


def test_monochrome1_is_turned_so_that_more_is_brighter(dicom) -> None:
    facts = {"BitsStored": 12, "HighBit": 11, "PhotometricInterpretation": "MONOCHROME1"}
    image = load_image(dicom(STORED, **facts, WindowCenter="1000.5", WindowWidth="2001"))
    assert image.pixels.tolist() == [[4095, 3095, 2047, 0]]
    # 0 is white: what was black at 2000 and above is black; window 0 .. 2000 becomes 2095 .. 4095
    assert image.window == (3095.0, 2000.0)
    assert np.asarray(image.display()).tolist() == [[255, 128, 0, 0]]
    signed = load_image(dicom(np.array([[-2048, 0, 2047]], np.int16), **facts))
    assert signed.pixels.tolist() == [[2047, -1, -2048]]


def test_bits_above_those_stored_do_not_count(dicom) -> None:
    # 12 bits stored, an overlay in the others
    image = load_image(dicom(np.array([[0xF123, 0x0FFF]], np.uint16), BitsStored=12, HighBit=11))
    assert image.pixels.tolist() == [[0x123, 0xFFF]]


def test_planes_of_colour_one_after_another(dicom) -> None:
    red, green, blue = np.array([[10, 11]]), np.array([[20, 21]]), np.array([[30, 31]])
    planes = np.stack([red, green, blue]).astype(np.uint8)
    content = dicom(planes.reshape(1, 2, 3), PlanarConfiguration=1)
    assert load_image(content).pixels.tolist() == [[[10, 20, 30], [11, 21, 31]]]


def test_ybr_becomes_rgb(dicom) -> None:
    # Y 81, Cb 90, Cr 240 (JPEG's full range): R = 81 + 1.402 * 112 = 238.0, G = 81 - 0.344136 * -38 - 0.714136 * 112
    # = 14.1, B = 81 + 1.772 * -38 = 13.7
    content = dicom(np.array([[[81, 90, 240]]], np.uint8), PhotometricInterpretation="YBR_FULL")
    assert np.abs(load_image(content).pixels[0, 0].astype(int) - [238, 14, 14]).max() <= 1


CHART = {
    5: (255, 0, 0),
    15: (255, 128, 128),
    25: (0, 255, 0),
    35: (128, 255, 128),
    45: (0, 0, 255),
    55: (128, 128, 255),
    65: (0, 0, 0),
    75: (64, 64, 64),
    85: (192, 192, 192),
    95: (255, 255, 255),
}
"""Row: colour, of the chart that pydicom's SC_* files hold in many colour spaces and transfer syntaxes."""


def test_the_same_colours_from_every_colour_space_and_syntax(pydicom_files: Path) -> None:
    seen = 0
    for path in sorted((pydicom_files / "test_files").glob("SC_*.dcm")):
        with contextlib.suppress(ImageError):  # two of 32 bits
            image = load_image(path)
            if image.volume is None and image.size == (100, 100) and image.pixels.dtype == np.uint8:
                colours = image.pixels[list(CHART), 50].astype(int)
                assert np.abs(colours - list(CHART.values())).max() <= 6, path.name
                seen += 1
    assert seen >= 14


def test_the_same_picture_in_every_transfer_syntax(pydicom_files: Path) -> None:
    plain = load_image(pydicom_files / "test_files/MR_small.dcm")
    for name in ("RLE", "bigendian", "implicit", "jp2klossless", "jpeg_ls_lossless", "expb", "padded"):
        assert load_image(pydicom_files / f"test_files/MR_small_{name}.dcm").id == plain.id, name
    assert load_image(pydicom_files / "test_files/zipMR.gz").id == plain.id


def test_a_palette_becomes_its_colours(pydicom_files: Path) -> None:
    path = pydicom_files / "test_files/examples_palette.dcm"
    dataset = dcmread(path)
    tables = [
        np.frombuffer(getattr(dataset, f"{each}PaletteColorLookupTableData"), "<u2")
        for each in ("Red", "Green", "Blue")
    ]
    colours = np.stack([table[dataset.pixel_array] for table in tables], axis=-1)
    image = load_image(path)
    assert image.pixels.shape == (350, 800, 3)
    assert (image.pixels == colours >> 8).all()


def test_frames_are_all_kept(dicom, pydicom_files: Path) -> None:
    film = load_image(dicom(np.arange(16, dtype=np.uint8).reshape(4, 2, 2)))
    assert film.volume is not None
    assert film.volume.count == 4
    assert film.pixels.tolist() == film.volume.voxels[2].tolist()  # the third of four stands for all
    ultrasound = load_image(pydicom_files / "test_files/examples_ybr_color.dcm")
    assert ultrasound.volume is not None
    assert ultrasound.volume.voxels.shape == (30, 240, 320, 3)
    assert ultrasound.volume.slice_spacing is None


def test_deep_colours_keep_their_bits(dicom) -> None:
    image = load_image(dicom(np.array([[[0, 300, 65535]]], np.uint16)))
    assert image.pixels.tolist() == [[[0, 300, 65535]]]
    assert np.asarray(image.display()).tolist() == [[[0, 1, 255]]]


def test_what_is_too_large_is_refused_before_it_is_decoded(dicom) -> None:
    small = dicom(np.zeros((4, 4), np.uint8))
    for change in ({"Rows": 60_000, "Columns": 60_000}, {"NumberOfFrames": 2_000_000_000}, {"Rows": 0}):
        with pytest.raises(ImageError, match=r"expected at (most|least)"):
            load_image(dicom(np.zeros((4, 4), np.uint8), **change))
    with pytest.raises(ImageError, match="voxels"):
        load_image(dicom(np.zeros((5, 4, 4), np.uint8)), limits=Limits(voxels=79))
    with pytest.raises(ImageError, match="bytes or more"):
        load_image(_deflated(small), limits=Limits(file_bytes=100))


@pytest.mark.parametrize(("syntax", "said"), [("1.2.840.10008.1.2.4.100", "MPEG2"), ("1.2.3.4.5", "a private one")])
def test_an_unknown_syntax_is_named(dicom, syntax: str, said: str) -> None:
    dataset = dcmread(io.BytesIO(dicom(np.zeros((4, 4), np.uint8))))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([bytes(16)])
    dataset["PixelData"].is_undefined_length = True
    file = io.BytesIO()
    dataset.save_as(file, implicit_vr=False, little_endian=True)
    with pytest.raises(ImageError, match=said):
        load_image(file.getvalue())


def test_a_syntax_whose_plug_in_is_missing_says_what_to_install(
    pydicom_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "DECODERS", ("pydicom", "pillow"))
    with pytest.raises(ImageError, match=r"JPEG-LS Lossless.*pip install 'medvista\[jpeg\]'"):
        load_image(pydicom_files / "test_files/MR_small_jpeg_ls_lossless.dcm")


def _deflated(content: bytes) -> bytes:
    dataset = dcmread(io.BytesIO(content))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()


def test_a_deflated_object_is_read_up_to_the_limit(dicom) -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    packed = _deflated(dicom(pixels))
    assert (load_image(packed).pixels == pixels).all()
    with pytest.raises(ImageError, match=r"cut short|no whole image"):
        load_image(packed[:-20])


def test_every_syntax_that_pydicom_can_read_has_a_decoder_here() -> None:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import AllTransferSyntaxes

    readable = 0
    for syntax in AllTransferSyntaxes:
        if not syntax.is_encapsulated:
            continue
        with contextlib.suppress(NotImplementedError):  # films (MPEG, HEVC), sound, JPIP: pydicom decodes none of them
            assert set(get_decoder(syntax).available_plugins) & set(stored.DECODERS), syntax.name
            readable += 1
    # JPEG: baseline, extended, 2 x lossless; 2 x JPEG-LS; 2 x JPEG 2000; 3 x HTJ2K; RLE
    assert readable == 12
