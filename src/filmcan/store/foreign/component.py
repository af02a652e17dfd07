"""One component of a foreign run: its row and its files -> a record, and a product to commit.

The artifact decides about status and reason where it can be read (C3.3); an error never becomes
data (C6.4); what is listed but cannot be had becomes an error that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, cast

from filmcan.contract.imported import IMPORTED, Form, find_mark
from filmcan.contract.manifest import ComponentRecord
from filmcan.contract.registry import get_schema, list_schema_components, list_schema_versions
from filmcan.errors import InvalidContentError, InvalidSchemaError, NotFoundError
from filmcan.store.foreign.arrays import Upgrade, upgrade_arrays
from filmcan.store.foreign.meta import UNKNOWN, ForeignRunFacts, find_contradiction, upgrade_meta
from filmcan.store.foreign.outcome import FileFate, FileOutcome, RunOutcome
from filmcan.store.foreign.plain import build_plain, strip_places
from filmcan.store.foreign.sources import SourceFile, read_artifact
from filmcan.store.transaction import Product

if TYPE_CHECKING:
    from filmcan.contract.manifest import Kind, Status
    from filmcan.contract.schema import ArtifactSchema
    from filmcan.store.base import Backend
    from filmcan.store.foreign.manifest import ForeignRow
    from filmcan.store.foreign.meta import Note

_SHOWN_KEYS = 5
_DONE = ("ok", "empty")
_STATUSES = (*_DONE, "error")


@dataclass(frozen=True, slots=True)
class Built:
    """What is to be listed, and committed with it; an error has no product."""

    record: ComponentRecord
    product: Product | None = None


def find_kind(component: str) -> Kind | None:
    """Return the kind of a component that the registry describes, None for any other."""
    return _list_known().get(component)


@cache
def _list_known() -> dict[str, Kind]:
    return {
        name: get_schema(version, name).kind
        for version in list_schema_versions()
        for name in list_schema_components(version)
    }


def build_error(record: ComponentRecord, message: str) -> ComponentRecord:
    """Return the record of a component of which only the record came, as an error."""
    extra = {**record.extra, IMPORTED: {**find_mark(record.extra), "form": "recorded"}}
    return replace(
        record, status="error", error=message, empty_reason=None, artifacts=(), extra=extra
    )


class ComponentReader:
    """Reads the components of one foreign run, one after another."""

    def __init__(self, backend: Backend, run: ForeignRunFacts, outcome: RunOutcome) -> None:
        """Take note of the run.

        Args:
            backend: The source store; it is only read.
            run: What its artifacts share.
            outcome: Is told what became of each file.
        """
        self._backend = backend
        self._run = run
        self._outcome = outcome

    def build(self, row: ForeignRow, sources: tuple[SourceFile, ...]) -> Built | None:
        """Return what becomes of a component; None when nothing can be said of it.

        Args:
            row: What the manifest says of it; in a rebuilt run only its name and files.
            sources: Its files, as `find_sources` returned them.

        Raises:
            StoreUnavailableError: The source cannot be read.
        """
        kind = row.kind or find_kind(row.name)
        if kind is None:
            message = "neither its manifest nor the registry says what kind of component it is"
            return self._refuse(row, None, sources, "kind_unknown", message)
        if row.status is not None and row.status not in _STATUSES:
            message = f"interrupted: the manifest it came with says {row.status[:80]!r}"
            self._leave_out(row, sources, "the component was interrupted")
            self._outcome.tell("warning", "interrupted", row.name, message)
            return self._record_error(row, kind, sources, message)
        if row.status == "error":
            self._leave_out(row, sources, "an error writes no artifact (C6.4)")
            return self._record_error(row, kind, sources, row.error or "no message was recorded")
        main = [source for source in sources if source.path.endswith(".npz")]
        if len(main) != 1:
            found = "its artifact is not there" if not main else f"{len(main)} artifacts are listed"
            return self._refuse(row, kind, sources, "artifact_count", found)
        fault = next((source.fault for source in sources if source.fault), "")
        if fault:
            return self._refuse(row, kind, sources, "not_as_listed", fault)
        try:
            return self._build_artifact(row, kind, main[0], sources)
        except (InvalidContentError, NotFoundError) as error:
            return self._refuse(row, kind, sources, error.code, error.message)

    def _build_artifact(
        self, row: ForeignRow, kind: Kind, main: SourceFile, sources: tuple[SourceFile, ...]
    ) -> Built:
        read = read_artifact(self._backend, self._outcome.path, main, sources)
        meta = read.meta
        fault = find_contradiction(meta, self._run, row.name)
        if fault is not None:
            raise InvalidContentError(fault, code="meta_place")
        if str(meta.get("status")) == "error":
            self._leave_out(row, sources, "an error writes no artifact (C6.4); its message is kept")
            message = row.error or _text(meta, "error") or "no message was recorded"
            return self._record_error(row, kind, sources, strip_places(message), meta)
        notes: list[str] = []

        def note(code: str, message: str) -> None:
            notes.append(code)
            self._outcome.tell("warning", code, row.name, message, main.path)

        status = self._find_status(row, meta, note)
        reason = None
        if status == "empty":
            reason = _text(meta, "empty_reason") or row.empty_reason
            if reason is None:
                note("field_unknown", "nothing says why it is empty")
                reason = UNKNOWN
        version = _text(meta, "schema_version") or row.schema_version or UNKNOWN
        schema = _find_schema(version, row.name)
        upgrade = upgrade_arrays(read.arrays, schema, status=status)
        self._tell_form(upgrade, version, note)
        upgraded = upgrade_meta(
            meta,
            row,
            self._run,
            status=status,
            empty_reason=reason,
            schema_version=version,
            extra_keys=schema.extra_meta if schema is not None else (),
            mark={
                "form": upgrade.form,
                "kind": kind,
                "path": main.path,
                "size_bytes": main.size_bytes,
                "sha256": main.sha256,
                "changes": list(upgrade.changes),
            },
            note=note,
        )
        for key in read.adopted:
            note("sub_artifact_named", f"{key}: lay beside it unnamed; it is a key of it now")
        if row.zone_assumed:
            note("time_zone_assumed", "times of its row name no zone; taken as UTC")
        for source in sources:
            self._keep(source, row.name, upgrade.form)
        record = self._build_record(row, kind, sources, meta, form=upgrade.form, notes=notes)
        record = replace(
            record,
            status=cast("Status", status),
            empty_reason=reason,
            producer_version=cast("str", upgraded["producer_version"]),
            schema_version=version,
            model_signature=cast("str", upgraded["model_signature"]),
            models_used=tuple(cast("list[dict[str, object]]", upgraded["models_used"])),
        )
        mark = cast("dict[str, object]", record.extra[IMPORTED])
        mark["changes"] = list(upgrade.changes)
        beside = read.beside & set(upgrade.arrays)
        return Built(record, Product(record, upgrade.arrays, upgraded, beside))

    def _find_status(self, row: ForeignRow, meta: Mapping[str, object], note: Note) -> str:
        said = _text(meta, "status")
        if said is not None and row.status is not None and said != row.status:
            note("status_disagrees", f"its meta says {said[:40]}, the manifest {row.status}")
        status = said or row.status
        if status not in _DONE:
            raise InvalidContentError(f"its status is {status!r:.80}", code="status_unknown")
        return status

    def _tell_form(self, upgrade: Upgrade, version: str, note: Note) -> None:
        if upgrade.form == "upgraded":
            return
        if not upgrade.faults:
            note("schema_unknown", f"{version[:80]} is not in force; its arrays were not judged")
            return
        keys = list(dict.fromkeys(issue.key for issue in upgrade.faults))
        shown = ", ".join(keys[:_SHOWN_KEYS]) + (", ..." if len(keys) > _SHOWN_KEYS else "")
        message = f"it does not satisfy {version}: {len(upgrade.faults)} faults, in {shown}"
        note("schema_unsatisfied", message)

    def _record_error(
        self,
        row: ForeignRow,
        kind: Kind,
        sources: tuple[SourceFile, ...],
        message: str,
        meta: Mapping[str, object] | None = None,
    ) -> Built:
        record = self._build_record(row, kind, sources, meta or {}, form="recorded", notes=[])
        return Built(build_error(record, message))

    def _build_record(
        self,
        row: ForeignRow,
        kind: Kind,
        sources: tuple[SourceFile, ...],
        meta: Mapping[str, object],
        *,
        form: Form,
        notes: list[str],
    ) -> ComponentRecord:
        """Return the record of a component, its status still to be set."""
        told = [f"{row.notes}."] if row.notes else []
        told.append(f"Imported from another system's store ({form}).")
        mark = {
            "form": form,
            "sources": [
                {"path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256}
                for item in sources
            ],
            "unverified": sorted(set(notes)),
            "kept": dict(row.kept or {}),
        }
        device = row.device_used or _text(meta, "device_used") or _text(meta, "device")
        return ComponentRecord(
            row.name,
            kind,
            "error",
            producer_version=_text(meta, "producer_version") or row.producer_version,
            schema_version=_text(meta, "schema_version") or row.schema_version,
            started_at=row.started_at,
            finished_at=row.finished_at,
            duration_ms=row.duration_ms,
            device_used=device,
            notes=" ".join(told),
            extra={IMPORTED: mark},
        )

    def _refuse(
        self,
        row: ForeignRow,
        kind: Kind | None,
        sources: tuple[SourceFile, ...],
        code: str,
        message: str,
    ) -> Built | None:
        """Report what cannot be imported; where a manifest listed it, it is an error of the run."""
        self._outcome.tell("error", code, row.name, message, sources[0].path if sources else "")
        for source in sources:
            self._keep(source, row.name, "refused", message)
        if kind is None or row.status is None:
            return None
        return self._record_error(row, kind, sources, f"its artifact was not imported: {message}")

    def _leave_out(self, row: ForeignRow, sources: tuple[SourceFile, ...], reason: str) -> None:
        for source in sources:
            self._keep(source, row.name, "left_out", reason)

    def _keep(self, source: SourceFile, component: str, fate: FileFate, reason: str = "") -> None:
        self._outcome.files.append(
            FileOutcome(source.path, fate, component, source.size_bytes, source.sha256, reason)
        )


def _find_schema(version: str, component: str) -> ArtifactSchema | None:
    try:
        return get_schema(version, component)
    except (NotFoundError, InvalidSchemaError):
        return None


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = build_plain(fields.get(name))
    return value if isinstance(value, str) and value else None
