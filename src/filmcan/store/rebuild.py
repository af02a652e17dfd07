"""Rebuild a lost or damaged manifest from the artifacts of its run.

Only valid artifacts that lie where their meta says count. What their meta says is restored, all
else is null, the run is unfinished, and each component's `notes` say that it was rebuilt.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from filmcan.contract.ids import find_id_fault
from filmcan.contract.imported import find_imported_kind
from filmcan.contract.manifest import ArtifactRecord, ComponentRecord, Manifest, RunRecord
from filmcan.contract.meta import Identity
from filmcan.contract.registry import get_schema
from filmcan.errors import InvalidContentError, NotFoundError
from filmcan.npz.reader import open_npz
from filmcan.npz.sub_artifacts import read_references
from filmcan.npz.validate import validate_source
from filmcan.npz.verified import hash_source
from filmcan.store.artifact_files import build_artifact_name

if TYPE_CHECKING:
    from filmcan.contract.manifest import Status
    from filmcan.store.base import Backend

NOTE = (
    "rebuilt by fsck from the artifact's meta: when it started and finished, how long it took, "
    "its device, and whether it was required are not known"
)
_RUN_KEYS = ("config_hash", "sampling_policy_version", "dataprocessor_version")


@dataclass(frozen=True, slots=True)
class _Proof:
    """A valid artifact: its meta and what the manifest has to list for it."""

    meta: dict[str, object]
    artifacts: tuple[ArtifactRecord, ...]


def build_manifest(backend: Backend, run_path: str, clock: Callable[[], str]) -> Manifest:
    """Return what can be proved of a run from its artifacts.

    Of several valid artifacts of one component the latest made counts.

    Args:
        backend: The store.
        run_path: `platform_id/video_id/run_id`.
        clock: Gives the present time as the contract writes it.

    Raises:
        NotFoundError: No artifact of the run is valid.
        InvalidContentError: Its artifacts were made with different settings.
        StoreUnavailableError: The store refused.
    """
    proofs = {}
    for name in backend.list_folder(run_path).folders:
        if not find_id_fault("component", name):
            found = _find_proof(backend, run_path, name)
            if found is not None:
                proofs[name] = found
    if not proofs:
        raise NotFoundError(
            "no artifact of the run is valid, so nothing of its manifest can be proved",
            where=run_path,
            hint="Delete the run, or restore its manifest from a copy.",
        )
    shared = {key: {str(proof.meta[key]) for proof in proofs.values()} for key in _RUN_KEYS}
    for key, values in shared.items():
        if len(values) > 1:
            raise InvalidContentError(
                f"its artifacts disagree on {key}: {', '.join(sorted(values))[:200]}",
                code="artifacts_disagree",
                where=run_path,
                hint="They are not of one run. Move those away that do not belong here.",
            )
    platform_id, video_id, run_id = run_path.split("/")
    run = RunRecord(
        platform_id=platform_id,
        video_id=video_id,
        run_id=run_id,
        config_hash=shared["config_hash"].pop(),
        sampling_policy_version=shared["sampling_policy_version"].pop(),
        dataprocessor_version=shared["dataprocessor_version"].pop(),
        created_at=min(str(proof.meta["created_at"]) for proof in proofs.values()),
        updated_at=clock(),
        planned_components=tuple(proofs),
        revision=1,
    )
    return Manifest(run, tuple(_build_record(name, proof) for name, proof in proofs.items()))


def prove_listed(
    backend: Backend, run_path: str, component: ComponentRecord
) -> tuple[ArtifactRecord, ...] | None:
    """Return what a manifest has to list for a component whose file is what its own name says.

    The name holds the start of its bytes' digest (C4.5), which a damaged manifest cannot have
    changed: the file is valid in its place, and the sizes and digests that are listed are wrong.
    None where that cannot be said.

    Raises:
        StoreUnavailableError: The store refused.
    """
    for artifact in component.artifacts:
        folder, _, file = artifact.path.rpartition("/")
        if artifact.kind == "npz" and folder == component.name:
            proof = _judge(backend, run_path, folder, file)
            if proof and build_artifact_name(folder, proof.artifacts[0].sha256) == file:
                return proof.artifacts
    return None


def _build_record(name: str, proof: _Proof) -> ComponentRecord:
    meta = proof.meta
    return ComponentRecord(
        name,
        find_imported_kind(meta) or get_schema(str(meta["schema_version"]), name).kind,
        cast("Status", meta["status"]),
        artifacts=proof.artifacts,
        producer_version=str(meta["producer_version"]),
        schema_version=str(meta["schema_version"]),
        notes=NOTE,
        empty_reason=cast("str | None", meta["empty_reason"]),
        model_signature=str(meta["model_signature"]),
        models_used=tuple(cast("list[dict[str, object]]", meta["models_used"])),
        reused_from_run_id=cast("str | None", meta.get("reused_from_run_id")),
    )


def _find_proof(backend: Backend, run_path: str, name: str) -> _Proof | None:
    folder = f"{run_path}/{name}"
    files = [file for file in backend.list_folder(folder).files if file.endswith(".npz")]
    found = [proof for file in files if (proof := _judge(backend, run_path, name, file))]
    return max(found, key=lambda proof: str(proof.meta["created_at"]), default=None)


def _judge(backend: Backend, run_path: str, name: str, file: str) -> _Proof | None:
    """Return an artifact with its meta, or None when it is not valid in this place."""
    folder = f"{run_path}/{name}"
    platform_id, video_id, run_id = run_path.split("/")
    identity = Identity(platform_id, video_id, run_id, name)
    try:
        report, meta = validate_source(
            backend.open(f"{folder}/{file}"),
            identity=identity,
            open_beside=lambda beside: backend.open(f"{folder}/{beside}"),
            allow_carried=True,
        )
        if meta is None or not report.ok:
            return None
        source = backend.open(f"{folder}/{file}")
        with closing(open_npz(source)) as npz:
            npz_record = ArtifactRecord(f"{name}/{file}", source.size, hash_source(source), "npz")
            references = read_references(npz)
    except (InvalidContentError, NotFoundError):
        return None
    beside = (
        ArtifactRecord(f"{name}/{item.path}", item.size_bytes, item.sha256, "npy")
        for item in references.values()
    )
    return _Proof(meta, (npz_record, *beside))
