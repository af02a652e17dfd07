"""Fewer points that still show every extreme: the least and the greatest value of each bucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

ReadRows = Callable[[int, int], np.ndarray]
"""Returns the rows from the first up to, not including, the second number."""

_BLOCK_BYTES = 4 << 20
"""How much of an array is in memory at a time."""


class Thinned(NamedTuple):
    """What is left of one curve, or of a table.

    Attributes:
        rows: Row numbers, ascending.
        values: The values there, NaN for a bucket that has none.
    """

    rows: np.ndarray
    values: np.ndarray


def thin_curves(
    read_rows: ReadRows, first: int, last: int, max_points: int, row_bytes: int
) -> tuple[list[Thinned], int]:
    """Return the curves of the columns between two rows, and how many values are missing.

    Up to `max_points` rows all are kept. Beyond that each of `max_points // 2` buckets gives its
    least and its greatest value, so no peak is lost however short. Only a block of whole buckets
    is in memory at a time.

    Args:
        read_rows: Reads rows; two axes give one curve for each column.
        first: First row.
        last: The row behind the last one.
        max_points: How many points a curve may have, at least 2.
        row_bytes: Size of a row.
    """
    count = last - first
    width = 1 if count <= max_points else -(-count // max(1, max_points // 2))
    parts: list[list[Thinned]] = []
    missing = 0
    for start, stop in _plan_blocks(first, last, width, row_bytes):
        block = read_rows(start, stop)
        columns = block.reshape(len(block), -1)
        values = columns.astype(np.float64, copy=False)
        missing += int(np.isnan(values).sum())
        parts.append(
            [
                _thin(start, values[:, index], columns[:, index], width)
                for index in range(columns.shape[1])
            ]
        )
    curves = [
        Thinned(
            np.concatenate([part.rows for part in column]),
            np.concatenate([part.values for part in column]),
        )
        for column in zip(*parts, strict=True)
    ]
    return curves, missing


def pick_rows(first: int, last: int, max_rows: int) -> np.ndarray:
    """Return at most `max_rows` row numbers, evenly spread, both ends among them."""
    count = last - first
    if count <= max_rows:
        return np.arange(first, last)
    return np.unique(np.linspace(first, last - 1, max_rows).round().astype(np.int64))


def thin_rows(
    read_rows: ReadRows, first: int, last: int, max_rows: int, row_bytes: int
) -> tuple[Thinned, int]:
    """Return a table with at most `max_rows` rows, and how many values are missing.

    Each cell is the value farthest from zero of those it stands for.
    """
    width = max(1, -(-(last - first) // max_rows))
    parts = []
    missing = 0
    for start, stop in _plan_blocks(first, last, width, row_bytes):
        block = read_rows(start, stop).astype(np.float64, copy=False)
        missing += int(np.isnan(block).sum())
        parts.append(_take_farthest(block, np.arange(0, len(block), width), 0))
    values = np.concatenate(parts) if parts else read_rows(0, 0).astype(np.float64)
    return Thinned(np.arange(first, last, width), values), missing


def thin_columns(table: np.ndarray, max_columns: int) -> np.ndarray:
    """Return a table with at most `max_columns` columns, thinned like rows."""
    width = max(1, -(-table.shape[1] // max_columns))
    return _take_farthest(table, np.arange(0, table.shape[1], width), 1)


def _plan_blocks(first: int, last: int, width: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK_BYTES // max(1, row_bytes * width)) * width
    for start in range(first, last, step):
        yield start, min(start + step, last)


def _thin(start: int, values: np.ndarray, stored: np.ndarray, width: int) -> Thinned:
    if width == 1:
        return Thinned(np.arange(start, start + len(values)), stored)
    buckets = -(-len(values) // width)
    padded = np.full(buckets * width, np.nan)
    padded[: len(values)] = values
    table = padded.reshape(buckets, width)
    known = ~np.isnan(table)
    low = np.where(known, table, np.inf).argmin(axis=1)
    high = np.where(known, table, -np.inf).argmax(axis=1)
    base = np.arange(buckets) * width
    kept = np.unique(np.concatenate([base + low, base + high]))
    return Thinned(start + kept, stored[kept])


def _take_farthest(table: np.ndarray, edges: np.ndarray, axis: int) -> np.ndarray:
    if len(edges) in (0, table.shape[axis]):
        return table
    low = np.fmin.reduceat(table, edges, axis=axis)
    high = np.fmax.reduceat(table, edges, axis=axis)
    return np.where(np.abs(low) > np.abs(high), low, high)
