"""What was deleted, so that nobody brings it back (threats P11).

A video that was deleted, whole or a run of it, has one small text file below
`_filmcan/tombstones/`, named by a digest so that the id itself is gone. Every deletion has a
token of its own. A run records the tokens that were there when it began; it is dead when its
tombstone names another one. So no clock decides which of two came first, and a run that begins
after a deletion lives. A deletion that is under way lets no run begin.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from filmcan.errors import ConflictError, InvalidContentError, StoreUnavailableError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.store.base import FORMAT_MARKER, FORMAT_TEXT, HOUSEKEEPING, RESERVE

if TYPE_CHECKING:
    from filmcan.contract.manifest import RunFacts, RunRecord
    from filmcan.store.base import Backend

TOMBSTONES = f"{HOUSEKEEPING}/tombstones"
DELETIONS_KEY = "deletions_before"
"""The field of a manifest's `run` that holds the tokens a run began after; absent: none."""

MAX_RUNS = 1000
"""Deleted runs remembered for one video; of more, those deleted first are forgotten."""

_HEAD = "filmcan tombstone 1"
_LINE = re.compile(r"(video|run-[0-9a-f]{64}) ([0-9a-f]{16}) (pending|done)")
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Deletion:
    """One deletion; while `is_done` is False its bytes may still be there."""

    token: str
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The deletions of one video.

    Attributes:
        video: The last deletion of the whole video.
        runs: Digest of a run id -> the last deletion of that run, oldest first.
        version: What to name when replacing the file; None when there is none.
    """

    video: Deletion | None = None
    runs: Mapping[str, Deletion] = field(default_factory=dict)
    version: str | None = None

    def find_deletion(self, run_id: str | None) -> Deletion | None:
        """Return the last deletion of a run alone, or with None that of the whole video."""
        return self.video if run_id is None else self.runs.get(_digest(run_id))

    def list_tokens(self, run_id: str) -> tuple[str, ...]:
        """Return the tokens that a run beginning now has to record."""
        found = (self.video, self.runs.get(_digest(run_id)))
        return tuple(deletion.token for deletion in found if deletion is not None)

    def is_pending(self, run_id: str | None) -> bool:
        """Tell whether a deletion that concerns the run (None: the video) is under way."""
        found = {self.video, self.find_deletion(run_id)}
        return any(deletion is not None and not deletion.is_done for deletion in found)

    def with_all_done(self) -> Tombstone:
        """Return the tombstone once nothing is left of all that it names."""
        video = self.video and replace(self.video, is_done=True)
        runs = {name: replace(deletion, is_done=True) for name, deletion in self.runs.items()}
        return replace(self, video=video, runs=runs)

    @property
    def has_pending(self) -> bool:
        """True while any deletion of the video or of a run is under way."""
        return self != self.with_all_done()

    def is_dead(self, run: RunFacts) -> bool:
        """Tell whether a run began before a deletion that concerns it."""
        seen = run.extra.get(DELETIONS_KEY)
        known = seen if isinstance(seen, list) else []
        recorded = {item for item in known if isinstance(item, str)}
        return not recorded.issuperset(self.list_tokens(run.run_id))

    def with_deletion(self, run_id: str | None, deletion: Deletion) -> Tombstone:
        """Return the tombstone with one more, or changed, deletion."""
        if run_id is None:  # says all that was said of single runs
            return replace(self, video=deletion, runs={})
        digest = _digest(run_id)
        runs = {name: known for name, known in self.runs.items() if name != digest}
        runs[digest] = deletion
        done = [name for name, known in runs.items() if known.is_done]
        surplus = done[: max(0, len(runs) - MAX_RUNS)]
        return replace(self, runs={name: runs[name] for name in runs if name not in surplus})

    def to_bytes(self) -> bytes:
        """Return the file's text."""
        named = {f"run-{name}": deletion for name, deletion in self.runs.items()}
        if self.video is not None:
            named = {"video": self.video, **named}
        lines = [
            f"{name} {deletion.token} {'done' if deletion.is_done else 'pending'}"
            for name, deletion in named.items()
        ]
        return "\n".join((_HEAD, *lines, "")).encode()


def build_token() -> str:
    """Return the token of a new deletion."""
    return secrets.token_hex(8)


def build_tombstone_path(video_path: str) -> str:
    """Return where the tombstone of `platform_id/video_id` lies."""
    return f"{TOMBSTONES}/{_digest(video_path)}"


def find_tombstone(backend: Backend, video_path: str) -> Tombstone:
    """Return the tombstone of `platform_id/video_id`; an empty one where there is none.

    Raises:
        InvalidContentError: It is damaged: what was deleted cannot be known.
        StoreUnavailableError: The store refused.
    """
    path = build_tombstone_path(video_path)
    found = backend.find_versioned(path, limit=_LIMIT)
    return Tombstone() if found is None else _parse(found.data, found.version, path)


