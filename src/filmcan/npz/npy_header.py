"""Array headers: a bounded parser of our own, and the writer (threats B2).

The text is never evaluated: numpy's own form is read by one regular expression, other spellings of
the same three entries by a small scanner. Source: NEP 1 and numpy's `lib/format.py`, versions 1-3.
"""

from __future__ import annotations

import functools
import math
import re
import struct
from typing import NamedTuple

import numpy as np

from filmcan.errors import InvalidArtifactError
from filmcan.npz.dtypes import parse_dtype
from filmcan.npz.limits import ReadLimits
from filmcan.npz.refusal import over_limit, refuse
from filmcan.npz.source import Buffer

MAGIC = b"\x93NUMPY"
MAX_DIMS = 32
OBJECT = np.dtype(object)
PREFIX_BYTES = 12
"""Magic, version and the longer form of the header's length."""

_unpack_prefix = struct.Struct("<6s2B2H").unpack_from
"""Magic, version, and the length of the text; versions 2 and 3 have four bytes for it."""

_HEADER_ALIGNMENT = 64
_MAX_BYTES = 1 << 62
_NUMPY_FORM = re.compile(
    r"\{'descr': '([^'\\]{1,40})', 'fortran_order': (True|False), "
    r"'shape': \(([0-9, ]*)\), ?\} *\n*"
)
_S = r"[ \t\r\n]*"
"""The blanks of Python source; `\\s` would take control characters, which numpy refuses."""

