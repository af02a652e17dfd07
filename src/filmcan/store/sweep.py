"""Collect garbage and keep to a retention rule (threats P12).

Removed is only what is provably unreferenced and older than the grace, measured by the store's own
clock. All manifests are read before anything is removed: one that cannot be parsed, a listing
that cannot be believed or a missing format marker stops the whole sweep. Then each video is looked
at again under the lock that its writers take.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from filmcan.contract.ids import find_id_fault
from filmcan.contract.manifest import MANIFEST_NAME, Manifest
from filmcan.errors import (
    StoreUnavailableError,
)
from filmcan.files import TEMPORARY_PREFIX
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.deletion import Remover, remove_target
from filmcan.store.quarantine import QUARANTINE, build_quarantine_path
from filmcan.store.survey import Tree, find_manifest, read_tree, refuse_lost, survey_store
from filmcan.store.tombstones import (
    Tombstone,
    find_tombstone,
    require_marker,
    settle_tombstones,
    write_tombstone,
)

if TYPE_CHECKING:
    from filmcan.store.base import Backend

DEFAULT_GRACE_SEC = 24 * 3600.0
_SEGMENTS_BELOW_PLATFORM = 2
RemovalKind = Literal["deletion", "run", "folder", "unlisted", "temporary", "quarantine"]


@dataclass(frozen=True, slots=True)
class SweepRules:
    """What may go.

    Attributes:
        keep_last: Finished runs to keep for each video, at least 1; None keeps all.
        max_age_sec: Runs whose manifest has not changed for longer go, but for the latest finished
            one; None keeps all.
        grace_sec: Nothing that changed more recently goes, whatever the other rules say.
    """

    keep_last: int | None = None
    max_age_sec: float | None = None
    grace_sec: float = DEFAULT_GRACE_SEC


@dataclass(frozen=True, slots=True)
class Removal:
    """One thing that went, or would go.

    Attributes:
        kind: `deletion` an interrupted deletion that was finished, `run` retention, `folder` a
            run's folder with neither a manifest nor an artifact, `unlisted` a file that no
            manifest lists, `temporary` left by an interrupted write, `quarantine` an old entry
            there.
        path: The file or folder below the store's root.
        reason: Why it may go.
        files: How many files it held.
        size_bytes: How many bytes they had.
    """

    kind: RemovalKind
    path: str
    reason: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep removed, or would remove, and how many runs it left."""

    removals: tuple[Removal, ...]
    kept_runs: int


def sweep_store(
    backend: Backend,
    rules: SweepRules,
    *,
    dry_run: bool,
    on_progress: Callable[[float, str], None] = lambda _fraction, _note: None,
) -> Sweep:
    """Remove garbage and what the rules do not keep; with `dry_run` only say what would go.

    Args:
        backend: The store.
        rules: What may go.
        dry_run: Remove nothing.
        on_progress: Told the share of work done, of which the survey is one half, and the present
            video.

    Raises:
        InvalidContentError: A manifest or tombstone cannot be read; nothing was removed.
        StoreUnavailableError: The root has no format marker, a listing cannot be believed, or the
            store refused.
    """
    require_marker(backend)
    now = _read_clock(backend, dry_run=dry_run)
    videos = survey_store(backend, lambda share, video: on_progress(share / 2, video))
    removals: list[Removal] = []
    kept = 0
    for number, video in enumerate(videos):
        on_progress((1 + number / len(videos)) / 2, video)
        sweeper = _VideoSweeper(backend, video, rules, now, dry_run=dry_run)
        if dry_run:
            sweeper.sweep()
        else:
            with backend.exclusive(video):
                sweeper.sweep()
        removals += sweeper.removals
        kept += sweeper.kept_runs
    if not dry_run:
        settle_tombstones(backend, videos)
    gone = tuple(f"{build_quarantine_path(removal.path)}/" for removal in removals)
    removals += _sweep_housekeeping(backend, now - rules.grace_sec, gone, dry_run=dry_run)
    return Sweep(tuple(removals), kept)


