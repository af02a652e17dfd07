"""Write a run: create or join it, validate and commit components, finish it.

The order is the promise: artifact bytes, flush, rename, flush of the folder, then the manifest.
What a readable manifest lists is therefore always there. Every manifest update re-reads and
swaps, so that stages, threads and processes never lose each other's work (C3.5).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from filmcan.contract.ids import parse_id
from filmcan.contract.issues import Issue
from filmcan.contract.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    ArtifactRecord,
    ComponentRecord,
    Manifest,
    RunRecord,
    Status,
    parse_manifest,
)
from filmcan.contract.meta import Identity, validate_meta
from filmcan.contract.registry import get_schema
from filmcan.contract.validate import validate_arrays
from filmcan.errors import ConflictError, InvalidArtifactError, NotFoundError
from filmcan.npz.npy import write_npy
from filmcan.npz.sub_artifacts import (
    SUB_ARTIFACTS,
    SubArtifact,
    build_references,
    build_sub_artifact_name,
)
from filmcan.npz.writer import write_npz

if TYPE_CHECKING:
    import numpy as np

    from filmcan.store.base import Backend

SUB_ARTIFACT_BYTES = 64 * 1024 * 1024
"""Arrays of this size or more lie beside their NPZ, as `.npy` (C9.4)."""

_SWAP_TRIES = 100


@dataclass(frozen=True, slots=True)
class Product:
    """What a component produced, ready to be committed.

    Attributes:
        record: The manifest record without artifacts, status and reason: those are taken from
            the validated artifact, never passed beside it (C3.3).
        arrays: Key -> array, without `meta` and `meta_json`.
        meta: The meta to be written.
    """

    record: ComponentRecord
    arrays: Mapping[str, np.ndarray]
    meta: Mapping[str, object]


class RunTransaction:
    """The one writer of a run in this process. Not for use from two threads at once."""

    def __init__(
        self,
        backend: Backend,
        run: RunRecord,
        clock: Callable[[], str],
        sub_artifact_bytes: int = SUB_ARTIFACT_BYTES,
    ) -> None:
        """Use `create` or `join`."""
        self._backend = backend
        self._clock = clock
        self._sub_artifact_bytes = sub_artifact_bytes
        self.run_path = build_run_path(run.platform_id, run.video_id, run.run_id)
        self._ids = run

    @classmethod
    def create(
        cls,
        backend: Backend,
        run: RunRecord,
        clock: Callable[[], str],
        sub_artifact_bytes: int = SUB_ARTIFACT_BYTES,
    ) -> RunTransaction:
        """Create a run with an empty manifest.

        Args:
            backend: The store.
            run: The run's record; `updated_at`, `revision` and `write_id` are set here.
            clock: Gives the present time as the contract writes it.
            sub_artifact_bytes: From this size on an array lies beside its NPZ.

        Raises:
            InvalidIdError: An id is refused.
            ConflictError: The run exists already.
            StoreUnavailableError: The store refused.
        """
        transaction = cls(backend, run, clock, sub_artifact_bytes)
        stamped = transaction._stamp(Manifest(run), revision=1)
        path = transaction._manifest_path
        try:
            backend.swap(path, stamped.to_bytes(), expected=None)
        except ConflictError as error:
            raise ConflictError(
                f"run {run.run_id} exists already",
                where=transaction.run_path,
                hint="Choose another --run-id, or join the run with the same profile.",
            ) from error
        return transaction

    @classmethod
    def create_or_join(
        cls,
        backend: Backend,
        run: RunRecord,
        clock: Callable[[], str],
        sub_artifact_bytes: int = SUB_ARTIFACT_BYTES,
    ) -> RunTransaction:
        """Create a run, or join it when it exists; two processes may try at once.

        Raises:
            As `create` and `join`.
        """
        try:
            return cls.create(backend, run, clock, sub_artifact_bytes)
        except ConflictError:
            return cls.join(backend, run, clock, sub_artifact_bytes)

    @classmethod
    def join(
        cls,
        backend: Backend,
        run: RunRecord,
        clock: Callable[[], str],
        sub_artifact_bytes: int = SUB_ARTIFACT_BYTES,
    ) -> RunTransaction:
        """Join an existing run: its planned components grow by those of `run`.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: The run has another config_hash, or another source.
            InvalidManifestError: Its manifest is damaged; it is left as it is.
            StoreUnavailableError: The store refused.
        """
        transaction = cls(backend, run, clock, sub_artifact_bytes)

        def widen(manifest: Manifest) -> Manifest:
            _check_same_run(manifest.run, run, transaction.run_path)
            planned = _merge_plans(run.planned_components, manifest.run.planned_components)
            widened = replace(
                manifest.run, planned_components=planned, finished_at=None, status=None
            )
            return replace(manifest, run=widened)

        transaction._update(widen)
        return transaction

    def commit(self, product: Product) -> ComponentRecord:
        """Validate a product, write its artifact, then list it. Returns the record as listed.

        Raises:
            InvalidArtifactError: The product breaks its schema or the contract; nothing was
                written. The message names every issue.
            StoreUnavailableError: The store refused; the manifest does not list the artifact.
        """
        name = product.record.name
        issues = self._validate(product)
        errors = [issue for issue in issues if issue.level == "error"]
        if errors:
            faults = "; ".join(f"{issue.key}: {issue.code}: {issue.message}" for issue in errors)
            raise InvalidArtifactError(
                f"{name} produced an artifact that breaks its schema: {faults}",
                where=self.run_path,
                hint="Nothing was written; this is a fault of the component.",
            )
        artifacts = self._write_artifacts(name, product.arrays, product.meta)
        record = replace(
            product.record,
            status=cast("Status", product.meta["status"]),
            empty_reason=cast("str | None", product.meta["empty_reason"]),
            artifacts=artifacts,
            error=None,
        )
        self._list_component(record)
        return record

    def record_error(self, record: ComponentRecord) -> ComponentRecord:
        """List a component that ended in an error; it has no artifact (C6.4).

        Raises:
            StoreUnavailableError: The store refused.
        """
        self._list_component(record)
        return record

    def finish(self, *, source: Mapping[str, object], peak_rss_bytes: int | None) -> Manifest:
        """Close the run: set its status, and `finished_at` when nothing planned is pending.

        The status is error when a required component ended so, or when no component ended ok
        or empty (C6.4).

        Raises:
            StoreUnavailableError: The store refused.
        """

        def close(manifest: Manifest) -> Manifest:
            # A stage that read only the sound knows nothing of frames: it keeps what is known.
            known = {name: value for name, value in source.items() if value is not None}
            merged = {**source, **manifest.run.source, **known}
            run = replace(manifest.run, source=merged, peak_rss_bytes=peak_rss_bytes)
            manifest = replace(manifest, run=run)
            if manifest.pending_components:
                return manifest
            failed = _has_failed(manifest)
            finished = replace(run, status="error" if failed else "ok", finished_at=self._clock())
            return replace(manifest, run=finished)

        return self._update(close)

    def read(self) -> Manifest:
        """Return the manifest as it stands."""
        return read_manifest(self._backend, self.run_path)

    @property
    def _manifest_path(self) -> str:
        return f"{self.run_path}/{MANIFEST_NAME}"

    def _validate(self, product: Product) -> list[Issue]:
        record, meta = product.record, product.meta
        schema = get_schema(str(meta.get("schema_version")), record.name)
        identity = Identity(
            self._ids.platform_id, self._ids.video_id, self._ids.run_id, record.name
        )
        issues = validate_meta(
            meta,
            identity=identity,
            extra_keys=schema.extra_meta,
            empty_reasons=schema.empty_reasons,
        )
        if meta.get("status") not in ("ok", "empty"):
            issues.append(
                Issue("error", "status", "meta.status", f"{meta.get('status')} writes no artifact")
            )
        return [*issues, *validate_arrays(product.arrays, schema, status=str(meta.get("status")))]

    def _write_artifacts(
        self, name: str, arrays: Mapping[str, np.ndarray], meta: Mapping[str, object]
    ) -> tuple[ArtifactRecord, ...]:
        """Write the NPZ, and before it the very large arrays that lie beside it (C9.4)."""
        folder = f"{self.run_path}/{parse_id('component', name)}"
        kept: dict[str, np.ndarray] = {}
        references = []
        for key, array in arrays.items():
            if array.nbytes >= self._sub_artifact_bytes and array.ndim and array.dtype != object:
                references.append(self._write_sub_artifact(folder, key, array))
            else:
                kept[key] = array
        if references:
            kept[SUB_ARTIFACTS] = build_references(references)
        with self._backend.stage(folder) as staged:
            written = write_npz(staged.file, kept, meta, sync=staged.sync)
            file_name = build_artifact_name(name, written.sha256)
            staged.publish(f"{folder}/{file_name}")
        npz = ArtifactRecord(f"{name}/{file_name}", written.size_bytes, written.sha256, "npz")
        beside = (
            ArtifactRecord(f"{name}/{item.path}", item.size_bytes, item.sha256, "npy")
            for item in references
        )
        return (npz, *beside)

    def _write_sub_artifact(self, folder: str, key: str, array: np.ndarray) -> SubArtifact:
        with self._backend.stage(folder) as staged:
            written = write_npy(staged.file, array, sync=staged.sync)
            file_name = build_sub_artifact_name(key, written.sha256)
            staged.publish(f"{folder}/{file_name}")
        return SubArtifact(
            key,
            file_name,
            written.size_bytes,
            written.sha256,
            array.dtype.name,
            tuple(array.shape),
        )

    def _list_component(self, record: ComponentRecord) -> None:
        former: list[ArtifactRecord] = []

        def list_it(manifest: Manifest) -> Manifest:
            known = manifest.find_component(record.name)
            former[:] = known.artifacts if known is not None else ()
            if record.name not in manifest.run.planned_components:
                planned = (*manifest.run.planned_components, record.name)
                run = replace(manifest.run, planned_components=planned)
                manifest = replace(manifest, run=run)
            return manifest.with_component(record)

        self._update(list_it)
        kept = {artifact.path for artifact in record.artifacts}
        for artifact in former:
            if artifact.path not in kept:
                self._backend.remove(f"{self.run_path}/{artifact.path}")

    def _update(self, change: Callable[[Manifest], Manifest]) -> Manifest:
        for _ in range(_SWAP_TRIES):
            found = self._backend.find_versioned(self._manifest_path, limit=MAX_MANIFEST_BYTES)
            if found is None:
                raise NotFoundError(
                    "the run has no manifest",
                    where=self.run_path,
                    hint="It was deleted meanwhile, or never existed; start a new run.",
                )
            current = parse_manifest(found.data, where=self._manifest_path)
            changed = self._stamp(change(current), revision=current.run.revision + 1)
            try:
                self._backend.swap(self._manifest_path, changed.to_bytes(), expected=found.version)
            except ConflictError:
                continue
            return changed
        raise ConflictError(
            f"the manifest changed under every one of {_SWAP_TRIES} tries", where=self.run_path
        )

    def _stamp(self, manifest: Manifest, *, revision: int) -> Manifest:
        run = replace(
            manifest.run,
            updated_at=self._clock(),
            revision=revision,
            write_id=secrets.token_hex(8),
        )
        return replace(manifest, run=run)


def build_run_path(platform_id: str, video_id: str, run_id: str) -> str:
    """Return a run's path below the store's root.

    Raises:
        InvalidIdError: An id is refused.
    """
    return "/".join(
        (
            parse_id("platform_id", platform_id),
            parse_id("video_id", video_id),
            parse_id("run_id", run_id),
        )
    )


def build_artifact_name(component: str, sha256: str) -> str:
    """Return the name of an artifact's file (C4.5)."""
    return f"{component}.{sha256[:12]}.npz"


