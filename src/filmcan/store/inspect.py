"""Judge a store: is all there that it lists, as it lists it, and what lies there besides?

Changes nothing. `store.repair` acts on what is found here; content against schemas is for
`filmcan validate`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from filmcan.contract.ids import find_id_fault
from filmcan.contract.issues import Issue, Level
from filmcan.contract.manifest import MANIFEST_NAME, ArtifactFacts, ComponentFacts, ManifestFacts
from filmcan.errors import (
    InvalidArtifactError,
    InvalidContentError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.files import TEMPORARY_PREFIX
from filmcan.npz.npy import NpyReader
from filmcan.npz.reader import NpzReader
from filmcan.npz.source import FileSource, bring_near
from filmcan.npz.verified import hash_source
from filmcan.store.base import FORMAT_MARKER, FORMAT_TEXT, HOUSEKEEPING, Listing
from filmcan.store.manifests import check_place, read_facts
from filmcan.store.quarantine import QUARANTINE
from filmcan.store.side_by_side import read_in_chunks
from filmcan.store.tombstones import Tombstone, find_tombstone

if TYPE_CHECKING:
    from filmcan.npz.source import ByteSource
    from filmcan.store.base import Backend

Remedy = Literal["rebuild", "unlist", "quarantine"]
"""`rebuild` the manifest from its artifacts, `unlist` an artifact that is not what the manifest
says, `quarantine` what must not lie in a store."""

_CHUNK, _CHUNK_WITH_DATA = 64, 4

_RUN_DEPTH = 3
_LOOKS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and what `--repair` would do about it.

    Attributes:
        issue: What and where; `where` is a path below the store's root.
        remedy: None when nothing can be proved, or when it is left to gc.
        component: Whose artifact it is, for `unlist`.
    """

    issue: Issue
    remedy: Remedy | None = None
    component: str = ""


@dataclass(slots=True)
class Inspection:
    """What was looked at and found."""

    findings: list[Finding] = field(default_factory=list)
    runs: int = 0
    artifacts: int = 0
    read_bytes: int = 0
    quarantined: int = 0

    def merge(self, other: Inspection) -> None:
        """Take over what another one looked at and found."""
        self.findings += other.findings
        self.runs += other.runs
        self.artifacts += other.artifacts
        self.read_bytes += other.read_bytes
        self.quarantined += other.quarantined

    def add(
        self,
        level: Level,
        code: str,
        where: str,
        message: str,
        *,
        remedy: Remedy | None = None,
        component: str = "",
    ) -> None:
        """Add a finding."""
        self.findings.append(Finding(Issue(level, code, "", message, where), remedy, component))


def inspect_store(
    backend: Backend,
    *,
    with_data: bool,
    workers: int = 1,
    on_progress: Callable[[float, str], None] = lambda _fraction, _note: None,
) -> Inspection:
    """Look at everything below the root.

    Args:
        backend: The store.
        with_data: Rehash every byte of every listed file; without it only existence, size and meta
            are judged.
        workers: Processes to look with; see `read_in_chunks`.
        on_progress: Told the share of runs done and the present one.

    Raises:
        StoreUnavailableError: The store refused.
    """
    inspection = Inspection()
    _inspect_housekeeping(backend, inspection)
    runs = list(_walk(backend, "", 0, inspection))
    chunks = read_in_chunks(
        backend,
        partial(_inspect_run, with_data=with_data),
        runs,
        chunk_size=_CHUNK_WITH_DATA if with_data else _CHUNK,
        workers=workers,
    )
    for number, found in enumerate(itertools.chain.from_iterable(chunks)):
        on_progress(number / len(runs), runs[number][0])
        inspection.merge(found)
    return inspection