def _read_clock(backend: Backend, *, dry_run: bool) -> float:
    """Return the store's time; to say what would go, this machine's will do where it has none."""
    try:
        return backend.read_clock()
    except StoreUnavailableError:
        if not dry_run:
            raise
        return time.time()


class _VideoSweeper:
    """Sweeps one video; its exclusive lock is held unless nothing is to be removed."""

    def __init__(
        self, backend: Backend, video: str, rules: SweepRules, now: float, *, dry_run: bool
    ) -> None:
        self._backend = backend
        self._video = video
        self._rules = rules
        self._now = now
        self._dry_run = dry_run
        self.removals: list[Removal] = []
        self.kept_runs = 0

    def sweep(self) -> None:
        tombstone = find_tombstone(self._backend, self._video)
        if tombstone.is_pending(None):
            self._remove_all("deletion", None, "a deletion was interrupted")
            return
        listing = self._backend.list_folder(self._video)
        alive: dict[str, tuple[Manifest, float]] = {}
        for run_id in listing.folders:
            if find_id_fault("run_id", run_id):
                continue
            found = self._judge_folder(run_id, tombstone)
            if found is not None:
                alive[run_id] = (found[0], self._now - found[1])
        self._settle()
        retired = self._choose_retired(alive)
        for run_id, (manifest, _) in alive.items():
            if run_id in retired and self._is_settled(run_id):
                self._remove_all("run", run_id, retired[run_id])
            else:
                self.kept_runs += 1
                self._sweep_run(f"{self._video}/{run_id}", manifest)
        for name, size in listing.files.items():
            self._sweep_file(self._video, name, size, listing.modified[name], listed=True)
        if not self._dry_run:
            self._backend.remove_folder(self._video)

    def _judge_folder(self, run_id: str, tombstone: Tombstone) -> tuple[Manifest, float] | None:
        """Return the manifest of a living run; remove what is left of another one."""
        path = f"{self._video}/{run_id}"
        found = find_manifest(self._backend, path)
        if tombstone.is_pending(run_id):
            self._remove_all("deletion", run_id, "a deletion was interrupted")
            return None
        if found is None:
            tree = read_tree(self._backend, path)
            if not tombstone.list_tokens(run_id):
                refuse_lost(path, tree)
            changed = self._backend.list_folder(self._video).modified.get(run_id, tree.newest)
            if self._now - max(tree.newest, changed) > self._rules.grace_sec:
                self._remove_all("folder", run_id, "the folder has no manifest")
        elif tombstone.is_dead(found[0].run):
            self._remove_all("deletion", run_id, "the run began before the video was deleted")
            return None
        return found

    def _settle(self) -> None:
        """Finish deletions of runs that have no folder any more."""
        quarantined = self._backend.list_folder(build_quarantine_path(self._video)).folders
        tombstone = find_tombstone(self._backend, self._video)
        for run_id in quarantined:
            if tombstone.is_pending(run_id):
                self._remove_all("deletion", run_id, "a deletion was interrupted")
        tombstone = find_tombstone(self._backend, self._video)
        if tombstone.has_pending and not self._dry_run:
            write_tombstone(self._backend, self._video, tombstone.with_all_done())

    def _choose_retired(self, alive: dict[str, tuple[Manifest, float]]) -> dict[str, str]:
        """Return run ids that the rules do not keep, with the reason. Never the latest finished."""
        finished = sorted(
            (run_id for run_id, (manifest, _) in alive.items() if manifest.is_finished),
            key=lambda run_id: (alive[run_id][0].run.created_at, run_id),
            reverse=True,
        )
        retired = {}
        for run_id, (_, age) in alive.items():
            if age <= self._rules.grace_sec or run_id in finished[:1]:
                continue
            keep_last, max_age = self._rules.keep_last, self._rules.max_age_sec
            if max_age is not None and age > max_age:
                retired[run_id] = f"unchanged for {age:.0f} s, more than {max_age:.0f}"
            elif keep_last is not None and run_id in finished[max(1, keep_last) :]:
                retired[run_id] = f"{keep_last} later finished runs are kept"
        return retired

    def _is_settled(self, run_id: str) -> bool:
        """Tell whether nothing of a run, also in quarantine, changed within the grace."""
        newest = max(tree.newest for tree in self._read_trees(f"{self._video}/{run_id}"))
        return self._now - newest > self._rules.grace_sec

    def _read_trees(self, target: str) -> list[Tree]:
        """Return what lies in a video's or a run's folder, and what of it in quarantine."""
        return [read_tree(self._backend, at) for at in (target, build_quarantine_path(target))]

    def _sweep_run(self, path: str, manifest: Manifest) -> None:
        listed = {
            f"{path}/{artifact.path}"
            for component in manifest.components
            for artifact in component.artifacts
        }
        for file, (size, modified) in read_tree(self._backend, path).files.items():
            folder, _, name = file.rpartition("/")
            is_known = file in listed or file == f"{path}/{MANIFEST_NAME}"
            self._sweep_file(folder, name, size, modified, listed=is_known)

    def _sweep_file(
        self, folder: str, name: str, size: int, modified: float, *, listed: bool
    ) -> None:
        is_temporary = name.startswith(TEMPORARY_PREFIX)
        if (listed and not is_temporary) or self._now - modified <= self._rules.grace_sec:
            return
        kind: RemovalKind = "temporary" if is_temporary else "unlisted"
        reason = "left by an interrupted write" if is_temporary else "no manifest lists it"
        self.removals.append(Removal(kind, f"{folder}/{name}", reason, 1, size))
        if not self._dry_run:
            self._backend.remove(f"{folder}/{name}")

    def _remove_all(self, kind: RemovalKind, run_id: str | None, reason: str) -> None:
        target = self._video if run_id is None else f"{self._video}/{run_id}"
        if self._dry_run:
            trees = self._read_trees(target)
            files = sum(len(tree.files) for tree in trees)
            size = sum(tree.size_bytes for tree in trees)
        else:
            receipt = remove_target(self._backend, self._video, run_id, target)
            files, size = len(receipt.files), receipt.size_bytes
        self.removals.append(Removal(kind, target, reason, files, size))