def read_manifest(backend: Backend, run_path: str) -> Manifest:
    """Return a run's manifest.

    Raises:
        NotFoundError: There is no such run.
        InvalidManifestError: The manifest is damaged, or names other ids than its place.
        StoreUnavailableError: The store refused.
    """
    path = f"{run_path}/{MANIFEST_NAME}"
    try:
        data = backend.read(path, limit=MAX_MANIFEST_BYTES)
    except NotFoundError as error:
        raise NotFoundError(
            "there is no such run",
            where=run_path,
            hint="List what there is with `filmcan list`.",
        ) from error
    return parse_manifest(data, where=path)


def check_joinable(backend: Backend, run: RunRecord) -> None:
    """Refuse early what `RunTransaction.join` would refuse; a run that does not exist is fine.

    Raises:
        ConflictError: The run has another config_hash, or another source.
        InvalidManifestError: Its manifest is damaged.
        StoreUnavailableError: The store refused.
    """
    path = build_run_path(run.platform_id, run.video_id, run.run_id)
    try:
        found = read_manifest(backend, path)
    except NotFoundError:
        return
    _check_same_run(found.run, run, path)


def _check_same_run(found: RunRecord, wanted: RunRecord, run_path: str) -> None:
    if found.config_hash != wanted.config_hash:
        raise ConflictError(
            f"the run was made with config_hash {found.config_hash[:12]}, "
            f"this profile has {wanted.config_hash[:12]}",
            code="other_config",
            where=run_path,
            hint="Join with the same profile and settings, or start a new run without --run-id.",
        )
    ours, theirs = wanted.source.get("sha256"), found.source.get("sha256")
    if ours and theirs and ours != theirs:
        raise ConflictError(
            "the run was made from other bytes than this source",
            code="other_source",
            where=run_path,
            hint="Give the same file, or start a new run without --run-id.",
        )


def _merge_plans(order: Iterable[str], former: Iterable[str]) -> tuple[str, ...]:
    """Return the former plan with what is new at its end, each once."""
    return tuple(dict.fromkeys((*former, *order)))


def _has_failed(manifest: Manifest) -> bool:
    failed = any(item.required and item.status == "error" for item in manifest.components)
    return failed or all(item.status == "error" for item in manifest.components)
