"""Judge what a manifest says of its run beyond the types of its fields (C3, C6.4, C11).

`manifest.parse_manifest` refuses a manifest that cannot be read. Here stand the rules about a
readable one: errors where two statements contradict each other, warnings where something is
unusual but harms no reader. Fields that [ours] added are judged only where they are recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from filmcan.contract.canonical import JsonError, canonical_json
from filmcan.contract.ids import find_id_fault
from filmcan.contract.issues import Issue, shown
from filmcan.contract.meta import REQUIRED_META_KEYS
from filmcan.contract.missing import DEPENDENCY_MISSING
from filmcan.contract.records import GREATEST_NUMBER, is_source_number
from filmcan.contract.registry import get_schema
from filmcan.contract.signature import hash_canonical, hash_config, sign_models
from filmcan.errors import InvalidSchemaError, NotFoundError

if TYPE_CHECKING:
    from filmcan.contract.manifest import ArtifactRecord, ComponentRecord, Manifest, RunRecord

ALWAYS_WRITTEN = (
    "status",
    "started_at",
    "finished_at",
    "duration_ms",
    "device_used",
    "error",
    "notes",
    "schema_version",
    "producer_version",
)
"""The fields of a component that stand in every manifest, null where they do not apply (C3.3)."""

_HASH_CHARS_IN_NAME = 12
_SOURCE_NUMBERS = (
    ("", "size_bytes"),
    ("", "duration_sec"),
    ("", "decoded_frames"),
    ("", "failed_frames"),
    ("", "frame_count"),
    ("", "decoded_samples"),
    ("video_stream", "average_rate_hz"),
    ("audio_stream", "rate_hz"),
)
"""What of a source is a number: the stream it is said of, `""` for the whole, and its name."""


def validate_manifest(manifest: Manifest) -> list[Issue]:
    """Return every contradiction and oddity of a readable manifest, top to bottom.

    The key of an issue is the field, such as `run.status` or `core_clip.kind`.
    """
    issues = [
        *_check_run(manifest.run),
        *_check_progress(manifest),
        *_check_plan(manifest),
    ]
    for component in manifest.components:
        issues += _check_component(component)
        issues += _check_identity(component)
        if component.blocked_by is not None:
            issues += _check_blocker(component, manifest)
    return issues


def find_absent_fields(document: object) -> list[Issue]:
    """Return a warning for each field of C3.3 that a manifest's document leaves out.

    Args:
        document: The JSON document as it stands in the file.
    """
    components = document.get("components") if isinstance(document, Mapping) else None
    issues = []
    for row in components if isinstance(components, list) else ():
        absent = [name for name in ALWAYS_WRITTEN if name not in row]
        if absent:
            message = f"{', '.join(absent)} should be written, with null where they do not apply"
            issues.append(_warning("field_absent", str(row.get("name")), message))
    return issues


def validate_agreement(
    meta: Mapping[str, object], manifest: Manifest, component: ComponentRecord
) -> list[Issue]:
    """Check that an artifact's meta says what the manifest says (C8.5).

    What the meta must hold and lacks is found by `validate_meta`; here a key is missed that only
    some hold, when the manifest has something to say of it.
    """
    run = manifest.run
    expected: dict[str, object] = {
        "status": component.status,
        "empty_reason": component.empty_reason,
        "producer_version": component.producer_version,
        "schema_version": component.schema_version,
        "config_hash": run.config_hash,
        "sampling_policy_version": run.sampling_policy_version,
        "dataprocessor_version": run.dataprocessor_version,
        "reused_from_run_id": component.reused_from_run_id,
    }
    if component.model_signature is not None:
        expected["model_signature"] = component.model_signature
    if component.model_signature is not None or component.models_used:
        expected["models_used"] = [dict(row) for row in component.models_used]
    issues = []
    for key, wanted in expected.items():
        if _say_the_same(meta.get(key), wanted) or (key not in meta and key in REQUIRED_META_KEYS):
            continue
        said = shown(meta[key]) if key in meta else "nothing"
        message = f"meta says {said}, the manifest {shown(wanted)}"
        # A stage of a newer filmcan may join a run; what it made says so, the run keeps its own.
        level = _warning if key == "dataprocessor_version" else _error
        issues.append(level("manifest_disagrees", f"meta.{key}", message))
    return issues


def _say_the_same(said: object, wanted: object) -> bool:
    """Compare a value of a meta, which may hold anything, with one of a manifest."""
    try:
        return canonical_json(said or None) == canonical_json(wanted or None)
    except (JsonError, ValueError):  # ValueError: an array is neither true nor false
        return False


def find_name_issue(artifact: ArtifactRecord, component: str) -> Issue | None:
    """Return a warning when an NPZ is not named by its content (C4.5)."""
    expected = f"{component}.{artifact.sha256[:_HASH_CHARS_IN_NAME]}.npz"
    name = artifact.path.rpartition("/")[2]
    if artifact.kind != "npz" or name == expected:
        return None
    message = f"expected the name {expected}, which follows from its content"
    return _warning("artifact_name", "", message)


def _check_run(run: RunRecord) -> Iterator[Issue]:
    if run.profile and (expected := hash_config(run.profile)) != run.config_hash:
        message = f"{run.config_hash[:80]} is not the hash of the recorded profile, {expected} is"
        yield _error("config_hash", "run.config_hash", message)
    if run.updated_at < run.created_at:
        message = f"{run.updated_at} is before created_at {run.created_at}; a clock was wrong"
        yield _warning("time_order", "run.updated_at", message)
    if run.finished_at is not None and run.finished_at < run.created_at:
        message = f"{run.finished_at} is before created_at {run.created_at}; a clock was wrong"
        yield _warning("time_order", "run.finished_at", message)
    name = run.source.get("name")
    if isinstance(name, str) and "/" in name:
        message = "holds a folder or an address; only the base name may be kept (C3.2)"
        yield _error("source_leak", "run.source.name", message)
    for place, field in _SOURCE_NUMBERS:
        facts = run.source.get(place) if place else run.source
        value = facts.get(field) if isinstance(facts, Mapping) else None
        if value is not None and not is_source_number(value):
            message = f"expected a number from 0 to {GREATEST_NUMBER} or null, got {shown(value)}"
            key = ".".join(filter(None, ("run.source", place, field)))
            yield _error("source_value", key, message)


def _check_progress(manifest: Manifest) -> Iterator[Issue]:
    run, pending = manifest.run, ", ".join(manifest.pending_components)
    if not manifest.is_finished:
        rest = f"; {pending} not done" if pending else ""
        yield _warning("run_unfinished", "run.finished_at", f"the run is unfinished{rest}")
        if run.status is not None:
            message = f"{run.status}, but the run is unfinished (C3.2)"
            yield _error("run_status", "run.status", message)
        return
    if pending:
        message = f"finished, but {pending} has no record"
        yield _error("component_missing", "run.planned_components", message)
        return
    expected = "error" if has_failed(manifest) else "ok"
    if run.status != expected:
        message = f"{run.status}, but from its components follows {expected} (C6.4)"
        yield _error("run_status", "run.status", message)


def has_failed(manifest: Manifest) -> bool:
    """Tell whether a finished run's status is error (C6.4).

    It is when a required component ended so, or when no component ended ok or empty.
    """
    failed = any(item.required and item.status == "error" for item in manifest.components)
    return failed or all(item.status == "error" for item in manifest.components)


def _check_plan(manifest: Manifest) -> Iterator[Issue]:
    planned = manifest.run.planned_components
    if not planned:
        return
    if len(set(planned)) != len(planned):
        yield _warning("plan", "run.planned_components", "names a component twice")
    names = [component.name for component in manifest.components]
    for name in names:
        if name not in planned:
            yield _warning("plan", name, "was not planned")
    expected = sorted(
        names, key=lambda name: planned.index(name) if name in planned else len(planned)
    )
    if names != expected:
        yield _warning("plan", "components", f"expected the planned order {', '.join(expected)}")


def _check_component(record: ComponentRecord) -> Iterator[Issue]:
    name = record.name
    kind = _find_kind(record)
    if kind is not None and kind != record.kind:
        message = f"{record.kind}, but its schema says {kind}"
        yield _error("kind_disagrees", f"{name}.kind", message)
    # C6.6: a required component without its model is an error, not empty.
    if record.required and record.blocked_by is None and record.empty_reason == DEPENDENCY_MISSING:
        message = f"required, yet empty with {DEPENDENCY_MISSING}; that is an error"
        yield _error("required_but_empty", f"{name}.status", message)
    if record.started_at and record.finished_at and record.finished_at < record.started_at:
        message = f"{record.finished_at} is before started_at {record.started_at}"
        yield _warning("time_order", f"{name}.finished_at", message)
    for artifact in record.artifacts:
        if not artifact.path.endswith(f".{artifact.kind}"):
            message = f"listed as {artifact.kind}, but named {artifact.path[-80:]}"
            yield _error("artifact_kind", f"{name}.artifacts", message)


def _check_identity(record: ComponentRecord) -> Iterator[Issue]:
    """Check what a record says about being the same as something else (C11)."""
    name = record.name
    if record.model_signature is not None:
        expected = sign_models(record.models_used)
        if record.model_signature != expected:
            message = f"{record.model_signature[:80]} does not sign models_used, {expected} does"
            yield _error("model_signature", f"{name}.model_signature", message)
    if record.reuse_key is not None and "parts" in record.reuse_key:
        expected = hash_canonical(record.reuse_key["parts"])
        if record.reuse_key.get("digest") != expected:
            message = f"the digest is not that of its parts, {expected} is"
            yield _error("reuse_key", f"{name}.reuse_key", message)
    if record.reused_from_run_id is not None:
        fault = find_id_fault("run_id", record.reused_from_run_id)
        if fault is not None:
            yield _error("bad_id", f"{name}.reused_from_run_id", fault)


def _check_blocker(record: ComponentRecord, manifest: Manifest) -> Iterator[Issue]:
    known = {*manifest.run.planned_components, *(item.name for item in manifest.components)}
    blocker = manifest.find_component(str(record.blocked_by))
    if record.blocked_by not in known:
        message = f"{shown(record.blocked_by)} is no component of this run"
        yield _warning("blocked_by", f"{record.name}.blocked_by", message)
    elif record.status == "ok" or (blocker is not None and blocker.status == "ok"):
        message = f"{record.status}, though blocked by {record.blocked_by}"
        if blocker is not None:
            message = f"{message}, which is {blocker.status}"
        yield _warning("blocked_by", f"{record.name}.blocked_by", message)


def _find_kind(record: ComponentRecord) -> str | None:
    if record.schema_version is None:
        return None
    try:
        return get_schema(record.schema_version, record.name).kind
    except (NotFoundError, InvalidSchemaError):
        return None


def _error(code: str, key: str, message: str) -> Issue:
    return Issue("error", code, key, message)


def _warning(code: str, key: str, message: str) -> Issue:
    return Issue("warning", code, key, message)
