"""drawing: outlines inside what they outline, tints by hand."""

import numpy as np

from tools.images.drawing import COLOURS, outline, outline_labels, rectangle, tint, write


def black(height: int = 100, width: int = 100) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_an_outline_lies_inside() -> None:
    mask = np.zeros((100, 100), bool)
    mask[20:40, 20:40] = True
    picture = black()
    outline(picture, mask, COLOURS[0])
    drawn = picture.any(axis=2)
    assert drawn.sum() == 4 * 19
    assert not drawn[~mask].any()


def test_touching_objects_have_borders_of_their_own() -> None:
    labels = np.zeros((20, 20), np.int32)
    labels[5:15, 5:10], labels[5:15, 10:15] = 1, 2
    picture = black(20, 20)
    outline_labels(picture, labels)
    drawn = picture.any(axis=2)
    # both 10 x 5: all but the inner 8 x 3
    assert drawn.sum() == 2 * (50 - 24)
    assert tuple(picture[10, 9]) == COLOURS[1]
    assert tuple(picture[10, 10]) == COLOURS[2]


def test_a_tint_and_a_rectangle() -> None:
    picture = np.full((10, 10, 3), 100, np.uint8)
    tint(picture, np.eye(10, dtype=bool), (200, 0, 100), 0.25)
    assert picture[3, 3].tolist() == [125, 75, 100]
    assert picture[3, 4].tolist() == [100, 100, 100]
    framed = black(10, 10)
    rectangle(framed, (2, 3, 8, 9), COLOURS[0])
    assert framed.any(axis=2).sum() == 36 - 16


def test_words_are_moved_inside() -> None:
    written = write(black(60, 200), [("here", (1000.0, 1000.0))])
    rows, columns = np.nonzero(written.any(axis=2))
    assert rows.size and rows.max() < 60 and columns.max() < 200
    assert not black(60, 200).any()
