"""The records that a manifest holds (C3), and the rules for single values of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from filmcan.contract.ids import SURELY_GOOD, find_id_fault
from filmcan.contract.schema import Kind

Status = Literal["ok", "empty", "error"]

STATUSES: tuple[Status, ...] = ("ok", "empty", "error")
KINDS: tuple[Kind, ...] = ("core", "module", "audio", "text")

GREATEST_NUMBER = 2**53
"""Up to here every reader of JSON tells whole numbers apart (RFC 8259, section 6). No source has
so many bytes, samples or seconds, and no float holds a number as long as JSON may write one."""

_SHA256_CHARS = 64
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """One stored file of a component.

    Attributes:
        path: Relative to the run, `/`-separated: `<component>/<name>`.
        size_bytes: Its size.
        sha256: Digest of its bytes, lower-case hex.
        kind: `npz` for the artifact, `npy` for a sub-artifact.
    """

    path: str
    size_bytes: int
    sha256: str
    kind: Literal["npz", "npy"]
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComponentRecord:
    """What became of one component in this run; the fields are those of C3.3."""

    name: str
    kind: Kind
    status: Status
    artifacts: tuple[ArtifactRecord, ...] = ()
    producer_version: str | None = None
    schema_version: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    duration_ms: int | None = None
    device_used: str | None = None
    error: str | None = None
    notes: str | None = None
    required: bool = False
    empty_reason: str | None = None
    model_signature: str | None = None
    models_used: tuple[Mapping[str, object], ...] = ()
    reuse_key: Mapping[str, object] | None = None
    reused_from_run_id: str | None = None
    blocked_by: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The run itself; the fields are those of C3.2."""

    platform_id: str
    video_id: str
    run_id: str
    config_hash: str
    sampling_policy_version: str
    dataprocessor_version: str
    created_at: str
    updated_at: str
    finished_at: str | None = None
    status: Literal["ok", "error"] | None = None
    planned_components: tuple[str, ...] = ()
    profile: Mapping[str, object] = field(default_factory=dict)
    source: Mapping[str, object] = field(default_factory=dict)
    filmcan_version: str | None = None
    revision: int = 0
    write_id: str | None = None
    peak_rss_bytes: int | None = None
    extra: Mapping[str, object] = field(default_factory=dict)


def find_artifact_path_fault(path: str, component: str) -> str | None:
    """Return what is wrong with an artifact's path, or None (threats B4).

    A path is `<component>/<name>` or `<component>/<folder>/<name>`, plain segments only.
    """
    start = len(component) + 1
    if (
        path[: start - 1] == component
        and path[start - 1 : start] == "/"
        and SURELY_GOOD.fullmatch(path, start)
        and not path.endswith(".json")
    ):
        return None
    segments = path.split("/")
    if not 2 <= len(segments) <= 3:  # noqa: PLR2004 - the two forms of the docstring
        return f"must lie in the component's folder, got {path[:80]!r}"
    if segments[0] != component:
        return f"must start with {component}/, got {path[:80]!r}"
    for segment in segments[1:]:
        if segment.startswith("_tmp_") or find_id_fault("video_id", segment):
            return f"has the segment {segment[:80]!r}, which is no plain name"
    if path.endswith(".json"):
        return "must not be a JSON file"
    return None


def find_outcome_faults(
    status: Status, empty_reason: str | None, error: str | None, kinds: Sequence[str]
) -> list[str]:
    """Return what is inconsistent in how a component ended.

    Args:
        status: What its record says.
        empty_reason: Likewise.
        error: Likewise.
        kinds: The kind of each artifact that it lists.
    """
    faults = []
    if (status == "empty") != bool(empty_reason):
        faults.append(f"status {status} with empty_reason {empty_reason!r}")
    if (status == "error") != bool(error):
        faults.append(f"status {status} with error {error!r}")
    if status == "error":
        if kinds:
            faults.append("status error lists artifacts")
    elif kinds.count("npz") != 1:
        faults.append(f"status {status} lists {kinds.count('npz')} NPZ, expected one")
    return faults


def is_source_number(value: object) -> bool:
    """Tell whether a value can be a size, a count, a rate or a duration of a source."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= GREATEST_NUMBER


def find_digest_fault(text: str) -> str | None:
    """Return what is wrong with a sha256 in hex, or None."""
    if _DIGEST.fullmatch(text):
        return None
    return f"expected {_SHA256_CHARS} lower-case hex digits, got {text[:80]!r}"
