"""A store as readers see it: the runs it holds. Opened by path or URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.manifest import MANIFEST_NAME, Manifest
from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import build_run_path, check_place, read_manifest
from filmcan.store.memory import MemoryBackend
from filmcan.store.run import Run
from filmcan.store.tombstones import TOMBSTONES, find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend


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
            raise NotFoundError(
                "the run was deleted", where=path, hint="`filmcan gc` removes what is left of it."
            )
        return Run(manifest, path, self.backend)

    def runs(self, platform_id: str | None = None, video_id: str | None = None) -> list[Run]:
        """Return all runs with a readable manifest, by platform, video and run id.

        Damaged manifests and deleted runs are passed over here; `filmcan fsck` names them.

        Raises:
            InvalidIdError: An id is refused.
            StoreUnavailableError: The store refused.
        """
        found = []
        has_tombstones = bool(self.backend.list_folder(TOMBSTONES).files)
        for path in self.run_paths(platform_id, video_id):
            try:
                manifest = read_manifest(self.backend, path)
                check_place(manifest, path)
                if has_tombstones and self._is_dead(manifest, path):
                    continue
            except (InvalidContentError, NotFoundError):
                continue
            found.append(Run(manifest, path, self.backend))
        return found

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

    def run_paths(
        self, platform_id: str | None = None, video_id: str | None = None
    ) -> Iterator[str]:
        """Yield the path of every folder that holds a manifest, sorted.

        Raises:
            InvalidIdError: An id is refused.
            StoreUnavailableError: The store refused.
        """
        for platform in self._list_ids("", platform_id):
            for video in self._list_ids(platform, video_id):
                for run in self._list_ids(f"{platform}/{video}", None):
                    path = f"{platform}/{video}/{run}"
                    if MANIFEST_NAME in self.backend.list_folder(path).files:
                        yield path

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


def open_store(url: str | Path, *, must_exist: bool = False) -> Store:
    """Open a store by path or URL: a folder, or `memory://` (fresh, gone with the process).

    Args:
        url: Path of a folder, which need not exist until something is written, or a URL.
        must_exist: Refuse a folder that does not exist, for commands that only read.

    Raises:
        StoreUnavailableError: The URL's scheme is not supported, or the folder is missing.
    """
    text = str(url)
    if text == "memory://":
        return Store(MemoryBackend())
    scheme, separator, _ = text.partition("://")
    if separator:
        raise StoreUnavailableError(
            f"stores behind {scheme}:// are not supported by this version",
            code="unknown_scheme",
            where=f"{scheme}://",
            hint="Give a folder, or memory:// for a store that is gone with the process.",
        )
    if must_exist and not Path(text).is_dir():
        raise StoreUnavailableError(
            "there is no such store",
            code="no_store",
            where=text,
            hint="Name it with --store, or in FILMCAN_STORE.",
        )
    return Store(LocalBackend(Path(text)))
