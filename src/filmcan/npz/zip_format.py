"""The ZIP records an NPZ is made of, and how ours are written.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7-4.3.16, 4.5 and 4.6. The reader's rules are in
`zip_directory` and `zip_member`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

LOCAL = struct.Struct("<4s5H3L2H")
"""Signature, version, flags, method, time, date, CRC, stored size, size, name, extra length."""

CENTRAL = struct.Struct("<4s6H3L5H2L")
"""As `LOCAL` behind two versions; then comment length, disk, attributes, offset."""

END = struct.Struct("<4s4H2LH")
"""Signature, two disks, two counts, size and offset of the directory, comment length."""

END64 = struct.Struct("<4sQ2H2L4Q")
"""Signature, length, versions, two disks, two counts, size and offset of the directory."""

_pack_alignment = struct.Struct("<3H").pack

LOCATOR64 = struct.Struct("<4sLQL")
"""Signature, disk, offset of the 64-bit end record, number of disks."""

_LOCAL_SIZE = LOCAL.size

LOCAL_SIGNATURE = b"PK\x03\x04"
CENTRAL_SIGNATURE = b"PK\x01\x02"
END_SIGNATURE = b"PK\x05\x06"
END64_SIGNATURE = b"PK\x06\x06"
LOCATOR64_SIGNATURE = b"PK\x06\x07"
DESCRIPTOR_SIGNATURE = b"PK\x07\x08"

STORED = 0
DEFLATED = 8
FLAG_DESCRIPTOR = 0x0008
FLAG_UTF8 = 0x0800
FLAG_DEFLATE_LEVEL = 0x0006
EXTRA_ZIP64 = 0x0001
EXTRA_SECRETS = frozenset({0x0014, 0x0015, 0x0016, 0x0017, 0x9901})
"""Certificates and ciphers of PKWARE and WinZip (AES)."""

EXTRA_NAMES = frozenset({0x6375, 0x7075})
"""Info-ZIP's second name and comment in UTF-8: some readers put them in place of the first."""

EXTRA_ALIGNMENT = 0xD935
"""Registered by Android's zipalign: the alignment as 16 bits, then zeros."""

FULL_16 = 0xFFFF
FULL_32 = 0xFFFFFFFF
"""A size or offset written as this stands in the zip64 extra field instead."""

ALIGNMENT = 64
"""Array data starts on a multiple of this, so that a memory map is aligned for any type."""

ZIP64_FROM = FULL_32
"""Sizes and offsets from here on are written in zip64 fields; tests lower it."""

_VERSION = 20
_VERSION_ZIP64 = 45
_MADE_BY_UNIX = 3 << 8
_DOS_DATE = (1 << 5) | 1  # 1980-01-01, the first day a ZIP can name: artifacts carry no clock
_ATTRIBUTES = 0o100644 << 16


class StoredMember(NamedTuple):
    """One member of ours: where it lies and what it holds.

    Attributes:
        name: File name in the container, ASCII.
        size: Bytes of its content.
        offset: Where its local header starts.
        data_offset: Where its content starts, a multiple of `ALIGNMENT`.
    """

    name: bytes
    size: int
    offset: int
    data_offset: int

    @property
    def end(self) -> int:
        """Where the next record starts."""
        return self.data_offset + self.size


def plan_member(name: bytes, size: int, offset: int) -> StoredMember:
    """Return a member's place when its local header starts at `offset`."""
    zip64_size = len(_build_zip64(size, size)) if size >= ZIP64_FROM else 0
    shortest = _LOCAL_SIZE + len(name) + zip64_size + 6
    data_offset = -(-(offset + shortest) // ALIGNMENT) * ALIGNMENT
    return StoredMember(name, size, offset, data_offset)


def build_local(member: StoredMember, crc: int) -> bytes:
    """Return the local header, padded so that the content behind it is aligned."""
    zip64 = _build_zip64(member.size, member.size) if member.size >= ZIP64_FROM else b""
    size = FULL_32 if zip64 else member.size
    extra_size = member.data_offset - member.offset - _LOCAL_SIZE - len(member.name)
    padding = extra_size - len(zip64) - 4
    extra = zip64 + _pack_alignment(EXTRA_ALIGNMENT, padding, ALIGNMENT) + bytes(padding - 2)
    header = LOCAL.pack(
        LOCAL_SIGNATURE,
        _find_version(zip64),
        0,
        STORED,
        0,
        _DOS_DATE,
        crc,
        size,
        size,
        len(member.name),
        extra_size,
    )
    return header + member.name + extra


def build_central(member: StoredMember, crc: int) -> bytes:
    """Return the member's record in the central directory."""
    sizes = (member.size, member.size) if member.size >= ZIP64_FROM else ()
    offsets = (member.offset,) if member.offset >= ZIP64_FROM else ()
    zip64 = _build_zip64(*sizes, *offsets)
    size = FULL_32 if sizes else member.size
    offset = FULL_32 if offsets else member.offset
    version = _find_version(zip64)
    header = CENTRAL.pack(
        CENTRAL_SIGNATURE,
        _MADE_BY_UNIX | version,
        version,
        0,
        STORED,
        0,
        _DOS_DATE,
        crc,
        size,
        size,
        len(member.name),
        len(zip64),
        0,
        0,
        0,
        _ATTRIBUTES,
        offset,
    )
    return header + member.name + zip64


def build_end(count: int, offset: int, size: int) -> bytes:
    """Return the end record, behind its 64-bit form where that is needed."""
    end64 = b""
    if count >= FULL_16 or offset >= ZIP64_FROM or size >= ZIP64_FROM:
        end64 = END64.pack(
            END64_SIGNATURE,
            END64.size - 12,
            _MADE_BY_UNIX | _VERSION_ZIP64,
            _VERSION_ZIP64,
            0,
            0,
            count,
            count,
            size,
            offset,
        ) + LOCATOR64.pack(LOCATOR64_SIGNATURE, 0, offset + size, 1)
    count = min(count, FULL_16)
    size = FULL_32 if size >= ZIP64_FROM else size
    offset = FULL_32 if offset >= ZIP64_FROM else offset
    return end64 + END.pack(END_SIGNATURE, 0, 0, count, count, size, offset, 0)


def _build_zip64(*values: int) -> bytes:
    if not values or max(values) < ZIP64_FROM:
        return b""
    return struct.pack(f"<HH{len(values)}Q", EXTRA_ZIP64, 8 * len(values), *values)


def _find_version(zip64: bytes) -> int:
    return _VERSION_ZIP64 if zip64 else _VERSION
