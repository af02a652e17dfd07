"""One member's local header and data descriptor, held against the directory (threats B3)."""

from __future__ import annotations

import struct

from filmcan.npz import zip_format as z
from filmcan.npz.refusal import refuse
from filmcan.npz.source import Buffer
from filmcan.npz.zip_directory import find_zip64
from filmcan.npz.zip_records import Member

_unpack_local = struct.Struct("<4s2x2H4x3L2H").unpack_from
"""The fields of `zip_format.LOCAL` that are judged; version and times are passed over."""

_EXTRA_HEAD = 4
_DESCRIPTOR_SIZES = (12, 16, 20, 24)
"""CRC and two sizes of 32 or 64 bits, without or with a signature."""


_unpack_extra = struct.Struct("<2H").unpack_from


def find_header_size(member: Member) -> int:
    """Return the bytes of a member that are not content: local header and descriptor."""
    return member.end - member.offset - member.stored_size


def parse_local(member: Member, head: Buffer) -> tuple[int, int]:
    """Return where the content starts, from the member's own start, and the descriptor's size.

    Args:
        member: As the central directory has it.
        head: The file from the member's start, at least `find_header_size` bytes.

    Raises:
        InvalidArtifactError: The header disagrees with the directory, or does not touch its
            neighbours.
    """
    signature, flags, method, crc, stored_size, size, name_size, extra_size = _unpack_local(head)
    name_end = z.LOCAL.size + name_size
    start = name_end + extra_size
    named = signature == z.LOCAL_SIGNATURE and head[z.LOCAL.size : name_end] == member.name
    if not named or flags != member.flags or method != member.method:
        raise _disagreement(member, "signature, name, flags or method")
    rest = member.end - member.offset - member.stored_size - start
    if rest and not (flags & z.FLAG_DESCRIPTOR and rest in _DESCRIPTOR_SIZES):
        raise refuse("zip_layout", f"{member.key}: {rest} bytes lie between it and the next member")
    # One field that fills the space and is not zip64, as we write it, holds nothing to judge.
    if extra_size and (
        extra_size < _EXTRA_HEAD
        or _unpack_extra(head, name_end) != (z.EXTRA_ALIGNMENT, extra_size - _EXTRA_HEAD)
    ):
        wide = find_zip64(bytes(head[name_end:start]))
        if wide:
            size, stored_size = _widen(member, wide, size, stored_size)
    stated = (crc, stored_size, size)
    unstated = flags & z.FLAG_DESCRIPTOR and not any(stated)
    if stated != (member.crc, member.stored_size, member.size) and not unstated:
        raise _disagreement(member, "CRC or sizes")
    if flags & z.FLAG_DESCRIPTOR and not rest:
        raise refuse("zip_layout", f"{member.key}: its data descriptor is missing")
    return start, rest


def check_descriptor(member: Member, descriptor: Buffer) -> None:
    """Hold the record behind a streamed member against the directory.

    Raises:
        InvalidArtifactError: They disagree.
    """
    signed = len(descriptor) in (16, 24)
    wide = len(descriptor) >= 20  # noqa: PLR2004 - CRC and two 64-bit sizes
    body = bytes(descriptor[4:] if signed else descriptor)
    step = 8 if wide else 4
    stated = (
        int.from_bytes(body[:4], "little"),
        int.from_bytes(body[4 : 4 + step], "little"),
        int.from_bytes(body[4 + step :], "little"),
    )
    named = not signed or descriptor[:4] == z.DESCRIPTOR_SIGNATURE
    if not named or stated != (member.crc, member.stored_size, member.size):
        raise _disagreement(member, "data descriptor")


def _widen(member: Member, wide: tuple[int, ...], *fields: int) -> list[int]:
    """Return the sizes of a local header; its zip64 field always states both."""
    if len(wide) != len(fields):
        raise refuse("zip_extra", f"{member.key}: its zip64 field must state both sizes")
    for field, value in zip(fields, wide, strict=True):
        if field not in (z.FULL_32, value):
            raise _disagreement(member, "zip64 sizes")
    return list(wide)


def _disagreement(member: Member, what: str) -> Exception:
    return refuse("zip_disagreement", f"{member.key}: {what} differ from the central directory's")
