"""The `meta` of an artifact: who made it, from what, how, and what came of it (C4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from filmcan.contract.canonical import JsonError, canonical_json
from filmcan.contract.ids import find_id_fault
from filmcan.contract.imported import IMPORTED
from filmcan.contract.issues import Issue, shown
from filmcan.contract.missing import CANONICAL_REASONS
from filmcan.contract.signature import sign_models
from filmcan.contract.times import find_time_fault

SEED_META_KEYS = (
    "producer",
    "producer_version",
    "schema_version",
    "created_at",
    "platform_id",
    "video_id",
    "run_id",
    "config_hash",
    "sampling_policy_version",
    "dataprocessor_version",
    "status",
    "empty_reason",
)
"""The keys of C4.1."""

REQUIRED_META_KEYS = (*SEED_META_KEYS, "models_used", "model_signature")
"""What an artifact of filmcan always carries: C4.1 and C4.3."""

OPTIONAL_META_KEYS = (
    "seed",
    "runtime_env",
    "git_commit",
    "reused_from_run_id",
    "parameters",
    IMPORTED,
)

MODEL_KEYS = (
    "model_name",
    "model_version",
    "weights_digest",
    "runtime",
    "engine",
    "precision",
    "device",
)
STATUSES = ("ok", "empty", "error")


@dataclass(frozen=True, slots=True)
class Identity:
    """Where an artifact belongs: the ids of its place in a store (C2)."""

    platform_id: str
    video_id: str
    run_id: str
    component: str


def build_meta(
    identity: Identity,
    *,
    producer_version: str,
    schema_version: str,
    created_at: str,
    config_hash: str,
    sampling_policy_version: str,
    dataprocessor_version: str,
    status: str,
    empty_reason: str | None,
    models_used: Iterable[Mapping[str, object]],
    optional: Mapping[str, object],
) -> dict[str, object]:
    """Return the meta of one artifact, keys in the contract's order.

    Args:
        identity: Where the artifact belongs.
        producer_version: Version of the component.
        schema_version: The rules its arrays satisfy.
        created_at: When it was made, as `times.format_time` writes it.
        config_hash: Digest of the run's settings.
        sampling_policy_version: Which policy chose the samples.
        dataprocessor_version: Version of filmcan.
        status: `ok` or `empty`.
        empty_reason: Why it is empty; None exactly when it is not.
        models_used: Rows with `MODEL_KEYS`.
        optional: Values for some of `OPTIONAL_META_KEYS`; a key that does not apply is left out.
    """
    models = [dict(row) for row in models_used]
    return {
        "producer": identity.component,
        "producer_version": producer_version,
        "schema_version": schema_version,
        "created_at": created_at,
        "platform_id": identity.platform_id,
        "video_id": identity.video_id,
        "run_id": identity.run_id,
        "config_hash": config_hash,
        "sampling_policy_version": sampling_policy_version,
        "dataprocessor_version": dataprocessor_version,
        "status": status,
        "empty_reason": empty_reason,
        "models_used": models,
        "model_signature": sign_models(models),
        **optional,
    }


def validate_meta(
    meta: Mapping[str, object],
    *,
    required_keys: Iterable[str] | None = None,
    extra_keys: Iterable[str] = (),
    identity: Identity | None = None,
    empty_reasons: Iterable[str] = (),
) -> list[Issue]:
    """Return every problem of a meta.

    Args:
        meta: The dict as read.
        required_keys: Keys that must be there; None means the full set, any given list, even an
            empty one, is taken literally (C8.4). Keys that are there are judged in any case;
            unknown keys only against the full set.
        extra_keys: Keys the schema allows beyond the contract's.
        identity: Where the artifact lies; None when that is not known.
        empty_reasons: Reasons the schema declares beyond the canonical ones.
    """
    strict = required_keys is None
    issues = [
        _error("meta_key_missing", key, f"meta has no {key}")
        for key in (REQUIRED_META_KEYS if required_keys is None else required_keys)
        if key not in meta
    ]
    if strict:
        known = {*REQUIRED_META_KEYS, *OPTIONAL_META_KEYS, *extra_keys}
        issues += [
            _error("meta_key_unknown", key, f"meta has the unknown key {key}")
            for key in sorted(set(meta) - known)
        ]
    issues += _find_odd_values(meta, strict=strict)
    meta = {key: value for key, value in meta.items() if _is_plain(value)}
    issues += _validate_texts(meta)
    issues += _validate_ids(meta, identity, strict=strict)
    issues += _validate_status(meta, empty_reasons)
    issues += _validate_models(meta, strict=strict)
    if meta.get("dataprocessor_version") == "unknown":
        message = "unknown is for development only (C4.1)"
        issues.append(Issue("warning", "version_unknown", "meta.dataprocessor_version", message))
    if strict:
        issues += _validate_optional(meta)
        created_at = meta.get("created_at")
        if isinstance(created_at, str) and (fault := find_time_fault(created_at)):
            issues.append(_error("meta_value", "created_at", fault))
    return issues


def find_meta_difference(meta: object, meta_json: object) -> str | None:
    """Return where `meta` and `meta_json` disagree, or None when they say the same (C4.4)."""
    if not isinstance(meta, Mapping) or not isinstance(meta_json, Mapping):
        return "both must be dicts"
    for key in sorted({*meta, *meta_json}):
        if key not in meta:
            return f"{key} is only in meta_json"
        if key not in meta_json:
            return f"{key} is only in meta"
        try:
            same = canonical_json(meta[key]) == canonical_json(meta_json[key])
        except JsonError as error:
            return f"{key}: {error}"
        if not same:
            return f"{key} is {shown(meta[key])} in meta, {shown(meta_json[key])} in meta_json"
    return None


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | list | Mapping)


def _find_odd_values(meta: Mapping[str, object], *, strict: bool) -> list[Issue]:
    """Find values that are of no kind JSON has, such as arrays: nothing can be compared with them.

    What an artifact from elsewhere holds under names of its own is not ours to judge.
    """
    return [
        _error("meta_value", key, f"expected a plain value as in JSON, got {shown(value)}")
        for key, value in meta.items()
        if not _is_plain(value) and (strict or key in REQUIRED_META_KEYS)
    ]


def _validate_optional(meta: Mapping[str, object]) -> list[Issue]:
    """Check what may be absent: never None (C6.5), it says what it is there to say (C4.3)."""
    is_ours = not isinstance(meta.get(IMPORTED), Mapping)  # the rest is kept as it came
    issues = []
    for key in OPTIONAL_META_KEYS:
        if key in meta and meta[key] is None:
            message = "stored as None; a key that does not apply is left out (C6.5)"
            issues.append(_error("stored_none", key, message))
        elif key in meta and is_ours and (fault := _find_optional_fault(key, meta[key])):
            issues.append(_error("meta_value", key, f"{key} {fault}, got {shown(meta[key])}"))
    return issues


def _find_optional_fault(key: str, value: object) -> str | None:
    if key == "seed" and (isinstance(value, bool) or not isinstance(value, int)):
        return "must be a whole number"
    if key == "git_commit" and (not isinstance(value, str) or not value):
        return "must be a non-empty string"
    if key == "reused_from_run_id" and (
        not isinstance(value, str) or find_id_fault("run_id", value) is not None
    ):
        return "must be the id of a run"
    if key == IMPORTED and not isinstance(value, Mapping):
        return "must be a dict"
    return None


def _validate_texts(meta: Mapping[str, object]) -> list[Issue]:
    plain = ("producer", "producer_version", "schema_version", "config_hash", "run_id", "video_id")
    others = ("platform_id", "sampling_policy_version", "dataprocessor_version", "created_at")
    return [
        _error("meta_value", key, f"{key} must be a non-empty string, got {shown(meta[key])}")
        for key in (*plain, *others)
        if key in meta and (not isinstance(meta[key], str) or not meta[key])
    ]


def _validate_ids(
    meta: Mapping[str, object], identity: Identity | None, *, strict: bool
) -> list[Issue]:
    issues = []
    for key in ("platform_id", "video_id", "run_id"):
        value = meta.get(key)
        fault = find_id_fault(key, value) if isinstance(value, str) else None
        if strict and fault is not None:
            issues.append(_error("meta_value", key, f"{key} {shown(value)} {fault}"))
    if identity is None:
        return issues
    expected = {
        "platform_id": identity.platform_id,
        "video_id": identity.video_id,
        "run_id": identity.run_id,
        "producer": identity.component,
    }
    issues += [
        _error("meta_place", key, f"meta says {shown(meta[key])}, the place says {wanted!r}")
        for key, wanted in expected.items()
        if key in meta and meta[key] != wanted
    ]
    return issues


def _validate_status(meta: Mapping[str, object], declared: Iterable[str]) -> list[Issue]:
    if "status" not in meta:
        return []
    status, reason = meta["status"], meta.get("empty_reason")
    if status not in STATUSES:
        return [
            _error("meta_value", "status", f"status must be one of {STATUSES}, got {shown(status)}")
        ]
    if status != "empty":
        if reason in (None, ""):
            return []
        return [_error("reason_without_empty", "empty_reason", f"{shown(reason)} though {status}")]
    if not isinstance(reason, str) or not reason:
        return [
            _error(
                "empty_without_reason", "empty_reason", f"empty, but the reason is {shown(reason)}"
            )
        ]
    if reason not in {*CANONICAL_REASONS, *declared}:
        message = f"{shown(reason)} is neither canonical nor declared by the schema"
        return [Issue("warning", "reason_not_declared", "empty_reason", message)]
    return []


def _validate_models(meta: Mapping[str, object], *, strict: bool) -> list[Issue]:
    if "models_used" not in meta:
        return []
    models = meta["models_used"]
    if not isinstance(models, list):
        return [_error("meta_value", "models_used", f"must be a list, got {shown(models)}")]
    issues = []
    for index, row in enumerate(models):
        wrong = not isinstance(row, Mapping) or any(
            not isinstance(row.get(key), str) for key in MODEL_KEYS
        )
        if wrong:
            message = f"row {index} must hold the strings {', '.join(MODEL_KEYS)}, got {shown(row)}"
            issues.append(_error("meta_value", "models_used", message))
    # What an artifact from elsewhere calls its signature is not ours to recompute.
    if strict and not issues and "model_signature" in meta:
        try:
            expected = sign_models(models)
        except JsonError as error:
            return [_error("meta_value", "models_used", str(error))]
        if meta["model_signature"] != expected:
            message = f"{shown(meta['model_signature'])} does not sign models_used, {expected} does"
            issues.append(_error("meta_value", "model_signature", message))
    return issues


def _error(code: str, key: str, message: str) -> Issue:
    return Issue("error", code, f"meta.{key}", message)
