"""A store as readers see it: the runs it holds. Opened by path or URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.manifest import Manifest
from filmcan.errors import (
    InvalidContentError,
    MissingExtraError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.store.base import HOUSEKEEPING, Listing
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import build_run_path, check_place, read_manifest
from filmcan.store.memory import MemoryBackend
from filmcan.store.run import Run
from filmcan.store.side_by_side import read_each
from filmcan.store.tombstones import TOMBSTONES, find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend

OBJECT_STORES = ("s3", "gs", "az")
"""Schemes of the URLs of object stores."""


class Store:
    """The runs behind one backend."""

    def __init__(self, backend: Backend) -> None:
        """Wrap a backend; nothing is read yet."""
        self.backend = backend

    @property
    def url(self) -> str:
        """The store's path or URL."""
        return self.backend.url

    def run(self, platform_id: str, video_id: str, run_id: str) -> Run:
        """Return one run.

        Raises:
            InvalidIdError: An id is refused.
            NotFoundError: There is no such run.
            InvalidManifestError: Its manifest is damaged.
            StoreUnavailableError: The store refused.
        """
        path = build_run_path(platform_id, video_id, run_id)
        manifest = read_manifest(self.backend, path)
        check_place(manifest, path)
        if self._is_dead(manifest, path):
            raise build_deleted_error(path)
        return Run(manifest, path, self.backend)

    def runs(self, platform_id: str | None = None, video_id: str | None = None) -> list[Run]:
        """Return all runs with a readable manifest, by platform, video and run id.

        Damaged manifests and deleted runs are passed over here; `filmcan fsck` names them.

        Raises:
            InvalidIdError: An id is refused.
            StoreUnavailableError: The store refused.
        """
        has_tombstones = bool(self.backend.list_folder(TOMBSTONES).files)

        def find_run(path: str) -> Run | None:
            try:
                manifest = read_manifest(self.backend, path)
                check_place(manifest, path)
                if has_tombstones and self._is_dead(manifest, path):
                    return None
            except (InvalidContentError, NotFoundError):
                return None
            return Run(manifest, path, self.backend)

        folders = self.run_paths(platform_id, video_id)
        return [run for run in read_each(self.backend, find_run, folders) if run is not None]

    def latest(self, platform_id: str, video_id: str) -> Run:
        """Return the finished run of a video with the greatest (created_at, run_id) (C2.2).

        Raises:
            InvalidIdError: An id is refused.
            NotFoundError: The video has no finished run.
            StoreUnavailableError: The store refused.
        """
        finished = [run for run in self.runs(platform_id, video_id) if run.manifest.is_finished]
        if not finished:
            raise NotFoundError(
                "the video has no finished run",
                where=f"{platform_id}/{video_id}",
                hint="List what there is with `filmcan list`.",
            )
        return max(finished, key=lambda run: (run.manifest.run.created_at, run.run_id))

    def run_paths(self, platform_id: str | None = None, video_id: str | None = None) -> list[str]:
        """Return the path of every folder where a run should lie, by platform, video and run id.

        Whether it has a manifest is found out by reading that: looking first would cost as much.

        Raises:
            InvalidIdError: An id is refused.
            StoreUnavailableError: The store refused.
        """
        videos = [
            f"{platform}/{video}"
            for platform in self._list_ids("", platform_id)
            for video in self._list_ids(platform, video_id)
        ]
        listed = read_each(self.backend, lambda video: self._list_ids(video, None), videos)
        return [
            f"{video}/{run}" for video, runs in zip(videos, listed, strict=True) for run in runs
        ]

    def _is_dead(self, manifest: Manifest, path: str) -> bool:
        tombstone = find_tombstone(self.backend, path.rpartition("/")[0])
        return tombstone.is_dead(manifest.run)

    def _list_ids(self, folder: str, wanted: str | None) -> list[str]:
        if wanted is not None:
            return [wanted]
        names = self.backend.list_folder(folder).folders
        return [name for name in names if name != HOUSEKEEPING and not name.startswith("_tmp_")]

    def __repr__(self) -> str:
        """Show where it is."""
        return f"<Store {self.url}>"


def build_deleted_error(path: str) -> NotFoundError:
    """Return the error for a run that a deletion killed, whatever of it is there."""
    hint = "`filmcan gc` removes what is left of it."
    return NotFoundError("the run was deleted", where=path, hint=hint)


def open_store(url: str | Path, *, must_exist: bool = False) -> Store:
    """Open a store by path or URL.

    Args:
        url: Path of a folder, which need not exist until something is written; `memory://` (fresh,
            gone with the process); or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`, whose options
            the environment gives (docs/stores.md).
        must_exist: Refuse what does not exist yet, for commands that only read.

    Raises:
        MissingExtraError: The package that speaks to object stores is not installed.
        StoreUnavailableError: The URL is not supported, the store is missing, or it refused.
    """
    text = str(url)
    if text == "memory://":
        return Store(MemoryBackend())
    scheme, separator, _ = text.partition("://")
    if separator:
        backend = _open_object_store(text, scheme)
        is_missing = must_exist and backend.list_folder("") == Listing((), {})
    else:
        backend = LocalBackend(Path(text))
        backend.check_root()
        is_missing = must_exist and not Path(text).is_dir()
    if is_missing:
        raise StoreUnavailableError(
            "there is no such store",
            code="no_store",
            where=text,
            hint="Give the path of a store, or set FILMCAN_STORE.",
        )
    return Store(backend)


def _open_object_store(url: str, scheme: str) -> Backend:
    if scheme not in OBJECT_STORES:
        raise StoreUnavailableError(
            f"stores behind {scheme}:// are not supported by this version",
            code="unknown_scheme",
            where=f"{scheme}://",
            hint="Give a folder, s3://BUCKET/PREFIX, or memory:// for a store that is gone with "
            "the process.",
        )
    try:
        # What speaks to buckets is an extra, and takes its time to load.
        from filmcan.store.object_store.backend import ObjectStoreBackend  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{error.name} is not installed; stores behind {scheme}:// need it",
            where=f"{scheme}://",
            hint='pip install "filmcan[s3]"',
        ) from error
    return ObjectStoreBackend(url)
