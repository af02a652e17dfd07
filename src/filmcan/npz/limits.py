"""How much a reader takes on, whatever a file says of itself (threats B1-B3).

At the defaults no single artifact makes a reader use more than 512 MiB beyond the bytes it stores,
also when every array is kept: 320 MiB inflated and, as measured, some 100 MiB for objects and meta.
Every refusal names the limit, so that an owner of larger files knows which one to raise.
"""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Upper bounds; the container's are judged on opening, the others where they apply.

    Attributes:
        max_members: Members of one container.
        max_directory_bytes: Size of the central directory.
        max_member_bytes: Declared size of one member, after inflating.
        max_total_bytes: Declared size of all members together.
        max_inflated_bytes: Declared size of all compressed members together. Stored members cannot
            be larger than the file; compressed ones can, so they have a limit of their own.
        max_header_bytes: Length of the text of an array header.
        max_object_bytes: Size of all object arrays together that one reader reads. This and the
            next limits hold for the file; a member that is read again does not count again.
        max_object_opcodes: Steps of their decoding.
        max_object_depth: Nesting of the values, in each.
        max_object_nodes: Values in them, each counted as often as it would be printed.
        max_object_text_bytes: Text and binary data in them, counted likewise, and what decoding
            copies on the way.
        max_json_chars: Characters of `meta_json`.
    """

    max_members: int = 4_096
    max_directory_bytes: int = 4 * _MIB
    max_member_bytes: int = 16 * _GIB
    max_total_bytes: int = 64 * _GIB
    max_inflated_bytes: int = 320 * _MIB
    max_header_bytes: int = 10_000
    max_object_bytes: int = 8 * _MIB
    max_object_opcodes: int = 300_000
    max_object_depth: int = 100
    max_object_nodes: int = 200_000
    max_object_text_bytes: int = 32 * _MIB
    max_json_chars: int = 4 * _MIB


DEFAULT_LIMITS = ReadLimits()
