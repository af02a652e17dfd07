"""The manifest of a run, as records (C3): parsed strictly, written in one order.

Unknown fields that a newer version wrote are kept on rewrite at every level. A damaged manifest
is an error that carries every problem; it is never taken for a missing one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, cast

from filmcan.contract.canonical import JsonError, canonical_json, parse_json
from filmcan.contract.ids import IdKind, find_id_fault
from filmcan.contract.issues import Issue
from filmcan.contract.reading import MAX_PROBLEMS, ObjectReader
from filmcan.contract.records import (
    KINDS,
    STATUSES,
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
from filmcan.contract.written_form import (
    WrittenArtifact,
    WrittenComponent,
    WrittenManifest,
    WrittenRun,
    build_records,
    read_written_form,
)
from filmcan.errors import InvalidManifestError

__all__ = [
    "ArtifactFacts",
    "ArtifactRecord",
    "ComponentFacts",
    "ComponentRecord",
    "Kind",
    "Manifest",
    "ManifestFacts",
    "RunFacts",
    "RunRecord",
    "Status",
    "parse_facts",
    "parse_manifest",
]

MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 16 * 1024 * 1024

_NO_EXTRA: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole manifest. Records are replaced, never changed."""

    run: RunRecord
    components: tuple[ComponentRecord, ...] = ()
    render: Mapping[str, object] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """True when the run said it was complete; what it lists is there in any case."""
        return self.run.finished_at is not None

    @property
    def pending_components(self) -> tuple[str, ...]:
        """Planned components that have no record yet, in planned order."""
        done = {component.name for component in self.components}
        return tuple(name for name in self.run.planned_components if name not in done)

    def find_component(self, name: str) -> ComponentRecord | None:
        """Return a component's record, or None when the run has none."""
        return next((item for item in self.components if item.name == name), None)

    def with_component(self, record: ComponentRecord) -> Manifest:
        """Return a manifest that holds this record, in planned order; others are untouched.

        Unknown fields of the record it replaces are kept.
        """
        former = self.find_component(record.name)
        if former is not None and not record.extra:
            record = replace(record, extra=former.extra)
        others = [item for item in self.components if item.name != record.name]
        order = {name: place for place, name in enumerate(self.run.planned_components)}
        merged = sorted([*others, record], key=lambda item: order.get(item.name, len(order)))
        return replace(self, components=tuple(merged))

    def to_bytes(self) -> bytes:
        """Return the manifest as UTF-8 JSON, keys in a fixed order, indented by two.

        Raises:
            InvalidManifestError: A value is no JSON, or the document would be too large to read.
        """
        document = _build_document(self)
        try:
            canonical_json(document)
        except JsonError as error:
            raise InvalidManifestError(str(error), where=MANIFEST_NAME) from error
        data = (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
        if len(data) > MAX_MANIFEST_BYTES:
            raise InvalidManifestError(
                f"the manifest would have {len(data)} bytes, more than {MAX_MANIFEST_BYTES}",
                where=MANIFEST_NAME,
                hint="Shorten notes, errors or the profile.",
            )
        return data


ManifestFacts = Manifest | WrittenManifest
RunFacts = RunRecord | WrittenRun
ComponentFacts = ComponentRecord | WrittenComponent
ArtifactFacts = ArtifactRecord | WrittenArtifact
"""What a manifest says, for those who only look."""


def parse_manifest(data: bytes, *, where: str = MANIFEST_NAME) -> Manifest:
    """Return a manifest from its bytes.

    Raises:
        InvalidManifestError: The bytes are damaged or break C3; the message names every problem.
    """
    facts = parse_facts(data, where=where)
    return facts if isinstance(facts, Manifest) else Manifest(*build_records(facts))


def parse_facts(data: bytes, *, where: str = MANIFEST_NAME) -> ManifestFacts:
    """Return what a manifest says, at half the cost of its records where it can be had so.

    Raises:
        InvalidManifestError: As for `parse_manifest`.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise InvalidManifestError(
            f"{len(data)} bytes, more than {MAX_MANIFEST_BYTES}", where=where, code="too_large"
        )
    return read_written_form(data) or _parse_field_by_field(data, where)


def _parse_field_by_field(data: bytes, where: str) -> Manifest:
    try:
        document = parse_json(data)
    except JsonError as error:
        raise InvalidManifestError(
            f"not strict JSON: {error}",
            where=where,
            hint="The file is kept as it is; restore it, or delete the run.",
        ) from error
    problems: list[Issue] = []
    manifest = _read_manifest(ObjectReader(document, "", problems))
    if problems:
        faults = [f"{issue.key or 'document'}: {issue.message}" for issue in problems]
        if len(faults) > MAX_PROBLEMS:
            faults[MAX_PROBLEMS:] = ["and more"]
        raise InvalidManifestError("; ".join(faults), where=where)
    return manifest


def _read_manifest(root: ObjectReader) -> Manifest:
    run = _read_run(root.child("run"))
    components = tuple(_read_component(item) for item in root.items("components"))
    names = Counter(component.name for component in components)
    for name in sorted(name for name, count in names.items() if count > 1)[:MAX_PROBLEMS]:
        root.report(f"{name} stands there twice", "components", "duplicate")
    render = root.child("render").value if root.value.get("render") is not None else None
    return Manifest(run, components, render, root.extra(("run", "components", "render")))


def _read_run(reader: ObjectReader) -> RunRecord:
    def identifier(name: str) -> str:
        return reader.checked(name, lambda value: find_id_fault(cast("IdKind", name), value))

    status = None
    if reader.value.get("status") is not None:
        status = cast("Literal['ok', 'error']", reader.choice("status", ("ok", "error")))
    return RunRecord(
        platform_id=identifier("platform_id"),
        video_id=identifier("video_id"),
        run_id=identifier("run_id"),
        config_hash=reader.text("config_hash"),
        sampling_policy_version=reader.text("sampling_policy_version"),
        dataprocessor_version=reader.text("dataprocessor_version"),
        created_at=reader.checked("created_at", find_time_fault),
        updated_at=reader.checked("updated_at", find_time_fault),
        finished_at=_read_time(reader, "finished_at"),
        status=status,
        planned_components=reader.texts("planned_components"),
        profile=_read_object(reader, "profile"),
        source=_read_object(reader, "source"),
        filmcan_version=reader.optional_text("filmcan_version"),
        revision=reader.whole("revision"),
        write_id=reader.optional_text("write_id"),
        peak_rss_bytes=reader.optional_whole("peak_rss_bytes"),
        extra=reader.extra(_KNOWN[RunRecord]),
    )


def _read_component(reader: ObjectReader) -> ComponentRecord:
    name = reader.checked("name", lambda value: find_id_fault("component", value))
    status = cast("Status", reader.choice("status", STATUSES))
    artifacts = tuple(_read_artifact(item, name) for item in reader.items("artifacts"))
    record = ComponentRecord(
        name=name,
        kind=cast("Kind", reader.choice("kind", KINDS)),
        status=status,
        artifacts=artifacts,
        producer_version=reader.optional_text("producer_version"),
        schema_version=reader.optional_text("schema_version"),
        started_at=_read_time(reader, "started_at"),
        finished_at=_read_time(reader, "finished_at"),
        duration_ms=reader.optional_whole("duration_ms"),
        device_used=reader.optional_text("device_used"),
        error=reader.optional_text("error"),
        notes=reader.optional_text("notes"),
        required=reader.flag("required", default=False),
        empty_reason=reader.optional_text("empty_reason"),
        model_signature=reader.optional_text("model_signature"),
        models_used=tuple(
            item.value
            for item in (reader.items("models_used") if reader.has("models_used") else [])
        ),
        reuse_key=_read_object(reader, "reuse_key") if reader.value.get("reuse_key") else None,
        reused_from_run_id=reader.optional_text("reused_from_run_id"),
        blocked_by=reader.optional_text("blocked_by"),
        extra=reader.extra(_KNOWN[ComponentRecord]),
    )
    kinds = [artifact.kind for artifact in artifacts]
    for fault in find_outcome_faults(status, record.empty_reason, record.error, kinds):
        reader.report(fault, "", "inconsistent")
    return record


def _read_artifact(reader: ObjectReader, component: str) -> ArtifactRecord:
    return ArtifactRecord(
        path=reader.checked("path", lambda value: find_artifact_path_fault(value, component)),
        size_bytes=reader.whole("size_bytes"),
        sha256=reader.checked("sha256", find_digest_fault),
        kind=cast("Literal['npz', 'npy']", reader.choice("kind", ("npz", "npy"))),
        extra=reader.extra(_KNOWN[ArtifactRecord]),
    )


def _read_time(reader: ObjectReader, name: str) -> str | None:
    return None if reader.value.get(name) is None else reader.checked(name, find_time_fault)


def _read_object(reader: ObjectReader, name: str) -> Mapping[str, object]:
    return reader.child(name).value if reader.value.get(name) is not None else _NO_EXTRA


def _names(record: type) -> tuple[str, ...]:
    return _FIELD_NAMES[record]


_FIELD_NAMES: Mapping[type, tuple[str, ...]] = {
    kind: tuple(item.name for item in fields(kind) if item.name != "extra")
    for kind in (RunRecord, ComponentRecord, ArtifactRecord)
}
"""Listed once: a store has tens of thousands of records."""

_KNOWN = {kind: frozenset(names) for kind, names in _FIELD_NAMES.items()}


def _build_document(manifest: Manifest) -> dict[str, object]:
    document: dict[str, object] = {
        "run": _build_record(manifest.run),
        "components": [_build_record(component) for component in manifest.components],
    }
    if manifest.render is not None:
        document["render"] = dict(manifest.render)
    return {**document, **manifest.extra}


def _build_record(record: RunRecord | ComponentRecord | ArtifactRecord) -> dict[str, object]:
    built: dict[str, object] = {}
    for name in _names(type(record)):
        value = getattr(record, name)
        if name == "artifacts":
            value = [_build_record(artifact) for artifact in value]
        elif isinstance(value, tuple):
            value = list(value)
        built[name] = value
    return {**built, **record.extra}
