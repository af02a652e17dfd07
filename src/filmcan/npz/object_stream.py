"""The bytes of a pickle, taken piece by piece and never beyond their end (threats B1)."""

from __future__ import annotations

import re

from filmcan.npz.refusal import refuse

_DECIMAL = re.compile(rb"-?[0-9]+")


class PickleStream:
    """Bytes and the place reached in them.

    Attributes:
        data: The whole pickle.
        end: Its length.
        at: The next byte to take.
    """

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes) -> None:
        """Start at the first byte."""
        self.data = data
        self.end = len(data)
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes; their number is checked first."""
        start = self.at
        self.at = stop = start + size
        if stop > self.end:
            raise refuse("pickle_damaged", f"{size} bytes announced, {self.end - start} are left")
        return self.data[start:stop]

    def take_number(self, width: int) -> int:
        """Return the next `width` bytes as an unsigned number."""
        return int.from_bytes(self.take(width), "little")

    def take_sized(self, width: int) -> bytes:
        """Return bytes whose number stands in front of them, in `width` bytes."""
        start = self.at + width
        size = int.from_bytes(self.data[self.at : start], "little")
        self.at = stop = start + size
        if stop > self.end:
            left = max(0, self.end - start)
            raise refuse("pickle_damaged", f"{size} bytes announced, {left} are left")
        return self.data[start:stop]

    def take_line(self, limit: int) -> bytes:
        """Return the bytes up to the next line end, at most `limit`."""
        stop = self.data.find(b"\n", self.at, self.at + limit + 1)
        if stop < 0:
            raise refuse("pickle_damaged", f"a line of more than {limit} bytes, or none")
        line = self.data[self.at : stop]
        self.at = stop + 1
        return line


def parse_decimal(line: bytes) -> int:
    """Return a whole number from its digits."""
    if not _DECIMAL.fullmatch(line):
        raise refuse("pickle_damaged", f"{line[:40]!r} is no integer")
    return int(line)
