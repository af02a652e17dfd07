"""Bring the runs of another system's store in. The verb behind `filmcan import`.

The source has the layout of C2 and is only read. What each run, component and file became, what
was filled in and what could not be verified is the result.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.ids import parse_id
from filmcan.contract.issues import Issue, Report
from filmcan.contract.times import format_time
from filmcan.errors import ConflictError, NotFoundError, StoreUnavailableError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.pipeline.provenance import find_version
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.foreign.outcome import (
    UNREADABLE,
    ComponentOutcome,
    FileOutcome,
    RunOutcome,
    tell_unreadable,
)
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
    take_back: bool = False,
    on_progress: Progress | None = None,
) -> StoreImport:
    """Bring every run of a foreign store in; what is there already, from the same bytes, stays.

    Args:
        source: Folder of the foreign store.
        store: Path or URL of ours; it is created when it does not exist.
        dry_run: Read and judge everything, write nothing.
        platform_id: Only runs of this platform.
        video_id: Only runs of this video.
        take_back: Also bring in what was deleted from our store.
        on_progress: Told the share of runs done and the present one.

    Raises:
        InvalidIdError: An id is refused.
        NotFoundError: The source has no run of that platform or video.
        ConflictError: Both are one folder, or one lies in the other.
        StoreUnavailableError: There is no such source, or our store refused. What the source does
            not give of its content is refused, and the rest comes.
    """
    wanted = _Wanted(platform_id, video_id)
    _refuse_overlap(source, store)
    foreign = _open_source(source)
    ours = open_store(store).backend
    issues: list[Issue] = []
    paths = list(_find_runs(foreign, "", wanted, issues))
    if not paths and not any(issue.code == UNREADABLE for issue in issues):
        wanted.refuse_nothing(source)
    importer = f"filmcan {find_version()}"
    runs = []
    for number, path in enumerate(paths):
        if on_progress is not None:
            on_progress(number / len(paths), path)
        run = import_run(
            foreign,
            path,
            ours,
            clock=_now,
            importer=importer,
            dry_run=dry_run,
            take_back=take_back,
        )
        runs.append(run)
    return StoreImport(source, store, dry_run, tuple(runs), tuple(issues))


class _Wanted:
    """Which runs are asked for, and what there is instead when there are none."""

    def __init__(self, platform_id: str | None, video_id: str | None) -> None:
        """Take the ids; None for all.

        Raises:
            InvalidIdError: One is refused.
        """
        self._ids = (
            None if platform_id is None else parse_id("platform_id", platform_id),
            None if video_id is None else parse_id("video_id", video_id),
        )
        self._others: set[str] = set()

    def accepts(self, depth: int, name: str) -> bool:
        """Tell whether a folder is asked for: of a platform at depth 0, of a video at depth 1."""
        if depth >= len(self._ids) or self._ids[depth] in (None, name):
            return True
        self._others.add(name)
        return False

    def refuse_nothing(self, source: str) -> None:
        """Refuse to find nothing of what was asked for; with all asked for it is no error.

        Raises:
            NotFoundError: Ids were given.
        """
        given = [value for value in self._ids if value is not None]
        if not given:
            return
        near = [name for value in given for name in difflib.get_close_matches(value, self._others)]
        meant = f"Is it {' or '.join(near)}? " if near else ""
        raise NotFoundError(
            f"the source has no run of {'/'.join(given)}",
            where=source,
            hint=f"{meant}Without --platform and --video every run comes.",
        )


def _open_source(source: str) -> Backend:
    try:
        return open_store(source, must_exist=True).backend
    except StoreUnavailableError as error:
        if error.code != "no_store":
            raise
        raise StoreUnavailableError(
            "there is no store to bring in",
            code=error.code,
            where=source,
            hint="Give the folder of the other system's store first; --store names your own.",
        ) from error


def _find_runs(
    backend: Backend, folder: str, wanted: _Wanted, issues: list[Issue]
) -> Iterator[str]:
    """Yield the path of every folder at the depth of a run, and report what is no folder."""
    depth = folder.count("/") + 1 if folder else 0
    if depth == _RUN_DEPTH:
        yield folder
        return
    try:
        listing = backend.list_folder(folder)
    except StoreUnavailableError as error:
        if not folder:
            raise
        issues.append(Issue("error", UNREADABLE, "", tell_unreadable(error), folder))
        return
    prefix = f"{folder}/" if folder else ""
    for name in listing.files:
        message = "not copied: it lies above the runs"
        issues.append(Issue("warning", "unlisted_file", "", message, f"{prefix}{name}"))
    for name in listing.strange:
        message = "a link or special file; never followed"
        issues.append(Issue("error", "not_regular", "", message, f"{prefix}{name}"))
    for name in listing.folders:
        is_ours = not folder and name == HOUSEKEEPING
        if not is_ours and not name.startswith(TEMPORARY_PREFIX) and wanted.accepts(depth, name):
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
