"""The tensors of a safetensors file, mapped from disk after every claim of its header is checked.

The format is an 8-byte length, a JSON header that names each tensor with its type, shape and
place, and the bytes. Nothing in it is code, so the strictness here is about lies: a header that is
too long, says a thing twice, or whose tensors overlap, leave gaps or reach beyond the file.
Source: huggingface/safetensors, README, "Format"; its 2023 audit by Trail of Bits.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.errors import AssetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_HEADER_BYTES = 4 << 20
"""A tensor takes about 110 bytes of header; the format itself allows 100 MB."""

MAX_AXES = 8
MAX_SIZE = 1 << 40
"""No axis is longer: a larger number is a lie, whatever it is multiplied with."""

_LENGTH_BYTES = 8
_METADATA = "__metadata__"
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})
_DTYPES = {
    "BOOL": "?",
    "U8": "u1",
    "I8": "i1",
    "U16": "<u2",
    "I16": "<i2",
    "F16": "<f2",
    "U32": "<u4",
    "I32": "<i4",
    "F32": "<f4",
    "U64": "<u8",
    "I64": "<i8",
    "F64": "<f8",
}
"""The format's names of element types -> numpy's. BF16 and the 8-bit floats have none there."""


class _LieError(ValueError):
    """The header claims something that cannot be."""


def read_tensors(file: Path, where: str) -> Mapping[str, NDArray]:
    """Return all tensors of a file by name; read-only, their bytes read when they are used.

    Raises:
        AssetError: It is no safetensors file, or its header claims what cannot be.
        OSError: It cannot be read.
    """
    try:
        return dict(_parse(_map(file)))
    except (_LieError, JsonError) as error:
        raise AssetError(
            f"it is no sound safetensors file: {error}", code="bad_safetensors", where=where
        ) from error


def _map(file: Path) -> memoryview:
    """Map a file that is long enough to hold a header; an empty one cannot be mapped."""
    size_bytes = file.stat().st_size
    if size_bytes <= _LENGTH_BYTES:
        raise _LieError(f"it has {size_bytes} bytes, too few for a header")
    with file.open("rb") as opened:
        return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def _parse(data: memoryview) -> Iterator[tuple[str, NDArray]]:
    length = int.from_bytes(data[:_LENGTH_BYTES], "little")
    start = _LENGTH_BYTES + length
    if length > MAX_HEADER_BYTES or start > len(data):
        raise _LieError(
            f"its header claims {length} bytes; {len(data) - _LENGTH_BYTES} are there, "
            f"{MAX_HEADER_BYTES} are allowed"
        )
    header = parse_json(bytes(data[_LENGTH_BYTES:start]))
    if not isinstance(header, dict):
        raise _LieError("its header is no JSON object")
    header.pop(_METADATA, None)
    body = data[start:]
    place = 0
    entries = [(name, *_read_entry(name, entry)) for name, entry in header.items()]
    for name, dtype, shape, (begin, end) in sorted(entries, key=lambda entry: (entry[3], entry[0])):
        if begin != place:
            raise _LieError(f"tensor {name} begins at byte {begin}, the one before ends at {place}")
        expected = math.prod(shape) * np.dtype(dtype).itemsize
        if end - begin != expected or end > len(body):
            raise _LieError(f"tensor {name} has {end - begin} bytes, its shape takes {expected}")
        place = end
        yield name, np.frombuffer(body[begin:end], dtype).reshape(shape)
    if place != len(body):
        raise _LieError(f"{len(body) - place} bytes belong to no tensor")


def _read_entry(name: str, entry: object) -> tuple[str, list[int], tuple[int, int]]:
    """Return a tensor's type, shape and place."""
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        raise _LieError(f"tensor {name} must have exactly {', '.join(sorted(_FIELDS))}")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise _LieError(f"tensor {name} is of type {str(dtype)[:20]}; known: {', '.join(_DTYPES)}")
    if not _are_sizes(shape) or len(shape) > MAX_AXES:
        raise _LieError(f"the shape of tensor {name} is no list of up to {MAX_AXES} sizes")
    if not _are_sizes(offsets) or len(offsets) != len(("begin", "end")):
        raise _LieError(f"the place of tensor {name} is no pair of offsets")
    return _DTYPES[dtype], shape, cast("tuple[int, int]", tuple(offsets))


def _are_sizes(value: object) -> bool:
    """Tell whether a value is a list of whole numbers that a size can have."""
    return isinstance(value, list) and all(
        type(item) is int and 0 <= item <= MAX_SIZE for item in value
    )
