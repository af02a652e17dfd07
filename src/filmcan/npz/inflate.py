"""Streaming, bounded inflating of compressed members (threats B3).

Output never exceeds what the directory declares; the stream must end exactly there, and use all of
its bytes. The standard library's zlib does the work: for hostile input its age counts.
"""

from __future__ import annotations

import zlib

from filmcan.npz.crc import crc32
from filmcan.npz.refusal import refuse
from filmcan.npz.source import ByteSource, read_exactly

_INPUT_BYTES = 256 << 10
_OUTPUT_BYTES = 1 << 20


class Inflater:
    """The content of one compressed member, forwards only.

    Attributes:
        crc: CRC of what has been produced so far.
    """

    def __init__(self, source: ByteSource, offset: int, stored_size: int, size: int) -> None:
        """Prepare to inflate `stored_size` bytes at `offset` into `size` bytes."""
        self._source = source
        self._offset = offset
        self._end = offset + stored_size
        self._left = size
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self.crc = 0

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes.

        Raises:
            InvalidArtifactError: The stream is damaged or ends before.
        """
        parts = []
        while size:
            part = self._step(size)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def read_into(self, target: memoryview) -> None:
        """Fill `target`.

        Raises:
            InvalidArtifactError: The stream is damaged or ends before.
        """
        done = 0
        while done < len(target):
            part = self._step(len(target) - done)
            target[done : done + len(part)] = part
            done += len(part)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes.

        Raises:
            InvalidArtifactError: The stream is damaged or ends before.
        """
        while size:
            size -= len(self._step(size))

    def finish(self) -> None:
        """Check that the stream ends here, and that nothing stands behind its end.

        Raises:
            InvalidArtifactError: It goes on, is cut off, or bytes follow it.
        """
        while not self._stream.eof:
            if self._produce(1):
                raise refuse("inflate_failed", "the stream is longer than declared")
        if self._left or self._stream.unused_data or self._offset != self._end:
            raise refuse("inflate_failed", "the stream ends before its declared sizes")

    def _step(self, wanted: int) -> bytes:
        """Return some bytes, at least one."""
        limit = min(wanted, self._left, _OUTPUT_BYTES)
        part = b""
        while not part:
            if not limit or self._stream.eof:
                raise refuse("inflate_failed", "the stream ends before its declared size")
            part = self._produce(limit)
        self._left -= len(part)
        self.crc = crc32(part, self.crc)
        return part

    def _produce(self, limit: int) -> bytes:
        """Feed some input and return at most `limit` bytes; none when more input is needed."""
        pending = self._stream.unconsumed_tail
        if not pending:
            size = min(self._end - self._offset, _INPUT_BYTES)
            pending = bytes(read_exactly(self._source, self._offset, size))
            self._offset += size
        try:
            part = self._stream.decompress(pending, limit)
        except zlib.error as error:
            raise refuse("inflate_failed", f"the compressed stream is damaged: {error}") from error
        if not (part or pending or self._stream.eof):
            raise refuse("inflate_failed", "the compressed stream is cut off")
        return part
