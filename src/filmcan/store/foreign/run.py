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
    StoreUnavailableError,
)
from filmcan.files import TEMPORARY_PREFIX
from filmcan.store.foreign.component import Built, ComponentReader, build_error
from filmcan.store.foreign.files import FolderContent, list_content
from filmcan.store.foreign.former import find_former, refuse_dead
from filmcan.store.foreign.outcome import (
    UNREADABLE,
    ComponentOutcome,
    FileFate,
    FileOutcome,
    RunOutcome,
    tell_unreadable,
)
from filmcan.store.foreign.plan import RunPlan, plan_run
from filmcan.store.foreign.sources import SourceFile, find_sources
from filmcan.store.foreign.transaction import ImportTransaction

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_REFUSALS = (InvalidContentError, NotFoundError, ConflictError)
_LEFTOVERS = (".tmp", ".part", ".lock")


def import_run(
    source: Backend,
    path: str,
    target: Backend,
    *,
    clock: Callable[[], str],
    importer: str,
    dry_run: bool,
    take_back: bool = False,
) -> RunOutcome:
    """Bring one run in and say what became of it.

    Args:
        source: The foreign store; it is only read.
        path: `platform_id/video_id/run_id`.
        target: Our store.
        clock: Gives the present time as the contract writes it.
        importer: Name and version of what imports, for the run's record.
        dry_run: Read and judge everything, write nothing.
        take_back: Also bring in what was deleted from our store.

    Raises:
        StoreUnavailableError: Our store refused. What the source does not give is refused, and
            the rest comes.
    """
    outcome = RunOutcome(path)
    content = FolderContent({}, ())
    try:
        content = list_content(source, path)
        plan = plan_run(source, path, content, outcome)
        run = _build_run(plan, outcome, importer)
        refuse_dead(source, path, plan, run)
    except (*_REFUSALS, StoreUnavailableError) as error:
        outcome.refuse(error)
    else:
        try:
            former = find_former(target, path, plan, run, take_back=take_back)
            sources = {row.name: find_sources(source, row, content, outcome) for row in plan.rows}
            reader = ComponentReader(source, plan.facts, outcome)
            writer = _RunWriter(target, plan, run, former, outcome, clock=clock)
            writer.write(reader, sources, dry_run=dry_run)
        except _REFUSALS as error:
            outcome.refuse(error)
    _tell_rest(content, outcome)
    return outcome


class _RunWriter:
    """One run on its way into our store."""

    def __init__(
        self,
        target: Backend,
        plan: RunPlan,
        run: RunRecord,
        former: Manifest | None,
        outcome: RunOutcome,
        *,
        clock: Callable[[], str],
    ) -> None:
        self._target = target
        self._plan = plan
        self._run = run
        self._former = former
        self._outcome = outcome
        self._clock = clock
        self._transaction: ImportTransaction | None = None

    def write(
        self,
        reader: ComponentReader,
        sources: dict[str, tuple[SourceFile, ...] | None],
        *,
        dry_run: bool,
    ) -> None:
        """Write what is not there yet, one component after another.

        A component that cannot be read now is left for the next import, and its run unfinished.
        """
        found = {name: files for name, files in sources.items() if files is not None}
        known = {name: self._find_known(name, files) for name, files in found.items()}
        records: list[ComponentRecord] = []
        unread = {name for name, files in sources.items() if files is None}
        for row in self._plan.rows:
            if row.name in unread:
                continue
            former = known[row.name]
            if former is not None and find_form(former.extra) != "recorded":
                self._tell_known(found[row.name], former)
                record = former
            else:
                try:
                    built = reader.build(row, found[row.name])
                except StoreUnavailableError as error:
                    unread.add(row.name)
                    self._tell_unread(row.name, found[row.name], error)
                    continue
                if built is None:
                    continue
                if former is not None:
                    self._tell_again(built, former)
                    record = former
                else:
                    record = built.record if dry_run else self._commit(built)
            records.append(record)
            self._tell_component(record)
        if not records:
            raise InvalidContentError("nothing of the run could be imported", code="no_run")
        is_new = any(known[item.name] is None for item in records)
        self._finish(records, is_new=is_new, is_whole=not unread, dry_run=dry_run)

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

    def _finish(
        self, records: list[ComponentRecord], *, is_new: bool, is_whole: bool, dry_run: bool
    ) -> None:
        finished_at, former = self._plan.finished_at, self._former
        is_as_before = former is not None and former.run.finished_at == finished_at
        if not is_new and (is_as_before or not is_whole):
            self._outcome.fate = "unchanged"
            return
        self._outcome.fate = "imported" if former is None else "completed"
        if finished_at is not None and is_whole and not dry_run:
            failed = has_failed(Manifest(self._run, tuple(records)))
            status: Literal["ok", "error"] = "error" if failed else "ok"
            self._open().close(finished_at, status)

    def _open(self) -> ImportTransaction:
        if self._transaction is None:
            begin = ImportTransaction.create if self._former is None else ImportTransaction.join
            self._transaction = begin(self._target, self._run, self._clock)
        return self._transaction

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

    def _tell_again(self, built: Built, known: ComponentRecord) -> None:
        """Say that what can be read could not be written when it was imported before.

        All else that keeps a component from coming, the reader has just told again.
        """
        if built.product is not None:
            reason = str(known.error)
            self._outcome.refuse_files(known.name, reason)
            self._outcome.tell("error", "not_imported", known.name, reason)

    def _tell_unread(
        self, name: str, sources: tuple[SourceFile, ...], error: StoreUnavailableError
    ) -> None:
        message = tell_unreadable(error)
        self._outcome.tell("error", UNREADABLE, name, message, sources[0].path)
        self._outcome.files += [
            FileOutcome(item.path, "refused", name, item.size_bytes, item.sha256, message)
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


def _build_run(plan: RunPlan, outcome: RunOutcome, importer: str) -> RunRecord:
    """Return the run's record as it enters our store."""
    facts = plan.facts
    # A rebuilt run plans what was found; rows of a manifest all end as a record.
    planned = tuple(row.name for row in plan.rows) if plan.sha256 is not None else ()
    mark = {
        "by": importer,
        "manifest": outcome.manifest,
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
