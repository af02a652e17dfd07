"""Write a run: create or join it, validate and commit components, finish it.

The order is the promise: artifact bytes, flush, rename, flush of the folder, then the manifest.
What a readable manifest lists is therefore always there. Every manifest update re-reads and
swaps, so that stages, threads and processes never lose each other's work (C3.5).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, cast

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
from filmcan.contract.run_rules import has_failed
from filmcan.contract.validate import validate_arrays
from filmcan.errors import (
    ConflictError,
    InvalidArtifactError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.store.artifact_files import SUB_ARTIFACT_BYTES, write_artifacts
from filmcan.store.manifests import (
    build_run_path,
    check_same_run,
    merge_plans,
    merge_sources,
    read_manifest,
    stamp_manifest,
)
from filmcan.store.tombstones import Fence

if TYPE_CHECKING:
    import numpy as np

    from filmcan.store.base import Backend

_SWAP_TRIES = 100
_WRITE_TRIES = 5


@dataclass(frozen=True, slots=True)
class Product:
    """What a component produced, ready to be committed.

    Attributes:
        record: The manifest record without artifacts, status and reason: those are taken from
            the validated artifact, never passed beside it (C3.3).
        arrays: Key -> array, without `meta` and `meta_json`.
        meta: The meta to be written.
        beside: Keys of arrays that lie beside the NPZ, whatever their size.
    """

    record: ComponentRecord
    arrays: Mapping[str, np.ndarray]
    meta: Mapping[str, object]
    beside: frozenset[str] = frozenset()


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
        self._video_path = self.run_path.rpartition("/")[0]
        self._ids = run
        self._fence = Fence(backend, self._video_path)

    @classmethod
    def create(
        cls,
        backend: Backend,
        run: RunRecord,
        clock: Callable[[], str],
        sub_artifact_bytes: int = SUB_ARTIFACT_BYTES,
    ) -> Self:
        """Create a run with an empty manifest.

        Args:
            backend: The store.
            run: The run's record; `updated_at`, `revision` and `write_id` are set here.
            clock: Gives the present time as the contract writes it.
            sub_artifact_bytes: From this size on an array lies beside its NPZ.

        Raises:
            InvalidIdError: An id is refused.
            ConflictError: The run exists already, or the video is being deleted.
            StoreUnavailableError: The store refused.
        """
        transaction = cls(backend, run, clock, sub_artifact_bytes)
        with backend.exclusive(transaction._video_path):
            begun = Manifest(transaction._fence.begin(run))
            stamped = stamp_manifest(begun, clock, revision=1)
            try:
                backend.swap(transaction._manifest_path, stamped.to_bytes(), expected=None)
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
    ) -> Self:
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
    ) -> Self:
        """Join an existing run: its planned components grow by those of `run`.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: The run has another config_hash, or another source, or is being deleted.
            InvalidManifestError: Its manifest is damaged; it is left as it is.
            StoreUnavailableError: The store refused.
        """
        transaction = cls(backend, run, clock, sub_artifact_bytes)
        transaction._fence.begin(run)

        def widen(manifest: Manifest) -> Manifest:
            check_same_run(manifest.run, run, transaction.run_path)
            planned = merge_plans(run.planned_components, manifest.run.planned_components)
            widened = replace(
                manifest.run, planned_components=planned, finished_at=None, status=None
            )
            return replace(manifest, run=widened)

        transaction._update(widen)
        return transaction

    @classmethod
    def reopen(cls, backend: Backend, run: RunRecord, clock: Callable[[], str]) -> Self:
        """Open an existing run to note something about it; what it plans and its status stay.

        Raises:
            ConflictError: The video, or this run of it, is being deleted.
            StoreUnavailableError: The store refused.
        """
        transaction = cls(backend, run, clock)
        transaction._fence.begin(run)
        return transaction

    def record_render(
        self, change: Callable[[Mapping[str, object] | None], Mapping[str, object]]
    ) -> Manifest:
        """Replace the manifest's `render`, metadata of a presentation (C10.1).

        Args:
            change: Gives the new value for the present one; called again when somebody else wrote
                meanwhile.

        Raises:
            NotFoundError: The run was deleted meanwhile.
            ConflictError: It is being deleted, or changes under every try.
            StoreUnavailableError: The store refused.
        """
        return self._update(
            lambda manifest: replace(manifest, render=dict(change(manifest.render)))
        )

    def commit(
        self, product: Product, *, source: Mapping[str, object] | None = None
    ) -> ComponentRecord:
        """Validate a product, write its artifact, then list it. Returns the record as listed.

        Args:
            product: What to commit.
            source: What is known by now of the run's source, kept in the same update.

        Raises:
            InvalidArtifactError: The product breaks its schema or the contract; nothing was
                written. The message names every issue.
            NotFoundError: The run was deleted meanwhile; nothing of the product is kept.
            ConflictError: It was deleted and begun anew, or is being deleted; likewise.
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
        record = replace(
            product.record,
            status=cast("Status", product.meta["status"]),
            empty_reason=cast("str | None", product.meta["empty_reason"]),
            error=None,
        )
        for _ in range(_WRITE_TRIES):
            artifacts: tuple[ArtifactRecord, ...] = ()
            try:
                artifacts = write_artifacts(
                    self._backend,
                    self.run_path,
                    name,
                    product.arrays,
                    product.meta,
                    sub_artifact_bytes=self._sub_artifact_bytes,
                    beside=product.beside,
                )
                record = replace(record, artifacts=artifacts)
                if self._list_component(record, source or {}):
                    return record
            except (NotFoundError, ConflictError):
                self._withdraw(name, artifacts)
                raise
        raise ConflictError(
            f"the files of {name} were swept away under every one of {_WRITE_TRIES} tries",
            where=self.run_path,
            hint="Run gc with a longer --grace while runs are written.",
        )

    def record_error(self, record: ComponentRecord) -> ComponentRecord:
        """List a component that ended in an error; it has no artifact (C6.4).

        Raises:
            StoreUnavailableError: The store refused.
        """
        self._list_component(record, {})
        return record

    def finish(self, *, source: Mapping[str, object], peak_rss_bytes: int | None) -> Manifest:
        """Close the run: set its status, and `finished_at` when nothing planned is pending.

        The status is error when a required component ended so, or when no component ended ok
        or empty (C6.4).

        Raises:
            StoreUnavailableError: The store refused.
        """

        def close(manifest: Manifest) -> Manifest:
            merged = merge_sources(manifest.run.source, source)
            run = replace(manifest.run, source=merged, peak_rss_bytes=peak_rss_bytes)
            manifest = replace(manifest, run=run)
            if manifest.pending_components:
                return manifest
            failed = has_failed(manifest)
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

    def _list_component(self, record: ComponentRecord, source: Mapping[str, object]) -> bool:
        """List a record, then remove the files it replaces; False when its own are not there.

        A file of the same content may have lain there unlisted, and been swept just now. Looking,
        listing and removing happen under one lock that gc takes as well.
        """
        former: list[ArtifactRecord] = []

        def list_it(manifest: Manifest) -> Manifest:
            known = manifest.find_component(record.name)
            former[:] = known.artifacts if known is not None else ()
            if record.name not in manifest.run.planned_components:
                planned = (*manifest.run.planned_components, record.name)
                run = replace(manifest.run, planned_components=planned)
                manifest = replace(manifest, run=run)
            merged = merge_sources(manifest.run.source, source)
            return replace(manifest, run=replace(manifest.run, source=merged)).with_component(
                record
            )

        with self._backend.exclusive(self._video_path):
            if not self._are_there(record):
                return False
            changed = self._swap_changed(list_it)
            kept = {artifact.path for item in changed.components for artifact in item.artifacts}
            for artifact in former:
                if artifact.path not in kept:
                    # The update is done: gc removes what cannot be removed now.
                    with contextlib.suppress(StoreUnavailableError):
                        self._backend.remove(f"{self.run_path}/{artifact.path}")
        return True

    def _are_there(self, record: ComponentRecord) -> bool:
        if not record.artifacts:
            return True
        folder = self._backend.list_folder(f"{self.run_path}/{record.name}")
        names = {f"{record.name}/{name}" for name in folder.files}
        return all(artifact.path in names for artifact in record.artifacts)

    def _withdraw(self, name: str, artifacts: tuple[ArtifactRecord, ...]) -> None:
        """Leave nothing behind in a run that was deleted while this product was written."""
        folder = f"{self.run_path}/{name}"
        with self._backend.exclusive(self._video_path):
            try:
                manifest = read_manifest(self._backend, self.run_path)
            except NotFoundError:
                for file_name in self._backend.list_folder(folder).files:
                    self._backend.remove(f"{folder}/{file_name}")
                for empty in (folder, self.run_path, self._video_path):
                    self._backend.remove_folder(empty)
            else:
                kept = {item.path for record in manifest.components for item in record.artifacts}
                for artifact in artifacts:
                    if artifact.path not in kept:
                        self._backend.remove(f"{self.run_path}/{artifact.path}")

    def _update(self, change: Callable[[Manifest], Manifest]) -> Manifest:
        with self._backend.exclusive(self._video_path):
            return self._swap_changed(change)

    def _swap_changed(self, change: Callable[[Manifest], Manifest]) -> Manifest:
        for _ in range(_SWAP_TRIES):
            found = self._backend.find_versioned(self._manifest_path, limit=MAX_MANIFEST_BYTES)
            if found is None:
                raise NotFoundError(
                    "the run has no manifest",
                    where=self.run_path,
                    hint="It was deleted meanwhile, or never existed; start a new run.",
                )
            current = parse_manifest(found.data, where=self._manifest_path)
            self._fence.check(current.run)
            revision = current.run.revision + 1
            changed = stamp_manifest(change(current), self._clock, revision=revision)
            try:
                self._backend.swap(self._manifest_path, changed.to_bytes(), expected=found.version)
            except ConflictError:
                continue
            return changed
        raise ConflictError(
            f"the manifest changed under every one of {_SWAP_TRIES} tries", where=self.run_path
        )
