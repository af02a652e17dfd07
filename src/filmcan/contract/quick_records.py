"""Take a component's record at once where it has exactly the form that filmcan writes.

An index reads a hundred thousand manifests, nearly all of them in that form: every known field
there, none unknown, every type expected, every value good. Such a record needs no reader that
could name its problems. Anything else is left to that reader, so this decides nothing: it may
only accept what the reader accepts, and reads it as the same record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import itemgetter
from types import NoneType

from filmcan.contract.ids import find_id_fault
from filmcan.contract.records import (
    KINDS,
    STATUSES,
    ArtifactRecord,
    ComponentRecord,
    find_artifact_path_fault,
    find_component_faults,
    find_digest_fault,
)
from filmcan.contract.times import find_time_fault

_OPTIONAL_TEXT = (str, NoneType)
_COMPONENT_TYPES: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "kind": (str,),
    "status": (str,),
    "artifacts": (list,),
    "producer_version": _OPTIONAL_TEXT,
    "schema_version": _OPTIONAL_TEXT,
    "started_at": _OPTIONAL_TEXT,
    "finished_at": _OPTIONAL_TEXT,
    "duration_ms": (int, NoneType),
    "device_used": _OPTIONAL_TEXT,
    "error": _OPTIONAL_TEXT,
    "notes": _OPTIONAL_TEXT,
    "required": (bool,),
    "empty_reason": _OPTIONAL_TEXT,
    "model_signature": _OPTIONAL_TEXT,
    "models_used": (list,),
    "reuse_key": (dict, NoneType),
    "reused_from_run_id": _OPTIONAL_TEXT,
    "blocked_by": _OPTIONAL_TEXT,
}
_ARTIFACT_TYPES = (str, int, str, str)
_take_component = itemgetter(*_COMPONENT_TYPES)
_take_artifact = itemgetter(*(item.name for item in fields(ArtifactRecord) if item.name != "extra"))
_ARTIFACT_FIELDS = len(_ARTIFACT_TYPES)


def read_component_at_once(document: Mapping[str, object]) -> ComponentRecord | None:
    """Return the record of a document in the written form; None: look at it field by field."""
    if len(document) != len(_COMPONENT_TYPES):
        return None
    try:
        values = _take_component(document)
    except KeyError:
        return None
    if not _are_expected(tuple(map(type, values))):
        return None
    name, kind, status, listed, _, _, started_at, finished_at, duration_ms, *_ = values
    models, reuse_key = values[15:17]
    artifacts = _read_artifacts(listed, name)
    if (
        artifacts is None
        or kind not in KINDS
        or status not in STATUSES
        or find_id_fault("component", name)
        or (started_at is not None and find_time_fault(started_at))
        or (finished_at is not None and find_time_fault(finished_at))
        or (duration_ms is not None and duration_ms < 0)
        or reuse_key == {}
        or {*map(type, models)} - {dict}
    ):
        return None
    facts = (name, kind, status, artifacts, *values[4:15], tuple(models), *values[16:])
    record = ComponentRecord(*facts)
    return None if find_component_faults(record) else record


def _read_artifacts(listed: Sequence[object], component: str) -> tuple[ArtifactRecord, ...] | None:
    found = []
    for item in listed:
        if type(item) is not dict or len(item) != _ARTIFACT_FIELDS:
            return None
        try:
            values = _take_artifact(item)
        except KeyError:
            return None
        path, size_bytes, sha256, kind = values
        if (
            tuple(map(type, values)) != _ARTIFACT_TYPES
            or size_bytes < 0
            or kind not in ("npz", "npy")
            or find_artifact_path_fault(path, component)
            or find_digest_fault(sha256)
        ):
            return None
        found.append(ArtifactRecord(*values))
    return tuple(found)


@lru_cache(maxsize=1024)
def _are_expected(types: tuple[type, ...]) -> bool:
    expected = _COMPONENT_TYPES.values()
    return all(kind in kinds for kind, kinds in zip(types, expected, strict=True))
