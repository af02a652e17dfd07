"""Judge one run for fsck: its manifest, each file that it lists, and what lies there besides."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from filmcan.contract.manifest import MANIFEST_NAME, ArtifactFacts, ComponentFacts, ManifestFacts
from filmcan.errors import (
    InvalidArtifactError,
    InvalidContentError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.npz.npy import NpyReader
from filmcan.npz.reader import NpzReader
from filmcan.npz.source import FileSource, bring_near
from filmcan.npz.verified import hash_source
from filmcan.store.findings import (
    Inspection,
    Remedy,
    judge_loose,
    judge_strange,
    list_readable,
    report_deletion,
    report_unreadable,
)
from filmcan.store.manifests import check_place, read_facts
from filmcan.store.tombstones import Tombstone, find_tombstone

if TYPE_CHECKING:
    from filmcan.npz.source import ByteSource
    from filmcan.store.base import Backend

_LOOKS = 5


def inspect_run(backend: Backend, run: tuple[str, Tombstone], *, with_data: bool) -> Inspection:
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
            report_unreadable(self._backend, self._found, manifest_path, error)
        except InvalidContentError as error:
            remedy: Remedy | None = None if error.code == "place" else "rebuild"
            add("error", error.code, manifest_path, error.message, remedy=remedy)
            strange = [place for place in strange if place != manifest_path]
        else:
            self.state = (manifest.run.revision, manifest.run.write_id)
            if self._tombstone.is_dead(manifest.run):
                report_deletion(self._found, path)
            else:
                self._judge_listed(manifest)
        for place in strange:
            folder, _, name = place.rpartition("/")
            judge_strange(self._found, folder, (name,))
        return self._found

    def _list_files(self) -> list[str]:
        """Take note of every file below the run, and return links and special files."""
        strange = []
        pending = [self._path]
        while pending:
            folder = pending.pop()
            before = len(self._found.findings)
            listing = list_readable(self._backend, folder, self._found)
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
                judge_loose(self._found, folder, name)

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
            report_unreadable(self._backend, self._found, place, error)
            return
        try:
            faults = _find_faults(source, artifact, with_data=self._with_data)
        except StoreUnavailableError as error:
            report_unreadable(self._backend, self._found, place, error)
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
