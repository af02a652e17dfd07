"""Judge an artifact, a component's folder, a run or a store. The verb behind `filmcan validate`.

Every finding says where it lies. Nothing is changed, whatever is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.ids import IdKind, find_id_fault, fold_id
from filmcan.contract.issues import Issue, Report
from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.contract.meta import Identity
from filmcan.contract.registry import get_schema
from filmcan.errors import FilmcanError, InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.npz.validate import validate_npz
from filmcan.operations.run_validation import (
    RunJudge,
    RunVerdict,
    Scope,
    find_json,
    find_strange,
    judge_stray,
    list_below,
    make_issue,
    tell_deletion,
    tell_unreadable,
)
from filmcan.operations.targets import find_store_place
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import read_manifest
from filmcan.store.store import Store, open_store
from filmcan.store.tombstones import TOMBSTONES, Tombstone, find_tombstone

if TYPE_CHECKING:
    from filmcan.npz.validate import FindSchema
    from filmcan.store.base import Backend, Listing
    from filmcan.store.run import Run

_ID_KINDS: tuple[IdKind, ...] = ("platform_id", "video_id", "run_id")
_RUN_SEGMENTS = len(_ID_KINDS)

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was judged, and every finding, each with its place."""

    report: Report
    runs: int
    artifacts: int


def validate_target(
    path: str, *, find_schema: FindSchema = get_schema, on_progress: Progress | None = None
) -> Verdict:
    """Judge whatever lies at a path.

    Args:
        path: An artifact, a folder of a component, run, video or platform, a store, or the URL of
            a store.
        find_schema: Gives the rules of a schema_version and component; the registry by default.
        on_progress: Told the share that is done and the present run, of a folder of several.

    Raises:
        NotFoundError: Nothing is there, or a folder that is none of these.
        StoreUnavailableError: There is no store at that URL, or it refused.
    """
    if "://" in path:
        store = open_store(path, must_exist=True)
        return validate_store(store, find_schema=find_schema, on_progress=on_progress)
    target = Path(path)
    if target.is_file():
        return _validate_file(target, find_schema)
    if not target.is_dir():
        raise NotFoundError("there is nothing to validate", where=path)
    folder = target.resolve()
    if _is_run(folder):
        return _validate_run_folder(folder, Scope(), find_schema)
    if _is_run(folder.parent):
        return _validate_run_folder(folder.parent, Scope(folder.name), find_schema)
    place = find_store_place(folder)
    if place.depth == 0:
        store = open_store(place.root)
        return validate_store(store, find_schema=find_schema, on_progress=on_progress)
    judge = _StoreJudge(LocalBackend(place.root), find_schema, on_progress)
    judge.visit(place.path, place.depth)
    return judge.conclude()


def validate_store(
    store: Store, *, find_schema: FindSchema = get_schema, on_progress: Progress | None = None
) -> Verdict:
    """Judge every run of a store, and what lies between the runs.

    Raises:
        StoreUnavailableError: The store refused.
    """
    judge = _StoreJudge(store.backend, find_schema, on_progress)
    judge.visit("", 0)
    judge.look_for_json(HOUSEKEEPING)
    return judge.conclude()


def validate_run(run: Run, *, find_schema: FindSchema = get_schema) -> Verdict:
    """Judge one run of any store.

    Raises:
        StoreUnavailableError: The store refused.
    """
    return _validate_one(run.backend, run.path, Scope(), find_schema)


def _is_run(folder: Path) -> bool:
    return len(folder.parents) >= _RUN_SEGMENTS and (folder / MANIFEST_NAME).is_file()


def _validate_file(file: Path, find_schema: FindSchema) -> Verdict:
    """Judge a file by its run when it lies in one that can be read, else by itself."""
    resolved = file.resolve()
    run = resolved.parent.parent
    if _is_run(run) and not file.is_symlink():
        scope = Scope(resolved.parent.name, resolved.name)
        verdict = _validate_run_folder(run, scope, find_schema)
        if verdict.artifacts:
            return verdict
        identity = _find_identity(run, resolved.parent.name)
        stray = verdict.report.issues
    else:
        identity, stray = None, ()
    report = validate_npz(file, identity=identity, find_schema=find_schema)
    issues = tuple(replace(issue, where=str(file)) for issue in report)
    return Verdict(Report((*issues, *stray)), 0, 1)


def _find_identity(run: Path, component: str) -> Identity | None:
    """Return the ids of a place in a run, or None when its manifest cannot be read."""
    try:
        record = read_manifest(LocalBackend(run.parent), run.name).run
    except FilmcanError:
        return None
    return Identity(record.platform_id, record.video_id, record.run_id, component)


def _validate_run_folder(folder: Path, scope: Scope, find_schema: FindSchema) -> Verdict:
    backend = LocalBackend(folder.parents[_RUN_SEGMENTS - 1])
    return _validate_one(backend, "/".join(folder.parts[-_RUN_SEGMENTS:]), scope, find_schema)


