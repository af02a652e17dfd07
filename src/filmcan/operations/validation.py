"""Judge an artifact, a component's folder, a run or a store. The verb behind `filmcan validate`.

Every finding says where it lies. Nothing is changed, whatever is found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.issues import Issue, Level, Report
from filmcan.contract.manifest import MANIFEST_NAME, ArtifactRecord, ComponentRecord, Manifest
from filmcan.contract.meta import Identity
from filmcan.errors import FilmcanError, InvalidContentError, NotFoundError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.npz.validate import validate_npz, validate_source
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.local import LocalBackend
from filmcan.store.store import Store, check_place, open_store
from filmcan.store.transaction import read_manifest

if TYPE_CHECKING:
    from filmcan.npz.source import ByteSource
    from filmcan.store.base import Backend

_READ_BYTES = 1024 * 1024
_RUN_SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was judged, and every finding, each with its place."""

    report: Report
    runs: int
    artifacts: int


def validate_target(path: str) -> Verdict:
    """Judge whatever lies at a path.

    Raises:
        NotFoundError: Nothing is there.
        StoreUnavailableError: The disk refused.
    """
    target = Path(path)
    if target.is_file():
        return _validate_file(target)
    if not target.is_dir():
        raise NotFoundError("there is nothing to validate", where=path)
    folder = target.resolve()
    if (folder / MANIFEST_NAME).is_file():
        return _validate_run_folder(folder)
    if (folder.parent / MANIFEST_NAME).is_file():
        return _validate_component_folder(folder)
    return validate_store(open_store(folder))


def validate_store(store: Store) -> Verdict:
    """Judge every run of a store, and what lies between the runs.

    Raises:
        StoreUnavailableError: The store refused.
    """
    issues: list[Issue] = []
    runs = artifacts = 0
    for path, is_run in _walk(store.backend, "", 0):
        if is_run:
            found, count = _validate_run(store.backend, path, expected_place=path)
            issues += found
            runs += 1
            artifacts += count
        else:
            issues += _find_forbidden_json(store.backend, path)
    return Verdict(Report(tuple(issues)), runs, artifacts)


def _validate_file(file: Path) -> Verdict:
    report = validate_npz(file, identity=_find_identity(file.resolve()))
    issues = tuple(replace(issue, where=str(file)) for issue in report)
    return Verdict(Report(issues), 0, 1)


def _find_identity(file: Path) -> Identity | None:
    """Return the ids of a file's place when it lies in a run of a store, else None."""
    run = file.parent.parent
    if not (run / MANIFEST_NAME).is_file():
        return None
    try:
        manifest = read_manifest(LocalBackend(run.parent), run.name)
    except FilmcanError:
        return None
    record = manifest.run
    return Identity(record.platform_id, record.video_id, record.run_id, file.parent.name)


def _validate_run_folder(folder: Path) -> Verdict:
    backend = LocalBackend(folder.parents[_RUN_SEGMENTS - 1])
    path = "/".join(folder.parts[-_RUN_SEGMENTS:])
    issues, artifacts = _validate_run(backend, path, expected_place=path)
    return Verdict(Report(tuple(issues)), 1, artifacts)


def _validate_component_folder(folder: Path) -> Verdict:
    run = folder.parent
    backend = LocalBackend(run.parents[_RUN_SEGMENTS - 1])
    path = "/".join(run.parts[-_RUN_SEGMENTS:])
    issues, artifacts = _validate_run(
        backend, path, expected_place=path, only_component=folder.name
    )
    return Verdict(Report(tuple(issues)), 0, artifacts)


def _walk(backend: Backend, folder: str, depth: int) -> Iterator[tuple[str, bool]]:
    """Yield every folder above the runs, and each run: a folder at the depth of C2."""
    listing = backend.list_folder(folder)
    if depth == _RUN_SEGMENTS:
        yield folder, True
        return
    yield folder, False
    for name in listing.folders:
        if not (depth == 0 and name == HOUSEKEEPING) and not name.startswith(TEMPORARY_PREFIX):
            yield from _walk(backend, f"{folder}/{name}" if folder else name, depth + 1)


def _validate_run(
    backend: Backend, path: str, *, expected_place: str, only_component: str | None = None
) -> tuple[list[Issue], int]:
    try:
        manifest = read_manifest(backend, path)
        check_place(manifest, expected_place)
    except NotFoundError:
        return [_issue("error", "manifest_missing", "", "the run has no manifest", path)], 0
    except InvalidContentError as error:
        return [_issue("error", error.code, MANIFEST_NAME, error.message, path)], 0
    issues = [] if only_component else _check_completeness(manifest, path)
    artifacts = 0
    for component in manifest.components:
        if only_component in (None, component.name):
            found, count = _validate_component(backend, path, manifest, component)
            issues += found
            artifacts += count
    issues += _find_strays(backend, path, manifest, only_component)
    return issues, artifacts


