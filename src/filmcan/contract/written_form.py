"""Take a manifest at once where it has exactly the form that filmcan writes.

A store has a hundred thousand manifests, nearly all of them in that form: every known field there,
none unknown, indented by two, every value good. Whether a text has it is proved by writing what was
read: only a text that comes out again byte for byte is taken. So nothing stands in it twice,
nothing is left out, and no number was rounded. Such a manifest needs no reader that could name its
problems. Anything else is left to that reader, so this decides nothing: it may only accept what the
reader accepts, and reads it as the same records.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import starmap
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from filmcan.contract.canonical import MAX_DEPTH, MAX_VALUES
from filmcan.contract.ids import find_id_fault
from filmcan.contract.records import (
    ArtifactRecord,
    ComponentRecord,
    RunRecord,
    Status,
    find_artifact_path_fault,
    find_digest_fault,
    find_outcome_faults,
)
from filmcan.contract.schema import Kind
from filmcan.contract.times import find_time_fault

_INDENT = 2
_TOO_DEEP = b"\n" + b" " * (_INDENT * (MAX_DEPTH + 1))
_PARTS_PER_LINE = 3
"""A key, its value, and one for a bracket: `canonical.parse_json` counts no more of a line."""

_Object = dict[str, Any]
_NO_EXTRA: Mapping[str, object] = MappingProxyType({})


class WrittenArtifact(msgspec.Struct, frozen=True):
    """Fields of `ArtifactRecord`."""

    path: str
    size_bytes: int
    sha256: str
    kind: Literal["npz", "npy"]

    @property
    def extra(self) -> Mapping[str, object]:
        """Fields of a newer version: the written form has none."""
        return _NO_EXTRA


class WrittenComponent(msgspec.Struct, frozen=True):
    """Fields of `ComponentRecord`."""

    name: str
    kind: Kind
    status: Status
    artifacts: list[WrittenArtifact]
    producer_version: str | None
    schema_version: str | None
    started_at: str | None
    finished_at: str | None
    duration_ms: int | None
    device_used: str | None
    error: str | None
    notes: str | None
    required: bool
    empty_reason: str | None
    model_signature: str | None
    models_used: list[_Object]
    reuse_key: _Object | None
    reused_from_run_id: str | None
    blocked_by: str | None

    @property
    def extra(self) -> Mapping[str, object]:
        """Fields of a newer version: the written form has none."""
        return _NO_EXTRA


class WrittenRun(msgspec.Struct, frozen=True):
    """Fields of `RunRecord`."""

    platform_id: str
    video_id: str
    run_id: str
    config_hash: str
    sampling_policy_version: str
    dataprocessor_version: str
    created_at: str
    updated_at: str
    finished_at: str | None
    status: Literal["ok", "error"] | None
    planned_components: list[str]
    profile: _Object
    source: _Object
    filmcan_version: str | None
    revision: int
    write_id: str | None
    peak_rss_bytes: int | None

    @property
    def extra(self) -> Mapping[str, object]:
        """Fields of a newer version: the written form has none."""
        return _NO_EXTRA


class WrittenManifest(msgspec.Struct, frozen=True):
    """A manifest in the written form, every value good; it reads like a `Manifest`."""

    run: WrittenRun
    components: list[WrittenComponent]
    render: _Object | msgspec.UnsetType = msgspec.UNSET


Parts = tuple[RunRecord, tuple[ComponentRecord, ...], dict[str, object] | None]
"""A run, its components, and what was rendered of it."""

_decode = msgspec.json.Decoder(WrittenManifest).decode
_encode = msgspec.json.Encoder().encode
_get_values = msgspec.structs.astuple


def read_written_form(data: bytes) -> WrittenManifest | None:
    """Return what a manifest in the written form says; None: look at it field by field."""
    if data.count(b"\n") * _PARTS_PER_LINE >= MAX_VALUES or _TOO_DEEP in data:
        return None
    try:
        document = _decode(data)
        written = msgspec.json.format(_encode(document), indent=_INDENT)
    except (ValueError, RecursionError):
        return None
    if len(data) != len(written) + 1 or not data.startswith(written) or data[-1:] != b"\n":
        return None
    if not _is_good_run(document.run) or not all(map(_is_good_component, document.components)):
        return None
    names = {component.name for component in document.components}
    return document if len(names) == len(document.components) else None


def build_records(written: WrittenManifest) -> Parts:
    """Return the records that reading field by field would give."""
    values = _get_values(written.run)
    facts = (*values[:10], tuple(written.run.planned_components), *values[11:])
    render = None if isinstance(written.render, msgspec.UnsetType) else written.render
    return RunRecord(*facts), tuple(map(_build_component, written.components)), render


def _build_component(component: WrittenComponent) -> ComponentRecord:
    values = _get_values(component)
    artifacts = tuple(starmap(ArtifactRecord, map(_get_values, component.artifacts)))
    facts = (*values[:3], artifacts, *values[4:15], tuple(component.models_used), *values[16:])
    return ComponentRecord(*facts)


def _is_good_run(run: WrittenRun) -> bool:
    return not (
        find_id_fault("platform_id", run.platform_id)
        or find_id_fault("video_id", run.video_id)
        or find_id_fault("run_id", run.run_id)
        or find_time_fault(run.created_at)
        or find_time_fault(run.updated_at)
        or (run.finished_at is not None and find_time_fault(run.finished_at))
        or run.revision < 0
        or (run.peak_rss_bytes is not None and run.peak_rss_bytes < 0)
    )


def _is_good_component(component: WrittenComponent) -> bool:
    kinds = []
    for artifact in component.artifacts:
        kinds.append(artifact.kind)
        if (
            artifact.size_bytes < 0
            or find_artifact_path_fault(artifact.path, component.name)
            or find_digest_fault(artifact.sha256)
        ):
            return False
    return not (
        find_id_fault("component", component.name)
        or (component.started_at is not None and find_time_fault(component.started_at))
        or (component.finished_at is not None and find_time_fault(component.finished_at))
        or (component.duration_ms is not None and component.duration_ms < 0)
        or component.reuse_key == {}
        or find_outcome_faults(component.status, component.empty_reason, component.error, kinds)
    )
