"""An array is walked whole, in order, and with little memory beside it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from filmcan.contract.named_masks import validate_named_masks
from filmcan.contract.pieces import PIECE_BYTES, iterate_pieces, spread_mask
from filmcan.contract.schema import parse_schema
from filmcan.contract.source_rules import validate_samples
from filmcan.contract.validate import validate_arrays, validate_unknown_arrays
from filmcan.testing.made_schema import (
    COMPONENT,
    build_probe_arrays,
    build_schema_document,
    find_part,
)

LARGE = np.arange(3 * PIECE_BYTES // 8 + 5)


@pytest.mark.parametrize(
    "array",
    [
        np.array(5.0),
        np.array(["a", "bb"]),
        np.array([None, "x"], object),
        np.arange(24).reshape(2, 3, 4).T,
        LARGE,
        LARGE[::-1],
        np.asfortranarray(LARGE[:-5].reshape(4, -1)),
        LARGE.astype(">i8"),
        LARGE.astype("U"),
        LARGE[: PIECE_BYTES // 8 + 1].astype(object),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}{array.strides}",
)
def test_pieces_are_the_array_in_c_order(array: np.ndarray) -> None:
    expected = array.ravel(order="C")
    walked = 0
    for start, (piece, again) in iterate_pieces(array, array):
        assert start == walked
        assert np.array_equal(piece, expected[start : start + piece.size])
        assert np.array_equal(piece, again)
        walked += piece.size
        assert piece.nbytes <= PIECE_BYTES
    assert walked == array.size


def test_an_array_without_elements_has_no_pieces() -> None:
    assert list(iterate_pieces(np.zeros((3, 0)), np.zeros((3, 1)))) == []


@pytest.mark.parametrize("columns", [2, PIECE_BYTES])
def test_a_mask_is_spread_over_the_axes_it_lacks(columns: int) -> None:
    array = np.zeros((3, columns), np.float32)
    mask = spread_mask(np.array([True, False, True]), array)
    told = [mask_piece.copy() for _, (_, mask_piece) in iterate_pieces(array, mask)]
    assert np.array_equal(
        np.concatenate(told).reshape(array.shape), np.broadcast_to(mask, array.shape)
    )


COUNT = 16 * PIECE_BYTES
SOURCE: dict[str, object] = {"duration_sec": 10.0, "decoded_frames": 9, "failed_frames": 0}


def judge_against_schema(array: np.ndarray, **changes: object) -> int:
    document = build_schema_document()
    find_part(document)["keys"]["plain"].update(shape=["any"], **changes)
    schema = parse_schema(document, COMPONENT)
    return len(validate_arrays(build_probe_arrays(plain=array), schema, status="ok"))


def judge_under_mask(array: np.ndarray) -> int:
    document = build_schema_document()
    keys = find_part(document)["keys"]
    keys["values"].update(shape=["N", "any"])
    schema = parse_schema(document, COMPONENT)
    return len(
        validate_arrays(build_probe_arrays(values=array.reshape(3, -1)), schema, status="ok")
    )


@pytest.mark.parametrize(
    ("dtype", "judge"),
    [
        ("<f4", judge_against_schema),
        ("<f4", lambda array: judge_against_schema(array, increasing=True)),
        ("<f4", judge_under_mask),
        ("<i4", lambda array: judge_against_schema(array, dtype="int32", increasing=True)),
        ("<i4", lambda array: len(validate_unknown_arrays({"frame_indices": array}))),
        ("<f4", lambda array: len(validate_samples({"times_sec": array}, SOURCE, kind="core"))),
        *(
            (dtype, lambda array: len(
                validate_named_masks({"a": array, "a_present": np.array(False)}, None)
            ))
            for dtype in ("<f4", "<i4", "<U2", "<U40")
        ),
        ("<f4", lambda array: len(
            validate_named_masks({"a_per_sec": array, "dt_sec": array}, None)
        )),
    ],
)  # fmt: skip
def test_judging_takes_little_memory_beside_a_large_array(
    dtype: str, judge: Callable[[np.ndarray], int]
) -> None:
    """The bar of threats.md: an artifact of 448 MiB leaves room for 64."""
    array = np.zeros(3 * COUNT // np.dtype(dtype).itemsize, dtype)
    tracemalloc.start()
    try:
        assert judge(array) <= 2
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 * PIECE_BYTES
