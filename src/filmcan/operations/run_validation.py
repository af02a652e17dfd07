"""Judge one run: its manifest, what that lists, and what lies there besides.

Called by `operations.validation` for every run of a target. A file that cannot be read is a
finding like any other, and the rest is judged; a run's folder that cannot be listed is for the
caller, who knows whether the whole store is gone.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filmcan.contract.canonical import parse_json
from filmcan.contract.issues import Issue, Level
from filmcan.contract.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    ArtifactRecord,
    ComponentRecord,
    Manifest,
    parse_manifest,
)
from filmcan.contract.meta import Identity
from filmcan.contract.run_rules import (
    find_absent_fields,
    find_name_issue,
    validate_agreement,
    validate_manifest,
)
from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.npz.reader import open_npz
from filmcan.npz.source import MemorySource, bring_near, choose_step
from filmcan.npz.sub_artifacts import read_references
from filmcan.npz.validate import validate_source
from filmcan.store.manifests import check_place
from filmcan.store.tombstones import Tombstone

if TYPE_CHECKING:
    from filmcan.npz.source import ByteSource
    from filmcan.npz.sub_artifacts import OpenBeside
    from filmcan.npz.validate import FindSchema
    from filmcan.store.base import Backend, Listing

_READ_BYTES = 1024 * 1024
_JSON = ".json"


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a run is judged: everything, one component, or one file of it."""

    component: str | None = None
    file: str | None = None

    @property
    def is_whole(self) -> bool:
        """True when everything is."""
        return self.component is None


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """Every finding about a run.

    Attributes:
        issues: As found, top to bottom, each with its place.
        artifacts: How many listed artifacts were judged.
        is_dead: True when the run began before a deletion that concerns it: it is none any more.
    """

    issues: tuple[Issue, ...]
    artifacts: int = 0
    is_dead: bool = False


class RunJudge:
    """One run being judged."""

    def __init__(
        self,
        backend: Backend,
        path: str,
        find_schema: FindSchema,
        tombstone: Tombstone = Tombstone(),  # noqa: B008 - frozen
    ) -> None:
        """Take a run by its path; the tombstone is that of its video."""
        self._backend = backend
        self._path = path
        self._find_schema = find_schema
        self._tombstone = tombstone

    def judge(self, scope: Scope) -> RunVerdict:
        """Return what is to be said of a run.

        Raises:
            StoreUnavailableError: The run's folder cannot even be listed.
        """
        path, place = self._path, f"{self._path}/{MANIFEST_NAME}"
        try:
            data = self._backend.read(place, limit=MAX_MANIFEST_BYTES)
            manifest = parse_manifest(data, where=place)
            check_place(manifest, path)
            absent = find_absent_fields(parse_json(data)) if scope.is_whole else []
        except NotFoundError:
            return RunVerdict(tuple(self._judge_lost()))
        except InvalidContentError as error:
            issue = make_issue("error", error.code, MANIFEST_NAME, error.message, path)
            files = [name for name in list_below(self._backend, path) if name != place]
            return RunVerdict((issue, *find_json(files)))
        except StoreUnavailableError as error:
            return RunVerdict((self._tell_unreadable(place, error),))
        if self._tombstone.is_dead(manifest.run):
            return RunVerdict((tell_deletion(path),), is_dead=True)
        issues: list[Issue] = []
        if scope.is_whole:
            found = [*validate_manifest(manifest), *absent]
            issues += [replace(issue, where=place) for issue in found]
        judged = 0
        for component in manifest.components:
            if scope.component in (None, component.name):
                for artifact in component.artifacts:
                    if scope.file is None or artifact.path == f"{component.name}/{scope.file}":
                        issues += self._judge_listed(manifest, component, artifact)
                        judged += 1
        issues += self._find_strays(manifest, scope)
        return RunVerdict(tuple(issues), judged)

    def _judge_listed(
        self, manifest: Manifest, component: ComponentRecord, artifact: ArtifactRecord
    ) -> list[Issue]:
        place = f"{self._path}/{artifact.path}"
        try:
            return self._judge_artifact(manifest, component, artifact, place)
        except NotFoundError:
            message = "the manifest lists it, but it is not there"
            return [make_issue("error", "artifact_missing", "", message, place)]
        except InvalidContentError as error:
            return [make_issue("error", error.code, "", error.message, place)]
        except StoreUnavailableError as error:
            return [self._tell_unreadable(place, error)]

    def _judge_artifact(
        self, manifest: Manifest, component: ComponentRecord, artifact: ArtifactRecord, place: str
    ) -> list[Issue]:
        run = manifest.run
        source = bring_near(self._backend.open(place))
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

    def _judge_lost(self) -> list[Issue]:
        """Judge a run without a manifest: lost, deleted, or ended with nothing to list."""
        files = list_below(self._backend, self._path)
        is_deleted = bool(self._tombstone.list_tokens(self._path.rpartition("/")[2]))
        level: Level = "warning"
        if is_deleted:
            message = "left by a deletion, or the manifest was lost after one; gc removes it"
        elif any(file.endswith(".npz") for file in files):
            level, message = "error", "the run has no manifest"
        else:
            message = (
                "the run has no manifest and no artifact: it ended as it began, and gc removes it"
            )
        return [make_issue(level, "manifest_missing", "", message, self._path), *find_json(files)]

    def _find_strays(self, manifest: Manifest, scope: Scope) -> list[Issue]:
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
            try:
                listing = self._backend.list_folder(folder)
            except StoreUnavailableError as error:
                issues.append(self._tell_unreadable(folder, error))
                continue
            if scope.file is None:
                pending += [f"{folder}/{name}" for name in reversed(listing.folders)]
            issues += [
                judge_stray(name, f"{folder}/{name}")
                for name in listing.files
                if f"{folder}/{name}" not in listed and scope.file in (None, name)
            ]
            issues += find_strange(listing, folder) if scope.file is None else []
        return issues

    def _tell_unreadable(self, place: str, error: StoreUnavailableError) -> Issue:
        """Say that a file refused; where the whole run does, the error passes."""
        self._backend.list_folder(self._path)
        return tell_unreadable(place, error)


