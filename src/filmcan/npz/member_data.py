"""The content of members: read whole with its CRC, in part, or mapped (threats B2, B3).

Called by `reader`, which knows keys and places. A member is opened by holding its local header
against the directory; nothing of its content is believed before that.
"""

from __future__ import annotations

import numpy as np

from filmcan.npz.bulk import read_bulk
from filmcan.npz.crc import crc32
from filmcan.npz.dtypes import check_text
from filmcan.npz.inflate import Inflater
from filmcan.npz.limits import ReadLimits
from filmcan.npz.npy_header import PREFIX_BYTES, NpyHeader, find_header_end, parse_header
from filmcan.npz.object_cost import ObjectLedger
from filmcan.npz.object_decoder import decode_object
from filmcan.npz.refusal import over_limit, refuse
from filmcan.npz.source import (
    Buffer,
    ByteSource,
    LocalSource,
    MemorySource,
    read_exactly,
)
from filmcan.npz.stored_array import (
    allocate,
    finish,
    lay_out,
    map_stored,
    plan_rows,
    read_stored,
    read_stored_rows,
    take_rows,
    view_bytes,
)
from filmcan.npz.zip_directory import Directory
from filmcan.npz.zip_member import check_descriptor, find_header_size, parse_local
from filmcan.npz.zip_records import Member

ONE_READ_BYTES = 256 << 10
"""Members up to this size are read at once, header and content together."""

_HEADER_GUESS_BYTES = 512