def _sweep_housekeeping(
    backend: Backend, before: float, gone: tuple[str, ...], *, dry_run: bool
) -> list[Removal]:
    """Remove old temporaries of the store itself, and entries of the quarantine as a whole.

    What lies below `gone` went, or would go, with its video or run.
    """
    removals = []
    for path, (size, modified) in read_tree(backend, HOUSEKEEPING).files.items():
        is_temporary = path.rpartition("/")[2].startswith(TEMPORARY_PREFIX)
        if is_temporary and not path.startswith(f"{QUARANTINE}/") and modified < before:
            reason = "left by an interrupted write"
            removals.append(Removal("temporary", path, reason, 1, size))
            if not dry_run:
                backend.remove(path)
    for entry in _list_entries(backend):
        if entry.startswith(gone):
            continue
        tree = read_tree(backend, entry)
        if tree.newest < before:
            reason = "quarantined longer than the grace"
            removals.append(Removal("quarantine", entry, reason, len(tree.files), tree.size_bytes))
            if not dry_run:
                Remover(backend).remove_tree(entry)
    return removals


def _list_entries(backend: Backend) -> list[str]:
    """Return the folders of the quarantine that were moved there together."""
    found = []
    for top in backend.list_folder(QUARANTINE).folders:
        places = [f"{QUARANTINE}/{top}"]
        for _ in range(0 if find_id_fault("platform_id", top) else _SEGMENTS_BELOW_PLATFORM):
            places = [
                f"{place}/{name}" for place in places for name in backend.list_folder(place).folders
            ]
        found += [
            f"{place}/{name}" for place in places for name in backend.list_folder(place).folders
        ]
    return found
