"""Bring the runs of another system's store in. The verb behind `filmcan import`.

The source has the layout of C2 and is only read. What each run, component and file became, what
was filled in and what could not be verified is the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.issues import Issue, Report
from filmcan.contract.times import format_time
from filmcan.errors import ConflictError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.pipeline.provenance import find_version
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.foreign.outcome import ComponentOutcome, FileOutcome, RunOutcome
from filmcan.store.foreign.run import import_run
from filmcan.store.store import open_store

if TYPE_CHECKING:
    from filmcan.store.base import Backend

__all__ = ["ComponentOutcome", "FileOutcome", "RunOutcome", "StoreImport", "import_store"]

Progress = Callable[[float, str], None]
_RUN_DEPTH = 3


@dataclass(frozen=True, slots=True)
class StoreImport:
    """What became of a store.

    Attributes:
        source: Its address, as given.
        store: Ours, as given.
        dry_run: True when nothing was written.
        runs: One entry per run, sorted by path.
        issues: What lies above the runs and is none.
    """

    source: str
    store: str
    dry_run: bool
    runs: tuple[RunOutcome, ...]
    issues: tuple[Issue, ...]

    @property
    def report(self) -> Report:
        """Every issue: errors are what was refused, warnings what could not be verified."""
        return Report((*self.issues, *(issue for run in self.runs for issue in run.issues)))


def import_store(
    source: str,
    store: str,
    *,
    dry_run: bool = False,
    platform_id: str | None = None,
    video_id: str | None = None,
    on_progress: Progress | None = None,
) -> StoreImport:
    """Bring every run of a foreign store in; what is there already, from the same bytes, stays.

    Args:
        source: Folder of the foreign store.
        store: Path or URL of ours; it is created when it does not exist.
        dry_run: Read and judge everything, write nothing.
        platform_id: Only runs of this platform.
        video_id: Only runs of this video.
        on_progress: Told the share of runs done and the present one.

    Raises:
        ConflictError: Both are one folder, or one lies in the other.
        StoreUnavailableError: There is no such source, or a store refused.
    """
    _refuse_overlap(source, store)
    foreign = open_store(source, must_exist=True).backend
    ours = open_store(store).backend
    issues: list[Issue] = []
    paths = list(_find_runs(foreign, "", (platform_id, video_id), issues))
    importer = f"filmcan {find_version()}"
    runs = []
    for number, path in enumerate(paths):
        if on_progress is not None:
            on_progress(number / len(paths), path)
        runs.append(import_run(foreign, path, ours, clock=_now, importer=importer, dry_run=dry_run))
    return StoreImport(source, store, dry_run, tuple(runs), tuple(issues))


def _find_runs(
    backend: Backend, folder: str, wanted: tuple[str | None, ...], issues: list[Issue]
) -> Iterator[str]:
    """Yield the path of every folder at the depth of a run, and report what is no folder."""
    depth = folder.count("/") + 1 if folder else 0
    if depth == _RUN_DEPTH:
        yield folder
        return
    listing = backend.list_folder(folder)
    prefix = f"{folder}/" if folder else ""
    for name in listing.files:
        message = "not copied: it lies above the runs"
        issues.append(Issue("warning", "unlisted_file", "", message, f"{prefix}{name}"))
    for name in listing.strange:
        message = "a link or special file; never followed"
        issues.append(Issue("error", "not_regular", "", message, f"{prefix}{name}"))
    for name in listing.folders:
        is_ours = not folder and name == HOUSEKEEPING
        is_wanted = depth >= len(wanted) or wanted[depth] in (None, name)
        if is_wanted and not is_ours and not name.startswith(TEMPORARY_PREFIX):
            yield from _find_runs(backend, f"{prefix}{name}", wanted, issues)


def _refuse_overlap(source: str, store: str) -> None:
    if "://" in source or "://" in store:
        return
    theirs, ours = Path(source).resolve(), Path(store).resolve()
    if theirs == ours or theirs in ours.parents or ours in theirs.parents:
        raise ConflictError(
            "a store cannot be imported into itself",
            code="same_store",
            where=store,
            hint="Name another folder with --store; the source is never changed.",
        )


def _now() -> str:
    return format_time(datetime.now(UTC))