def _inspect_run(backend: Backend, run: tuple[str, Tombstone], *, with_data: bool) -> Inspection:
    """Judge a run; look again at one that is wrong until it holds still: it may be written to."""
    path, tombstone = run
    state: object = None
    for _ in range(_LOOKS):
        inspector = _RunInspector(backend, path, tombstone, with_data=with_data)
        found = inspector.inspect()
        is_sound = all(finding.issue.level != "error" for finding in found.findings)
        if is_sound or inspector.state == state:
            break
        state = inspector.state
    return found


def find_disagreements(
    meta: dict[str, object], manifest: ManifestFacts, component: ComponentFacts
) -> Iterator[str]:
    """Yield where an artifact's meta says something else than its manifest and place (C8.5)."""
    run = manifest.run
    expected = {
        "platform_id": run.platform_id,
        "video_id": run.video_id,
        "run_id": run.run_id,
        "producer": component.name,
        "status": component.status,
        "empty_reason": component.empty_reason,
        "producer_version": component.producer_version,
        "schema_version": component.schema_version,
        "model_signature": component.model_signature,
        "config_hash": run.config_hash,
    }
    for key, wanted in expected.items():
        if key in meta and meta[key] != wanted:
            yield f"{key}: meta says {meta[key]!r:.120}, the manifest {wanted!r:.120}"


def _inspect_housekeeping(backend: Backend, inspection: Inspection) -> None:
    try:
        marker = backend.find_versioned(FORMAT_MARKER, limit=4096)
        if marker is None:
            message = "the root has no format marker: gc, delete and repair refuse it"
            inspection.add("error", "no_marker", FORMAT_MARKER, message)
        elif marker.data != FORMAT_TEXT:
            inspection.add("error", "unknown_format", FORMAT_MARKER, "another format of store")
    except InvalidContentError as error:
        inspection.add("error", error.code, FORMAT_MARKER, error.message)
    pending = [HOUSEKEEPING]
    while pending:
        folder = pending.pop()
        listing = _list_readable(backend, folder, inspection)
        pending += [f"{folder}/{name}" for name in reversed(listing.folders)]
        for name in listing.files:
            if folder.startswith(QUARANTINE):
                inspection.quarantined += name.endswith(".kept")
            else:
                _judge_loose(inspection, folder, name, tolerated=True)
        _judge_strange(inspection, folder, () if folder.startswith(QUARANTINE) else listing.strange)


def _walk(
    backend: Backend, folder: str, depth: int, inspection: Inspection
) -> Iterator[tuple[str, Tombstone]]:
    """Yield every run's folder with the tombstone of its video; judge what lies above runs."""
    listing = _list_readable(backend, folder, inspection) if folder else backend.list_folder("")
    for name in listing.files:
        _judge_loose(inspection, folder, name, tolerated=True)
    _judge_strange(inspection, folder, listing.strange)
    tombstone = Tombstone()
    if depth == _RUN_DEPTH - 1:
        try:
            tombstone = find_tombstone(backend, folder)
        except InvalidContentError as error:
            inspection.add("error", error.code, error.where or folder, error.message)
        except StoreUnavailableError as error:
            _report_unreadable(backend, inspection, error.where or folder, error)
        if tombstone.has_pending:
            _report_deletion(inspection, folder)
    for name in listing.folders:
        path = f"{folder}/{name}" if folder else name
        if path == HOUSEKEEPING:
            continue
        kind = ("platform_id", "video_id", "run_id")[depth]
        fault = find_id_fault(kind, name)  # type: ignore[arg-type]
        if fault is not None:
            inspection.add("warning", "strange_folder", path, f"no {kind}: {fault}")
        elif depth == _RUN_DEPTH - 1:
            yield path, tombstone
        else:
            yield from _walk(backend, path, depth + 1, inspection)


def _list_readable(backend: Backend, folder: str, inspection: Inspection) -> Listing:
    """Return what is in a folder; nothing where it cannot be looked into, which is a finding."""
    try:
        return backend.list_folder(folder)
    except InvalidContentError as error:
        inspection.add("error", error.code, folder, error.message)
    except StoreUnavailableError as error:
        _report_unreadable(backend, inspection, folder, error)
    return Listing((), {})