_ENTRY = re.compile(
    rf"{_S}(['\"])(descr|fortran_order|shape)\1{_S}:{_S}"
    rf"(?:(['\"])([^'\"\\]{{1,40}})\3|(True|False)|\(([0-9, \t\r\n]*)\)){_S}(,|(?=\}}))"
)
_CLOSE = re.compile(rf"{_S}\}}[ \t]*\n*")
"""Blanks on a line below the entries are an indent, which numpy refuses."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class NpyHeader(NamedTuple):
    """What a header says.

    Attributes:
        dtype: Element type; object arrays hold a pickle behind the header.
        shape: Sizes of the axes.
        fortran: True when the first axis varies fastest.
        header_size: Where the data start.
        items: Number of elements.
    """

    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    fortran: bool
    header_size: int
    items: int

    @property
    def is_object(self) -> bool:
        """True when the data are a pickle."""
        return self.dtype is OBJECT


def find_header_end(prefix: Buffer, limits: ReadLimits) -> int:
    """Return where the data of an array start, from at least its first `PREFIX_BYTES` bytes.

    Raises:
        InvalidArtifactError: No array starts so, or its header is longer than allowed.
    """
    if len(prefix) < PREFIX_BYTES:
        raise refuse("npy_header", f"no array: it starts with {bytes(prefix[:6])!r}")
    magic, major, minor, length, upper = _unpack_prefix(prefix)
    if magic != MAGIC:
        raise refuse("npy_header", f"no array: it starts with {magic!r}")
    if major not in (1, 2, 3) or minor:
        raise refuse("npy_header", f"array format {major}.{minor} is not known")
    width = 2
    if major != 1:
        width = 4
        length |= upper << 16
    if length > limits.max_header_bytes:
        raise over_limit(
            "max_header_bytes", f"a header of {length} bytes, at most {limits.max_header_bytes}"
        )
    return int(8 + width + length)


def parse_header(
    data: Buffer, size: int, limits: ReadLimits, *, allow_object: bool = True
) -> NpyHeader:
    """Return what the header of an array says, after checking that the data fill the rest.

    Args:
        data: The array's bytes, at least its header.
        size: Bytes of the whole array, header included.
        limits: Bounds.
        allow_object: False where object arrays have no place (`.npy` sub-artifacts).

    Raises:
        InvalidArtifactError: The header is damaged, its type or shape is not accepted, or the
            data have not exactly the size it implies.
    """
    end = find_header_end(data, limits)
    if end > len(data):
        raise refuse("npy_header", f"a header of {end} bytes in an array of {len(data)}")
    header, data_bytes = _parse_text(bytes(data[10 if data[6] == 1 else 12 : end]), end)
    if header.dtype is OBJECT:
        if not allow_object:
            raise refuse("npy_dtype", "an object array has no place here")
    elif end + data_bytes != size:
        raise refuse(
            "npy_size",
            f"{header.dtype} of shape {header.shape} takes {data_bytes} bytes, not {size - end}",
        )
    return header


@functools.lru_cache(maxsize=512)
def _parse_text(raw: bytes, end: int) -> tuple[NpyHeader, int]:
    """Return a header and the bytes its data must take; artifacts repeat the same few headers."""
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise refuse("npy_header", "the header is no plain text") from error
    match = _NUMPY_FORM.fullmatch(text)
    descr, fortran, axes = match.groups() if match else _scan(text)
    shape = _parse_shape(axes)
    dtype = OBJECT if descr == "|O" else parse_dtype(descr)
    # Zero-size arrays count their other axes too: numpy cannot hold what would overflow.
    if math.prod([axis or 1 for axis in shape]) * dtype.itemsize > _MAX_BYTES:
        raise refuse("npy_shape", f"shape {shape} is beyond any memory")
    count = math.prod(shape)
    return NpyHeader(dtype, shape, fortran == "True", end, count), count * dtype.itemsize


def build_header(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    """Return the header of an array in C order, padded so that its data stay aligned."""
    # Types of time may be equal and yet be spelled in two ways, as M8[1000ms] and M8[s] are:
    # which of them was written before must not show (C4.5).
    return _build_text(dtype, shape) if dtype.kind in "mM" else _build_known(dtype, shape)


def _build_text(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> bytes:
    axes = f"({shape[0]},)" if len(shape) == 1 else f"({', '.join(map(str, shape))})"
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {axes}, }}"
    length = -(-(10 + len(text) + 1) // _HEADER_ALIGNMENT) * _HEADER_ALIGNMENT - 10
    head = MAGIC + b"\x01\x00" + length.to_bytes(2, "little")
    return head + text.ljust(length - 1).encode("ascii") + b"\n"


_build_known = functools.lru_cache(maxsize=512)(_build_text)


def _scan(text: str) -> tuple[str, str, str]:
    """Return descr, order and shape of a header in another spelling than numpy's."""
    if not text.startswith("{"):
        raise _malformed()
    found: dict[str, str] = {}
    at = 1
    while match := _ENTRY.match(text, at):
        _, name, _, quoted, flag, axes, _ = match.groups()
        value = {"descr": quoted, "fortran_order": flag, "shape": axes}[name]
        if value is None or name in found:
            raise _malformed()
        found[name] = value
        at = match.end()
    if len(found) != 3 or not _CLOSE.fullmatch(text, at):  # noqa: PLR2004 - the three entries
        raise _malformed()
    return found["descr"], found["fortran_order"], found["shape"]


def _malformed() -> InvalidArtifactError:
    return refuse(
        "npy_header", "the header must state descr, fortran_order and shape, plainly and once each"
    )


def _parse_shape(text: str) -> tuple[int, ...]:
    if not text.strip():
        return ()
    *sizes, last = (axis.strip() for axis in text.split(","))
    if last:
        if not sizes:
            raise refuse("npy_shape", f"shape ({last[:40]}) is a number, not a tuple")
        sizes.append(last)
    if len(sizes) > MAX_DIMS:
        raise refuse("npy_shape", f"{len(sizes)} axes, at most {MAX_DIMS}")
    if not all(_SIZE.fullmatch(axis) for axis in sizes):
        raise refuse("npy_shape", f"shape ({text[:80]}) is no tuple of sizes")
    return tuple(map(int, sizes))
