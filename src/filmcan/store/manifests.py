"""Where a run's manifest lies, how it is read, and the rules for joining and closing a run."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from filmcan.contract.ids import parse_id
from filmcan.contract.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    Manifest,
    ManifestFacts,
    RunRecord,
    parse_facts,
    parse_manifest,
)
from filmcan.errors import ConflictError, InvalidManifestError, NotFoundError

if TYPE_CHECKING:
    from filmcan.store.base import Backend

COUNTS = ("decoded_frames", "failed_frames", "frame_count", "decoded_samples")
"""Fields of the manifest's `source` that a later stage may know better, never worse."""


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


def read_manifest(backend: Backend, run_path: str) -> Manifest:
    """Return a run's manifest.

    Raises:
        NotFoundError: There is no such run.
        InvalidManifestError: The manifest is damaged, or names other ids than its place.
        StoreUnavailableError: The store refused.
    """
    return parse_manifest(_read(backend, run_path), where=f"{run_path}/{MANIFEST_NAME}")


def read_facts(backend: Backend, run_path: str) -> ManifestFacts:
    """Return what a run's manifest says, for those who only look at many.

    Raises:
        As `read_manifest` does.
    """
    return parse_facts(_read(backend, run_path), where=f"{run_path}/{MANIFEST_NAME}")


def _read(backend: Backend, run_path: str) -> bytes:
    try:
        return backend.read(f"{run_path}/{MANIFEST_NAME}", limit=MAX_MANIFEST_BYTES)
    except NotFoundError as error:
        raise NotFoundError(
            "there is no such run",
            where=run_path,
            hint="List what there is with `filmcan list`.",
        ) from error


def check_place(manifest: ManifestFacts, path: str) -> None:
    """Refuse a manifest that names other ids than the folder it lies in (threats B4).

    Raises:
        InvalidManifestError: They differ.
    """
    run = manifest.run
    said = f"{run.platform_id}/{run.video_id}/{run.run_id}"
    if said != path:
        raise InvalidManifestError(
            f"the manifest says {said}",
            code="place",
            where=path,
            hint="The folder was moved or renamed; move it back.",
        )


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
    check_same_run(found.run, run, path)


def check_same_run(found: RunRecord, wanted: RunRecord, run_path: str) -> None:
    """Refuse to join a run of another configuration or source (C3.5).

    Raises:
        ConflictError: It is one.
    """
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


def merge_plans(order: Iterable[str], former: Iterable[str]) -> tuple[str, ...]:
    """Return the former plan with what is new at its end, each once."""
    return tuple(dict.fromkeys((*former, *order)))


def stamp_manifest(manifest: Manifest, clock: Callable[[], str], *, revision: int) -> Manifest:
    """Return the manifest as it is to be written: its time, its revision, a write id of its own."""
    run = replace(
        manifest.run, updated_at=clock(), revision=revision, write_id=secrets.token_hex(8)
    )
    return replace(manifest, run=run)


def merge_sources(former: Mapping[str, object], latest: Mapping[str, object]) -> dict[str, object]:
    """Return what is known of a source after another stage has read it.

    A stage that read only the sound knows nothing of frames, and one whose components stopped
    early has seen fewer: what is known stays, of two counts the greater, and all notes.
    """
    merged = {**latest, **former}
    for name, value in latest.items():
        known = former.get(name)
        if name in COUNTS and isinstance(known, int) and isinstance(value, int):
            merged[name] = max(known, value)
        elif isinstance(known, list) and isinstance(value, list):
            merged[name] = [*known, *(item for item in value if item not in known)]
        elif value is not None:
            merged[name] = value
    return merged