def _open_beside(backend: Backend, place: str) -> OpenBeside:
    """Return what opens a file in the folder of an artifact."""
    folder = place.rpartition("/")[0]
    return lambda name: backend.open(f"{folder}/{name}")


def _check_bytes(source: ByteSource, artifact: ArtifactRecord) -> list[Issue]:
    if source.size != artifact.size_bytes:
        message = f"it has {source.size} bytes, the manifest says {artifact.size_bytes}"
        return [make_issue("error", "size_mismatch", "", message)]
    digest = hashlib.sha256()
    step = choose_step(source, _READ_BYTES)
    for offset in range(0, source.size, step):
        digest.update(source.read_at(offset, min(step, source.size - offset)))
    if digest.hexdigest() != artifact.sha256:
        message = f"its sha256 is {digest.hexdigest()}, the manifest says {artifact.sha256}"
        return [make_issue("error", "hash_mismatch", "", message)]
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
            make_issue("error", "sub_artifact_unlisted", name, "the manifest does not list it")
            for name in sorted(named - listed)
        ),
        *(
            make_issue(
                "error", "sub_artifact_unnamed", name, "listed, but the artifact names it not"
            )
            for name in sorted(listed - named)
        ),
    ]


def find_strange(listing: Listing, folder: str) -> list[Issue]:
    """Find links and special files in a folder."""
    message = "a link or special file; never followed"
    return [
        make_issue("error", "not_regular", "", message, f"{folder}/{name}" if folder else name)
        for name in listing.strange
    ]


def list_below(backend: Backend, folder: str) -> list[str]:
    """Return the paths of all files below a folder."""
    files: list[str] = []
    pending = [folder]
    while pending:
        place = pending.pop()
        listing = backend.list_folder(place)
        pending += [f"{place}/{name}" for name in reversed(listing.folders)]
        files += [f"{place}/{name}" for name in listing.files]
    return files


def find_json(files: list[str]) -> list[Issue]:
    """Find JSON where no manifest says what else may lie there (C1.2, C2.3)."""
    names = ((file.rpartition("/")[2], file) for file in files)
    return [judge_stray(name, file) for name, file in names if _is_forbidden(name)]


def judge_stray(name: str, place: str) -> Issue:
    """Judge a file that no manifest lists (C1.2, C4.5)."""
    if name.startswith(TEMPORARY_PREFIX):
        message = "left behind by an interrupted write"
        return make_issue("warning", "leftover_temporary", "", message, place)
    if _is_forbidden(name):
        message = "no JSON but manifest.json may lie in a store"
        return make_issue("error", "forbidden_json", "", message, place)
    return make_issue("warning", "unlisted_file", "", "no manifest lists it", place)


def tell_deletion(place: str) -> Issue:
    """Say that of a video or a run a deletion left something."""
    message = "a deletion was interrupted; gc finishes it"
    return make_issue("warning", "deletion_unfinished", "", message, place)


def tell_unreadable(place: str, error: StoreUnavailableError) -> Issue:
    """Say that a file or folder cannot be read, so that nobody knows what it holds."""
    return make_issue("error", "unreadable", "", f"cannot be read: {error.message}", place)


def make_issue(level: Level, code: str, key: str, message: str, where: str = "") -> Issue:
    """Return a finding; the place may be added later."""
    return Issue(level, code, key, message, where)


def _is_forbidden(name: str) -> bool:
    return name.lower().endswith(_JSON) and not name.startswith(TEMPORARY_PREFIX)