def _validate_one(backend: Backend, path: str, scope: Scope, find_schema: FindSchema) -> Verdict:
    tombstone, issues = _find_tombstone(backend, path.rpartition("/")[0])
    found = RunJudge(backend, path, find_schema, tombstone).judge(scope)
    runs = 1 if scope.is_whole and not found.is_dead else 0
    return Verdict(Report((*issues, *found.issues)), runs, found.artifacts)


class _StoreJudge:
    """A store being judged, or a part of it."""

    def __init__(
        self, backend: Backend, find_schema: FindSchema, on_progress: Progress | None
    ) -> None:
        self._backend = backend
        self._find_schema = find_schema
        self._on_progress = on_progress
        self._issues: list[Issue] = []
        self._runs = 0
        self._artifacts = 0
        self._has_tombstones: bool | None = None

    def conclude(self) -> Verdict:
        """Return what was found so far."""
        return Verdict(Report(tuple(self._issues)), self._runs, self._artifacts)

    def visit(self, folder: str, depth: int, done: float = 0.0, share: float = 1.0) -> None:
        """Judge a folder above the runs, and all below it.

        Args:
            folder: Which.
            depth: That of C2.
            done: The share of the whole work that is done.
            share: The share that this folder is taken for: folders side by side count alike.
        """
        if depth == _RUN_SEGMENTS:
            self._judge_run(folder, self._find_tombstone(folder.rpartition("/")[0]), done)
            return
        try:
            listing = self._backend.list_folder(folder)
        except StoreUnavailableError as error:
            self._pass_over(folder, error)
            return
        self._issues += _check_folder(listing, folder)
        tombstone = self._find_tombstone(folder) if depth == _RUN_SEGMENTS - 1 else Tombstone()
        if tombstone.has_pending:
            self._issues.append(tell_deletion(folder))
        names = [name for name in listing.folders if folder or name != HOUSEKEEPING]
        share /= max(1, len(names))
        for number, name in enumerate(names):
            path = f"{folder}/{name}" if folder else name
            fault = find_id_fault(_ID_KINDS[depth], name)
            if fault is not None:
                message = f"no {_ID_KINDS[depth]}: {fault}"
                self._issues.append(make_issue("warning", "strange_folder", "", message, path))
                if not name.startswith(TEMPORARY_PREFIX):
                    self.look_for_json(path)
            elif depth == _RUN_SEGMENTS - 1:
                self._judge_run(path, tombstone, done + number * share)
            else:
                self.visit(path, depth + 1, done + number * share, share)

    def look_for_json(self, folder: str) -> None:
        """Find JSON below a folder of which nothing else is known."""
        try:
            self._issues += find_json(list_below(self._backend, folder))
        except StoreUnavailableError as error:
            self._pass_over(folder, error)

    def _find_tombstone(self, video: str) -> Tombstone:
        try:
            if self._has_tombstones is None:  # one listing spares a look for each video
                self._has_tombstones = bool(self._backend.list_folder(TOMBSTONES).files)
            if not self._has_tombstones:
                return Tombstone()
            tombstone, issues = _find_tombstone(self._backend, video)
        except StoreUnavailableError as error:
            self._pass_over(video, error)
            return Tombstone()
        self._issues += issues
        return tombstone

    def _judge_run(self, path: str, tombstone: Tombstone, done: float) -> None:
        if self._on_progress is not None:
            self._on_progress(done, path)
        judge = RunJudge(self._backend, path, self._find_schema, tombstone)
        try:
            found = judge.judge(Scope())
        except StoreUnavailableError as error:
            self._pass_over(path, error)
            found = RunVerdict(())
        self._issues += found.issues
        self._runs += not found.is_dead
        self._artifacts += found.artifacts

    def _pass_over(self, place: str, error: StoreUnavailableError) -> None:
        """Say that a place refused, and go on; where the whole store does, the error passes."""
        if not place:
            raise error
        self._backend.list_folder("")
        self._issues.append(tell_unreadable(place, error))


def _find_tombstone(backend: Backend, video: str) -> tuple[Tombstone, list[Issue]]:
    """Return the tombstone of `platform_id/video_id`, and what is wrong with it."""
    try:
        return find_tombstone(backend, video), []
    except InvalidContentError as error:
        where = error.where or video
        return Tombstone(), [make_issue("error", error.code, "", error.message, where)]


def _check_folder(listing: Listing, folder: str) -> list[Issue]:
    """Judge what lies above the runs: files, links, folders that some disks cannot keep apart."""
    issues = [judge_stray(name, f"{folder}/{name}" if folder else name) for name in listing.files]
    issues += find_strange(listing, folder)
    former: dict[str, str] = {}
    for name in listing.folders:
        other = former.setdefault(fold_id(name), name)
        if other != name:
            message = f"one folder with {other} on a disk that ignores case"
            place = f"{folder}/{name}" if folder else name
            issues.append(make_issue("warning", "ids_collide", "", message, place))
    return issues


def merge_verdicts(verdicts: list[Verdict]) -> Verdict:
    """Return one verdict over several targets."""
    issues = tuple(issue for verdict in verdicts for issue in verdict.report)
    return Verdict(
        Report(issues),
        sum(verdict.runs for verdict in verdicts),
        sum(verdict.artifacts for verdict in verdicts),
    )
