"""Plain arrays that lie uncompressed in a source: whole, by rows, or mapped.

A member of an NPZ and a `.npy` sub-artifact differ only in where the array starts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filmcan.npz.bulk import read_bulk
from filmcan.npz.crc import combine, crc32
from filmcan.npz.dtypes import check_text
from filmcan.npz.npy_header import NpyHeader
from filmcan.npz.refusal import refuse
from filmcan.npz.source import ByteSource, LocalSource, read_exactly, read_into


class Rows(NamedTuple):
    """Which bytes of an array a slice along its first axis needs.

    Attributes:
        start: First byte behind the header.
        span: Header of the rows from the first to the last one.
        step: What to take of these.
    """

    start: int
    span: NpyHeader
    step: int


def plan_rows(header: NpyHeader, rows: slice) -> Rows | None:
    """Return what to read; None when the rows do not lie together (Fortran order).

    Raises:
        InvalidArtifactError: The array has no axis, or the slice no step.
    """
    if not header.shape:
        raise refuse("no_rows", "a 0-d array has no rows")
    if rows.step == 0:
        raise refuse("no_rows", "rows in steps of 0 are none", "Give a step of 1 or more.")
    if header.fortran and len(header.shape) > 1:
        return None
    wanted = range(*rows.indices(header.shape[0]))
    if not wanted:
        return Rows(0, _resize(header, 0), 1)
    first, last = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1])
    row_bytes = header.dtype.itemsize * header.items // header.shape[0]
    return Rows(first * row_bytes, _resize(header, last - first + 1), wanted.step)


def take_rows(array: np.ndarray, plan: Rows) -> np.ndarray:
    """Return every step-th row of what was read, in memory of its own, its text checked."""
    if plan.step != 1:
        array = array[:: plan.step].copy()
    if plan.span.dtype.kind == "U":
        check_text(array)
    return array


def read_stored(
    source: ByteSource, header: NpyHeader, offset: int, *, verify: bool
) -> tuple[np.ndarray, int]:
    """Return a whole array and the CRC of header and data, 0 unless verified.

    Args:
        source: Where it lies.
        header: What it is.
        offset: Where its data start.
        verify: Whether to compute the CRC.
    """
    array = allocate(header)
    view = view_bytes(array)
    crc = read_bulk(source, offset, len(view), view, verify=verify)
    if verify:
        head = read_exactly(source, offset - header.header_size, header.header_size)
        crc = combine(crc32(head), crc, len(view))
    return finish(array, header), crc


def read_stored_rows(source: ByteSource, header: NpyHeader, offset: int, rows: slice) -> np.ndarray:
    """Return rows of an array, in memory of its own; only their bytes are read where possible."""
    plan = plan_rows(header, rows)
    if plan is None:
        return map_stored(source, header, offset)[rows].copy(order="K")
    array = allocate(plan.span)
    read_into(source, offset + plan.start, view_bytes(array))
    return take_rows(array, plan)


def map_stored(source: ByteSource, header: NpyHeader, offset: int) -> np.ndarray:
    """Return an array read-only, without copying where the source allows it.

    Text is looked through: what lies beyond Unicode ends in CPython as a `SystemError`.
    """
    if header.items and isinstance(source, LocalSource):
        view = source.find_view(offset, header.items * header.dtype.itemsize)
        flat = np.frombuffer(view, header.dtype)
        if header.dtype.kind == "U":
            check_text(flat)
        return lay_out(flat, header)
    array, _ = read_stored(source, header, offset, verify=False)
    array.flags.writeable = False
    return array


def allocate(header: NpyHeader) -> np.ndarray:
    """Return an array for the data as they are stored: axes reversed for Fortran order."""
    return np.empty(header.shape[::-1] if header.fortran else header.shape, header.dtype)


def view_bytes(array: np.ndarray) -> memoryview:
    """Return the bytes of a fresh array."""
    return array.reshape(-1).view(np.uint8).data if array.size else memoryview(bytearray())


def lay_out(flat: np.ndarray, header: NpyHeader) -> np.ndarray:
    """Return a flat array in its header's shape and order."""
    return flat.reshape(header.shape[::-1]).T if header.fortran else flat.reshape(header.shape)


def finish(array: np.ndarray, header: NpyHeader) -> np.ndarray:
    """Return a filled array in its header's order, after checking that text is text."""
    if header.dtype.kind == "U":
        check_text(array)
    return array.T if header.fortran else array


def _resize(header: NpyHeader, rows: int) -> NpyHeader:
    items = header.items // header.shape[0] * rows if header.shape[0] else 0
    return header._replace(shape=(rows, *header.shape[1:]), items=items)
