"""The names a numpy pickle may mention, and what a "call" of each makes (threats B1)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NoReturn, cast

import numpy as np

from filmcan.npz.dtypes import check_text
from filmcan.npz.npy_header import OBJECT
from filmcan.npz.object_shells import ArrayShell, TypeShell, is_plain, malformed, shown_text
from filmcan.npz.refusal import refuse


class Symbol(Enum):
    """The names a pickle may mention; each stands for itself and does nothing."""

    RECONSTRUCT = "numpy's _reconstruct"
    SCALAR = "numpy's scalar"
    FROM_BUFFER = "numpy's _frombuffer"
    NDARRAY = "numpy.ndarray"
    DTYPE = "numpy.dtype"
    ENCODE = "_codecs.encode"
    BYTES = "bytes"


SYMBOLS = {
    ("numpy.core.multiarray", "_reconstruct"): Symbol.RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): Symbol.RECONSTRUCT,
    ("numpy.core.multiarray", "scalar"): Symbol.SCALAR,
    ("numpy._core.multiarray", "scalar"): Symbol.SCALAR,
    ("numpy.core.numeric", "_frombuffer"): Symbol.FROM_BUFFER,
    ("numpy._core.numeric", "_frombuffer"): Symbol.FROM_BUFFER,
    ("numpy", "ndarray"): Symbol.NDARRAY,
    ("numpy", "dtype"): Symbol.DTYPE,
    ("_codecs", "encode"): Symbol.ENCODE,
    ("__builtin__", "bytes"): Symbol.BYTES,
    ("builtins", "bytes"): Symbol.BYTES,
}
"""Exact names only; every other is refused."""


def find_symbol(module: object, name: object) -> Symbol:
    """Return the symbol of an exact name.

    Raises:
        InvalidArtifactError: The name is any other, or no name.
    """
    symbol = None
    if type(module) is str and type(name) is str:
        symbol = SYMBOLS.get((module, name))
    if symbol is None:
        names = f"{shown_text(module)}, {shown_text(name)}"
        raise refuse("pickle_refused", f"the pickle names ({names}), which is never looked up")
    return symbol


def _reconstruct(arguments: tuple[object, ...]) -> ArrayShell:
    if len(arguments) != 3 or arguments[0] is not Symbol.NDARRAY:  # noqa: PLR2004
        raise refuse("pickle_refused", "the pickle reconstructs something other than an array")
    _, shape, kind = arguments
    if type(shape) is not tuple or len(shape) != 1 or not is_plain(shape[0], 0):
        raise malformed("a _reconstruct call")
    if type(kind) is not bytes or kind != b"b":
        raise malformed("a _reconstruct call")
    return ArrayShell()


def _encode(arguments: tuple[object, ...]) -> bytes:
    """Return bytes that protocols 0-2 write as text; latin-1 is the only encoding they use."""
    if len(arguments) != 2 or type(arguments[0]) is not str or type(arguments[1]) is not str:  # noqa: PLR2004
        raise malformed("a _codecs.encode call")
    if arguments[1] not in ("latin1", "latin-1"):
        raise refuse("pickle_refused", f"the pickle encodes text as {shown_text(arguments[1])}")
    try:
        return arguments[0].encode("latin-1")
    except UnicodeEncodeError as error:
        raise malformed("a _codecs.encode call") from error


def _no_bytes(arguments: tuple[object, ...]) -> bytes:
    if arguments:
        raise refuse("pickle_refused", "the pickle calls bytes with arguments")
    return b""


def _no_call(_arguments: tuple[object, ...]) -> NoReturn:
    raise refuse("pickle_refused", "the pickle calls numpy.ndarray itself")


def _build_scalar(arguments: tuple[object, ...]) -> np.generic:
    """Return a numpy scalar from its element type and bytes."""
    if len(arguments) != 2 or type(arguments[0]) is not TypeShell:  # noqa: PLR2004
        raise malformed("a numpy scalar")
    dtype, data = arguments[0].dtype, arguments[1]
    if dtype is None or dtype == OBJECT or type(data) is not bytes:
        raise malformed("a numpy scalar")
    if len(data) != dtype.itemsize:
        message = f"a scalar of {dtype} takes {dtype.itemsize} bytes, not {len(data)}"
        raise refuse("npy_size", message)
    if not data:  # an empty string: numpy builds no array of zero width
        return np.str_() if dtype.kind == "U" else np.bytes_()
    array = np.frombuffer(data, dtype)
    if dtype.kind == "U":
        check_text(array)
    return cast("np.generic", array[0])


CALLS: dict[Symbol, Callable[[tuple[object, ...]], object]] = {
    Symbol.RECONSTRUCT: _reconstruct,
    Symbol.SCALAR: _build_scalar,
    Symbol.FROM_BUFFER: ArrayShell.from_buffer,
    Symbol.NDARRAY: _no_call,
    Symbol.DTYPE: TypeShell,
    Symbol.ENCODE: _encode,
    Symbol.BYTES: _no_bytes,
}
