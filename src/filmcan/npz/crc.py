"""The fastest CRC-32 at hand: zlib-ng, ISA-L, or the standard library's zlib.

All three give the same numbers; zlib costs three times as much per byte. Each computes without
holding the interpreter's lock, so two threads take two halves and `combine` joins them.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Protocol, cast

CHUNK_BYTES = 1 << 20
"""Data is read and summed in pieces of this size, so that the sum finds them in the cache."""

_BACKENDS = ("zlib_ng.zlib_ng", "isal.isal_zlib")
_POLYNOMIAL = 0xEDB88320


class Crc32(Protocol):
    """The signature shared by all backends."""

    def __call__(self, data: bytes | bytearray | memoryview, value: int = 0, /) -> int:
        """Return the CRC of `data`, continued from `value`."""
        ...


def combine_plainly(first: int, second: int, second_bytes: int) -> int:
    """Return the CRC of two joined pieces from the CRC of each and the length of the second.

    Source: zlib's `crc32_combine` (crc32.c, since 1.2.12): multiply by x^(8 n) modulo the
    polynomial.
    """
    power, square = 1 << 31, 1 << 23  # x^0 and x^8, bits reflected
    while second_bytes:
        if second_bytes & 1:
            power = _multiply(square, power)
        square = _multiply(square, square)
        second_bytes >>= 1
    return _multiply(power, first) ^ second


def _multiply(left: int, right: int) -> int:
    """Return the product of two reflected polynomials modulo the CRC's."""
    product = 0
    bit = 1 << 31
    while bit:
        if left & bit:
            product ^= right
        right = (right >> 1) ^ _POLYNOMIAL if right & 1 else right >> 1
        bit >>= 1
    return product


def find_backend(names: tuple[str, ...]) -> tuple[Crc32, Callable[[int, int, int], int]]:
    """Return `crc32` and `crc32_combine` of the first module that can be imported, else zlib's."""
    for name in names:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return cast("Crc32", module.crc32), getattr(module, "crc32_combine", combine_plainly)
    return zlib.crc32, combine_plainly


crc32, combine = find_backend(_BACKENDS)
