"""What a path or name on the command line means: a store, a run, a component, an artifact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.ids import IdKind, find_id_fault
from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import NotFoundError
from filmcan.npz.artifact import Artifact, open_artifact
from filmcan.store.base import FORMAT_MARKER
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import read_manifest
from filmcan.store.run import Run
from filmcan.store.store import Store, build_deleted_error, open_store
from filmcan.store.tombstones import find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend

__all__ = [
    "Located",
    "Run",
    "Store",
    "StorePlace",
    "find_run",
    "find_store_place",
    "locate",
    "open_existing_store",
    "open_run_folder",
    "open_target_store",
]

_ID_KINDS: tuple[IdKind, ...] = ("platform_id", "video_id", "run_id")
_RUN_SEGMENTS = len(_ID_KINDS)
_VIDEO_SEGMENTS = 2


@dataclass(frozen=True, slots=True)
class Located:
    """A run, or one artifact when the target named it."""

    run: Run | None
    artifact: Artifact | None


def locate(target: str, store: str) -> Located:
    """Find a run or an artifact.

    Args:
        target: Path of an artifact, of a run's folder or of a component's folder in it; or, in
            `store`, `platform/video/run` or `platform/video` for its latest finished run.
        store: Where names are looked up.

    Raises:
        NotFoundError: Nothing is there.
        InvalidContentError: What is there is damaged.
        StoreUnavailableError: The store refused.
    """
    path = Path(target)
    if path.is_file():
        return Located(None, open_artifact(path))
    if (path / MANIFEST_NAME).is_file():
        return Located(open_run_folder(path), None)
    if (path.parent / MANIFEST_NAME).is_file() and path.is_dir():
        return Located(None, open_run_folder(path.parent)[path.name])
    return Located(_find_in_store(target, store), None)


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A folder of a store, as C2 lays it out.

    Attributes:
        root: The store's own folder.
        path: What lies below it, `/`-separated; `""` is the store itself.
    """

    root: Path
    path: str = ""

    @property
    def depth(self) -> int:
        """0 for the store, 1 for a platform, 2 for a video, 3 for a run."""
        return len(self.path.split("/")) if self.path else 0


def find_store_place(folder: Path) -> StorePlace:
    """Return what a folder is of a store: the store, a platform, a video, or a run.

    A format marker at it or above tells. A copy of a store, or of a part, may lack one; then the
    manifests below tell, or where there is none, artifacts that lost theirs.

    Args:
        folder: Absolute, every link resolved.

    Raises:
        NotFoundError: It is no folder of a store.
        StoreUnavailableError: The disk refused.
    """
    for root in (folder, *folder.parents[: _RUN_SEGMENTS + 1]):
        if (root / FORMAT_MARKER).is_file():
            segments = folder.relative_to(root).parts[:_RUN_SEGMENTS]
            if all(map(_is_id, _ID_KINDS, segments)):
                return StorePlace(root, "/".join(segments))
            break
    else:
        for depth in _find_levels(folder):
            if len(folder.parents) > depth:
                segments = folder.parts[len(folder.parts) - depth :]
                return StorePlace((folder, *folder.parents)[depth], "/".join(segments))
    raise NotFoundError(
        "this folder is no store, and no platform, video, run or component of one",
        code="no_target",
        where=str(folder),
        hint="Give one of these, or the path of an artifact.",
    )


def _is_id(kind: IdKind, name: str) -> bool:
    return find_id_fault(kind, name) is None


def _find_levels(folder: Path) -> Iterator[int]:
    """Yield how deep below a store a folder seems to lie, the most telling sign first."""
    backend = LocalBackend(folder)
    for sign, extra in ((MANIFEST_NAME, 0), ("*.npz", 1)):
        for depth in range(_RUN_SEGMENTS):
            if _lies_below(backend, "", _RUN_SEGMENTS - depth + extra, sign):
                yield depth


def _lies_below(backend: Backend, folder: str, levels: int, sign: str) -> bool:
    """Tell whether a file with a name of this pattern lies that many folders below."""
    listing = backend.list_folder(folder)
    if levels == 0:
        return any(fnmatchcase(name, sign) for name in listing.files)
    return any(
        _lies_below(backend, f"{folder}/{name}" if folder else name, levels - 1, sign)
        for name in listing.folders
    )


def open_existing_store(store: str) -> Store:
    """Open a store for reading.

    Raises:
        StoreUnavailableError: There is no such store, or its scheme is not supported.
    """
    return open_store(store, must_exist=True)


def find_run(store: Store, path: str) -> Run:
    """Return a run by its `platform/video/run`.

    Raises:
        NotFoundError: It is no such path, or there is no such run.
        InvalidContentError: Its manifest is damaged, or an id is refused.
        StoreUnavailableError: The store refused.
    """
    segments = path.split("/")
    if len(segments) != _RUN_SEGMENTS:
        raise NotFoundError("a run is named platform/video/run", where=path[:200])
    return store.run(*segments)


def open_target_store(url: str) -> Store:
    """Open the store that runs are to be written to; a folder need not exist yet.

    Raises:
        StoreUnavailableError: The URL's scheme is not supported.
    """
    return open_store(url)


def open_run_folder(path: Path) -> Run:
    """Open a run by its folder, wherever it was copied to.

    Raises:
        InvalidManifestError: Its manifest is damaged.
        NotFoundError: It lies in a store from which it was deleted: somebody put a copy back.
        StoreUnavailableError: The disk refused.
    """
    folder = path.resolve()
    backend = LocalBackend(folder.parent)
    run = Run(read_manifest(backend, folder.name), folder.name, backend)
    roots = folder.parents[_RUN_SEGMENTS - 1 : _RUN_SEGMENTS]
    if roots and (roots[0] / FORMAT_MARKER).is_file():
        place = "/".join(folder.parts[-_RUN_SEGMENTS:])
        tombstone = find_tombstone(LocalBackend(roots[0]), place.rpartition("/")[0])
        if tombstone.is_dead(run.manifest.run):
            raise build_deleted_error(place)
    return run


def _find_in_store(target: str, store: str) -> Run:
    segments = target.strip("/").split("/")
    if len(segments) not in (_RUN_SEGMENTS, _VIDEO_SEGMENTS):
        raise NotFoundError(
            "there is no such run or artifact",
            where=target,
            hint="Give the path of an artifact or run, or platform/video[/run] with --store.",
        )
    opened = open_store(store, must_exist=True)
    if len(segments) == _RUN_SEGMENTS:
        return opened.run(*segments)
    return opened.latest(*segments)
