"""Delete a video or a run for good: unreachable first, then its bytes (threats P11).

1. The tombstone says that a deletion is under way: every run that began before is dead, no run
can begin. 2. Manifests go. 3. Bytes go, quarantined ones too. 4. The index forgets it. 5. The
tombstone says it is done.
After a crash at any step, asking again continues; so does gc. Links are removed, never followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filmcan.contract.ids import parse_id
from filmcan.contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES, parse_manifest
from filmcan.errors import ConflictError, InvalidContentError, NotFoundError
from filmcan.store.failures import forget_failures
from filmcan.store.index.place import INDEX_PATH, INDEX_VARIABLE
from filmcan.store.quarantine import build_quarantine_path
from filmcan.store.tombstones import (
    Deletion,
    Tombstone,
    build_token,
    find_damaged_tombstone,
    find_tombstone,
    require_marker,
    write_tombstone,
)

if TYPE_CHECKING:
    from filmcan.store.base import Backend, Listing

_PASSES = 3
"""How often a tree that changes while it is removed is looked at again."""


@dataclass(frozen=True, slots=True)
class RemovedFile:
    """One file that is gone.

    Attributes:
        path: Where it lay below the store's root.
        size_bytes: Its size; 0 for a link or special file, whose target was left alone.
        sha256: What its manifest said, or the digest of a manifest itself; None where no manifest
            listed the file with that size.
    """

    path: str
    size_bytes: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a deletion removed.

    Attributes:
        target: `platform_id/video_id` or `platform_id/video_id/run_id`.
        files: In the order in which they went. After a crash a second receipt names the rest.
    """

    target: str
    files: tuple[RemovedFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.size_bytes for file in self.files)


def delete_video(
    backend: Backend,
    platform_id: str,
    video_id: str,
    run_id: str | None = None,
    *,
    on_file: Callable[[RemovedFile], None] | None = None,
) -> Receipt:
    """Delete all that the store holds of a video, or of one run of it, and nothing else.

    Asking again is harmless, and finishes what a crash left. A run that begins afterwards is
    allowed; a run that began before cannot commit any more.

    Args:
        backend: The store.
        platform_id: Where the video is from.
        video_id: Which video.
        run_id: Which run; None for all of them.
        on_file: Told each file once it is gone.

    Raises:
        InvalidIdError: An id is refused.
        ConflictError: The whole video is being deleted, and a run of it was asked for.
        InvalidContentError: A link stands where a folder should, or the tombstone is damaged and a
            single run was asked for; nothing was removed.
        StoreUnavailableError: The root has no format marker, or the store refused.
    """
    video_path = f"{parse_id('platform_id', platform_id)}/{parse_id('video_id', video_id)}"
    target = video_path if run_id is None else f"{video_path}/{parse_id('run_id', run_id)}"
    require_marker(backend)
    with backend.exclusive(video_path):
        return remove_target(backend, video_path, run_id, target, on_file)


def remove_target(
    backend: Backend,
    video_path: str,
    run_id: str | None,
    target: str,
    on_file: Callable[[RemovedFile], None] | None = None,
) -> Receipt:
    """Do what `delete_video` says, for a caller that holds the video's exclusive lock."""
    tombstone, is_damaged = _find_tombstone(backend, video_path, run_id)
    deletion = tombstone.find_deletion(run_id)
    if deletion is None or deletion.is_done:
        if not is_damaged and not _has_anything(backend, target):
            if run_id is None:
                forget_failures(backend, video_path)  # of a source that never came to a run
            return Receipt(target, ())
        deletion = Deletion(build_token())
        tombstone = write_tombstone(backend, video_path, tombstone.with_deletion(run_id, deletion))
    remover = Remover(backend, on_file)
    runs = [run_id] if run_id is not None else backend.list_folder(video_path).folders
    for run in runs:
        remover.remove_manifest(f"{video_path}/{run}")
    remover.remove_tree(target)
    remover.remove_tree(build_quarantine_path(target))
    if run_id is None:
        forget_failures(backend, video_path)
    else:
        backend.remove_folder(video_path)
    _forget_in_index(backend, video_path, is_whole=run_id is None)
    _mark_done(backend, video_path, run_id, tombstone, deletion)
    return Receipt(target, tuple(remover.removed))


def survey_target(backend: Backend, target: str) -> Receipt:
    """Return the receipt that deleting a video or a run would give now, without digests.

    Raises:
        InvalidContentError: A link stands where a folder should.
        StoreUnavailableError: The root has no format marker, or the store refused.
    """
    require_marker(backend)
    found: list[RemovedFile] = []
    pending = [target, build_quarantine_path(target)]
    while pending:
        folder = pending.pop()
        listing = backend.list_folder(folder)
        found += [
            RemovedFile(f"{folder}/{name}", size, None) for name, size in listing.files.items()
        ]
        pending += [f"{folder}/{name}" for name in listing.folders]
    return Receipt(target, tuple(sorted(found, key=lambda file: file.path)))


