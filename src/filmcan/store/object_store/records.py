"""How requests are made, and what a bucket says of its objects."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tuning:
    """How requests are made.

    Attributes:
        part_bytes: Longer transfers are split into parts of this size.
        parallel: Parts on their way at the same time; with `part_bytes` it bounds the memory.
        tries: How often a request is repeated before the store counts as unavailable.
        first_pause_sec: Pause before the first repetition; it doubles, with jitter.
        longest_pause_sec: It never gets longer.
        lease_sec: A lease that has not changed for so long is taken from its holder.
    """

    part_bytes: int = 8 << 20
    parallel: int = 4
    tries: int = 8
    first_pause_sec: float = 0.1
    longest_pause_sec: float = 5.0
    lease_sec: float = 30.0


@dataclass(frozen=True, slots=True)
class Head:
    """What a bucket says of one object.

    Attributes:
        size: Its bytes.
        tag: Names these very bytes; a conditional write states it.
        version: Names them where the bucket keeps versions; else empty.
        writes: Ids of the last writes that led to it, newest first.
    """

    size: int
    tag: str
    version: str
    writes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One object as a listing states it.

    Attributes:
        path: Its name below the prefix.
        size: Its bytes.
        modified: When it was written by the bucket's clock, in seconds.
        tag: Names these very bytes; empty where the server gives none.
    """

    path: str
    size: int
    modified: float
    tag: str
