"""The strict reading of a container's end record and central directory (threats B3).

Nothing is guessed: one end record at the very end, no comment, no second volume, and records in
file order that can tile the file from its first byte. What only the local headers tell is judged
in `zip_member` when a member is touched, and for all members by `NpzReader.check`.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Iterable, Mapping
from operator import sub
from typing import Any, NamedTuple

from filmcan.errors import InvalidArtifactError
from filmcan.npz import zip_format as z
from filmcan.npz.limits import ReadLimits
from filmcan.npz.refusal import over_limit, refuse
from filmcan.npz.source import Buffer, ByteSource, read_exactly
from filmcan.npz.zip_names import parse_name
from filmcan.npz.zip_records import Columns, Members

TAIL_BYTES = 32 << 10
"""Read at once from the end: directory, `meta_json`, `meta` and the small arrays of ours."""

_JUDGED = "4s2x3H4x3L4H6xL"
"""The fields of `zip_format.CENTRAL` that are judged; times and attributes are passed over."""

_unpack_central = struct.Struct("<" + _JUDGED).unpack_from

_CENTRAL_SIZE = z.CENTRAL.size
_LOCAL_SIZE = z.LOCAL.size
_unpack_extra = struct.Struct("<2H").unpack_from

_NEWEST = 45
_ENCRYPTED = 0x2041
_DEFLATE_RATIO = 1032
"""Greatest ratio deflate can reach: 258 bytes from two bits (zlib's technical notes)."""

_LONGEST_REST = z.FULL_16 + 24
"""An extra field and a data descriptor: all that stands between name, content and next member."""


class _Layout(NamedTuple):
    """A sound directory met before: the artifacts of one component differ in few of its bytes.

    It decides nothing. `unpack` takes a directory of the same size apart by one call; when the
    pieces `fixed` are the same (signatures; versions, flags and methods; sizes of names, extra
    fields and comments, and disks; names), then going from record to record would come to the same
    places and find the same there. Only CRCs, sizes and offsets are new, and judged anew.
    """

    unpack: Callable[[bytes], tuple[Any, ...]]
    fixed: tuple[tuple[bytes, ...], ...]
    names: tuple[bytes, ...]
    places: Mapping[str, int]
    columns: Columns


_REMEMBERED_BYTES = 16 << 10
_LONGEST_LAYOUT = 256
_MAX_LAYOUTS = 64
_layouts: dict[tuple[int, int], _Layout] = {}
"""By size of the directory and count of its records."""

_PIECES = "4s2x6s4x3L8s6xL"
"""The fields of `_JUDGED`, those that are the same in all artifacts of a component together."""


class Table(NamedTuple):
    """What a directory says of its members, checked but for the limits.

    Attributes:
        members: By key, in the file's order.
        largest: Size of the largest member after inflating.
        total: Sizes of all members together.
        inflated: Sizes of all compressed members together.
    """

    members: Members
    largest: int
    total: int
    inflated: int


class Directory(NamedTuple):
    """The members of a container, and the tail of the file that was read to find them.

    Attributes:
        members: By key, in the file's order.
        tail: The last bytes of the file.
        tail_offset: Where they start.
    """

    members: Members
    tail: memoryview
    tail_offset: int


def read_directory(source: ByteSource, limits: ReadLimits) -> Directory:
    """Read the tail of a container and return its members.

    Raises:
        InvalidArtifactError: It is no ZIP container, or not one that can be read in one way only.
    """
    size = source.size
    if size < z.END.size:
        raise refuse("not_a_zip", f"{size} bytes cannot be an NPZ")
    tail_offset = max(0, size - TAIL_BYTES)
    tail = read_exactly(source, tail_offset, size - tail_offset)
    count, directory_size, offset = _parse_end(source, tail, tail_offset, limits)
    at = offset - tail_offset
    if at >= 0:
        records = bytes(tail[at : at + directory_size])
    else:
        records = bytes(read_exactly(source, offset, directory_size))
    parse = _parse_table_once if directory_size <= _REMEMBERED_BYTES else _parse_table
    table = parse(records, count, offset)
    _check_sizes(table, limits)
    return Directory(table.members, memoryview(tail), tail_offset)


def _parse_table(records: bytes, count: int, offset: int) -> Table:
    """Return what the records of a directory at `offset` say."""
    names, places, columns = _parse_records(records, count)
    ends = (*columns.offsets[1:], offset)
    _check_layout(places, columns, ends)
    methods, sizes = columns.methods, columns.sizes
    inflated = 0
    if any(methods):
        inflated = sum(size for size, method in zip(sizes, methods, strict=True) if method)
    return Table(
        members=Members(places, names, columns, ends),
        largest=max(sizes, default=0),
        total=sum(sizes),
        inflated=inflated,
    )


_parse_table_once = functools.lru_cache(maxsize=128)(_parse_table)
"""The same bytes at the same place say the same: an artifact is often opened more than once."""


def find_zip64(extra: bytes) -> tuple[int, ...]:
    """Return the values of a zip64 extra field, `()` when there is none.

    Raises:
        InvalidArtifactError: The extra fields do not fill their space, zip64 stands twice, or one
            gives the member another name or a cipher.
    """
    values: tuple[int, ...] = ()
    at = 0
    while at < len(extra):
        if at + 4 > len(extra):
            raise refuse("zip_extra", "an extra field is cut off")
        kind, size = _unpack_extra(extra, at)
        at += 4 + size
        if at > len(extra):
            raise refuse("zip_extra", "an extra field is longer than its space")
        if kind in z.EXTRA_NAMES or kind in z.EXTRA_SECRETS:
            raise refuse("zip_extra", f"extra field {kind:#06x} gives another name, or a cipher")
        if kind == z.EXTRA_ZIP64:
            if values or size % 8 or not size:
                raise refuse("zip_extra", "a malformed or second zip64 field")
            values = struct.unpack_from(f"<{size // 8}Q", extra, at - size)
    return values


def _parse_end(
    source: ByteSource, tail: Buffer, tail_offset: int, limits: ReadLimits
) -> tuple[int, int, int]:
    """Return member count, size and offset of the central directory."""
    at = len(tail) - z.END.size
    signature, disk, first_disk, here, count, size, offset, comment = z.END.unpack_from(tail, at)
    if signature != z.END_SIGNATURE:
        raise _refuse_end(source, tail)
    if comment:
        raise refuse("zip_end_record", "the end record announces a comment")
    locator_at = at - z.LOCATOR64.size
    if locator_at >= 0 and bytes(tail[locator_at : locator_at + 4]) == z.LOCATOR64_SIGNATURE:
        at = locator_at - z.END64.size
        narrow = (disk, first_disk, here, count, size, offset)
        disk, first_disk, here, count, size, offset = _parse_end64(tail, at, tail_offset, narrow)
    if disk or first_disk or here != count:
        raise refuse("zip_end_record", "the container is split over several volumes")
    if offset + size != tail_offset + at:
        message = f"the directory ends at {offset + size}, the end record starts at"
        raise refuse(
            "zip_layout", f"{message} {tail_offset + at}: bytes in front, between, or two archives"
        )
    if count > limits.max_members:
        raise over_limit("max_members", f"{count} members, at most {limits.max_members}")
    if size > limits.max_directory_bytes:
        message = f"a directory of {size} bytes, at most {limits.max_directory_bytes}"
        raise over_limit("max_directory_bytes", message)
    return count, size, offset


def _parse_end64(
    tail: Buffer, at: int, tail_offset: int, narrow: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the fields of the 64-bit end record at `at`, which its locator follows."""
    _, disk, record_offset, disks = z.LOCATOR64.unpack_from(tail, at + z.END64.size)
    if disk or disks != 1 or at < 0 or record_offset != tail_offset + at:
        raise refuse("zip_end_record", "the 64-bit end record is not where its locator says")
    signature, length, _, _, *wide = z.END64.unpack_from(tail, at)
    if signature != z.END64_SIGNATURE or length != z.END64.size - 12:
        raise refuse("zip_end_record", "the 64-bit end record is malformed")
    full = (z.FULL_16,) * 4 + (z.FULL_32,) * 2
    for value, wide_value, limit in zip(narrow, wide, full, strict=True):
        if value not in (wide_value, limit):
            raise refuse("zip_end_record", "the two end records disagree")
    return tuple(wide)


def _refuse_end(source: ByteSource, tail: Buffer) -> InvalidArtifactError:
    at = bytes(tail).rfind(z.END_SIGNATURE)
    if 0 <= at <= len(tail) - z.END.size:
        return refuse("zip_end_record", "the end record is not at the very end: bytes follow it")
    start = bytes(source.read_at(0, 4))
    if start == z.LOCAL_SIGNATURE:
        return refuse("truncated", "the end record is missing: the file is cut short")
    return refuse("not_a_zip", f"not an NPZ: it starts with {start!r} and has no end record")


def _parse_records(data: bytes, count: int) -> tuple[tuple[bytes, ...], Mapping[str, int], Columns]:
    """Return names, keys and fields of all records; they must fill the directory exactly."""
    known = _layouts.get((len(data), count))
    if known is not None:
        flat = known.unpack(data)
        if known.fixed == (flat[::8], flat[1::8], flat[5::8], flat[7::8]):
            before = known.columns
            return (
                known.names,
                known.places,
                Columns(*before[:4], flat[2::8], flat[3::8], flat[4::8], *before[7:11], flat[6::8]),
            )
    names, columns = _unpack_one_by_one(data, count)
    if columns.signatures.count(z.CENTRAL_SIGNATURE) != count:
        raise refuse("zip_directory", "a record of the directory is damaged")
    if any(columns.comment_sizes) or any(columns.disks):
        raise refuse("zip_directory", "a member has a comment or lies on another volume")
    places = _parse_names(names, columns.flags)
    if any(columns.extra_sizes):
        return names, places, _widen_all(data, columns)
    if 0 < count <= _LONGEST_LAYOUT:
        _remember(data, names, places, columns)
    return names, places, columns


def _parse_names(names: tuple[bytes, ...], flags: tuple[int, ...]) -> Mapping[str, int]:
    """Return which record each key has, no two keys the same on any disk."""
    keys = dict(map(parse_name, names, flags))
    if len(set(keys.values())) != len(names):
        raise refuse("zip_duplicate", "a key occurs twice (ignoring case)")
    return {key: place for place, key in enumerate(keys)}


def _remember(
    data: bytes, names: tuple[bytes, ...], places: Mapping[str, int], columns: Columns
) -> None:
    """Keep a layout that was parsed record by record and found sound."""
    if len(_layouts) >= _MAX_LAYOUTS:
        _layouts.clear()
    form = "".join(f"{_PIECES}{size}s" for size in columns.name_sizes)
    unpack = struct.Struct("<" + form).unpack
    flat = unpack(data)
    fixed = (flat[::8], flat[1::8], flat[5::8], flat[7::8])
    _layouts[len(data), len(names)] = _Layout(unpack, fixed, names, places, columns)


def _unpack_one_by_one(data: bytes, count: int) -> tuple[tuple[bytes, ...], Columns]:
    rows = []
    names = []
    at = 0
    try:
        for _ in range(count):
            row = _unpack_central(data, at)
            name_at = at + _CENTRAL_SIZE
            extra_at = name_at + row[7]
            rows.append(row)
            names.append(data[name_at:extra_at])
            at = extra_at + row[8] + row[9]
    except struct.error:
        at = -1
    if at != len(data):
        raise refuse("zip_directory", f"the directory does not hold exactly {count} records")
    return tuple(names), Columns(*zip(*rows, strict=True))


def _widen_all(data: bytes, columns: Columns) -> Columns:
    """Replace the sizes and offsets that stand in zip64 extra fields."""
    found = []
    at = 0
    for name_size, extra_size, *fields in zip(
        columns.name_sizes, columns.extra_sizes, columns.sizes, columns.stored_sizes,
        columns.offsets, strict=True,
    ):  # fmt: skip
        at += _CENTRAL_SIZE + name_size
        found.append(_widen(find_zip64(data[at : at + extra_size]), fields))
        at += extra_size
    sizes, stored_sizes, offsets = zip(*found, strict=True)
    return columns._replace(sizes=sizes, stored_sizes=stored_sizes, offsets=offsets)


def _widen(wide: tuple[int, ...], fields: list[int]) -> list[int]:
    """Replace the fields that are full by the values of the zip64 extra field, in order."""
    values = list(wide)
    found = [values.pop(0) if field == z.FULL_32 and values else field for field in fields]
    if values:
        raise refuse("zip_extra", "zip64 values that no field asks for")
    return found


def _check_method(row: tuple[str, int, int, int, int, int]) -> None:
    key, version, flags, method, stored_size, size = row
    if flags & _ENCRYPTED:
        raise refuse("zip_encrypted", f"{key} is encrypted")
    if method not in (z.STORED, z.DEFLATED):
        raise refuse("zip_method", f"{key}: method {method}; only stored and deflate are read")
    allowed = z.FLAG_DESCRIPTOR | z.FLAG_UTF8 | (z.FLAG_DEFLATE_LEVEL if method else 0)
    if version > _NEWEST or flags & ~allowed:
        raise refuse("zip_method", f"{key} needs ZIP features beyond plain members")
    if method == z.STORED and stored_size != size:
        raise refuse("zip_layout", f"{key}: stored, yet {stored_size} bytes stand for {size}")
    if size > stored_size * _DEFLATE_RATIO:
        raise refuse("zip_layout", f"{key}: {stored_size} bytes cannot inflate to {size}")


def _check_layout(keys: Iterable[str], columns: Columns, ends: tuple[int, ...]) -> None:
    """Check methods, sizes and places of all members; `ends` says where each must end."""
    _, versions, flags, methods, _, stored_sizes, sizes, name_sizes, *_, offsets = columns
    if any(flags) or any(methods) or stored_sizes != sizes or max(versions, default=0) > _NEWEST:
        for row in zip(keys, versions, flags, methods, stored_sizes, sizes, strict=True):
            _check_method(row)
    if (*offsets, *ends)[0]:
        raise refuse("zip_layout", "bytes stand in front of the first member")
    if offsets:
        spans = map(sub, ends, offsets)
        rests = list(map(sub, map(sub, spans, stored_sizes), name_sizes))
        if min(rests) < _LOCAL_SIZE or max(rests) > _LOCAL_SIZE + _LONGEST_REST:
            raise refuse("zip_layout", "members overlap, or there is a gap between them")


def _check_sizes(table: Table, limits: ReadLimits) -> None:
    """Refuse what is over a limit."""
    if table.largest > limits.max_member_bytes:
        raise _over("max_member_bytes", table.largest, limits.max_member_bytes)
    if table.total > limits.max_total_bytes:
        raise _over("max_total_bytes", table.total, limits.max_total_bytes)
    if table.inflated > limits.max_inflated_bytes:
        raise _over("max_inflated_bytes", table.inflated, limits.max_inflated_bytes)


def _over(limit: str, got: int, allowed: int) -> InvalidArtifactError:
    return over_limit(limit, f"{got} bytes after inflating, at most {allowed}")