def _report_unreadable(
    backend: Backend, inspection: Inspection, where: str, error: StoreUnavailableError
) -> None:
    """Report what a disk refuses: it may give all else. A server that refuses ends the look."""
    if backend.find_local_path(where) is None:
        raise error
    inspection.add("error", "unreadable", where, error.message)


def _report_deletion(inspection: Inspection, where: str) -> None:
    message = "a deletion was interrupted; gc finishes it"
    inspection.add("warning", "deletion_unfinished", where, message)


def _judge_loose(
    inspection: Inspection, folder: str, name: str, *, tolerated: bool = False
) -> None:
    """Judge a file that no manifest lists; `tolerated` where files may lie (above the runs)."""
    path = f"{folder}/{name}" if folder else name
    if name.startswith(TEMPORARY_PREFIX):
        message = "left by an interrupted write, or being written; gc removes it"
        inspection.add("warning", "leftover_temporary", path, message)
    elif name.lower().endswith(".json"):
        message = "no JSON but manifest.json may lie in a store"
        inspection.add("error", "forbidden_json", path, message, remedy="quarantine")
    elif not tolerated:
        message = "no manifest lists it; gc removes it"
        inspection.add("warning", "unlisted_file", path, message)


def _judge_strange(inspection: Inspection, folder: str, names: tuple[str, ...]) -> None:
    for name in names:
        path = f"{folder}/{name}" if folder else name
        message = "a link or special file; it is never followed"
        inspection.add("error", "not_regular", path, message, remedy="quarantine")


