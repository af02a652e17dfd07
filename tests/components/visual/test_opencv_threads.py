"""OpenCV keeps to one thread while any component is at work."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest

from filmcan.components.visual.opencv_threads import one_thread


@pytest.fixture(autouse=True)
def _three_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield
    cv2.setNumThreads(before)


def test_the_last_to_leave_puts_the_setting_back_whatever_the_order() -> None:
    first, second = one_thread(), one_thread()
    first.__enter__()
    second.__enter__()
    assert cv2.getNumThreads() == 1
    first.__exit__(None, None, None)
    assert cv2.getNumThreads() == 1, "the other component is still at work"
    second.__exit__(None, None, None)
    assert cv2.getNumThreads() == 3


def test_a_component_that_fails_leaves_too() -> None:
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert cv2.getNumThreads() == 3
