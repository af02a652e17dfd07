"""A manifest as rows: what is known of its run, and the columns that it is found by.

What is known is one JSON text. All columns are derived from it, here alone: when the rows are
written, and again when they are read, so that a column that was damaged is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from filmcan.contract.canonical import canonical_json
from filmcan.store.index.questions import IndexedComponent, IndexedRun

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentFacts, ManifestFacts

Values = tuple[object, ...]
_T = TypeVar("_T")

_OF_A_RUN = (
    "platform_id",
    "video_id",
    "run_id",
    "status",
    "created_at",
    "updated_at",
    "finished_at",
    "config_hash",
)
"""What a manifest's run, what is known of it, and its row all hold under one name."""

RUN_COLUMNS = (*_OF_A_RUN, "duration_sec", "folded_path", "folded_text")
OUTCOME_COLUMNS = ("name", "status", "empty_reason", "producer_version", "schema_version")
COMPONENT_COLUMNS = (*OUTCOME_COLUMNS, "model_signature")
_get_component_columns = attrgetter(*COMPONENT_COLUMNS)
_get_of_a_run = attrgetter(*_OF_A_RUN)
_get_versions = attrgetter("filmcan_version", "sampling_policy_version", "dataprocessor_version")
_get_component_facts = attrgetter(
    "name",
    "kind",
    "status",
    "producer_version",
    "schema_version",
    "started_at",
    "finished_at",
    "duration_ms",
    "device_used",
    "error",
    "notes",
    "required",
    "empty_reason",
    "model_signature",
    "reused_from_run_id",
    "blocked_by",
)

_MOST = (1 << 63) - 1
_MOST_FLOAT = float(_MOST)
_APART = "\x1f"
"""Between texts that are searched as one."""
_CHECKSUM_CHARS = 16
_ESCAPE = b"\\"
_NUL = b"\\u0000"
"""As it stands in JSON: no database but SQLite stores one in a column."""
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(IndexedRun).decode


@dataclass(frozen=True, slots=True)
class RunRows:
    """One manifest as rows.

    Attributes:
        run: Values of `RUN_COLUMNS`.
        components: Values of `COMPONENT_COLUMNS`, in planned order.
        facts: An `IndexedRun` as JSON.
        checksum: Digest of the facts, by which a row that was damaged in the database is known.
    """

    run: Values
    components: tuple[Values, ...]
    facts: str
    checksum: str


def build_rows(manifest: ManifestFacts) -> RunRows:
    """Return the rows of a manifest."""
    return derive_rows(_build_run(manifest))


def parse_run(facts: str) -> IndexedRun:
    """Return what is known of a run.

    Raises:
        ValueError: The text says something else.
    """
    return _decode(facts)


def derive_rows(run: IndexedRun) -> RunRows:
    """Return the rows that say this of a run."""
    facts = _encode(run)
    texts = [run.source_name]
    for component in run.components:
        texts += component.error, component.notes
    path = f"{run.platform_id}/{run.video_id}/{run.run_id}"
    text = _APART.join(filter(None, texts))
    columns = (*_get_of_a_run(run), run.duration_sec, fold(path), fold(text))
    components = tuple(map(_get_component_columns, run.components))
    if _ESCAPE in facts and _NUL in facts:
        columns, components = _without_nul(columns), tuple(map(_without_nul, components))
    checksum = hashlib.sha256(facts).hexdigest()[:_CHECKSUM_CHARS]
    return RunRows(columns, components, facts.decode(), checksum)


def fold(text: str) -> str:
    """Return a text with all upper case letters of ASCII made lower case."""
    return text.encode().lower().decode()


def _build_run(manifest: ManifestFacts) -> IndexedRun:
    run, source = manifest.run, manifest.run.source
    facts: tuple[Any, ...] = (
        *_get_of_a_run(run),
        _fit(run.revision),
        *_get_versions(run),
        _find_text(source, "name"),
        _find_text(source, "sha256"),
        _find_whole(source, "size_bytes"),
        _find_number(source, "duration_sec"),
        tuple(run.planned_components),
        tuple(map(_build_component, cast("Iterable[ComponentFacts]", manifest.components))),
    )
    return IndexedRun(*facts)


def _build_component(record: ComponentFacts) -> IndexedComponent:
    digest = path = sha256 = size = None
    subs = total = 0
    for item in record.artifacts:
        total += item.size_bytes
        if item.kind == "npz":
            path, sha256, size = item.path, item.sha256, item.size_bytes
        else:
            subs += 1
    key = record.reuse_key
    if key is not None:
        digest = key.get("digest")
        if not isinstance(digest, str):
            digest = hashlib.sha256(canonical_json(dict(key)).encode()).hexdigest()
    facts: tuple[Any, ...] = _get_component_facts(record)
    if total > _MOST or (record.duration_ms or 0) > _MOST:
        facts, size, total = tuple(map(_fit, facts)), _fit(size), _fit(total)
    facts = (*facts, digest, path, sha256, size, subs, total)
    return IndexedComponent(*facts)


def _find_text(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None


def _find_whole(values: Mapping[str, object], name: str) -> int | None:
    value = values.get(name)
    return _fit(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _find_number(values: Mapping[str, object], name: str) -> float | None:
    value = values.get(name)
    if isinstance(value, float):
        return max(-_MOST_FLOAT, min(value, _MOST_FLOAT))
    found = _find_whole(values, name)
    return None if found is None else float(found)


def _fit(value: _T) -> _T:
    """Return a value that 64 bits can hold; a manifest may say greater numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return cast("_T", max(-_MOST, min(value, _MOST)))
    return value


def _without_nul(values: Values) -> Values:
    return tuple(
        value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in values
    )
