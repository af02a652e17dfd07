"""Judge an artifact, a component's folder, a run or a store. The verb behind `filmcan validate`.

Every finding says where it lies. Nothing is changed, whatever is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.canonical import parse_json
from filmcan.contract.ids import fold_id
from filmcan.contract.issues import Issue, Level, Report
from filmcan.contract.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    ArtifactRecord,
    ComponentRecord,
    Manifest,
    parse_manifest,
)
from filmcan.contract.meta import Identity
from filmcan.contract.registry import get_schema
from filmcan.contract.run_rules import (
    find_absent_fields,
    find_name_issue,
    validate_agreement,
    validate_manifest,
)
from filmcan.errors import FilmcanError, InvalidContentError, NotFoundError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.npz.reader import open_npz
from filmcan.npz.source import MemorySource, bring_near, choose_step
from filmcan.npz.sub_artifacts import read_references
from filmcan.npz.validate import validate_npz, validate_source
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import check_place, read_manifest
from filmcan.store.store import Store, open_store

if TYPE_CHECKING:
    from filmcan.npz.source import ByteSource
    from filmcan.npz.sub_artifacts import OpenBeside
    from filmcan.npz.validate import FindSchema
    from filmcan.store.base import Backend, Listing
    from filmcan.store.run import Run

_READ_BYTES = 1024 * 1024
_RUN_SEGMENTS = 3
_JSON = ".json"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was judged, and every finding, each with its place."""

    report: Report
    runs: int
    artifacts: int


def validate_target(path: str, *, find_schema: FindSchema = get_schema) -> Verdict:
    """Judge whatever lies at a path.

    Args:
        path: An artifact, a component's folder, a run or a store, or the URL of a store.
        find_schema: Gives the rules of a schema_version and component; the registry by default.

    Raises:
        NotFoundError: Nothing is there.
        StoreUnavailableError: There is no store at that URL, or it refused.
    """
    if "://" in path:
        return validate_store(open_store(path, must_exist=True), find_schema=find_schema)
    target = Path(path)
    if target.is_file():
        return _validate_file(target, find_schema)
    if not target.is_dir():
        raise NotFoundError("there is nothing to validate", where=path)
    folder = target.resolve()
    if _is_run(folder):
        return _validate_run_folder(folder, _Scope(), find_schema)
    if _is_run(folder.parent):
        return _validate_run_folder(folder.parent, _Scope(folder.name), find_schema)
    return validate_store(open_store(folder), find_schema=find_schema)


def validate_store(store: Store, *, find_schema: FindSchema = get_schema) -> Verdict:
    """Judge every run of a store, and what lies between the runs.

    Raises:
        StoreUnavailableError: The store refused.
    """
    issues: list[Issue] = []
    runs = artifacts = 0
    for path, is_run in _walk(store.backend, "", 0):
        if is_run:
            found, count = _Run(store.backend, path, find_schema).judge(_Scope())
            issues += found
            runs += 1
            artifacts += count
        else:
            issues += _check_folder(store.backend, path)
    issues += _find_json(_list_below(store.backend, HOUSEKEEPING))
    return Verdict(Report(tuple(issues)), runs, artifacts)


