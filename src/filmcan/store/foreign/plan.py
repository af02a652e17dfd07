"""What is known of a foreign run before its arrays are read: its facts, its rows, its end.

A manifest that can be read says it; a run without one is rebuilt from the meta of its artifacts,
and then only what these say is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from filmcan.contract.ids import IdKind, find_id_fault
from filmcan.contract.issues import Level
from filmcan.contract.manifest import MANIFEST_NAME, MAX_MANIFEST_BYTES
from filmcan.errors import (
    ConflictError,
    InvalidContentError,
    InvalidManifestError,
    StoreUnavailableError,
)
from filmcan.npz.reader import read_meta
from filmcan.store.foreign.component import find_kind
from filmcan.store.foreign.manifest import (
    ForeignFile,
    ForeignRow,
    ForeignRun,
    parse_foreign_manifest,
)
from filmcan.store.foreign.meta import UNKNOWN, ForeignRunFacts, is_blank
from filmcan.store.foreign.outcome import FileOutcome, RunOutcome
from filmcan.store.foreign.plain import read_time
from filmcan.store.tombstones import find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend
    from filmcan.store.foreign.files import FolderContent

_FACTS = ("config_hash", "sampling_policy_version", "dataprocessor_version")


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What is known of a run before its arrays are read.

    Attributes:
        facts: What its artifacts share.
        rows: Its components.
        steps: Rows that are no components, by name.
        kept: Fields of the run that ours has no place for.
        sha256: Digest of its manifest, None when it was not read.
        finished_at: When it was complete, None when nothing says so.
    """

    facts: ForeignRunFacts
    rows: tuple[ForeignRow, ...]
    steps: Mapping[str, object]
    kept: Mapping[str, object]
    sha256: str | None
    finished_at: str | None


def plan_run(source: Backend, path: str, content: FolderContent, outcome: RunOutcome) -> RunPlan:
    """Return what is known of a run.

    Args:
        source: The foreign store.
        path: `platform_id/video_id/run_id`.
        content: What lies in the run's folder.
        outcome: Is told what was filled in, and what could not be read.

    Raises:
        InvalidContentError: An id is refused, the manifest is another run's, or there is neither
            a manifest nor an artifact to go by.
        ConflictError: The video is being deleted in the foreign store.
        StoreUnavailableError: The source cannot be read.
    """
    ids = dict(zip(("platform_id", "video_id", "run_id"), path.split("/"), strict=True))
    for kind, value in ids.items():
        if fault := find_id_fault(cast("IdKind", kind), value):
            raise InvalidContentError(f"{kind} {value[:80]!r} {fault}", code="bad_id")
    if find_tombstone(source, path.rpartition("/")[0]).has_pending:
        raise ConflictError("the video is being deleted there", code="being_deleted")
    size = content.files.get(MANIFEST_NAME)
    if size is None:
        outcome.manifest = "missing"
        outcome.tell("warning", "manifest_missing", "", "the run has no manifest", MANIFEST_NAME)
        return _rebuild(source, path, content, outcome)
    try:
        data = source.read(f"{path}/{MANIFEST_NAME}", limit=MAX_MANIFEST_BYTES)
        run = parse_foreign_manifest(data, f"{path}/{MANIFEST_NAME}")
    except InvalidContentError as error:
        outcome.manifest = "damaged"
        outcome.files.append(
            FileOutcome(MANIFEST_NAME, "damaged", size_bytes=size, reason=error.message)
        )
        outcome.tell("warning", "manifest_damaged", "", error.message, MANIFEST_NAME)
        return _rebuild(source, path, content, outcome)
    outcome.files.append(FileOutcome(MANIFEST_NAME, "read", "", size, run.sha256))
    for kind, said in run.said_ids.items():
        if said in (None, ""):
            outcome.tell(
                "warning", "field_unknown", kind, "not in its manifest; its folder says it"
            )
        elif said != ids[kind]:
            message = f"the manifest says {kind} {said!r:.80}, the folder {ids[kind]!r}"
            raise InvalidManifestError(message, code="place")
    return _plan_read(run, ids, outcome)