class _RunInspector:
    """Judges one run."""

    def __init__(
        self,
        backend: Backend,
        path: str,
        tombstone: Tombstone,
        *,
        with_data: bool,
    ) -> None:
        self._backend = backend
        self._path = path
        self._tombstone = tombstone
        self._found = Inspection()
        self._with_data = with_data
        self._sizes: dict[str, int] = {}
        self._unreadable: list[str] = []
        self.state: object = self._sizes

    def inspect(self) -> Inspection:
        path, add = self._path, self._found.add
        manifest_path = f"{path}/{MANIFEST_NAME}"
        strange = self._list_files()
        self._found.runs += 1
        try:
            manifest = read_facts(self._backend, path)
            check_place(manifest, path)
        except NotFoundError:
            self._judge_lost()
        except StoreUnavailableError as error:
            _report_unreadable(self._backend, self._found, manifest_path, error)
        except InvalidContentError as error:
            remedy: Remedy | None = None if error.code == "place" else "rebuild"
            add("error", error.code, manifest_path, error.message, remedy=remedy)
            strange = [place for place in strange if place != manifest_path]
        else:
            self.state = (manifest.run.revision, manifest.run.write_id)
            if self._tombstone.is_dead(manifest.run):
                _report_deletion(self._found, path)
            else:
                self._judge_listed(manifest)
        for place in strange:
            folder, _, name = place.rpartition("/")
            _judge_strange(self._found, folder, (name,))
        return self._found

    def _list_files(self) -> list[str]:
        """Take note of every file below the run, and return links and special files."""
        strange = []
        pending = [self._path]
        while pending:
            folder = pending.pop()
            before = len(self._found.findings)
            listing = _list_readable(self._backend, folder, self._found)
            if len(self._found.findings) > before:
                self._unreadable.append(folder)
            self._sizes |= {f"{folder}/{name}": size for name, size in listing.files.items()}
            strange += [f"{folder}/{name}" for name in listing.strange]
            pending += [f"{folder}/{name}" for name in reversed(listing.folders)]
        return strange

    def _judge_lost(self) -> None:
        """Judge a folder without a manifest: lost, or deleted, or garbage.

        It may be on its way out just now, so the deletions are read anew.
        """
        video, _, run_id = self._path.rpartition("/")
        if run_id not in self._backend.list_folder(video).folders:
            self._found.runs -= 1
            return
        with contextlib.suppress(InvalidContentError):  # it was reported with its video
            self._tombstone = find_tombstone(self._backend, video)
        if self._tombstone.list_tokens(run_id):
            message = "left by a deletion, or the manifest was lost after one; gc removes it"
            self._found.add("warning", "manifest_missing", self._path, message)
        elif any(name.endswith(".npz") for name in self._sizes):
            message = "artifacts, but no manifest"
            self._found.add("error", "manifest_missing", self._path, message, remedy="rebuild")
        else:
            message = "neither a manifest nor an artifact; gc removes it"
            self._found.add("warning", "manifest_missing", self._path, message)

    def _judge_listed(self, manifest: ManifestFacts) -> None:
        listed = {f"{self._path}/{MANIFEST_NAME}"}
        for component in manifest.components:
            for artifact in component.artifacts:
                listed.add(f"{self._path}/{artifact.path}")
                self._judge_artifact(manifest, component, artifact)
        for place in self._sizes:
            if place not in listed:
                folder, _, name = place.rpartition("/")
                _judge_loose(self._found, folder, name)

    def _judge_artifact(
        self, manifest: ManifestFacts, component: ComponentFacts, artifact: ArtifactFacts
    ) -> None:
        place = f"{self._path}/{artifact.path}"
        self._found.artifacts += 1
        size = self._sizes.get(place)
        if size is None and any(place.startswith(f"{folder}/") for folder in self._unreadable):
            return
        if size != artifact.size_bytes:
            self._judge_size(place, component.name, artifact, size)
            return
        if artifact.kind == "npy" and not self._with_data:
            return
        try:
            source = self._backend.open(place)
        except (NotFoundError, InvalidContentError) as error:  # changed since it was listed
            self._found.add("error", error.code, place, error.message)
            return
        except StoreUnavailableError as error:
            _report_unreadable(self._backend, self._found, place, error)
            return
        try:
            faults = _find_faults(source, artifact, with_data=self._with_data)
        except StoreUnavailableError as error:
            _report_unreadable(self._backend, self._found, place, error)
            return
        if isinstance(faults, dict):
            for message in find_disagreements(faults, manifest, component):
                self._found.add("error", "manifest_disagrees", place, message)
        else:
            code, message = faults
            add = self._found.add
            add("error", code, place, message, remedy="unlist", component=component.name)
        if self._with_data:
            self._found.read_bytes += artifact.size_bytes

    def _judge_size(
        self, place: str, component: str, artifact: ArtifactFacts, size: int | None
    ) -> None:
        if size is None:
            code, message = "artifact_missing", "the manifest lists it, but it is not there"
        else:
            code = "size_mismatch"
            message = f"it has {size} bytes, the manifest says {artifact.size_bytes}"
        self._found.add("error", code, place, message, remedy="unlist", component=component)


def _find_faults(
    source: ByteSource, artifact: ArtifactFacts, *, with_data: bool
) -> dict[str, object] | tuple[str, str]:
    """Return the meta of a sound artifact ({} for a sub-artifact), else code and message.

    The same bytes as were committed need no second look at their checksums: the hash says more.
    """
    try:
        if with_data:
            source = bring_near(source)
            found = hash_source(source)
            if found != artifact.sha256:
                message = f"its sha256 is {found}, the manifest says {artifact.sha256}"
                return "hash_mismatch", message
        return _read_container(source, artifact)
    except InvalidArtifactError as error:
        return error.code, error.message
    finally:
        if isinstance(source, FileSource):
            source.close()


def _read_container(source: ByteSource, artifact: ArtifactFacts) -> dict[str, object]:
    """Read the end, the directory and the meta of a container; of a sub-artifact the header."""
    if artifact.kind == "npy":
        NpyReader(source)
        return {}
    return NpzReader(source).read_meta()
