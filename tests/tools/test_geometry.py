"""Coordinates, by hand: on an image of 999 pixels a side, a policy's number is the pixel."""

import pytest

from tools.geometry import box_from_pixels, box_to_pixels, intersection_over_union, point_to_pixels, zoom_box


def test_999_is_the_far_edge() -> None:
    assert point_to_pixels([999, 0], 640, 480) == (640.0, 0.0)
    assert point_to_pixels([333, 666], 300, 600) == (100.0, 400.0)


def test_inverted_corners_are_put_in_order() -> None:
    assert box_to_pixels([500, 600, 100, 200], 999, 1998) == pytest.approx((100.0, 400.0, 500.0, 1200.0))


def test_a_box_survives_the_way_to_pixels_and_back() -> None:
    box = [12, 345, 678, 901]
    assert box_from_pixels(box_to_pixels(box, 513, 1027), 513, 1027) == box


def test_a_pixel_box_outside_is_clipped() -> None:
    assert box_from_pixels((-5.0, 10.0, 120.0, 60.0), 100, 50) == [0, 200, 999, 999]


def test_iou() -> None:
    # 10 x 10 and 10 x 10, shifted by 5: overlap 50, union 150
    assert intersection_over_union((0, 0, 10, 10), (5, 0, 15, 10)) == 50 / 150
    assert intersection_over_union((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0
    assert intersection_over_union((1, 1, 1, 1), (1, 1, 1, 1)) == 0.0


def test_zoom_box_is_a_square_around_the_box() -> None:
    # 40 x 20 around (60, 110) -> 40 x 40 around (60, 110)
    assert zoom_box((40.0, 100.0, 80.0, 120.0), 512, 512) == (40, 90, 80, 130)


def test_zoom_box_has_at_least_32_pixels_and_is_shifted_to_stay_inside() -> None:
    assert zoom_box((508.0, 0.0, 512.0, 4.0), 512, 512) == (480, 0, 512, 32)


def test_zoom_box_spans_an_image_that_is_smaller() -> None:
    assert zoom_box((0.0, 0.0, 20.0, 10.0), 20, 100) == (0, 0, 20, 32)