def _forget_in_index(backend: Backend, video_path: str, *, is_whole: bool) -> None:
    is_near = backend.find_local_path(INDEX_PATH)
    if os.environ.get(INDEX_VARIABLE) or (is_near is not None and os.path.lexists(is_near)):
        from filmcan.store.index.index import open_index  # noqa: PLC0415 - brings a database in

        open_index(backend).forget(video_path, is_whole=is_whole)


def _mark_done(
    backend: Backend,
    video_path: str,
    run_id: str | None,
    tombstone: Tombstone,
    deletion: Deletion,
) -> None:
    done = replace(deletion, is_done=True)
    try:
        write_tombstone(backend, video_path, tombstone.with_deletion(run_id, done))
    except ConflictError:  # a sweep saw that nothing is left, and marked it first
        if find_tombstone(backend, video_path).find_deletion(run_id) != done:
            raise


class Remover:
    """Removes trees file by file and keeps the receipt."""

    def __init__(
        self, backend: Backend, on_file: Callable[[RemovedFile], None] | None = None
    ) -> None:
        """Start with an empty receipt.

        Args:
            backend: The store.
            on_file: Told each file once it is gone.
        """
        self._backend = backend
        self._on_file = on_file
        self._listed: dict[str, tuple[int, str]] = {}
        self.removed: list[RemovedFile] = []

    def remove_manifest(self, run_path: str) -> None:
        """Remove a manifest, damaged or not; remember the digests it lists for the receipt."""
        path = f"{run_path}/{MANIFEST_NAME}"
        try:
            data = self._backend.read(path, limit=MAX_MANIFEST_BYTES)
        except NotFoundError:
            return
        except InvalidContentError:
            return  # a link, a folder, or too large: goes with the tree, as what it is
        self._listed[path] = (len(data), hashlib.sha256(data).hexdigest())
        try:
            manifest = parse_manifest(data)
        except InvalidContentError:
            pass  # a damaged manifest keeps nothing alive; its artifacts get no digest
        else:
            for component in manifest.components:
                for item in component.artifacts:
                    self._listed[f"{run_path}/{item.path}"] = (item.size_bytes, item.sha256)
        self._remove(path, len(data))

    def remove_tree(self, folder: str) -> None:
        """Remove a folder with all in it, looking again when it changes meanwhile."""
        for _ in range(_PASSES - 1):
            with contextlib.suppress(InvalidContentError):
                self._remove_once(folder)
                return
        self._remove_once(folder)

    def _remove_once(self, folder: str) -> None:
        above, _, name = folder.rpartition("/")
        beside = self._backend.list_folder(above)
        if name in beside.strange or name in beside.files:
            self._remove(folder, beside.files.get(name, 0))
        if name not in beside.folders:
            return
        listing = self._backend.list_folder(folder)
        for file, size in _name_files(listing).items():
            self._remove(f"{folder}/{file}", size)
        for below in listing.folders:
            self._remove_once(f"{folder}/{below}")
        self._backend.remove_folder(folder)

    def _remove(self, path: str, size: int) -> None:
        self._backend.remove(path)
        listed_size, sha256 = self._listed.get(path, (None, None))
        gone = RemovedFile(path, size, sha256 if listed_size == size else None)
        self.removed.append(gone)
        if self._on_file is not None:
            self._on_file(gone)


def _name_files(listing: Listing) -> dict[str, int]:
    return {**listing.files, **dict.fromkeys(listing.strange, 0)}


def _find_tombstone(
    backend: Backend, video_path: str, run_id: str | None
) -> tuple[Tombstone, bool]:
    """Return the tombstone to write over and whether it is damaged, if all is to be deleted."""
    try:
        tombstone = find_tombstone(backend, video_path)
    except InvalidContentError:
        if run_id is not None:
            raise
        return find_damaged_tombstone(backend, video_path), True
    if run_id is not None and tombstone.is_pending(None):
        raise ConflictError(
            "the whole video is being deleted",
            code="being_deleted",
            where=video_path,
            hint="Finish that first: delete the video without naming a run.",
        )
    return tombstone, False


def _has_anything(backend: Backend, target: str) -> bool:
    """Tell whether there is a file, folder or link at the target, or quarantined files of it."""
    for place in (target, build_quarantine_path(target)):
        above, _, name = place.rpartition("/")
        listing = backend.list_folder(above)
        if name in listing.folders or name in _name_files(listing):
            return True
    return False
