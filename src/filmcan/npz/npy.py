"""`.npy` sub-artifacts: very large arrays beside their NPZ (C9.4).

One plain array per file, as numpy writes it; never objects. A file has no CRC: the manifest's
sha256 covers it. Whole reads, rows and maps are those of a stored member.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from filmcan.npz.limits import DEFAULT_LIMITS, ReadLimits
from filmcan.npz.npy_header import (
    OBJECT,
    PREFIX_BYTES,
    NpyHeader,
    find_header_end,
    parse_header,
)
from filmcan.npz.refusal import PLACELESS, over_limit, raise_at, refuse
from filmcan.npz.source import Buffer, ByteSource, FileSource, open_source, read_exactly
from filmcan.npz.stored_array import map_stored, read_stored, read_stored_rows
from filmcan.npz.writer import OVERLAP_FROM_BYTES, Part, Written, plan_part, write_all

if TYPE_CHECKING:
    import numpy as np


class NpyReader:
    """One open `.npy`. Use it as a context manager, or `close` it; maps stay valid afterwards."""

    def __init__(self, source: ByteSource, limits: ReadLimits = DEFAULT_LIMITS) -> None:
        """Read the header and check that the data fill the file exactly.

        Raises:
            InvalidArtifactError: It is no array, an object array, or has not the size it states.
            StoreUnavailableError: The source cannot be read.
        """
        self._source = source
        try:
            self._header = _read_header(source, limits)
        except PLACELESS as error:
            raise_at(error, source)

    @property
    def name(self) -> str:
        """The file's base name."""
        return self._source.name

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Element type."""
        return self._header.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self._header.shape

    def read(self, rows: slice | None = None) -> np.ndarray:
        """Return the array, or some rows of it, in memory of its own; no checksum is checked.

        Raises:
            InvalidArtifactError: The file has become shorter, or its text is no text.
        """
        try:
            start = self._header.header_size
            if rows is not None:
                return read_stored_rows(self._source, self._header, start, rows)
            return read_stored(self._source, self._header, start, verify=False)[0]
        except PLACELESS as error:
            raise_at(error, self._source)

    def map(self) -> np.ndarray:
        """Return the array read-only, as a memory map where possible; see `NpzReader.map`."""
        try:
            return map_stored(self._source, self._header, self._header.header_size)
        except PLACELESS as error:
            raise_at(error, self._source)

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._source, FileSource):
            self._source.close()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()


def open_npy(
    source: str | Path | Buffer | ByteSource, limits: ReadLimits = DEFAULT_LIMITS
) -> NpyReader:
    """Open a sub-artifact for reading.

    Raises:
        NotFoundError: There is no such file.
        InvalidArtifactError: It is no regular file, no plain array, or not of the size it states.
        StoreUnavailableError: The system refuses to read it.
    """
    opened = open_source(source)
    try:
        return NpyReader(opened, limits)
    except BaseException:
        if isinstance(opened, FileSource):
            opened.close()
        raise


def write_npy(
    file: IO[bytes], array: np.ndarray, *, sync: Callable[[], None] | None = None
) -> Written:
    """Write one array into an empty file, in C order and little-endian.

    Args:
        file: Empty and open for binary writing; left open, at its end.
        array: Any plain array.
        sync: As for `write_npz`.

    Raises:
        InvalidArtifactError: The array is of objects or of another type that is not written.
        OSError: The file, or `sync`, failed.
    """
    if array.dtype == OBJECT:
        raise refuse("npy_dtype", "object arrays have no place in a sub-artifact")
    part = plan_part("", array)
    with ThreadPoolExecutor(1) as second:
        hashing = second.submit(_hash, part) if part.size >= OVERLAP_FROM_BYTES else None
        write_all(file, part.header)
        write_all(file, part.body)
        file.flush()
        if sync is not None:
            sync()
        return Written(part.size, hashing.result() if hashing is not None else _hash(part))


def _hash(part: Part) -> str:
    digest = hashlib.sha256(part.header)
    digest.update(part.body)
    return digest.hexdigest()


def _read_header(source: ByteSource, limits: ReadLimits) -> NpyHeader:
    size = source.size
    if size > limits.max_member_bytes:
        raise over_limit("max_member_bytes", f"{size} bytes, at most {limits.max_member_bytes}")
    prefix = read_exactly(source, 0, min(size, PREFIX_BYTES))
    end = min(find_header_end(prefix, limits), size)
    return parse_header(read_exactly(source, 0, end), size, limits, allow_object=False)
