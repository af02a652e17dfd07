"""Process one video: probe, plan, run. The verb behind `filmcan run` and `filmcan.run`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
from filmcan.contract.times import format_time
from filmcan.files import tell_name
from filmcan.media.document import TextSources
from filmcan.media.probe import probe_source
from filmcan.media.text_sources import digest_text_inputs, read_text_sources
from filmcan.pipeline.job import Job, Observer
from filmcan.pipeline.keys import Keys, VideoInputs, plan_keys
from filmcan.pipeline.plan import Plan, plan_run
from filmcan.pipeline.profile import resolve_profile
from filmcan.pipeline.provenance import build_source_record, find_version
from filmcan.pipeline.remote_source import RemoteSource, parse_source
from filmcan.pipeline.reuse import Carried, find_carried, find_unchanged
from filmcan.pipeline.runner import run_plan
from filmcan.pipeline.source_copy import SourceCopy, look_at
from filmcan.store.manifests import check_joinable, merge_sources
from filmcan.store.run import Run
from filmcan.store.store import Store, open_store

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord
    from filmcan.media.probe import Probe

__all__ = [
    "Order",
    "Processed",
    "build_fresh_run_id",
    "check_ids",
    "identify_video",
    "open_copy",
    "parse_source",
    "plan_settings",
    "process_order",
    "process_video",
]

LOCAL_PLATFORM = "local"


@dataclass(frozen=True, slots=True)
class _Silent:
    """Observes nothing."""

    def on_progress(self, fraction: float) -> None:
        """Ignore."""

    def on_component(self, record: ComponentRecord) -> None:
        """Ignore."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to run on which video.

    Attributes:
        source: A video, sound or picture file, or an object behind a URL.
        platform_id: Where the video is from; `local` when not given.
        video_id: Which video; `sha256-` and 16 hex of its bytes when not given.
        run_id: Joins this run when it exists, else creates it; a fresh id when not given.
        document: Title, description, tags, comments, transcript: a JSON file or a mapping.
        force: Compute even what an earlier run could provide.
        anew: Components to compute even so.
        planned: All that the run is to hold in the end, when this order does a part of it.
        sha256: The digest that an object's bytes were found to have; other bytes are refused.
    """

    source: Path | RemoteSource
    platform_id: str | None = None
    video_id: str | None = None
    run_id: str | None = None
    document: Path | Mapping[str, object] | None = None
    force: bool = False
    anew: frozenset[str] = frozenset()
    planned: tuple[str, ...] = ()
    sha256: str | None = None

    @property
    def source_name(self) -> str:
        """Base name of the source, as text that can be stored."""
        return tell_name(self.source.name) if isinstance(self.source, Path) else self.source.name


@dataclass(frozen=True, slots=True)
class Processed:
    """What came of an order.

    Attributes:
        run: The run that now holds everything.
        is_unchanged: True when it held everything before, and nothing was written.
    """

    run: Run
    is_unchanged: bool


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

    What an earlier run of the video measured from the same bytes with the same settings, versions
    and models is carried into the new run. Where that is all, there is no new run: the latest
    one is returned.

    Args:
        source: A video, sound or picture file; or the URL of one, such as `s3://BUCKET/KEY`, which
            is fetched for as long as the run takes.
        store: Where runs are kept: a folder, a URL, or an open store.
        platform_id: Where the video is from; `local` when not given.
        video_id: Which video; `sha256-` and 16 hex of its bytes when not given.
        run_id: Joins this run when it exists, else creates it; a fresh id when not given.
        document: Title, description, tags, comments, transcript: a JSON file or a mapping.
        profile: A YAML file with the settings that differ from the defaults.
        settings: `dotted.key=value` texts, or dotted key -> value; they win over the profile.
        only: Names of the components to run, with those they need.
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
    opened = store if isinstance(store, Store) else open_store(store)
    plan = plan_settings(profile, settings, only)
    order = Order(
        source=parse_source(source) if isinstance(source, str) else source,
        platform_id=platform_id,
        video_id=video_id,
        run_id=run_id,
        document=Path(document) if isinstance(document, str) else document,
        force=force,
    )
    return process_order(order, plan, opened, observer).run


def plan_settings(
    profile: str | Path | None,
    settings: Iterable[str] | Mapping[str, object] | None,
    only: Iterable[str] | None,
) -> Plan:
    """Return the plan that a profile and settings on top of it ask for.

    Raises:
        BadProfileError: A setting is wrong.
    """
    return plan_run(resolve_profile(Path(profile) if profile is not None else None, settings), only)


def process_order(
    order: Order,
    plan: Plan,
    store: Store,
    observer: Observer | None = None,
    copy: SourceCopy | None = None,
) -> Processed:
    """Carry out one order.

    Args:
        order: What to run on which video.
        plan: How.
        store: Where the run goes.
        observer: Is told how the run goes on.
        copy: The order's source, where it has been fetched already; closed by the caller.

    Raises:
        As `process_video`.
    """
    if copy is None:
        with open_copy(order, plan) as own:
            return process_order(order, plan, store, observer, own)
    told = observer if observer is not None else _Silent()
    copy.on_bytes = lambda _: told.on_progress(0.0)  # bytes have come, nothing was read yet
    inputs = identify_video(order, copy)
    keys = plan_keys(plan, inputs)
    earlier = [] if order.force else store.runs(inputs.platform_id, inputs.video_id)
    if order.run_id is None and not order.anew:
        unchanged = find_unchanged(earlier, plan, keys)
        if unchanged is not None:
            return Processed(unchanged, is_unchanged=True)
    wanted = {name: key for name, key in keys.items() if name not in order.anew}
    carried = find_carried(earlier, wanted, order.run_id)
    job = _build_job(order, plan, inputs, keys, carried, copy=copy)
    if job.joins:
        check_joinable(store.backend, job.run)
    run_plan(job, store.backend, told)
    record = job.run
    run = store.run(record.platform_id, record.video_id, record.run_id)
    return Processed(run, is_unchanged=False)


def open_copy(order: Order, plan: Plan) -> SourceCopy:
    """Return an order's source as a file of this machine; an object is only looked at.

    Raises:
        BadMediaError: There is no such object, or its server refused.
    """
    source = order.source if isinstance(order.source, Path) else look_at(order.source)
    return SourceCopy(source, limit_bytes=plan.max_fetch_bytes, sha256=order.sha256)


def identify_video(order: Order, copy: SourceCopy) -> VideoInputs:
    """Return which video an order is about and the digests of what is given with it.

    Nothing is decoded, and a source that was hashed before is not read.

    Args:
        order: What is said of the video.
        copy: Its source.

    Raises:
        BadDocumentError: The document is wrong.
        InvalidIdError: An id is refused.
        BadMediaError: The source is missing, unreadable, empty or no regular file.
    """
    check_ids(order)
    sha256 = copy.get_digest()
    beside = order.source if isinstance(order.source, Path) else None
    return VideoInputs(
        platform_id=order.platform_id if order.platform_id is not None else LOCAL_PLATFORM,
        video_id=order.video_id if order.video_id is not None else f"sha256-{sha256[:16]}",
        sha256=sha256,
        text=digest_text_inputs(beside, order.document),
    )


def check_ids(order: Order) -> None:
    """Check the ids that an order gives.

    Raises:
        InvalidIdError: One is refused.
    """
    ids: tuple[tuple[IdKind, str | None], ...] = (
        ("platform_id", order.platform_id),
        ("video_id", order.video_id),
        ("run_id", order.run_id),
    )
    for kind, value in ids:
        if value is not None:
            parse_id(kind, value)


def build_fresh_run_id() -> str:
    """Return the id of a run that begins now."""
    suffix = "".join(secrets.choice(RUN_SUFFIX_ALPHABET) for _ in range(RUN_SUFFIX_CHARS))
    return build_run_id(datetime.now(UTC), suffix)


def _build_job(
    order: Order,
    plan: Plan,
    inputs: VideoInputs,
    keys: Keys,
    carried: Mapping[str, Carried],
    *,
    copy: SourceCopy,
) -> Job:
    """Look into the source as far as the components that are to be computed need it."""
    computed = [item for item in plan.components if item.component.name not in carried]
    source = copy.get_path() if computed else Path(order.source.name)
    probe = probe_source(source, plan.limits, inputs.sha256) if computed else None
    text = TextSources()
    if probe is not None and any(item.component.kind == "text" for item in computed):
        text = read_text_sources(source, order.document, probe.subtitles)
    record = _plan_record(plan, inputs, probe, order)
    for found in carried.values():
        former = {**found.run.manifest.run.source, "name": order.source_name}
        former.pop("url", None)
        record = replace(record, source=merge_sources(former, record.source))
    return Job(
        plan=plan,
        source=source,
        probe=probe,
        text=text,
        inputs=inputs,
        keys=keys,
        carried=carried,
        run=record,
        joins=order.run_id is not None,
    )


def _plan_record(plan: Plan, inputs: VideoInputs, probe: Probe | None, order: Order) -> RunRecord:
    now = format_time(datetime.now(UTC))
    version = find_version()
    source = {"sha256": inputs.sha256} if probe is None else build_source_record(probe)
    if isinstance(order.source, RemoteSource):
        source["url"] = order.source.url
    return RunRecord(
        platform_id=inputs.platform_id,
        video_id=inputs.video_id,
        run_id=order.run_id if order.run_id is not None else build_fresh_run_id(),
        config_hash=plan.profile.config_hash,
        sampling_policy_version=plan.sampling.policy,
        dataprocessor_version=version,
        created_at=now,
        updated_at=now,
        planned_components=order.planned or tuple(item.component.name for item in plan.components),
        profile=plan.profile.document,
        source=source,
        filmcan_version=version,
    )