def validate_run(run: Run, *, find_schema: FindSchema = get_schema) -> Verdict:
    """Judge one run of any store.

    Raises:
        StoreUnavailableError: The store refused.
    """
    issues, artifacts = _Run(run.backend, run.path, find_schema).judge(_Scope())
    return Verdict(Report(tuple(issues)), 1, artifacts)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What of a run is judged: everything, one component, or one file of it."""

    component: str | None = None
    file: str | None = None

    @property
    def is_whole(self) -> bool:
        return self.component is None


def _is_run(folder: Path) -> bool:
    return len(folder.parents) >= _RUN_SEGMENTS and (folder / MANIFEST_NAME).is_file()


def _validate_file(file: Path, find_schema: FindSchema) -> Verdict:
    """Judge a file by its run when it lies in one that can be read, else by itself."""
    resolved = file.resolve()
    run = resolved.parent.parent
    if _is_run(run) and not file.is_symlink():
        scope = _Scope(resolved.parent.name, resolved.name)
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


def _validate_run_folder(folder: Path, scope: _Scope, find_schema: FindSchema) -> Verdict:
    backend = LocalBackend(folder.parents[_RUN_SEGMENTS - 1])
    path = "/".join(folder.parts[-_RUN_SEGMENTS:])
    issues, artifacts = _Run(backend, path, find_schema).judge(scope)
    return Verdict(Report(tuple(issues)), 1 if scope.is_whole else 0, artifacts)


def _walk(backend: Backend, folder: str, depth: int) -> Iterator[tuple[str, bool]]:
    """Yield every folder above the runs, and each run: a folder at the depth of C2."""
    if depth == _RUN_SEGMENTS:
        yield folder, True
        return
    yield folder, False
    for name in backend.list_folder(folder).folders:
        if not (depth == 0 and name == HOUSEKEEPING) and not name.startswith(TEMPORARY_PREFIX):
            yield from _walk(backend, f"{folder}/{name}" if folder else name, depth + 1)


class _Run:
    """One run being judged."""

    def __init__(self, backend: Backend, path: str, find_schema: FindSchema) -> None:
        self._backend = backend
        self._path = path
        self._find_schema = find_schema

    def judge(self, scope: _Scope) -> tuple[list[Issue], int]:
        """Return every finding, and how many listed artifacts were judged."""
        path, place = self._path, f"{self._path}/{MANIFEST_NAME}"
        try:
            data = self._backend.read(place, limit=MAX_MANIFEST_BYTES)
            manifest = parse_manifest(data, where=place)
            check_place(manifest, path)
            absent = find_absent_fields(parse_json(data)) if scope.is_whole else []
        except NotFoundError:
            return _judge_lost(self._backend, path), 0
        except InvalidContentError as error:
            issue = _issue("error", error.code, MANIFEST_NAME, error.message, path)
            files = [name for name in _list_below(self._backend, path) if name != place]
            return [issue, *_find_json(files)], 0
        issues: list[Issue] = []
        if scope.is_whole:
            found = [*validate_manifest(manifest), *absent]
            issues += [replace(issue, where=place) for issue in found]
        judged = 0
        for component in manifest.components:
            if scope.component in (None, component.name):
                for artifact in component.artifacts:
                    if scope.file is None or artifact.path == f"{component.name}/{scope.file}":
                        issues += self._judge_artifact(manifest, component, artifact)
                        judged += 1
        issues += self._find_strays(manifest, scope)
        return issues, judged

    def _judge_artifact(
        self, manifest: Manifest, component: ComponentRecord, artifact: ArtifactRecord
    ) -> list[Issue]:
        run, place = manifest.run, f"{self._path}/{artifact.path}"
        try:
            source = bring_near(self._backend.open(place))
        except NotFoundError:
            message = "the manifest lists it, but it is not there"
            return [_issue("error", "artifact_missing", "", message, place)]
        except InvalidContentError as error:
            return [_issue("error", error.code, "", error.message, place)]
        issues = _check_bytes(source, artifact)
        if artifact.kind == "npz":
            report, meta = validate_source(
                source,
                identity=Identity(run.platform_id, run.video_id, run.run_id, component.name),
                open_beside=_open_beside(self._backend, place),
                media=run.source,
                find_schema=self._find_schema,
                allow_carried=True,
            )
            issues += report
            issues += validate_agreement(meta, manifest, component) if meta is not None else ()
            again = source if isinstance(source, MemorySource) else self._backend.open(place)
            issues += _check_references(again, component)
            name_issue = find_name_issue(artifact, component.name)
            issues += [name_issue] if name_issue is not None else []
        return [replace(issue, where=place) for issue in issues]

    def _find_strays(self, manifest: Manifest, scope: _Scope) -> list[Issue]:
        listed = {
            f"{self._path}/{artifact.path}"
            for component in manifest.components
            for artifact in component.artifacts
        }
        listed.add(f"{self._path}/{MANIFEST_NAME}")
        issues: list[Issue] = []
        pending = [self._path if scope.is_whole else f"{self._path}/{scope.component}"]
        while pending:
            folder = pending.pop()
            listing = self._backend.list_folder(folder)
            if scope.file is None:
                pending += [f"{folder}/{name}" for name in reversed(listing.folders)]
            issues += [
                _judge_stray(name, f"{folder}/{name}")
                for name in listing.files
                if f"{folder}/{name}" not in listed and scope.file in (None, name)
            ]
            issues += _find_strange(listing, folder) if scope.file is None else []
        return issues


def _open_beside(backend: Backend, place: str) -> OpenBeside:
    """Return what opens a file in the folder of an artifact."""
    folder = place.rpartition("/")[0]
    return lambda name: backend.open(f"{folder}/{name}")


def _check_bytes(source: ByteSource, artifact: ArtifactRecord) -> list[Issue]:
    if source.size != artifact.size_bytes:
        message = f"it has {source.size} bytes, the manifest says {artifact.size_bytes}"
        return [_issue("error", "size_mismatch", "", message)]
    digest = hashlib.sha256()
    step = choose_step(source, _READ_BYTES)
    for offset in range(0, source.size, step):
        digest.update(source.read_at(offset, min(step, source.size - offset)))
    if digest.hexdigest() != artifact.sha256:
        message = f"its sha256 is {digest.hexdigest()}, the manifest says {artifact.sha256}"
        return [_issue("error", "hash_mismatch", "", message)]
    return []


def _check_references(source: ByteSource, component: ComponentRecord) -> list[Issue]:
    """Check that artifact and manifest name the same files beside the artifact (C9.4)."""
    try:
        with closing(open_npz(source)) as reader:
            named = {reference.path for reference in read_references(reader).values()}
    except InvalidContentError:
        return []  # has been reported as what it is
    listed = {
        artifact.path.rpartition("/")[2]
        for artifact in component.artifacts
        if artifact.kind == "npy"
    }
    return [
        *(
            _issue("error", "sub_artifact_unlisted", name, "the manifest does not list it")
            for name in sorted(named - listed)
        ),
        *(
            _issue("error", "sub_artifact_unnamed", name, "listed, but the artifact names it not")
            for name in sorted(listed - named)
        ),
    ]


def _check_folder(backend: Backend, folder: str) -> list[Issue]:
    """Judge what lies above the runs: JSON, links, folders that some disks cannot keep apart."""
    listing = backend.list_folder(folder)
    issues = [
        _judge_stray(name, f"{folder}/{name}" if folder else name)
        for name in listing.files
        if _is_forbidden(name)
    ]
    issues += _find_strange(listing, folder)
    former: dict[str, str] = {}
    for name in listing.folders:
        other = former.setdefault(fold_id(name), name)
        if other != name:
            message = f"one folder with {other} on a disk that ignores case"
            place = f"{folder}/{name}" if folder else name
            issues.append(_issue("warning", "ids_collide", "", message, place))
    return issues


def _find_strange(listing: Listing, folder: str) -> list[Issue]:
    message = "a link or special file; never followed"
    return [
        _issue("error", "not_regular", "", message, f"{folder}/{name}" if folder else name)
        for name in listing.strange
    ]


def _judge_lost(backend: Backend, path: str) -> list[Issue]:
    """Judge a run without a manifest: lost, or ended before there was anything to list."""
    files = _list_below(backend, path)
    is_lost = any(file.endswith(".npz") for file in files)
    level: Level = "error" if is_lost else "warning"
    message = "the run has no manifest"
    if not is_lost:
        message += " and no artifact: it ended as it began, and gc removes it"
    return [_issue(level, "manifest_missing", "", message, path), *_find_json(files)]


def _list_below(backend: Backend, folder: str) -> list[str]:
    files: list[str] = []
    pending = [folder]
    while pending:
        place = pending.pop()
        listing = backend.list_folder(place)
        pending += [f"{place}/{name}" for name in reversed(listing.folders)]
        files += [f"{place}/{name}" for name in listing.files]
    return files


def _find_json(files: list[str]) -> list[Issue]:
    """Find JSON where no manifest says what else may lie there (C1.2, C2.3)."""
    names = ((file.rpartition("/")[2], file) for file in files)
    return [_judge_stray(name, file) for name, file in names if _is_forbidden(name)]


def _is_forbidden(name: str) -> bool:
    return name.lower().endswith(_JSON) and not name.startswith(TEMPORARY_PREFIX)


def _judge_stray(name: str, place: str) -> Issue:
    if name.startswith(TEMPORARY_PREFIX):
        message = "left behind by an interrupted write"
        return _issue("warning", "leftover_temporary", "", message, place)
    if _is_forbidden(name):
        message = "no JSON but manifest.json may lie in a store"
        return _issue("error", "forbidden_json", "", message, place)
    return _issue("warning", "unlisted_file", "", "no manifest lists it", place)


def _issue(level: Level, code: str, key: str, message: str, where: str = "") -> Issue:
    return Issue(level, code, key, message, where)


def merge_verdicts(verdicts: list[Verdict]) -> Verdict:
    """Return one verdict over several targets."""
    issues = tuple(issue for verdict in verdicts for issue in verdict.report)
    return Verdict(
        Report(issues),
        sum(verdict.runs for verdict in verdicts),
        sum(verdict.artifacts for verdict in verdicts),
    )
