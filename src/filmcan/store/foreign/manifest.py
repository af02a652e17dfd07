"""A manifest of another system, read without adding anything to what it says.

Strict where an error would change the meaning (JSON, ids, duplicate names), lenient where a field
is only absent or of another type: such a field is unknown, and what it held is kept aside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.contract.imported import IMPORTED
from filmcan.contract.schema import Kind
from filmcan.errors import InvalidManifestError
from filmcan.store.foreign.plain import build_plain, read_time, strip_places

_RUN_IDS = ("platform_id", "video_id", "run_id")
_RUN_TEXTS = ("config_hash", "sampling_policy_version", "dataprocessor_version")
_RUN_FIELDS = (*_RUN_IDS, *_RUN_TEXTS, "created_at")
_ROW_FIELDS = (
    "name",
    "kind",
    "status",
    "empty_reason",
    "started_at",
    "finished_at",
    "duration_ms",
    "artifacts",
    "producer_version",
    "schema_version",
    "device_used",
    "error",
    "notes",
    IMPORTED,
)


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """One entry of a row's artifacts.

    Attributes:
        path: As it stands there.
        size_bytes: None when it was not recorded.
        sha256: Likewise.
    """

    path: str
    size_bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class ForeignRow:
    """One component of the manifest; None is what it does not say.

    Attributes:
        kept: Fields that ours has no place for, as JSON.
        zone_assumed: True when a time of it named no zone.
    """

    name: str
    kind: Kind | None = None
    status: str | None = None
    empty_reason: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    duration_ms: int | None = None
    files: tuple[ForeignFile, ...] = ()
    producer_version: str | None = None
    schema_version: str | None = None
    device_used: str | None = None
    error: str | None = None
    notes: str | None = None
    kept: Mapping[str, object] | None = None
    zone_assumed: bool = False


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """What a manifest says of its run; None is what it does not say.

    Attributes:
        sha256: Digest of the manifest's bytes.
        said_ids: The ids it names, for comparison with the folder.
    """

    sha256: str
    said_ids: Mapping[str, object]
    config_hash: str | None
    sampling_policy_version: str | None
    dataprocessor_version: str | None
    created_at: str | None
    updated_at: str | None
    rows: tuple[ForeignRow, ...]
    kept: Mapping[str, object]


def parse_foreign_manifest(data: bytes, where: str) -> ForeignRun:
    """Return what a manifest of another system says.

    Raises:
        InvalidManifestError: It is damaged: no strict JSON, no run, no list of components, a
            component without a name, or one that stands there twice.
    """
    try:
        document = parse_json(data)
    except JsonError as error:
        raise InvalidManifestError(f"not strict JSON: {error}", where=where) from error
    run = document.get("run") if isinstance(document, dict) else None
    rows = document.get("components") if isinstance(document, dict) else None
    if not isinstance(run, dict) or not isinstance(rows, list):
        raise InvalidManifestError("it has no `run` and list of `components`", where=where)
    parsed = tuple(_parse_row(row, where) for row in rows)
    names = [row.name for row in parsed]
    if len(set(names)) != len(names):
        raise InvalidManifestError("it names a component twice", where=where)
    created_at, _ = read_time(run.get("created_at"))
    updated_at, _ = read_time(run.get("updated_at"))
    unread = {"created_at"} if created_at is None else set()
    kept = {key: value for key, value in run.items() if key not in _RUN_FIELDS or key in unread}
    return ForeignRun(
        sha256=hashlib.sha256(data).hexdigest(),
        said_ids={key: run.get(key) for key in _RUN_IDS},
        config_hash=_text(run, "config_hash"),
        sampling_policy_version=_text(run, "sampling_policy_version"),
        dataprocessor_version=_text(run, "dataprocessor_version"),
        created_at=created_at,
        updated_at=updated_at,
        rows=parsed,
        kept=cast("dict[str, object]", build_plain(kept)),
    )


def _parse_row(row: object, where: str) -> ForeignRow:
    name = row.get("name") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(name, str) or not name:
        raise InvalidManifestError("a component has no name", where=where)
    kind, duration = row.get("kind"), row.get("duration_ms")
    started_at, started_bare = read_time(row.get("started_at"))
    finished_at, finished_bare = read_time(row.get("finished_at"))
    read: dict[str, object] = {
        "kind": kind if kind in get_args(Kind) else None,
        "started_at": started_at,
        "finished_at": finished_at,
        "duration_ms": _whole(duration),
    }
    unread = {key for key, value in read.items() if value is None and row.get(key) is not None}
    kept = {
        key: value
        for key, value in row.items()
        if (key not in _ROW_FIELDS or key in unread) and value not in (None, [], {})
    }
    error = _text(row, "error")
    notes = _text(row, "notes")
    return ForeignRow(
        name=name,
        kind=cast("Kind | None", read["kind"]),
        status=_text(row, "status"),
        empty_reason=_text(row, "empty_reason"),
        started_at=started_at,
        finished_at=finished_at,
        duration_ms=cast("int | None", read["duration_ms"]),
        files=_parse_files(row.get("artifacts")),
        producer_version=_text(row, "producer_version"),
        schema_version=_text(row, "schema_version"),
        device_used=_text(row, "device_used"),
        error=strip_places(error) if error is not None else None,
        notes=strip_places(notes) if notes is not None else None,
        kept=cast("dict[str, object]", build_plain(kept)),
        zone_assumed=started_bare or finished_bare,
    )


def _parse_files(value: object) -> tuple[ForeignFile, ...]:
    files = []
    for item in value if isinstance(value, list) else ():
        fields = item if isinstance(item, dict) else {"path": item}
        path = fields.get("path")
        if isinstance(path, str) and path:
            digest = fields.get("sha256")
            files.append(
                ForeignFile(
                    path,
                    _whole(fields.get("size_bytes")),
                    digest.lower() if isinstance(digest, str) else None,
                )
            )
    return tuple(files)


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == int(value) else None