def _plan_read(run: ForeignRun, ids: dict[str, str], outcome: RunOutcome) -> RunPlan:
    """Plan a run whose manifest could be read."""
    values = {key: getattr(run, key) for key in _FACTS}
    for key, value in values.items():
        if value is None:
            outcome.tell("warning", "field_unknown", key, f"the manifest does not say its {key}")
    created_at = run.created_at
    if created_at is None:
        times = [row.started_at or row.finished_at for row in run.rows]
        created_at = min((time for time in times if time), default=None) or run.updated_at
        if created_at is None:
            raise InvalidManifestError("nothing in it says when the run was made", code="no_time")
        message = "the manifest does not say when the run began; its earliest time stands in"
        outcome.tell("warning", "time_unknown", "created_at", message)
    rows, steps = _part_rows(run.rows, outcome)
    ended = all(row.status in ("ok", "empty", "error") for row in rows)
    last = max((row.finished_at for row in rows if row.finished_at), default=run.updated_at)
    if not ended or last is None:
        message = "nothing says that the run was complete; it is imported as unfinished"
        outcome.tell("warning", "run_unfinished", "", message)
    return RunPlan(
        ForeignRunFacts(
            **ids, **{key: value or UNKNOWN for key, value in values.items()}, created_at=created_at
        ),
        rows,
        steps,
        run.kept,
        run.sha256,
        last if ended else None,
    )


def _part_rows(
    rows: tuple[ForeignRow, ...], outcome: RunOutcome
) -> tuple[tuple[ForeignRow, ...], dict[str, object]]:
    """Tell components from rows that are none: no artifact, and no name that the registry knows."""
    components: list[ForeignRow] = []
    steps: dict[str, object] = {}
    for row in rows:
        lists_artifact = any(file.path.endswith(".npz") for file in row.files)
        fault = find_id_fault("component", row.name)
        if fault is None and lists_artifact and row.kind is None and find_kind(row.name) is None:
            fault = "is not in the registry, and the manifest does not say its kind"
        if fault is None and (lists_artifact or find_kind(row.name) is not None):
            components.append(row)
            continue
        steps[row.name[:200]] = {
            "status": row.status,
            "duration_ms": row.duration_ms,
            "error": row.error,
            "kept": dict(row.kept or {}),
        }
        message = f"its name {fault}" if fault else "it lists no artifact and no schema knows it"
        level: Level = "error" if lists_artifact else "warning"
        outcome.tell(level, "not_a_component", row.name[:80], f"not a component: {message}")
    return tuple(components), steps


def _rebuild(source: Backend, path: str, content: FolderContent, outcome: RunOutcome) -> RunPlan:
    """Plan a run from its artifacts alone (C3.1); what has none is unknown.

    Raises:
        InvalidContentError: It has no artifact, or they are not of one run.
    """
    rows, metas = [], []
    for folder in sorted({file.partition("/")[0] for file in content.files if "/" in file}):
        found = [
            file
            for file in content.files
            if file.startswith(f"{folder}/") and file.count("/") == 1 and file.endswith(".npz")
        ]
        if not found or find_id_fault("component", folder):
            continue
        if len(found) > 1:
            message = f"{len(found)} artifacts, and no manifest to say which counts"
            outcome.tell("error", "artifact_count", folder, message)
            outcome.files += [
                FileOutcome(file, "refused", folder, content.files[file], reason=message)
                for file in found
            ]
            continue
        try:
            metas.append(read_meta(source.open(f"{path}/{found[0]}")))
        except InvalidContentError as error:
            outcome.tell("error", error.code, folder, error.message, found[0])
            size = content.files[found[0]]
            outcome.files.append(
                FileOutcome(found[0], "refused", folder, size, reason=error.message)
            )
            continue
        except StoreUnavailableError as error:
            outcome.refuse_file(found[0], folder, content.files[found[0]], error)
            continue
        rows.append(ForeignRow(folder, files=(ForeignFile(found[0]),)))
    if not rows:
        message = "no manifest that can be read, and no artifact to rebuild it from"
        raise InvalidContentError(message, code="no_run")
    values: dict[str, str] = {}
    for key in _FACTS:
        said = {str(meta[key]) for meta in metas if not is_blank(meta.get(key))}
        if len(said) > 1:
            message = f"its artifacts disagree on {key}: {', '.join(sorted(said))[:200]}"
            raise InvalidContentError(message, code="artifacts_disagree")
        values[key] = said.pop() if said else UNKNOWN
    times = [time for meta in metas if (time := read_time(meta.get("created_at"))[0])]
    if not times:
        raise InvalidContentError("no artifact says when it was made", code="no_time")
    message = (
        "rebuilt from the meta of its artifacts: components without one are unknown, its "
        "created_at is that of the first artifact, and whether it was complete is not known"
    )
    outcome.tell("warning", "run_rebuilt", "", message)
    platform_id, video_id, run_id = path.split("/")
    facts = ForeignRunFacts(platform_id, video_id, run_id, **values, created_at=min(times))
    return RunPlan(facts, tuple(rows), {}, {}, None, None)
