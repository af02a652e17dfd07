"""The element types an array may have, from a text that we parse ourselves (threats B2).

Accepted, as numpy writes them: bool, int and uint of 8 to 64 bits, float and complex, datetime
and timedelta, `S` and `U` of non-zero width, and object where the caller allows it. Structured,
void, subarray, titled, comma and alias spellings are not.
"""

from __future__ import annotations

import functools
import re
import sys

import numpy as np

from filmcan.npz.refusal import refuse

MAX_ITEM_BYTES = 1 << 30
LAST_CODE_POINT = 0x10FFFF

_WIDEST = {"f": 8, "c": 16}
"""Long doubles differ between platforms and are not written."""

_LITTLE = sys.byteorder == "little"
_UNITS = "Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as"
_PLAIN = re.compile(
    r"[<>|](?:b1|[iu]1)"
    r"|[<>](?:[iu][248]|f(?:2|4|8|16)|c(?:8|16|32))"
    rf"|[<>][mM]8(?:\[(?:[1-9]\d{{0,8}})?(?:{_UNITS})\])?"
    r"|[<>|]S[1-9]\d{0,9}|[<>]U[1-9]\d{0,8}"
)


@functools.lru_cache(maxsize=512)
def parse_dtype(text: str) -> np.dtype[np.generic]:
    """Return the element type of a header's `descr`; object is the caller's affair.

    Raises:
        InvalidArtifactError: It is not one of the accepted types in numpy's own spelling.
    """
    if not _PLAIN.fullmatch(text):
        raise refuse("npy_dtype", f"element type {text[:40]!r} is not accepted")
    if text[1] in "SU" and int(text[2:]) * (4 if text[1] == "U" else 1) > MAX_ITEM_BYTES:
        raise refuse("npy_dtype", f"element type {text!r} is too wide")
    try:
        return np.dtype(text)
    except TypeError as error:  # long double where this platform has none
        raise refuse("npy_dtype", f"this platform has no element type {text!r}") from error


def normalise(array: np.ndarray) -> np.ndarray:
    """Return the array in C order, little-endian, of a type we write; itself when it is so already.

    Args:
        array: Any shape; 0-d stays 0-d. Text of zero width gets width 1, as numpy itself gives it.

    Raises:
        InvalidArtifactError: Its type is structured, void, object or platform-dependent.
    """
    dtype = array.dtype
    if dtype.kind not in "biufcmMSU" or dtype.itemsize > _WIDEST.get(dtype.kind, MAX_ITEM_BYTES):
        raise refuse("npy_dtype", f"element type {dtype} is not written")
    if _LITTLE and dtype.isnative and dtype.itemsize and array.flags.c_contiguous:
        return array
    if not dtype.itemsize:
        dtype = np.dtype(f"{dtype.kind}1")
    # astype, because ascontiguousarray makes 0-d arrays into (1,).
    return array.astype(dtype.newbyteorder("<"), order="C", copy=False)


def check_text(array: np.ndarray) -> None:
    """Refuse text whose code points no string can hold; numpy would fail on them later.

    Args:
        array: U[any shape], contiguous in C or Fortran order.

    Raises:
        InvalidArtifactError: A code point lies beyond Unicode.
    """
    points = array.ravel(order="K").view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
    if points.size and points.max() > LAST_CODE_POINT:
        raise refuse("npy_text", "text holds code points beyond Unicode")
