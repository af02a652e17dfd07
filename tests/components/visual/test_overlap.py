from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from filmcan.components.visual.overlap import compute_areas, compute_overlaps

Boxes = arrays(np.float64, (6, 4), elements=st.integers(-5, 5))


def order(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1
    )


@given(Boxes)
def test_overlaps_are_those_that_counting_cells_gives(boxes: np.ndarray) -> None:
    boxes = order(boxes)
    cells = [
        {(x, y) for x in range(int(x1), int(x2)) for y in range(int(y1), int(y2))}
        for x1, y1, x2, y2 in boxes
    ]
    counted = [
        len(cells[0] & other) / len(cells[0] | other) if cells[0] | other else 0.0
        for other in cells
    ]
    assert compute_areas(boxes).tolist() == [len(found) for found in cells]
    np.testing.assert_allclose(compute_overlaps(boxes[0], boxes), counted)


@given(Boxes, st.floats(0.1, 100.0), st.floats(0.1, 100.0))
def test_overlaps_do_not_depend_on_the_unit_of_either_axis(
    boxes: np.ndarray, wide: float, high: float
) -> None:
    boxes = order(boxes)
    scaled = boxes * [wide, high, wide, high]
    np.testing.assert_allclose(
        compute_overlaps(scaled[0], scaled), compute_overlaps(boxes[0], boxes), atol=1e-9
    )


def test_crossed_corners_have_no_area() -> None:
    assert compute_areas(np.array([2.0, 2.0, 1.0, 3.0])) == pytest.approx(0.0)
