"""Weights of channels by layout."""

from __future__ import annotations

import av
import pytest

from filmcan.components.audio.loudness_extractor.channels import (
    _LAYOUTS,
    find_layout_channels,
    weigh_channels,
)


@pytest.mark.parametrize(
    ("layout", "weights"),
    [
        ("mono", (1,)),
        ("stereo", (1, 1)),
        ("2.1", (1, 1, 0)),
        ("quad", (1, 1, 1.41, 1.41)),
        ("5.0", (1, 1, 1, 1.41, 1.41)),
        ("5.1", (1, 1, 1, 0, 1.41, 1.41)),
        ("5.1(side)", (1, 1, 1, 0, 1.41, 1.41)),
        ("6.1", (1, 1, 1, 0, 1, 1.41, 1.41)),
        ("7.1", (1, 1, 1, 0, 1, 1, 1.41, 1.41)),
        ("7.1(wide)", (1, 1, 1, 0, 1.41, 1.41, 1, 1)),
    ],
)
def test_layouts_weigh_as_in_bs_1770(layout: str, weights: tuple[float, ...]) -> None:
    """BS.1770-5, table 4: 1.41 from 60 to 120 degrees; the back pair of 7.1 stands at 135."""
    assert weigh_channels(layout, len(weights)) == weights


@pytest.mark.parametrize("layout", _LAYOUTS)
def test_the_table_of_layouts_is_ffmpegs(layout: str) -> None:
    names = tuple(channel.name for channel in av.AudioLayout(layout).channels)
    assert find_layout_channels(layout, len(names)) == names


@pytest.mark.parametrize(
    ("layout", "count", "names"),
    [
        ("FL+FR+LFE", 3, ("FL", "FR", "LFE")),
        ("3 channels (FL+FR+LFE)", 3, ("FL", "FR", "LFE")),
        ("6 channels", 6, None),
        ("stereo", 6, None),
        ("", 2, None),
    ],
)
def test_channels_are_found_in_any_spelling_that_names_them_all(
    layout: str, count: int, names: tuple[str, ...] | None
) -> None:
    assert find_layout_channels(layout, count) == names


def test_an_unnamed_layout_is_taken_for_the_usual_one() -> None:
    assert weigh_channels("6 channels", 6) == weigh_channels("5.1", 6)
    assert weigh_channels("12 channels", 12) == (1.0,) * 12
