from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.unit_vectors import (
    compare_neighbours,
    find_mean_direction,
    scale_to_unit,
)
from filmcan.errors import ComponentFailedError


def test_rows_are_scaled_to_length_one() -> None:
    vectors = np.array([[3.0, 4.0], [0.0, -2e-20]], np.float32)
    np.testing.assert_allclose(scale_to_unit(vectors, "x"), [[0.6, 0.8], [0.0, -1.0]])


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_an_error_never_a_number(value: float) -> None:
    vectors = np.array([[1.0, 0.0], [value, 0.0]], np.float32)
    with pytest.raises(ComponentFailedError, match="zero or not finite"):
        scale_to_unit(vectors, "x")


def test_the_mean_direction_is_weighted_and_tells_how_alike_the_vectors_are() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    direction, length = find_mean_direction(vectors)
    assert direction == pytest.approx([0.5**0.5, 0.5**0.5])
    assert length == pytest.approx(0.5**0.5)
    direction, _ = find_mean_direction(vectors, np.array([3.0, 4.0]))
    assert direction == pytest.approx([0.6, 0.8])


def test_vectors_that_cancel_out_have_no_mean_direction() -> None:
    vectors = np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32)
    assert find_mean_direction(vectors) == (None, 0.0)


def test_neighbours_are_compared_where_both_are_there() -> None:
    nan = [np.nan, np.nan]
    vectors = np.array([[1.0, 0.0], [0.6, 0.8], nan, [1.0, 0.0], [-1.0, 0.0]], np.float32)
    found = compare_neighbours(vectors)
    np.testing.assert_allclose(found, [np.nan, 0.6, np.nan, np.nan, -1.0], atol=1e-7)
    assert found.dtype == np.float32
