"""Arrays as small pictures for a face to draw: grey maps and vector fields in eight bits.

Nothing is lost that an eye could see; the numbers themselves are in the artifact.
"""

from __future__ import annotations

import base64

import numpy as np

_GREY_LEVELS = 255
_VECTOR_LEVELS = 127


def shrink(stack: np.ndarray, max_side: int) -> np.ndarray:
    """Return pictures (count, rows, columns, ...) with no side longer than `max_side`.

    Every pixel is the mean of the block it stands for, of what was measured there.
    """
    step = max(1, -(-max(stack.shape[1:3]) // max_side))
    values: np.ndarray = stack.astype(np.float64)
    if step == 1:
        return values
    known = np.isfinite(values)
    counts = _sum_blocks(known.astype(np.float64), step)
    sums = _sum_blocks(np.where(known, values, 0), step)
    means: np.ndarray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def find_bounds(stack: np.ndarray) -> tuple[float, float] | None:
    """Return the least and the greatest measured value, None when there is none."""
    known = stack[np.isfinite(stack)]
    return (float(known.min()), float(known.max())) if known.size else None


def encode_grey(picture: np.ndarray, low: float, high: float) -> str:
    """Return a picture as base64 of one byte a pixel, row by row: 0 is `low`, 255 is `high`."""
    span = high - low if high > low else 1.0
    levels = np.nan_to_num((picture - low) / span * _GREY_LEVELS).round().clip(0, _GREY_LEVELS)
    return base64.b64encode(levels.astype(np.uint8).tobytes()).decode()


def encode_vectors(field: np.ndarray, longest: float) -> str:
    """Return a field (rows, columns, 2) as base64 of signed bytes x y: 127 is `longest`."""
    scale = longest if longest > 0 else 1.0
    levels = np.nan_to_num(field / scale * _VECTOR_LEVELS).round()
    return base64.b64encode(
        levels.clip(-_VECTOR_LEVELS, _VECTOR_LEVELS).astype(np.int8).tobytes()
    ).decode()


def _sum_blocks(stack: np.ndarray, step: int) -> np.ndarray:
    rows = np.arange(0, stack.shape[1], step)
    columns = np.arange(0, stack.shape[2], step)
    return np.add.reduceat(np.add.reduceat(stack, rows, axis=1), columns, axis=2)