class MemberData:
    """Reads the content of one container's members."""

    _ledger: ObjectLedger
    """Made with the first object member: most reads meet none."""

    def __init__(self, source: ByteSource, directory: Directory, limits: ReadLimits) -> None:
        """Remember where the bytes come from and what of them is here already."""
        self._source = source
        self._tail = directory.tail
        self._tail_offset = directory.tail_offset
        self._limits = limits
        self._headers: dict[str, NpyHeader] = {}

    def read_header(self, member: Member) -> NpyHeader:
        """Return type and shape, from the member's first bytes; no CRC is checked."""
        header = self._headers.get(member.key)
        if header is None:
            header = self._headers[member.key] = self._open(member)[0]
        return header

    def read_content(self, member: Member, limit: int) -> tuple[NpyHeader, Buffer]:
        """Return header and data of a member, after checking its size and its CRC.

        Raises:
            InvalidArtifactError: It is damaged, or longer than `limit` (of `max_object_bytes`).
        """
        if member.size > limit + self._limits.max_header_bytes:
            raise over_limit("max_object_bytes", f"{member.size} bytes of objects, at most {limit}")
        head, start = self._fetch(member, member.stored_size)
        if member.method:
            stream = Inflater(MemorySource(head), start, member.stored_size, member.size)
            content: Buffer = stream.read(member.size)
            stream.finish()
        else:
            content = head[start : start + member.size]
        _check_crc(member, crc32(content))
        header = parse_header(content, member.size, self._limits)
        return header, memoryview(content)[header.header_size :]

    def read_array(self, member: Member, *, verify: bool) -> np.ndarray:
        """Return the whole array; the CRC of an object array is checked in any case."""
        if member.method or member.size > ONE_READ_BYTES:
            return self._read_streaming(member, verify=verify)
        head, start = self._fetch(member, member.stored_size)
        content = head[start : start + member.size]
        if verify:
            _check_crc(member, crc32(content))
        header = parse_header(content, member.size, self._limits)
        if header.is_object:
            if not verify:
                _check_crc(member, crc32(content))
            return self._decode(member, content[header.header_size :], header.shape)
        if not header.items:
            return np.empty(header.shape, header.dtype)
        flat = np.frombuffer(content, header.dtype, -1, header.header_size).copy()
        if header.dtype.kind == "U":
            check_text(flat)
        return flat if len(header.shape) == 1 else lay_out(flat, header)

    def read_rows(self, member: Member, rows: slice) -> np.ndarray:
        """Return a slice along the first axis; no CRC is checked, except of an object array."""
        header, offset, stream = self._open(member)
        if stream is None and not header.is_object:
            return read_stored_rows(self._source, header, offset, rows)
        plan = plan_rows(header, rows)
        if plan is None or stream is None or header.is_object:
            return self.read_array(member, verify=True)[rows].copy(order="K")
        array = allocate(plan.span)
        stream.skip(plan.start)
        stream.read_into(view_bytes(array))
        return take_rows(array, plan)

    def map_array(self, member: Member, *, verify: bool) -> np.ndarray:
        """Return a read-only view of a stored array; `verify` reads and checks it instead."""
        header, offset, stream = self._open(member)
        local = isinstance(self._source, LocalSource)
        if local and stream is None and not header.is_object and not verify:
            return map_stored(self._source, header, offset)
        array = self.read_array(member, verify=True)
        array.flags.writeable = False
        return array

    def check(self, member: Member) -> None:
        """Read every byte of a member, in bounded memory, and check its CRC and its header.

        The values of an object array are decoded too.
        """
        header, offset, stream = self._open(member)
        if header.is_object:
            self.read_array(member, verify=True)
        elif stream is None:
            start = offset - header.header_size
            _check_crc(member, read_bulk(self._source, start, member.size, None))
        else:
            stream.skip(member.size - header.header_size)
            stream.finish()
            _check_crc(member, stream.crc)

    def _fetch(self, member: Member, content_bytes: int) -> tuple[memoryview, int]:
        """Return the member's first bytes and where in them its content starts.

        At least its header and `content_bytes` of content are there.
        """
        span = member.end - member.offset
        at = member.offset - self._tail_offset
        if at >= 0:
            head = self._tail[at : at + span]
        else:
            size = min(span, find_header_size(member) + content_bytes)
            head = memoryview(read_exactly(self._source, member.offset, size))
        start, rest = parse_local(member, head)
        if rest:
            whole = len(head) == span
            check_descriptor(
                member,
                head[-rest:] if whole else read_exactly(self._source, member.end - rest, rest),
            )
        return head, start

    def _open(self, member: Member) -> tuple[NpyHeader, int, Inflater | None]:
        """Return the array's header, the file offset of its data, and the stream if compressed.

        The stream stands at the first byte behind the header; the offset then means nothing.
        """
        head, start = self._fetch(member, 0 if member.method else _HEADER_GUESS_BYTES)
        offset = member.offset + start
        if member.method:
            stream = Inflater(self._source, offset, member.stored_size, member.size)
            content = stream.read(min(PREFIX_BYTES, member.size))
            end = find_header_end(content, self._limits)
            content += stream.read(max(0, min(end, member.size) - len(content)))
            return parse_header(content, member.size, self._limits), 0, stream
        part = head[start : start + member.size]
        end = min(find_header_end(part[:PREFIX_BYTES], self._limits), member.size)
        if end > len(part):
            part = memoryview(read_exactly(self._source, offset, end))
        header = parse_header(part, member.size, self._limits)
        return header, offset + header.header_size, None

    def _decode(self, member: Member, data: Buffer, shape: tuple[int, ...]) -> np.ndarray:
        """Return an object array, within what the file's other object members leave."""
        made = vars(self)
        # Of two threads that make one at a time, both take that of the first.
        ledger: ObjectLedger = made.get("_ledger") or made.setdefault("_ledger", ObjectLedger())
        return ledger.spend(member.key, lambda cost: decode_object(data, shape, self._limits, cost))

    def _read_streaming(self, member: Member, *, verify: bool) -> np.ndarray:
        header, offset, stream = self._open(member)
        if header.is_object:
            content = self.read_content(member, self._limits.max_object_bytes)[1]
            return self._decode(member, content, header.shape)
        if stream is None:
            array, crc = read_stored(self._source, header, offset, verify=verify)
        else:
            array = allocate(header)
            stream.read_into(view_bytes(array))
            stream.finish()
            array, crc = finish(array, header), stream.crc
        if verify:
            _check_crc(member, crc)
        return array


def _check_crc(member: Member, crc: int) -> None:
    if crc != member.crc:
        raise refuse("crc_mismatch", f"CRC {crc:08x}, the directory says {member.crc:08x}: damaged")