def settle_tombstones(backend: Backend, video_paths: Iterable[str]) -> None:
    """Mark deletions as done of which nothing is left: a crash came between the two.

    Args:
        backend: The store.
        video_paths: All videos of which there is anything, also in quarantine.

    Raises:
        InvalidContentError: A tombstone is damaged.
        StoreUnavailableError: The store refused.
    """
    known = {_digest(path) for path in video_paths}
    for name in backend.list_folder(TOMBSTONES).files:
        path = f"{TOMBSTONES}/{name}"
        found = backend.find_versioned(path, limit=_LIMIT)
        if name in known or found is None or name.startswith(TEMPORARY_PREFIX):
            continue
        tombstone = _parse(found.data, found.version, path)
        if tombstone.has_pending:
            with contextlib.suppress(ConflictError):  # its own deleter was faster
                backend.swap(path, tombstone.with_all_done().to_bytes(), expected=found.version)


def find_damaged_tombstone(backend: Backend, video_path: str) -> Tombstone:
    """Return an empty tombstone to be written over one whose text is damaged."""
    found = backend.find_versioned(build_tombstone_path(video_path), limit=_LIMIT)
    return Tombstone(version=found.version if found is not None else None)


def write_tombstone(backend: Backend, video_path: str, tombstone: Tombstone) -> Tombstone:
    """Write a tombstone over the version it was made from, and return it with its new one.

    On a full disk the room that is kept for this is given up.

    Raises:
        ConflictError: Somebody else changed it meanwhile.
        StoreUnavailableError: The store refused.
    """
    path = build_tombstone_path(video_path)
    data = tombstone.to_bytes()
    try:
        version = backend.swap(path, data, expected=tombstone.version)
    except StoreUnavailableError as error:
        if error.code != "store_full":
            raise
        backend.remove(RESERVE)
        version = backend.swap(path, data, expected=tombstone.version)
    return replace(tombstone, version=version)


class Fence:
    """Keeps one writer from bringing back what was deleted after it began."""

    def __init__(self, backend: Backend, video_path: str) -> None:
        """Watch one video, `platform_id/video_id`."""
        self._backend = backend
        self._video_path = video_path
        self._tokens: tuple[str, ...] = ()

    def begin(self, run: RunRecord) -> RunRecord:
        """Take note of the deletions that came before, and return the run with them recorded.

        Raises:
            ConflictError: The video, or the run, is being deleted.
        """
        tombstone = self._find(run)
        self._tokens = tombstone.list_tokens(run.run_id)
        extra = {name: value for name, value in run.extra.items() if name != DELETIONS_KEY}
        if self._tokens:
            extra[DELETIONS_KEY] = list(self._tokens)
        return replace(run, extra=extra)

    def check(self, found: RunRecord) -> None:
        """Refuse to write to a run that was deleted since this writer began, or before.

        Raises:
            ConflictError: It was, or is being deleted.
        """
        tombstone = self._find(found)
        began_before = not set(tombstone.list_tokens(found.run_id)) <= set(self._tokens)
        if began_before or tombstone.is_dead(found):
            raise ConflictError(
                "the video, or this run of it, was deleted since the run began",
                code="deleted",
                where=self._video_path,
                hint="Start a new run; what is left of this one is removed by `filmcan gc`.",
            )

    def _find(self, run: RunRecord) -> Tombstone:
        tombstone = find_tombstone(self._backend, self._video_path)
        if tombstone.is_pending(run.run_id):
            raise ConflictError(
                "the video, or this run of it, is being deleted",
                code="being_deleted",
                where=self._video_path,
                hint="Try again later; an interrupted deletion is finished by `filmcan gc`.",
            )
        return tombstone


def require_marker(backend: Backend) -> None:
    """Refuse to remove anything from a folder that does not say it is a store (C2.3).

    Raises:
        StoreUnavailableError: It has no format marker, or that of another format.
    """
    found = backend.find_versioned(FORMAT_MARKER, limit=4096)
    if found is None or found.data != FORMAT_TEXT:
        raise StoreUnavailableError(
            "the folder has no format marker of a store" if found is None else "unknown format",
            code="no_marker" if found is None else "unknown_format",
            where=FORMAT_MARKER,
            hint="Nothing is removed from a folder that does not say it is a filmcan store.",
        )


def _parse(data: bytes, version: str, path: str) -> Tombstone:
    lines = data.decode("utf-8", "replace").split("\n")
    rows = [_LINE.fullmatch(line) for line in lines[1:-1]]
    names = [row.group(1) for row in rows if row is not None]
    if lines[0] != _HEAD or lines[-1] or len(names) < len(rows) or len(set(names)) < len(names):
        raise InvalidContentError(
            "the tombstone is damaged: what was deleted cannot be known",
            code="tombstone_damaged",
            where=path,
            hint="Delete the video again, whole, to write it anew.",
        )
    found = {
        row.group(1): Deletion(row.group(2), is_done=row.group(3) == "done")
        for row in rows
        if row is not None
    }
    runs = {
        name.removeprefix("run-"): item for name, item in found.items() if name.startswith("run-")
    }
    return Tombstone(found.get("video"), runs, version)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
