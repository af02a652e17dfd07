from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.components.visual.resampling import (
    PictureInput,
    Region,
    cover_picture,
    frame_square,
    resize_bilinear,
    warp_region,
)

Places = st.floats(-200.0, 600.0)
Sides = st.floats(4.0, 500.0)
Angles = st.floats(-math.pi, math.pi)


def make_ramp(width: int = 256, height: int = 256) -> np.ndarray:
    """Red grows by 1 a column, green by 1 a row."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.arange(width)
    picture[..., 1] = np.arange(height)[:, None]
    return picture


def test_a_region_of_the_pictures_own_size_is_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    assert np.array_equal(
        warp_region(picture, cover_picture(picture), 64, repeat_edge=False), picture
    )


def test_corners_go_to_corners_without_the_half_pixel_of_resizing() -> None:
    """Pixel i of 64 taken from 256 columns reads column 4 i; resizing would read 4 i + 1.5."""
    picture = make_ramp()
    warped = warp_region(picture, cover_picture(picture), 64, repeat_edge=True)
    assert np.array_equal(warped[0, :, 0], 4 * np.arange(64))
    assert np.array_equal(warped[:, 0, 1], 4 * np.arange(64))
    assert resize_bilinear(picture, (64, 64))[0, 10, 0] in (41, 42)


@given(
    st.floats(100, 150), st.floats(100, 150), st.floats(40.0, 120.0), Angles, st.integers(16, 96)
)
def test_a_turned_region_shows_what_its_projection_says(
    x: float, y: float, side: float, angle: float, size: int
) -> None:
    """On a ramp the colour IS the place: both ways of computing it must agree."""
    region = Region(x, y, side, side, angle)
    warped = warp_region(make_ramp(), region, size, repeat_edge=True)
    rows, columns = np.mgrid[0:size, 0:size]
    places = region.project(np.stack([columns, rows], axis=-1) / size)
    np.testing.assert_allclose(warped[..., :2], places, atol=0.6)


@given(Places, Places, Sides, Sides, Angles)
def test_the_middle_and_the_sides_of_a_region_are_kept(
    x: float, y: float, width: float, height: float, angle: float
) -> None:
    region = Region(x, y, width, height, angle)
    middle, top_left, top_right, bottom_left = region.project(
        np.array([[0.5, 0.5], [0, 0], [1, 0], [0, 1]], float)
    )
    np.testing.assert_allclose(middle, [x, y], atol=1e-9)
    assert np.hypot(*(top_right - top_left)) == pytest.approx(width)
    assert np.hypot(*(bottom_left - top_left)) == pytest.approx(height)
    across = top_right - top_left
    turned = math.atan2(across[1], across[0]) - angle
    assert math.remainder(turned, 2 * math.pi) == pytest.approx(0, abs=1e-9)  # -pi is pi


def test_beyond_the_picture_there_is_nothing_or_its_edge() -> None:
    picture = np.full((10, 30, 3), 200, np.uint8)
    square = frame_square(picture)
    assert (square.width, square.height) == (30, 30)
    empty = warp_region(picture, square, 30, repeat_edge=False)
    assert (empty[:9] == 0).all()
    assert (empty[11:19] == 200).all()
    assert (empty[21:] == 0).all()
    assert (warp_region(picture, square, 30, repeat_edge=True) == 200).all()


def test_a_picture_input_brings_bytes_to_the_networks_range_again_and_again() -> None:
    first = PictureInput(2, divisor=127.5, offset=-1.0)
    second = PictureInput(2, divisor=255.0)
    for value in (0, 255, 51):
        picture = np.full((2, 2, 3), value, np.uint8)
        assert first.fill(picture) == pytest.approx(value / 127.5 - 1)
        assert second.fill(picture) == pytest.approx(value / 255)
    assert second.fill(picture).shape == (1, 2, 2, 3)
    assert second.fill(picture).dtype == np.float32
