"""What gc has to know before it removes anything: every manifest, and that none was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from filmcan.contract.ids import find_id_fault
from filmcan.contract.manifest import MANIFEST_NAME, Manifest
from filmcan.errors import (
    InvalidContentError,
    InvalidManifestError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.manifests import check_place, read_manifest
from filmcan.store.quarantine import QUARANTINE
from filmcan.store.tombstones import find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_LOOKS = 3
"""A run that is created or deleted just now is looked at again."""


@dataclass(slots=True)
class Tree:
    """The regular files below a folder: path -> size and time; links are not followed."""

    files: dict[str, tuple[int, float]] = field(default_factory=dict)
    newest: float = float("-inf")

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self.files.values())


def survey_store(backend: Backend, on_progress: Callable[[float, str], None]) -> list[str]:
    """Return every video; read every manifest and tombstone, and stop at a bad one.

    Args:
        backend: The store.
        on_progress: Told the share of videos read and the present one.

    Raises:
        InvalidContentError: A manifest or a tombstone cannot be read, or a manifest was lost.
        StoreUnavailableError: A listing cannot be believed, or the store refused.
    """
    root = backend.list_folder("")
    if HOUSEKEEPING not in root.folders:
        raise StoreUnavailableError(
            f"the root's listing does not show {HOUSEKEEPING}, which is there",
            code="bad_listing",
            where=backend.url,
            hint="The listing is empty or incomplete; nothing was removed. Try again later.",
        )
    videos = sorted({*_list_videos(backend, ""), *_list_videos(backend, f"{QUARANTINE}/")})
    for number, video in enumerate(videos):
        on_progress(number / len(videos), video)
        tombstone = find_tombstone(backend, video)
        for run in backend.list_folder(video).folders:
            if find_id_fault("run_id", run) or find_manifest(backend, f"{video}/{run}"):
                continue
            if not tombstone.list_tokens(run):
                refuse_lost(f"{video}/{run}", read_tree(backend, f"{video}/{run}"))
    return videos


def _list_videos(backend: Backend, prefix: str) -> list[str]:
    """Return `platform_id/video_id` of every video folder below the root, or the quarantine."""
    return [
        f"{platform}/{video}"
        for platform in backend.list_folder(prefix.rstrip("/")).folders
        if not find_id_fault("platform_id", platform)
        for video in backend.list_folder(f"{prefix}{platform}").folders
        if not find_id_fault("video_id", video)
    ]


def find_manifest(backend: Backend, run_path: str) -> tuple[Manifest, float] | None:
    """Return a run's manifest and when it changed; None only when there certainly is none.

    Raises:
        InvalidManifestError: It cannot be read.
        StoreUnavailableError: Listing and manifest contradict each other, or the store refused.
    """
    for _ in range(_LOOKS):
        manifest = _find_readable(backend, run_path)
        changed = backend.list_folder(run_path).modified.get(MANIFEST_NAME)
        if manifest is not None and changed is not None:
            return manifest, changed
        if manifest is None and changed is None:
            return None
    raise StoreUnavailableError(
        "the listing and the manifest do not agree",
        code="bad_listing",
        where=run_path,
        hint="The listing is stale or incomplete; nothing more was removed. Try again later.",
    )


def refuse_lost(run_path: str, tree: Tree) -> None:
    """Stop at artifacts without a manifest: it is written before them, so it was lost.

    Raises:
        InvalidManifestError: There are some.
    """
    if any(file.endswith(".npz") for file in tree.files):
        raise InvalidManifestError(
            "there are artifacts and no manifest, so nothing is known to be garbage",
            code="lost_manifest",
            where=run_path,
            hint="Nothing more was removed. Run `filmcan fsck --repair`, or delete the run.",
        )


def _find_readable(backend: Backend, run_path: str) -> Manifest | None:
    try:
        manifest = read_manifest(backend, run_path)
        check_place(manifest, run_path)
    except NotFoundError:
        return None
    except InvalidContentError as error:
        raise InvalidManifestError(
            f"a manifest cannot be read, so nothing is known to be garbage: {error.message}",
            code="unreadable_manifest",
            where=f"{run_path}/{MANIFEST_NAME}",
            hint="Nothing more was removed. See `filmcan fsck`, which can rebuild it.",
        ) from error
    return manifest


def read_tree(backend: Backend, folder: str) -> Tree:
    """Return all files below a folder; an absent one has none."""
    tree = Tree()
    pending = [folder]
    while pending:
        place = pending.pop()
        listing = backend.list_folder(place)
        for name, size in listing.files.items():
            tree.files[f"{place}/{name}"] = (size, listing.modified[name])
            tree.newest = max(tree.newest, listing.modified[name])
        pending += [f"{place}/{name}" for name in reversed(listing.folders)]
    return tree
