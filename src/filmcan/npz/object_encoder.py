"""Object arrays as pickles whose bytes depend on nothing but their content (C4.5).

Protocol 3 without a memo: every value is written out where it stands, dict keys in sorted order,
so neither sharing nor interning nor insertion shows. The names are those that numpy 1 and numpy 2
both load. What cannot be read back by `object_decoder` at its default limits is not written.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from filmcan.npz.dtypes import normalise
from filmcan.npz.limits import DEFAULT_LIMITS
from filmcan.npz.npy_header import MAX_DIMS, OBJECT
from filmcan.npz.refusal import over_limit, refuse

_RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
_SCALAR = b"cnumpy.core.multiarray\nscalar\n"
_MAX_INTEGER = 10**4_000
_FLOAT64 = struct.Struct(">d")


def encode_object(value: object) -> bytes:
    """Return the pickle of an object array; any other value is first put in a 0-d one.

    Args:
        value: object array, or the one value of a 0-d array. Values: None, bool, int, float, str,
            bytes, list, tuple, str-keyed dict, numpy scalars and arrays.

    Raises:
        InvalidArtifactError: A value of another type, too deep nesting, or too much.
    """
    if not (isinstance(value, np.ndarray) and value.dtype == OBJECT):
        array = np.empty((), OBJECT)
        array[()] = value
        value = array
    encoder = _Encoder()
    encoder.put(value, 0)
    data = b"".join([b"\x80\x03", *encoder.parts, b"."])
    if len(data) > DEFAULT_LIMITS.max_object_bytes:
        raise over_limit("max_object_bytes", f"{len(data)} bytes of objects")
    return data


class _Encoder:
    """Collects the parts of one pickle."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._nodes = 0

    def put(self, value: object, depth: int) -> None:
        """Write one value."""
        self._nodes += 1
        if self._nodes > DEFAULT_LIMITS.max_object_nodes:
            raise over_limit("max_object_nodes", f"more than {self._nodes - 1} values")
        plain = _PLAIN.get(type(value))
        if plain is not None:
            self.parts.append(plain(value))
        elif isinstance(value, np.generic):
            self._put_scalar(value)
        elif depth >= DEFAULT_LIMITS.max_object_depth:
            raise over_limit("max_object_depth", f"values nest deeper than {depth}, or in a circle")
        elif type(value) is np.ndarray:
            self._put_array(value, depth)
        else:
            self._put_container(value, depth)

    def _put_container(self, value: object, depth: int) -> None:
        if type(value) is list:
            self.parts.append(b"]")
            self._put_items(value, b"e", depth)
        elif type(value) is tuple:
            self._put_items(value, b"t", depth)
        elif type(value) is dict:
            wrong = next((key for key in value if type(key) is not str), None)
            if wrong is not None:
                raise refuse("object_value", f"a dict key of type {type(wrong).__name__}")
            self.parts.append(b"}")
            items = [part for key in sorted(value) for part in (key, value[key])]
            self._put_items(items, b"u", depth)
        else:
            raise refuse(
                "object_value",
                f"a {type(value).__name__} cannot be written into an artifact",
                "Use None, bool, int, float, str, bytes, list, tuple, dict or numpy values.",
            )

    def _put_items(self, items: list[object] | tuple[object, ...], end: bytes, depth: int) -> None:
        self.parts.append(b"(")
        for item in items:
            self.put(item, depth + 1)
        self.parts.append(end)

    def _put_array(self, array: np.ndarray, depth: int) -> None:
        if array.ndim > MAX_DIMS:
            raise over_limit("32 axes", f"an array of {array.ndim} axes")
        self.parts.append(_RECONSTRUCT + b"(K\x01(")
        self.parts.extend(_encode_int(axis) for axis in array.shape)
        if array.dtype == OBJECT:
            self.parts.append(b"t" + _OBJECT_TYPE + b"\x89]")
            self._put_items(array.ravel().tolist(), b"e", depth)
        else:
            array = normalise(array)
            head = b"t" + _encode_dtype(array.dtype) + b"\x89"
            self.parts += (head, _encode_bytes(array.tobytes()))
        self.parts.append(b"tb")

    def _put_scalar(self, value: np.generic) -> None:
        array = normalise(np.asarray(value))
        head = _SCALAR + _encode_dtype(array.dtype)
        self.parts += (head, _encode_bytes(array.tobytes()), b"\x86R")


def _encode_dtype(dtype: np.dtype[np.generic]) -> bytes:
    """Return the pickle of a normalised element type, as numpy states it."""
    if dtype.kind not in "biufcSU":
        raise refuse("object_value", f"{dtype} values cannot be written into an object array")
    code = dtype.str[1:].encode()
    order = b"|" if dtype.str[0] == "|" else b"<"
    sizes = b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
    if dtype.kind in "SU":
        sizes = _encode_int(dtype.itemsize) + _encode_int(dtype.alignment)
        sizes += b"K\x08" if dtype.kind == "U" else b"K\x00"
    return _build_dtype(code, order, sizes)


def _build_dtype(code: bytes, order: bytes, sizes: bytes) -> bytes:
    call = b"cnumpy\ndtype\n" + _encode_text(code) + b"\x89\x88\x87R"
    return call + b"(K\x03" + _encode_text(order) + b"NNN" + sizes + b"tb"


def _encode_text(data: bytes) -> bytes:
    return b"X" + len(data).to_bytes(4, "little") + data


def _encode_int(value: int) -> bytes:
    if 0 <= value < 1 << 8:
        return b"K" + value.to_bytes(1, "little")
    if 0 <= value < 1 << 16:
        return b"M" + value.to_bytes(2, "little")
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + value.to_bytes(4, "little", signed=True)
    if not -_MAX_INTEGER < value < _MAX_INTEGER:
        raise over_limit("4000 digits", "an integer is longer than 4000 digits")
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    if len(data) < 1 << 8:
        return b"\x8a" + len(data).to_bytes(1, "little") + data
    return b"\x8b" + len(data).to_bytes(4, "little") + data


def _encode_bytes(data: bytes) -> bytes:
    if len(data) < 1 << 8:
        return b"C" + len(data).to_bytes(1, "little") + data
    if len(data) > DEFAULT_LIMITS.max_object_bytes:
        raise over_limit("max_object_bytes", f"{len(data)} bytes of objects")
    return b"B" + len(data).to_bytes(4, "little") + data


_PLAIN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"\x88" if value else b"\x89",
    int: _encode_int,
    float: lambda value: b"G" + _FLOAT64.pack(value),
    str: lambda value: _encode_text(value.encode("utf-8", "surrogatepass")),
    bytes: _encode_bytes,
}

_OBJECT_TYPE = _build_dtype(b"O8", b"|", b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3f")
