"""Long stored ranges: two threads read and sum one half each, in pieces the cache holds."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from filmcan.npz.crc import CHUNK_BYTES, combine, crc32
from filmcan.npz.source import ByteSource, LocalSource, choose_step, read_into

PARALLEL_FROM_BYTES = 2 << 20
"""Below this size starting a thread costs more than it saves."""


def read_bulk(
    source: ByteSource, offset: int, size: int, target: memoryview | None, *, verify: bool = True
) -> int:
    """Read a range and return its CRC.

    Args:
        source: Where from.
        offset: Its start.
        size: Its length.
        target: Memory of that length to fill; None only sums.
        verify: False skips the CRC and returns 0.

    Raises:
        InvalidArtifactError: The source ends before.
    """
    local = isinstance(source, LocalSource)
    if not local or size < PARALLEL_FROM_BYTES or (os.cpu_count() or 1) == 1:
        return _read(source, offset, size, target, verify=verify)
    half = size // 2 // CHUNK_BYTES * CHUNK_BYTES
    first = None if target is None else target[:half]
    second = None if target is None else target[half:]
    with ThreadPoolExecutor(1) as other:
        try:
            waiting = other.submit(_read, source, offset, half, first, verify=verify)
        except RuntimeError:  # no thread to be had
            return _read(source, offset, size, target, verify=verify)
        crc = _read(source, offset + half, size - half, second, verify=verify)
        return combine(waiting.result(), crc, size - half) if verify else 0


def _read(
    source: ByteSource, offset: int, size: int, target: memoryview | None, *, verify: bool
) -> int:
    step = choose_step(source, CHUNK_BYTES)
    spare = memoryview(bytearray(min(step, size))) if target is None else target
    crc = 0
    for start in range(0, size, step):
        count = min(step, size - start)
        part = spare[:count] if target is None else spare[start : start + count]
        read_into(source, offset + start, part)
        if verify:
            crc = crc32(part, crc)
    return crc
