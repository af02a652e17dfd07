"""One object as a `ByteSource`: few requests, made side by side where much is wanted.

Opening takes one end of the object, so that an artifact's meta, or a sub-artifact's header, is here
with the first reply. A short read takes what lies behind it along, for the next one; a long one
is split into parts that come at the same time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from filmcan.store.object_store.client import Client
from filmcan.store.object_store.records import Head

NEAR_BYTES = 64 << 10
"""Taken along with any short read: a request costs as much time as some hundred KiB."""

_KEPT_PIECES = 8
_HEAD_FIRST = ".npy"


class ObjectSource:
    """An immutable object; later reads are of the very bytes it had when it was opened.

    Attributes:
        name: Its base name.
        size: Its length in bytes.
    """

    def __init__(self, client: Client, path: str) -> None:
        """Ask for one end of the object.

        Raises:
            NotFoundError: There is none.
            StoreUnavailableError: The bucket refused.
        """
        self.name = path.rpartition("/")[2]
        self._client = client
        self._path = path
        self._head: Head
        if path.endswith(_HEAD_FIRST):
            self._head, data = client.get_start(path, NEAR_BYTES)
            start = 0
        else:
            self._head, data = client.get_end(path, NEAR_BYTES)
            start = self._head.size - len(data)
        self.size = self._head.size
        self._pieces: tuple[tuple[int, bytes], ...] = ((start, data),)

    def read_at(self, offset: int, size: int) -> memoryview:
        """Return up to `size` bytes from `offset`; fewer only at the end.

        Raises:
            StoreUnavailableError: The object was replaced or removed, or the bucket refused.
        """
        stop = min(offset + size, self.size)
        if stop <= offset:
            return memoryview(b"")
        for start, data in self._pieces:
            if start <= offset and stop <= start + len(data):
                self._keep(start, data)
                return memoryview(data)[offset - start : stop - start]
        if size > self._client.tuning.part_bytes:
            target = memoryview(bytearray(stop - offset))
            self.read_into(offset, target)
            return target
        if size >= NEAR_BYTES:
            return memoryview(self._fetch(offset, stop))
        piece = self._fetch(offset, min(offset + NEAR_BYTES, self.size))
        self._keep(offset, piece)
        return memoryview(piece)[: stop - offset]

    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill `target` and return how many bytes there were.

        Raises:
            StoreUnavailableError: The object was replaced or removed, or the bucket refused.
        """
        wanted = max(0, min(len(target), self.size - offset))
        step = self._client.tuning.part_bytes
        if wanted <= step:
            target[:wanted] = self.read_at(offset, wanted)
            return wanted

        def fill(start: int) -> None:
            stop = min(start + step, wanted)
            target[start:stop] = self._fetch(offset + start, offset + stop)

        with ThreadPoolExecutor(self._client.tuning.parallel) as parts:
            for done in [parts.submit(fill, start) for start in range(0, wanted, step)]:
                done.result()
        return wanted

    def _keep(self, start: int, data: bytes) -> None:
        """Remember a piece; of those that lie elsewhere, the ones used last."""
        others = [piece for piece in self._pieces if piece[0] != start]
        self._pieces = ((start, data), *others[: _KEPT_PIECES - 1])

    def _fetch(self, start: int, stop: int) -> bytes:
        return self._client.get_range(self._path, start, stop, self._head)
