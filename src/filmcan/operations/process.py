"""Process one video: probe, plan, run. The verb behind `filmcan run` and `filmcan.run`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.ids import (
    RUN_SUFFIX_ALPHABET,
    RUN_SUFFIX_CHARS,
    IdKind,
    build_run_id,
    parse_id,
)
from filmcan.contract.manifest import RunRecord
from filmcan.contract.signature import hash_canonical
from filmcan.contract.times import format_time
from filmcan.media.document import TextSources
from filmcan.media.probe import probe_source
from filmcan.media.text_sources import read_text_sources
from filmcan.pipeline.plan import Plan, plan_run
from filmcan.pipeline.profile import resolve_profile
from filmcan.pipeline.provenance import build_source_record, find_version
from filmcan.pipeline.runner import Job, Observer, run_plan
from filmcan.store.manifests import check_joinable
from filmcan.store.run import Run
from filmcan.store.store import Store, open_store

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord
    from filmcan.media.probe import Probe

LOCAL_PLATFORM = "local"


@dataclass(frozen=True, slots=True)
class _Silent:
    """Observes nothing."""

    def on_progress(self, fraction: float) -> None:
        """Ignore."""

    def on_component(self, record: ComponentRecord) -> None:
        """Ignore."""


def process_video(
    source: str | Path,
    *,
    store: str | Path | Store = "result_store",
    platform_id: str | None = None,
    video_id: str | None = None,
    run_id: str | None = None,
    document: str | Path | Mapping[str, object] | None = None,
    profile: str | Path | None = None,
    settings: Iterable[str] | Mapping[str, object] | None = None,
    only: Iterable[str] | None = None,
    force: bool = False,
    observer: Observer | None = None,
) -> Run:
    """Run the components of a profile on one video and return the run.

    Args:
        source: A video, sound or picture file.
        store: Where runs are kept: a folder, a URL, or an open store.
        platform_id: Where the video is from; `local` when not given.
        video_id: Which video; `sha256-` and 16 hex of its bytes when not given.
        run_id: Joins this run when it exists, else creates it; a fresh id when not given.
        document: Title, description, tags, comments, transcript: a JSON file or a mapping.
        profile: A YAML file with the settings that differ from the defaults.
        settings: `dotted.key=value` texts, or dotted key -> value; they win over the profile.
        only: Names of the components to run.
        force: Compute even what an earlier run could provide.
        observer: Is told how the run goes on.

    Raises:
        BadProfileError: A setting is wrong.
        BadDocumentError: The document is wrong.
        InvalidIdError: An id is refused.
        BadMediaError: The source cannot be decoded; no run was created.
        ConflictError: The run exists with another configuration or source.
        StoreUnavailableError: The store refused.
    """
    del force  # every run computes everything until results are reused across runs
    opened = store if isinstance(store, Store) else open_store(store)
    resolved = resolve_profile(Path(profile) if profile is not None else None, settings)
    plan = plan_run(resolved, only)
    ids: tuple[tuple[IdKind, str | None], ...] = (
        ("platform_id", platform_id),
        ("video_id", video_id),
        ("run_id", run_id),
    )
    for kind, value in ids:
        if value is not None:
            parse_id(kind, value)
    path = Path(source)
    probe = probe_source(path, plan.limits)
    given = Path(document) if isinstance(document, str) else document
    text = read_text_sources(path, given, probe.subtitles)
    record = _plan_record(plan, probe, platform_id, video_id, run_id)
    if run_id is not None:
        check_joinable(opened.backend, record)
    job = Job(
        plan=plan,
        source=path,
        probe=probe,
        text=text,
        text_digest=hash_canonical(asdict(text)) if text != TextSources() else None,
        run=record,
        joins=run_id is not None,
    )
    run_plan(job, opened.backend, observer if observer is not None else _Silent())
    return opened.run(record.platform_id, record.video_id, record.run_id)


def _plan_record(
    plan: Plan,
    probe: Probe,
    platform_id: str | None,
    video_id: str | None,
    run_id: str | None,
) -> RunRecord:
    now = datetime.now(UTC)
    version = find_version()
    return RunRecord(
        platform_id=platform_id if platform_id is not None else LOCAL_PLATFORM,
        video_id=video_id if video_id is not None else f"sha256-{probe.sha256[:16]}",
        run_id=run_id if run_id is not None else build_run_id(now, _choose_suffix()),
        config_hash=plan.profile.config_hash,
        sampling_policy_version=plan.sampling.policy,
        dataprocessor_version=version,
        created_at=format_time(now),
        updated_at=format_time(now),
        planned_components=tuple(item.component.name for item in plan.components),
        profile=plan.profile.document,
        source=build_source_record(probe, None),
        filmcan_version=version,
    )


def _choose_suffix() -> str:
    return "".join(secrets.choice(RUN_SUFFIX_ALPHABET) for _ in range(RUN_SUFFIX_CHARS))
