"""What numpy's pickles build, as inert records of ours (threats B1).

The decoder makes these where a pickle would call numpy. Each checks its arguments' form and
nothing is created from them until the whole stream is read: `object_values` then builds arrays by
validated construction. Sizes and alignments that a pickle states are ignored and computed anew;
flags must be those of the type, since numpy itself believes them and reads an address for a number.
"""

from __future__ import annotations

import re
from typing import cast

import numpy as np

from filmcan.errors import InvalidArtifactError
from filmcan.npz.dtypes import parse_dtype
from filmcan.npz.npy_header import MAX_DIMS, OBJECT
from filmcan.npz.refusal import refuse

_CODE = re.compile(r"b1|[iu][1248]|f(?:2|4|8|16)|c(?:8|16|32)|[mM]8|O8|O4|[SU](?:0|[1-9]\d{0,8})")
_FLAGS = {"O": 63, "U": 8}
"""What numpy's ndarraytypes.h gives types by their kind (NPY_OBJECT_DTYPE_FLAGS, NPY_NEEDS_PYAPI);
all other accepted types have no flag."""
_UNIT = re.compile(r"[a-zA-Z]{1,7}")
_MAX_MULTIPLE = 10**9


class Bytearray(bytes):
    """Bytes that the pickle called a bytearray: only an array's data may be such."""

    __slots__ = ()


class TypeShell:
    """An element type as `numpy.dtype(code, False, True)` and the state that follows."""

    __slots__ = ("code", "dtype")

    def __init__(self, arguments: tuple[object, ...]) -> None:
        """Take the call's arguments; the state must follow before the type is used."""
        if len(arguments) != 3 or not is_plain(arguments[1], 0) or not is_plain(arguments[2], 1):  # noqa: PLR2004
            raise malformed("a numpy.dtype call")
        self.code = arguments[0]
        self.dtype: np.dtype[np.generic] | None = None
        if type(self.code) is not str or not _CODE.fullmatch(self.code):
            raise refuse("npy_dtype", f"element type {shown_text(self.code)} is not accepted")

    def set_state(self, state: object) -> None:
        """Take version, byte order and, for times, the unit."""
        if self.dtype is not None or type(state) is not tuple or len(state) not in (8, 9):
            raise malformed("the state of a numpy.dtype")
        version, order, *rest = state[:5]
        if not is_plain(version, len(state) - 5) or not is_plain(order, "<", ">", "|"):
            raise malformed("the state of a numpy.dtype")
        if any(part is not None for part in rest):
            raise refuse("npy_dtype", "a structured element type is not accepted")
        code = str(self.code)
        if not is_plain(state[7], _FLAGS.get(code[0], 0)):
            raise malformed("the state of a numpy.dtype")
        if (len(state) == 9) != (code in ("M8", "m8")):  # noqa: PLR2004 - with a time unit
            raise malformed("the state of a numpy.dtype")
        if code[0] == "O":
            self.dtype = OBJECT
        elif code in ("S0", "U0"):
            self.dtype = np.dtype(code)
        else:
            single = code in ("b1", "i1", "u1") or code[0] == "S"
            unit = _parse_unit(state[8]) if code in ("M8", "m8") else ""
            self.dtype = parse_dtype(("|" if single else str(order)) + code + unit)


class ArrayShell:
    """An array before it is built: shape, element type, order, and its data or its items."""

    __slots__ = ("data", "dtype", "fortran", "items", "shape")

    def __init__(self) -> None:
        """Wait for the state."""
        self.dtype: np.dtype[np.generic] | None = None
        self.shape: tuple[int, ...] = ()
        self.fortran = False
        self.items: list[object] = []
        self.data = b""

    def set_state(self, state: object) -> None:
        """Take (1, shape, element type, order, data)."""
        if type(state) is not tuple or len(state) != 5 or self.dtype is not None:  # noqa: PLR2004
            raise malformed("the state of an array")
        version, shape, dtype, fortran, data = state
        if not is_plain(version, 1) or not is_plain(fortran, 0, 1) or type(dtype) is not TypeShell:
            raise malformed("the state of an array")
        self._set(shape, dtype, data, fortran=bool(fortran))

    @classmethod
    def from_buffer(cls, arguments: tuple[object, ...]) -> ArrayShell:
        """Take the arguments of `_frombuffer`: data, element type, shape, order."""
        if len(arguments) != 4 or not is_plain(arguments[3], "C", "F"):  # noqa: PLR2004
            raise malformed("a _frombuffer call")
        data, dtype, shape, order = arguments
        if type(dtype) is not TypeShell or dtype.dtype == OBJECT:
            raise malformed("a _frombuffer call")
        shell = cls()
        shell._set(shape, dtype, data, fortran=order == "F")
        return shell

    def _set(self, shape: object, dtype: TypeShell, data: object, *, fortran: bool) -> None:
        if dtype.dtype is None or not dtype.dtype.itemsize:
            raise malformed("an array's element type")
        if type(shape) is not tuple or len(shape) > MAX_DIMS:
            raise malformed("an array's shape")
        if not all(type(axis) is int and 0 <= axis < 1 << 62 for axis in shape):
            raise malformed("an array's shape")
        if dtype.dtype == OBJECT:
            if type(data) is not list:
                raise malformed("an object array's data")
            self.items = data
        else:
            if type(data) not in (bytes, Bytearray):
                raise malformed("an array's data")
            self.data = cast("bytes", data)
        self.shape, self.dtype, self.fortran = shape, dtype.dtype, fortran


def shown_text(value: object) -> str:
    """Return a value for a message, without asking anything but a str what it looks like.

    The picture of a list that holds itself a hundredfold would never end.
    """
    return repr(value[:60]) if type(value) is str else f"a {type(value).__name__}"


def malformed(what: str) -> InvalidArtifactError:
    """Return the error for a call or state that numpy would not have written."""
    return refuse("pickle_damaged", f"{what} is not as numpy writes it")


def is_plain(value: object, *allowed: object) -> bool:
    """Compare without calling into whatever type the pickle put there."""
    return type(value) in (bool, int, str) and value in allowed


def _parse_unit(state: object) -> str:
    """Return the unit of a time type, as in `[25s]`, from (metadata, (unit, multiple, 1, 1))."""
    if type(state) is not tuple or len(state) != 2:  # noqa: PLR2004
        raise malformed("a time unit")
    metadata, parts = state
    if not (metadata is None or (type(metadata) is dict and not metadata)):
        raise malformed("a time unit")
    if type(parts) is not tuple or len(parts) != 4:  # noqa: PLR2004
        raise malformed("a time unit")
    name, multiple, divisor, event = parts
    if not is_plain(divisor, 1) or not is_plain(event, 1):
        raise malformed("a time unit")
    if type(name) is not bytes or type(multiple) is not int or not 1 <= multiple <= _MAX_MULTIPLE:
        raise malformed("a time unit")
    text = name.decode("latin-1")
    if not _UNIT.fullmatch(text):
        raise malformed("a time unit")
    if text == "generic":
        return ""
    return f"[{multiple if multiple > 1 else ''}{text}]"
