"""Import one run of a foreign store: read what it is, then write it as a run of ours.

The order is that of every run: artifact bytes, flush, rename, manifest. What was interrupted goes
on where it stopped; what is there already, from the same bytes, is left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from filmcan.contract.imported import IMPORTED, find_form, find_mark
from filmcan.contract.manifest import MANIFEST_NAME, ComponentRecord, Manifest, RunRecord
from filmcan.contract.run_rules import has_failed
from filmcan.errors import (
    ConflictError,
    InvalidArtifactError,
    InvalidContentError,
    NotFoundError,
)
from filmcan.files import TEMPORARY_PREFIX
from filmcan.store.foreign.component import Built, ComponentReader, build_error
from filmcan.store.foreign.files import FolderContent, list_content
from filmcan.store.foreign.outcome import ComponentOutcome, FileFate, FileOutcome, RunOutcome
from filmcan.store.foreign.plan import RunPlan, plan_run
from filmcan.store.foreign.sources import SourceFile, find_sources
from filmcan.store.foreign.transaction import ImportTransaction
from filmcan.store.manifests import read_manifest

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_LEFTOVERS = (".tmp", ".part", ".lock")


def import_run(
    source: Backend,
    path: str,
    target: Backend,
    *,
    clock: Callable[[], str],
    importer: str,
    dry_run: bool,
) -> RunOutcome:
    """Bring one run in and say what became of it.

    Args:
        source: The foreign store; it is only read.
        path: `platform_id/video_id/run_id`.
        target: Our store.
        clock: Gives the present time as the contract writes it.
        importer: Name and version of what imports, for the run's record.
        dry_run: Read and judge everything, write nothing.

    Raises:
        StoreUnavailableError: A store refused.
    """
    outcome = RunOutcome(path)
    content = list_content(source, path)
    try:
        plan = plan_run(source, path, content, outcome)
        former = _find_former(target, path, plan)
        sources = {row.name: find_sources(source, row, content, outcome) for row in plan.rows}
        writer = _RunWriter(target, plan, former, outcome, clock=clock, importer=importer)
        reader = ComponentReader(source, plan.facts, outcome)
        writer.write(reader, sources, dry_run=dry_run)
    except (InvalidContentError, NotFoundError, ConflictError) as error:
        outcome.fate = "refused"
        outcome.tell("error", error.code, "", error.message)
    _tell_rest(content, outcome)
    return outcome


def _find_former(target: Backend, path: str, plan: RunPlan) -> Manifest | None:
    """Return what an earlier import of this run has written, None when there is none.

    Raises:
        ConflictError: The run there was not imported, or from another manifest.
        InvalidManifestError: The run there is damaged.
    """
    try:
        former = read_manifest(target, path)
    except NotFoundError:
        return None
    mark = find_mark(former.run.extra)
    if not mark:
        message = "the store holds a run of these ids that was not imported"
        raise ConflictError(message, code="run_exists")
    if mark.get("manifest_sha256") != plan.sha256:
        message = (
            "it was imported before, but its manifest has changed since; delete it there first"
        )
        raise ConflictError(message, code="source_changed")
    return former


class _RunWriter:
    """One run on its way into our store."""

    def __init__(
        self,
        target: Backend,
        plan: RunPlan,
        former: Manifest | None,
        outcome: RunOutcome,
        *,
        clock: Callable[[], str],
        importer: str,
    ) -> None:
        self._target = target
        self._plan = plan
        self._former = former
        self._outcome = outcome
        self._clock = clock
        self._importer = importer
        self._transaction: ImportTransaction | None = None

    def write(
        self,
        reader: ComponentReader,
        sources: dict[str, tuple[SourceFile, ...]],
        *,
        dry_run: bool,
    ) -> None:
        """Write what is not there yet, one component after another."""
        known = {name: self._find_known(name, files) for name, files in sources.items()}
        records: list[ComponentRecord] = []
        for row in self._plan.rows:
            record = known[row.name]
            if record is not None:
                self._tell_known(sources[row.name], record)
            else:
                built = reader.build(row, sources[row.name])
                if built is None:
                    continue
                record = built.record if dry_run else self._commit(built)
            records.append(record)
            self._tell_component(record)
        if not records:
            raise InvalidContentError("nothing of the run could be imported", code="no_run")
        self._finish(
            records, is_new=any(known[item.name] is None for item in records), dry_run=dry_run
        )

    def _commit(self, built: Built) -> ComponentRecord:
        """List a component; what cannot be written is listed as an error that says so."""
        transaction = self._open()
        if built.product is None:
            return transaction.record_error(built.record)
        try:
            return transaction.commit(built.product)
        except InvalidArtifactError as error:
            name, message = built.record.name, f"its artifact was not imported: {error.message}"
            self._outcome.refuse_files(name, error.message)
            self._outcome.tell("error", error.code, name, error.message)
            return transaction.record_error(build_error(built.record, message))

    def _finish(self, records: list[ComponentRecord], *, is_new: bool, dry_run: bool) -> None:
        finished_at, former = self._plan.finished_at, self._former
        if not is_new and former is not None and former.run.finished_at == finished_at:
            self._outcome.fate = "unchanged"
            return
        self._outcome.fate = "imported" if former is None else "completed"
        if finished_at is not None and not dry_run:
            failed = has_failed(Manifest(self._build_run(), tuple(records)))
            status: Literal["ok", "error"] = "error" if failed else "ok"
            self._open().close(finished_at, status)

    def _open(self) -> ImportTransaction:
        if self._transaction is None:
            begin = ImportTransaction.create if self._former is None else ImportTransaction.join
            self._transaction = begin(self._target, self._build_run(), self._clock)
        return self._transaction

    def _build_run(self) -> RunRecord:
        plan, facts = self._plan, self._plan.facts
        # A rebuilt run plans what was found; rows of a manifest all end as a record.
        planned = tuple(row.name for row in plan.rows) if plan.sha256 is not None else ()
        mark = {
            "by": self._importer,
            "manifest": self._outcome.manifest,
            "manifest_sha256": plan.sha256,
            "steps": plan.steps,
            "kept": plan.kept,
        }
        return RunRecord(
            platform_id=facts.platform_id,
            video_id=facts.video_id,
            run_id=facts.run_id,
            config_hash=facts.config_hash,
            sampling_policy_version=facts.sampling_policy_version,
            dataprocessor_version=facts.dataprocessor_version,
            created_at=facts.created_at,
            updated_at=facts.created_at,
            planned_components=planned,
            extra={IMPORTED: mark},
        )

    def _find_known(self, name: str, sources: tuple[SourceFile, ...]) -> ComponentRecord | None:
        record = self._former.find_component(name) if self._former is not None else None
        if record is None:
            return None
        digests = [
            {"path": item.path, "size_bytes": item.size_bytes, "sha256": item.sha256}
            for item in sources
        ]
        if find_mark(record.extra).get("sources") == digests:
            return record
        message = f"{name} was imported before, but its files have changed since"
        raise ConflictError(message, code="source_changed")

    def _tell_known(self, sources: tuple[SourceFile, ...], known: ComponentRecord) -> None:
        form = find_form(known.extra)
        fate: FileFate = form if form in ("upgraded", "carried") else "left_out"
        self._outcome.files += [
            FileOutcome(item.path, fate, known.name, item.size_bytes, item.sha256, "as before")
            for item in sources
        ]

    def _tell_component(self, record: ComponentRecord) -> None:
        mark = find_mark(record.extra)
        changes = mark.get("changes")
        self._outcome.components.append(
            ComponentOutcome(
                record.name,
                record.status,
                record.empty_reason,
                record.error,
                record.schema_version,
                str(mark.get("form")),
                tuple(changes) if isinstance(changes, list) else (),
            )
        )


def _tell_rest(content: FolderContent, outcome: RunOutcome) -> None:
    """Name every file that nothing above spoke of: none is data, none is copied."""
    told = {item.path for item in outcome.files}
    for path, size in content.files.items():
        if path in told:
            continue
        name = path.rpartition("/")[2]
        component = path.partition("/")[0] if "/" in path else ""
        if name.lower().endswith(".json") and path != MANIFEST_NAME:
            reason = "JSON is presentation, rendered from the artifact when asked for (C1)"
        elif name.startswith(TEMPORARY_PREFIX) or name.endswith(_LEFTOVERS):
            reason = "left by an interrupted write; never read"
        elif outcome.fate == "refused":
            reason = "the run was refused"
        else:
            reason = "no manifest lists it"
        outcome.files.append(FileOutcome(path, "left_out", component, size, reason=reason))
    for path in content.strange:
        message = "a link, a special file or a folder nested too deeply; never followed"
        outcome.tell("error", "not_regular", "", message, path)
