"""A manifest as rows: one for the run, one for each component."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from filmcan.contract.canonical import canonical_json
from filmcan.store.index.tables import COMPONENTS, RUNS

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentFacts, ManifestFacts

Values = tuple[object, ...]
_T = TypeVar("_T")

RUN_FACTS = tuple(
    column.name
    for column in RUNS.c
    if column.name not in ("id", "slot", "stamp", "checksum", "is_latest")
)
"""Columns of a run that its manifest decides, in the order of a row."""

COMPONENT_FACTS = tuple(column.name for column in COMPONENTS.c if column.name != "run_key")

_get_run_facts = attrgetter(
    "platform_id",
    "video_id",
    "run_id",
    "status",
    "created_at",
    "updated_at",
    "finished_at",
    "config_hash",
)
_get_versions = attrgetter("filmcan_version", "sampling_policy_version", "dataprocessor_version")
_get_outcome = attrgetter(
    "name",
    "kind",
    "status",
    "empty_reason",
    "producer_version",
    "schema_version",
    "model_signature",
)

_get_course = attrgetter(
    "reused_from_run_id",
    "blocked_by",
    "required",
    "started_at",
    "finished_at",
    "duration_ms",
    "device_used",
)

_MOST = (1 << 63) - 1
_NUL = b"\\u0000"
"""As it stands in JSON: no database but SQLite stores one in a text."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class RunRows:
    """One manifest as rows.

    Attributes:
        run: Values of `RUN_FACTS`.
        components: Values of `COMPONENT_FACTS`, in planned order.
        checksum: Digest of both, by which a row that was damaged in the database is known.
    """

    run: Values
    components: tuple[Values, ...]
    checksum: str


def build_rows(manifest: ManifestFacts) -> RunRows:
    """Return the rows of a manifest."""
    source = manifest.run.source
    run = (
        *_get_run_facts(manifest.run),
        _fit(manifest.run.revision),
        *_get_versions(manifest.run),
        _find_text(source, "name"),
        _find_text(source, "sha256"),
        _find_whole(source, "size_bytes"),
        _find_number(source, "duration_sec"),
        "\n".join(manifest.run.planned_components),
    )
    listed: Sequence[ComponentFacts] = manifest.components
    components = tuple(map(_build_component, range(len(listed)), listed))
    text = _encode((run, components))
    if _NUL in text:
        run, components = _without_nul(run), tuple(map(_without_nul, components))
        text = _encode((run, components))
    return RunRows(run, components, _sum(text))


def sum_rows(run: Sequence[object], components: Sequence[Sequence[object]]) -> str:
    """Return the digest of the rows of one run as a database gave them back.

    Values that no manifest can hold have none: "".
    """
    try:
        return _sum(_encode((tuple(run), tuple(map(tuple, components)))))
    except (TypeError, ValueError):
        return ""


def _sum(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _build_component(position: int, record: ComponentFacts) -> Values:
    path = sha256 = size = None
    subs = total = 0
    for item in record.artifacts:
        total += item.size_bytes
        if item.kind == "npz":
            path, sha256, size = item.path, item.sha256, item.size_bytes
        else:
            subs += 1
    values = (
        position,
        *_get_outcome(record),
        None if record.reuse_key is None else _find_reuse_digest(record.reuse_key),
        *_get_course(record),
        path,
        sha256,
        size,
        subs,
        total,
        record.error,
        record.notes,
    )
    return values if max(total, record.duration_ms or 0) <= _MOST else tuple(map(_fit, values))


def _find_reuse_digest(key: Mapping[str, object]) -> str:
    """Return the digest that the key names, or else that of the key."""
    named = key.get("digest")
    if isinstance(named, str):
        return named
    return hashlib.sha256(canonical_json(dict(key)).encode()).hexdigest()


def _find_text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None


def _find_whole(values: Mapping[str, object], name: str) -> int | None:
    value = values.get(name)
    return _fit(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _find_number(values: Mapping[str, object], name: str) -> float | None:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(max(-_MOST, min(value, _MOST)))


def _fit(value: _T) -> _T:
    """Return a value that every database can hold; a manifest may say greater numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return cast("_T", max(-_MOST, min(value, _MOST)))
    return value


def _without_nul(values: Values) -> Values:
    return tuple(
        value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in values
    )
