"""What a path or name on the command line means: a store, a run, a component, an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import NotFoundError
from filmcan.npz.artifact import Artifact, open_artifact
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import read_manifest
from filmcan.store.run import Run
from filmcan.store.store import Store, open_store

__all__ = [
    "Located",
    "Run",
    "Store",
    "find_run",
    "locate",
    "open_existing_store",
    "open_run_folder",
    "open_target_store",
]

_RUN_SEGMENTS = 3
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
        StoreUnavailableError: The disk refused.
    """
    folder = path.resolve()
    backend = LocalBackend(folder.parent)
    return Run(read_manifest(backend, folder.name), folder.name, backend)


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
