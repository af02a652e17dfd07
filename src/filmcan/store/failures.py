"""Videos of which there is no run because their source failed, so that a batch need not try again.

One small text file for each below `_filmcan/failures/`, named by digests: no id stands in it. It
holds for one key, the digest of everything the attempt depended on, so a repaired file, another
profile or another version is tried. Expendable: without it a batch tries once more.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.store.base import HOUSEKEEPING

if TYPE_CHECKING:
    from filmcan.store.base import Backend

FAILURES = f"{HOUSEKEEPING}/failures"

_HEAD = "filmcan failure 1"
_LIMIT = 16_384
_LINES = 4
_MAX_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Failure:
    """How a source failed.

    Attributes:
        code: Of the error, stable.
        message: What it said, on one line.
    """

    code: str
    message: str


def find_failure(backend: Backend, video_path: str, key: str) -> Failure | None:
    """Return how a video failed for a key; None when that is not known.

    Raises:
        StoreUnavailableError: The store refused.
    """
    found = backend.find_versioned(f"{_build_folder(video_path)}/{key}", limit=_LIMIT)
    if found is None:
        return None
    lines = found.data.decode("utf-8", "replace").split("\n")
    if len(lines) != _LINES or lines[0] != _HEAD:
        return None
    return Failure(lines[1], lines[2])


def record_failure(backend: Backend, video_path: str, key: str, failure: Failure) -> None:
    """Remember how a video failed for a key.

    Raises:
        ConflictError: Somebody else did so at the same moment.
        StoreUnavailableError: The store refused.
    """
    path = f"{_build_folder(video_path)}/{key}"
    found = backend.find_versioned(path, limit=_LIMIT)
    message = " ".join(failure.message.split())[:_MAX_CHARS]
    data = f"{_HEAD}\n{failure.code}\n{message}\n".encode()
    backend.swap(path, data, expected=None if found is None else found.version)


def forget_failures(backend: Backend, video_path: str) -> None:
    """Forget all failures of a video.

    Raises:
        StoreUnavailableError: The store refused.
    """
    folder = _build_folder(video_path)
    names = backend.list_folder(folder).files
    for name in names:
        backend.remove(f"{folder}/{name}")
    if names:
        backend.remove_folder(folder)


def _build_folder(video_path: str) -> str:
    return f"{FAILURES}/{hashlib.sha256(video_path.encode()).hexdigest()}"
