"""Change marks: whether anything may have changed since somebody last looked, in one small read.

`_filmcan/changes` holds a random id and `SLOTS` counters. Whoever works on a video under its
exclusive lock makes the counter of its slot odd before and even again after. So a reader that
remembers all counters knows which videos may have changed since: those in slots that differ, and
those in odd slots, where a writer is at work or died. Nothing is flushed: whoever remembers
counters must forget them when the machine restarts. A missing or damaged file means that anything
may have changed; it is written anew, with another id, by the next writer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.files import build_temporary_name, locked
from filmcan.store.base import HOUSEKEEPING

if TYPE_CHECKING:
    from filmcan.files import Root

LOCKS = (HOUSEKEEPING, "locks")
CHANGES_NAME = "changes"
CHANGES = f"{HOUSEKEEPING}/{CHANGES_NAME}"
SLOTS = 4096
"""Sixteen to each lock file, so that no two writers work on one slot at a time."""

_SLOT_DIGITS = 3
_COUNTER = struct.Struct("<Q")
_ALL = struct.Struct(f"<{SLOTS + 1}Q")
_WRAP = 1 << 63
_FLAGS = os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)

Marks = tuple[int, ...]
"""The id of the file, then the counter of every slot."""


def find_slot(video_path: str) -> int:
    """Return the slot of `platform_id/video_id`."""
    digest = hashlib.sha256(video_path.encode(errors="backslashreplace"))
    return int(digest.hexdigest()[:_SLOT_DIGITS], 16)


def parse_marks(data: bytes | None) -> Marks | None:
    """Return the marks of a file's bytes; None when they say nothing."""
    if data is None or len(data) != _ALL.size:
        return None
    marks = _ALL.unpack(data)
    return marks if marks[0] else None


def build_marks(marks: Marks) -> bytes:
    """Return the bytes that hold these marks."""
    return _ALL.pack(*marks)


def find_changed_slots(former: Marks, present: Marks) -> set[int] | None:
    """Return slots in which something may have changed between two looks; None: in any."""
    if former[0] != present[0]:
        return None
    pairs = zip(former[1:], present[1:], strict=True)
    return {slot for slot, (old, new) in enumerate(pairs) if old != new or new % 2}


@contextlib.contextmanager
def marked(root: Root, name: str) -> Iterator[None]:
    """Mark the slot of a name as being changed while the block runs, and as changed after it.

    The caller holds the lock that covers the slot.

    Raises:
        OSError: The marks can be neither written nor taken away.
    """
    slot = find_slot(name)
    _advance_or_remove(root, slot, odd=True)
    try:
        yield
    finally:
        # What was done is done. If this fails the slot stays odd, which says the same.
        with contextlib.suppress(OSError):
            _advance(root, slot, odd=False)


def _advance_or_remove(root: Root, slot: int, *, odd: bool) -> None:
    try:
        _advance(root, slot, odd=odd)
    except OSError:
        # A full disk must not keep anybody from deleting: without marks readers look everywhere.
        root.remove_file((HOUSEKEEPING, CHANGES_NAME))


def _advance(root: Root, slot: int, *, odd: bool) -> None:
    """Take a counter to its next odd or even value."""
    if _find_advanced(root, slot, odd=odd):
        return
    with (
        root.directory(LOCKS, create=True) as locks,
        locked(Path(f"{CHANGES_NAME}.lock"), directory=locks),
    ):
        if not _find_advanced(root, slot, odd=odd):
            _write_new(root, slot, 1 if odd else 2)


def _find_advanced(root: Root, slot: int, *, odd: bool) -> bool:
    """Advance a counter where there is a whole file of them; tell whether there was."""
    with root.directory((HOUSEKEEPING,), create=True) as directory:
        try:
            descriptor = os.open(CHANGES_NAME, _FLAGS, dir_fd=directory)
        except FileNotFoundError:
            return False
    with os.fdopen(descriptor, "r+b") as file:
        if os.fstat(descriptor).st_size != _ALL.size or not any(file.read(_COUNTER.size)):
            return False
        place = _COUNTER.size * (slot + 1)
        file.seek(place)
        (value,) = _COUNTER.unpack(file.read(_COUNTER.size))
        value += 1 if (value % 2 == 1) != odd else 2
        file.seek(place)
        file.write(_COUNTER.pack(value % _WRAP))
    return True


def _write_new(root: Root, slot: int, value: int) -> None:
    marks = [0] * (SLOTS + 1)
    marks[0] = secrets.randbits(63) | 1
    marks[slot + 1] = value
    temporary = build_temporary_name(CHANGES_NAME)
    flags = _FLAGS | os.O_CREAT | os.O_EXCL
    with root.directory((HOUSEKEEPING,)) as directory:
        try:
            with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=directory), "r+b") as file:
                file.write(_ALL.pack(*marks))
            os.replace(temporary, CHANGES_NAME, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
            raise