def _check_completeness(manifest: Manifest, path: str) -> list[Issue]:
    if manifest.is_finished:
        pending = manifest.pending_components
        if not pending:
            return []
        message = f"finished, but {', '.join(pending)} has no record"
        return [_issue("error", "component_missing", MANIFEST_NAME, message, path)]
    pending = manifest.pending_components
    rest = f"; {', '.join(pending)} not done" if pending else ""
    return [
        _issue("warning", "run_unfinished", MANIFEST_NAME, f"the run is unfinished{rest}", path)
    ]


def _validate_component(
    backend: Backend, path: str, manifest: Manifest, component: ComponentRecord
) -> tuple[list[Issue], int]:
    run = manifest.run
    identity = Identity(run.platform_id, run.video_id, run.run_id, component.name)
    issues: list[Issue] = []
    for artifact in component.artifacts:
        place = f"{path}/{artifact.path}"
        try:
            source = backend.open(place)
        except NotFoundError:
            message = "the manifest lists it, but it is not there"
            issues.append(_issue("error", "artifact_missing", "", message, place))
            continue
        except InvalidContentError as error:
            issues.append(_issue("error", error.code, "", error.message, place))
            continue
        issues += _check_bytes(source, artifact, place)
        if artifact.kind == "npz":
            folder = place.rpartition("/")[0]
            report, meta = validate_source(
                source,
                identity=identity,
                open_beside=lambda name, folder=folder: backend.open(f"{folder}/{name}"),
            )
            issues += [replace(issue, where=place) for issue in report]
            issues += _check_agreement(meta, manifest, component, place)
    return issues, len(component.artifacts)


def _check_bytes(source: ByteSource, artifact: ArtifactRecord, place: str) -> list[Issue]:
    if source.size != artifact.size_bytes:
        message = f"it has {source.size} bytes, the manifest says {artifact.size_bytes}"
        return [_issue("error", "size_mismatch", "", message, place)]
    digest = hashlib.sha256()
    for offset in range(0, source.size, _READ_BYTES):
        digest.update(source.read_at(offset, min(_READ_BYTES, source.size - offset)))
    if digest.hexdigest() != artifact.sha256:
        message = f"its sha256 is {digest.hexdigest()}, the manifest says {artifact.sha256}"
        return [_issue("error", "hash_mismatch", "", message, place)]
    return []


def _check_agreement(
    meta: dict[str, object] | None, manifest: Manifest, component: ComponentRecord, place: str
) -> list[Issue]:
    """Check that the artifact's meta says what the manifest says (C8.5)."""
    if meta is None:
        return []
    expected = {
        "status": component.status,
        "empty_reason": component.empty_reason,
        "producer_version": component.producer_version,
        "schema_version": component.schema_version,
        "model_signature": component.model_signature,
        "config_hash": manifest.run.config_hash,
    }
    return [
        _issue(
            "error",
            "manifest_disagrees",
            f"meta.{key}",
            f"meta says {meta[key]!r}, the manifest {wanted!r}",
            place,
        )
        for key, wanted in expected.items()
        if key in meta and meta[key] != wanted
    ]


def _find_strays(
    backend: Backend, path: str, manifest: Manifest, only_component: str | None
) -> list[Issue]:
    listed = {
        f"{path}/{artifact.path}"
        for component in manifest.components
        for artifact in component.artifacts
    }
    issues: list[Issue] = []
    pending = [path] if only_component is None else [f"{path}/{only_component}"]
    while pending:
        folder = pending.pop()
        listing = backend.list_folder(folder)
        pending += [f"{folder}/{name}" for name in reversed(listing.folders)]
        for name in listing.files:
            place = f"{folder}/{name}"
            if place in listed or place == f"{path}/{MANIFEST_NAME}":
                continue
            issues.append(_judge_stray(name, place))
        issues += [
            _issue(
                "error",
                "not_regular",
                "",
                "a link or special file; never followed",
                f"{folder}/{name}",
            )
            for name in listing.strange
        ]
    return issues


def _judge_stray(name: str, place: str) -> Issue:
    if name.startswith(TEMPORARY_PREFIX):
        message = "left behind by an interrupted write"
        return _issue("warning", "leftover_temporary", "", message, place)
    if name.lower().endswith(".json"):
        message = "no JSON but manifest.json may lie in a store"
        return _issue("error", "forbidden_json", "", message, place)
    return _issue("warning", "unlisted_file", "", "no manifest lists it", place)


def _find_forbidden_json(backend: Backend, folder: str) -> list[Issue]:
    """Find JSON above the runs; other files there are nobody's business."""
    return [
        _judge_stray(name, f"{folder}/{name}" if folder else name)
        for name in backend.list_folder(folder).files
        if name.lower().endswith(".json") and not name.startswith(TEMPORARY_PREFIX)
    ]


def _issue(level: Level, code: str, key: str, message: str, where: str) -> Issue:
    return Issue(level, code, key, message, where)


def merge_verdicts(verdicts: list[Verdict]) -> Verdict:
    """Return one verdict over several targets."""
    issues = tuple(issue for verdict in verdicts for issue in verdict.report)
    return Verdict(
        Report(issues),
        sum(verdict.runs for verdict in verdicts),
        sum(verdict.artifacts for verdict in verdicts),
    )
