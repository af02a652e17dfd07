"""Where repair puts what it cannot trust: moved, never deleted, with a note in plain text.

    _filmcan/quarantine/<platform_id>/<video_id>/<run_id>/<entry>/note.txt and the file itself
    _filmcan/quarantine/<platform_id>/<video_id>/_video/<entry>/...    beside its runs
    _filmcan/quarantine/_store/<entry>/...                             what belongs to no video

The name gets the suffix `.kept`, so that nothing here is taken for a JSON or an artifact. gc
removes entries older than its grace; deleting a video removes its own.
"""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from filmcan.store.base import HOUSEKEEPING

if TYPE_CHECKING:
    from filmcan.store.base import Backend

QUARANTINE = f"{HOUSEKEEPING}/quarantine"
NOTE = "note.txt"
KEPT_SUFFIX = ".kept"
_BESIDE_RUNS = "_video"
_ELSEWHERE = "_store"
_VIDEO_SEGMENTS = 2
_RUN_SEGMENTS = 3
_NAME_BYTES = 255
"""What common file systems take."""


def build_quarantine_path(place: str) -> str:
    """Return the folder that holds the entries of a video or a run: `platform/video[/run]`."""
    return f"{QUARANTINE}/{place}"


def move_to_quarantine(backend: Backend, path: str, reason: str) -> str:
    """Move a file, a folder or a link out of the way, note first; return its new path.

    Raises:
        NotFoundError: There is nothing any more.
        StoreUnavailableError: The store refused.
    """
    target = f"{_open_entry(backend, path, reason)}/{_build_name(path)}"
    backend.move(path, target)
    return target


def copy_to_quarantine(backend: Backend, path: str, data: bytes, reason: str) -> str:
    """Keep the bytes of a file that is about to be replaced; return where.

    Raises:
        StoreUnavailableError: The store refused.
    """
    target = f"{_open_entry(backend, path, reason)}/{_build_name(path)}"
    _write(backend, target, data)
    return target


def _open_entry(backend: Backend, path: str, reason: str) -> str:
    entry = f"{build_quarantine_path(_find_place(path))}/{secrets.token_hex(8)}"
    _write(
        backend,
        f"{entry}/{NOTE}",
        f"was: {path}\nwhy: {reason}\n".encode(errors="backslashreplace"),
    )
    return entry


def _build_name(path: str) -> str:
    """Return the name of what lay at a path; a long one is cut, as the note holds it whole."""
    name = path.rpartition("/")[2]
    while len(os.fsencode(name)) > _NAME_BYTES - len(KEPT_SUFFIX):
        name = name[:-1]
    return f"{name}{KEPT_SUFFIX}"


def _find_place(path: str) -> str:
    """Return where deleting the video or the run that a path belongs to will find its entry."""
    segments = path.split("/")
    if len(segments) > _RUN_SEGMENTS:
        return "/".join(segments[:_RUN_SEGMENTS])
    is_loose = len(segments) == _VIDEO_SEGMENTS and segments[1].lower().endswith(".json")
    if len(segments) < _VIDEO_SEGMENTS or is_loose:
        return _ELSEWHERE
    return "/".join((*segments[:_VIDEO_SEGMENTS], _BESIDE_RUNS))


def _write(backend: Backend, path: str, data: bytes) -> None:
    with backend.stage(path.rpartition("/")[0]) as staged:
        staged.file.write(data)
        staged.publish(path)
