"""Reading a whole artifact and its sha256 in one pass: what was hashed is what is read.

One thread reads piece by piece into memory, another hashes the pieces that are there. Nothing is
looked at before the digest is right, and nothing is read again afterwards.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from filmcan.npz.limits import DEFAULT_LIMITS, ReadLimits
from filmcan.npz.reader import NpzReader
from filmcan.npz.refusal import PLACELESS, raise_at, refuse
from filmcan.npz.source import (
    Buffer,
    ByteSource,
    FileSource,
    LocalSource,
    MemorySource,
    choose_step,
    open_source,
    read_into,
)
from filmcan.npz.zip_format import ALIGNMENT

PIECE_BYTES = 4 << 20
"""So much is read, then hashed while the next is read: the cache still holds it."""

_PASSING_BYTES = 256 << 10
"""What a core's cache holds beside the rest."""

_ALONE_UP_TO_BYTES = 2 * PIECE_BYTES
"""Up to this size a thread costs more than it saves."""


def open_verified(
    source: str | Path | Buffer | ByteSource,
    sha256: str,
    limits: ReadLimits = DEFAULT_LIMITS,
    *,
    mapped: bool = False,
) -> NpzReader:
    """Return a reader over an artifact, all of whose bytes have this digest.

    `map` on it returns arrays without copying; no file stays open.

    Args:
        source: A path, the bytes themselves, or a `ByteSource`.
        sha256: What the manifest says, lower-case hex.
        limits: Bounds on what is accepted.
        mapped: Hash and use a memory map of a file, which costs no more than hashing. The file must
            not be written to or cut short while an array lives; a store never does that. False
            takes the bytes into memory of their own, where nothing can change them.

    Raises:
        NotFoundError: There is no such file.
        InvalidArtifactError: The digest is another, or the artifact is damaged.
        StoreUnavailableError: The system refuses to read it.
    """
    opened = open_source(source)
    try:
        try:
            data, found = _map_hashed(opened) if mapped else read_hashed(opened)
            if found != sha256:
                raise refuse(
                    "hash_mismatch", f"its sha256 is {found}, the manifest says {sha256:.64}"
                )
        except PLACELESS as error:
            raise_at(error, opened)
        return NpzReader(MemorySource(data, opened.name), limits)
    finally:
        if isinstance(opened, FileSource) and opened is not source:
            opened.close()


def read_hashed(source: ByteSource) -> tuple[memoryview, str]:
    """Return all bytes of a source, aligned for any array, and their sha256 in lower-case hex.

    Raises:
        InvalidArtifactError: The source ends before its size.
        StoreUnavailableError: It cannot be read.
    """
    size = source.size
    data = _allocate(size)
    digest = hashlib.sha256()
    step = choose_step(source, PIECE_BYTES)
    if size <= _ALONE_UP_TO_BYTES or (os.cpu_count() or 1) == 1:
        for start in range(0, size, step):
            piece = data[start : start + step]
            read_into(source, start, piece)
            digest.update(piece)
        return data, digest.hexdigest()
    with ThreadPoolExecutor(1) as second:
        hashing: list[Future[None]] = []
        for start in range(0, size, step):
            piece = data[start : start + step]
            read_into(source, start, piece)
            hashing.append(second.submit(digest.update, piece))
        for done in hashing:
            done.result()
    return data, digest.hexdigest()


def hash_source(source: ByteSource) -> str:
    """Return the sha256 of a source, in lower-case hex, without keeping its bytes.

    Raises:
        InvalidArtifactError: The source ends before its size.
        StoreUnavailableError: It cannot be read.
    """
    digest = hashlib.sha256()
    step = choose_step(source, _PASSING_BYTES)
    buffer = memoryview(bytearray(min(step, source.size)))
    for offset in range(0, source.size, step):
        chunk = buffer[: source.size - offset]
        read_into(source, offset, chunk)
        digest.update(chunk)
    return digest.hexdigest()


def _map_hashed(source: ByteSource) -> tuple[memoryview, str]:
    if not isinstance(source, LocalSource) or not source.size:
        return read_hashed(source)
    data = source.find_view(0, source.size)
    return data, hashlib.sha256(data).hexdigest()


def _allocate(size: int) -> memoryview:
    """Return fresh memory that starts on a multiple of `ALIGNMENT`."""
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].data
