"""Act on what `store.inspect` found: quarantine, or rebuild what can be proved. Never delete.

Each repair looks again under the lock that the video's writers take, so that what changed since
it was found is left alone. What is replaced is kept in quarantine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filmcan.contract.manifest import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    ArtifactRecord,
    Manifest,
    parse_manifest,
)
from filmcan.contract.run_rules import has_failed
from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.npz.source import FileSource
from filmcan.npz.verified import hash_source
from filmcan.store.findings import Finding
from filmcan.store.manifests import check_place, read_manifest, stamp_manifest
from filmcan.store.quarantine import copy_to_quarantine, move_to_quarantine
from filmcan.store.rebuild import build_manifest, prove_listed
from filmcan.store.tombstones import find_tombstone, require_marker

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_COPIED_BYTES = 1 << 30
"""A damaged manifest up to this size is copied; a larger one, which nobody wrote, is moved."""

_RUN_SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done about a finding.

    Attributes:
        where: The finding's place.
        code: The finding's code.
        is_done: False when nothing could be proved, so nothing was changed.
        message: What was done, or why not.
    """

    where: str
    code: str
    is_done: bool
    message: str


def repair_store(
    backend: Backend, findings: Iterable[Finding], clock: Callable[[], str]
) -> list[Repair]:
    """Repair what can be repaired, and say of each finding with a remedy what came of it.

    Args:
        backend: The store.
        findings: What an inspection found; those without a remedy are passed over.
        clock: Gives the present time as the contract writes it.

    Raises:
        StoreUnavailableError: The root has no format marker, or the store refused.
    """
    require_marker(backend)
    repairs = []
    for finding in findings:
        if finding.remedy is not None:
            where = finding.issue.where
            segments = where.split("/")
            with backend.exclusive("/".join(segments[:2])):
                try:
                    is_done, message = _repair(backend, finding, clock)
                except (InvalidContentError, NotFoundError) as error:
                    is_done, message = False, str(error)
                except StoreUnavailableError as error:
                    if backend.find_local_path(where) is None:
                        raise
                    is_done, message = False, str(error)  # a disk may take all else
            repairs.append(Repair(where, finding.issue.code, is_done, message))
    return repairs


def _repair(backend: Backend, finding: Finding, clock: Callable[[], str]) -> tuple[bool, str]:
    where, reason = finding.issue.where, f"{finding.issue.code}: {finding.issue.message}"
    if finding.remedy == "quarantine":
        if not _is_still_there(backend, finding):
            return False, "it is not there any more"
        return True, f"moved to {move_to_quarantine(backend, where, reason)}"
    if finding.remedy == "rebuild":
        return _rebuild(backend, where.removesuffix(f"/{MANIFEST_NAME}"), reason, clock)
    return _unlist(backend, finding, reason, clock)


def _is_still_there(backend: Backend, finding: Finding) -> bool:
    """Tell whether a link or a forbidden JSON is what it was, and nothing good took its name."""
    folder, _, name = finding.issue.where.rpartition("/")
    listing = backend.list_folder(folder)
    return name in (listing.strange if finding.issue.code == "not_regular" else listing.files)


def _rebuild(
    backend: Backend, run_path: str, reason: str, clock: Callable[[], str]
) -> tuple[bool, str]:
    path = f"{run_path}/{MANIFEST_NAME}"
    video_path, _, run_id = run_path.rpartition("/")
    if find_tombstone(backend, video_path).list_tokens(run_id):
        return False, "the video was deleted before; what lies here is not brought back"
    kept = "there was none"
    version = None
    try:
        found = backend.find_versioned(path, limit=_COPIED_BYTES)
    except InvalidContentError:  # a link, a folder, or huge: nothing to compare and swap
        manifest = build_manifest(backend, run_path, clock)
        kept = f"the former is in {move_to_quarantine(backend, path, reason)}"
    else:
        if found is not None and _is_sound(found.data, run_path):
            return False, "it is sound by now"
        manifest = build_manifest(backend, run_path, clock)
        if found is not None:
            kept = f"the former is in {copy_to_quarantine(backend, path, found.data, reason)}"
            version = found.version
    backend.swap(path, stamp_manifest(manifest, clock, revision=1).to_bytes(), expected=version)
    names = ", ".join(item.name for item in manifest.components)
    return True, f"rebuilt from the artifacts of {names}; {kept}"


def _unlist(
    backend: Backend, finding: Finding, reason: str, clock: Callable[[], str]
) -> tuple[bool, str]:
    """Record a component as failed whose files are provably not those that it committed.

    Where they provably are, the manifest is the damaged side: it is made to say what they are.
    """
    where = finding.issue.where
    run_path = "/".join(where.split("/")[:_RUN_SEGMENTS])
    path = f"{run_path}/{MANIFEST_NAME}"
    found = backend.find_versioned(path, limit=MAX_MANIFEST_BYTES)
    manifest = read_manifest(backend, run_path)
    component = manifest.find_component(finding.component)
    listed = [
        artifact
        for artifact in (component.artifacts if component is not None else ())
        if f"{run_path}/{artifact.path}" == where
    ]
    if component is None or found is None or not listed:
        return False, "the manifest does not list it any more"
    fault = _find_byte_fault(backend, where, listed[0])
    if fault is None:
        return False, "its bytes are those that were committed, so nothing is changed"
    proved = prove_listed(backend, run_path, component)
    if proved is not None:
        changed = replace(component, artifacts=proved)
    else:
        error = f"fsck: {listed[0].path}: {fault}; run the component again"
        changed = replace(component, status="error", empty_reason=None, artifacts=(), error=error)
    kept = copy_to_quarantine(backend, path, found.data, reason)
    stamped = stamp_manifest(
        _with_status(manifest.with_component(changed)), clock, revision=manifest.run.revision + 1
    )
    backend.swap(path, stamped.to_bytes(), expected=found.version)
    if proved is not None:
        return True, f"{component.name} is listed as it is and as its name says; kept: {kept}"
    moved = [kept]
    for artifact in component.artifacts:
        with contextlib.suppress(NotFoundError):
            moved.append(move_to_quarantine(backend, f"{run_path}/{artifact.path}", reason))
    return True, f"{component.name} is recorded as failed; kept: {', '.join(moved)}"


def _find_byte_fault(backend: Backend, path: str, artifact: ArtifactRecord) -> str | None:
    try:
        source = backend.open(path)
    except NotFoundError:
        return "it is not there"
    except InvalidContentError as error:
        return error.message
    try:
        if source.size != artifact.size_bytes:
            return f"it has {source.size} bytes, expected {artifact.size_bytes}"
        found = hash_source(source)
    finally:
        if isinstance(source, FileSource):
            source.close()
    return None if found == artifact.sha256 else f"its sha256 is {found}"


def _with_status(manifest: Manifest) -> Manifest:
    """Return a manifest whose run says error when a repair made it so; unfinished stays."""
    if not manifest.is_finished or not has_failed(manifest):
        return manifest
    return replace(manifest, run=replace(manifest.run, status="error"))


def _is_sound(data: bytes, run_path: str) -> bool:
    try:
        check_place(parse_manifest(data), run_path)
    except InvalidContentError:
        return False
    return True
