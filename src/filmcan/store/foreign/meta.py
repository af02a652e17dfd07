"""A meta of another system as C4 wants it: complete, in our form, with what it was kept aside.

What it does not say is taken from its manifest's row or its place, where those say it, and is
`unknown` otherwise. Every such step is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from filmcan.contract.imported import IMPORTED
from filmcan.contract.meta import MODEL_KEYS, REQUIRED_META_KEYS, Identity, build_meta
from filmcan.contract.signature import sign_models
from filmcan.store.foreign.plain import build_plain, read_time

if TYPE_CHECKING:
    from filmcan.store.foreign.manifest import ForeignRow

UNKNOWN = "unknown"
KEPT_AS_THEY_ARE = ("seed", "runtime_env", "git_commit", "parameters")

Note = Callable[[str, str], None]
"""Takes a code and a sentence about what was filled in or could not be verified."""


@dataclass(frozen=True, slots=True)
class ForeignRunFacts:
    """What all artifacts of a run share; none of it is unknown here.

    Attributes:
        created_at: When the run began, in our form.
    """

    platform_id: str
    video_id: str
    run_id: str
    config_hash: str
    sampling_policy_version: str
    dataprocessor_version: str
    created_at: str


def find_contradiction(
    meta: Mapping[str, object], run: ForeignRunFacts, component: str
) -> str | None:
    """Return what makes an artifact belong to another place or run, or None (C8.5)."""
    expected = {
        "platform_id": run.platform_id,
        "video_id": run.video_id,
        "run_id": run.run_id,
        "producer": component,
        "config_hash": run.config_hash,
        "sampling_policy_version": run.sampling_policy_version,
    }
    for key, wanted in expected.items():
        found = meta.get(key)
        is_same = isinstance(found, str) and found == wanted
        if not (is_blank(found) or is_same or wanted == UNKNOWN):
            return f"its {key} is {found!r:.80}, expected {wanted!r:.80}"
    return None


def is_blank(value: object) -> bool:
    """Tell whether a meta says nothing there; it may also hold an array, which is no text."""
    return value is None or (isinstance(value, str) and not value)


def upgrade_meta(
    meta: Mapping[str, object],
    row: ForeignRow,
    run: ForeignRunFacts,
    *,
    status: str,
    empty_reason: str | None,
    schema_version: str,
    extra_keys: tuple[str, ...],
    mark: Mapping[str, object],
    note: Note,
) -> dict[str, object]:
    """Return the meta to be written.

    Args:
        meta: As read.
        row: What the manifest says of the component.
        run: What all artifacts of the run share.
        status: Found from meta and row.
        empty_reason: Likewise.
        schema_version: Likewise.
        extra_keys: Keys that the schema allows beyond those of the contract.
        mark: The mark of the import; what the meta held besides is added to it.
        note: Is told what was filled in.
    """
    models = _upgrade_models(meta.get("models_used"), note)
    allowed = (*KEPT_AS_THEY_ARE, *extra_keys)
    built = build_meta(
        Identity(run.platform_id, run.video_id, run.run_id, row.name),
        producer_version=_find_text(meta, "producer_version", row.producer_version, note),
        schema_version=schema_version,
        created_at=_find_created_at(meta, row, run, note),
        config_hash=run.config_hash,
        sampling_policy_version=run.sampling_policy_version,
        dataprocessor_version=_find_text(
            meta, "dataprocessor_version", run.dataprocessor_version, note
        ),
        status=status,
        empty_reason=empty_reason,
        models_used=models,
        optional={key: build_plain(meta[key]) for key in allowed if meta.get(key) is not None},
    )
    signature = meta.get("model_signature")
    if not is_blank(signature) and str(signature) != sign_models(models):
        note("signature_theirs", "its model_signature is made in another way; ours is written")
    for key in ("platform_id", "video_id", "run_id", "producer", "config_hash"):
        if is_blank(meta.get(key)):
            note("field_unknown", f"its meta has no {key}; taken from its place in the store")
    others = {
        key: value
        for key, value in meta.items()
        if key != IMPORTED and key not in allowed and not _says_the_same(key, value, built)
    }
    return {**built, IMPORTED: {**mark, "meta": build_plain(others)}}


def _says_the_same(key: str, value: object, built: Mapping[str, object]) -> bool:
    return key in REQUIRED_META_KEYS and build_plain(value) == built[key]


def _find_text(meta: Mapping[str, object], key: str, other: str | None, note: Note) -> str:
    value = meta.get(key)
    if isinstance(value, str) and value:
        return value
    if other is not None:
        note("field_unknown", f"its meta has no {key}; the manifest says {other[:80]}")
        return other
    note("field_unknown", f"neither its meta nor the manifest says its {key}")
    return UNKNOWN


def _find_created_at(
    meta: Mapping[str, object], row: ForeignRow, run: ForeignRunFacts, note: Note
) -> str:
    created_at, is_bare = read_time(meta.get("created_at"))
    if created_at is not None:
        if is_bare:
            note("time_zone_assumed", "created_at names no zone; taken as UTC")
        return created_at
    if row.finished_at is not None:
        note("time_unknown", "its meta has no created_at; the component's finished_at stands in")
        return row.finished_at
    note("time_unknown", "nothing says when it was made; the run's created_at stands in")
    return run.created_at


def _upgrade_models(value: object, note: Note) -> list[dict[str, object]]:
    """Return `models_used` with every field of C4.3, `unknown` where it was not recorded."""
    if value is None:
        note("models_unknown", "its meta has no models_used; whether models ran is not known")
        return []
    rows = value if isinstance(value, list | tuple) else [value]
    models = []
    for row in rows:
        fields = build_plain(row)
        if not isinstance(fields, dict):
            fields = {"model_name": fields if isinstance(fields, str) and fields else UNKNOWN}
        filled = {
            key: fields[key] if isinstance(fields.get(key), str) and fields[key] else UNKNOWN
            for key in MODEL_KEYS
        }
        unsaid = [key for key in MODEL_KEYS if filled[key] == UNKNOWN]
        if unsaid:
            note("models_unknown", f"models_used does not say: {', '.join(unsaid)}")
        models.append({**cast("dict[str, object]", fields), **filled})
    return models
