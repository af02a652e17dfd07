"""Say why each result of a run was computed or carried. The verb behind `filmcan explain`."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.errors import InvalidContentError, NotFoundError
from filmcan.operations.process import Order, identify_video, open_copy
from filmcan.operations.targets import locate
from filmcan.pipeline.staleness import Difference, compare_parts, find_stale, get_parts
from filmcan.store.manifests import read_manifest

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord, Manifest
    from filmcan.pipeline.plan import Plan
    from filmcan.pipeline.remote_source import RemoteSource
    from filmcan.store.run import Run

__all__ = ["ComponentStory", "Difference", "Explanation", "explain_run"]


@dataclass(frozen=True, slots=True)
class ComponentStory:
    """One component of a run.

    Attributes:
        name: The component.
        status: How it ended.
        key: Digest of its reuse key, None where none was recorded.
        reused_from_run_id: The run that computed it, None when this one did.
        compared_with: The run before this one that had the component, None when there is none.
        changed: In which parts its key differs from the one there.
        stale: In which parts it differs from what would be made now; None: not in the profile.
    """

    name: str
    status: str
    key: str | None
    reused_from_run_id: str | None
    compared_with: str | None
    changed: tuple[Difference, ...]
    stale: tuple[Difference, ...] | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A run and the story of its components."""

    run_path: str
    components: tuple[ComponentStory, ...]


def explain_run(
    target: str,
    store: str,
    plan: Plan,
    *,
    component: str | None = None,
    source: Path | RemoteSource | None = None,
    document: Path | Mapping[str, object] | None = None,
) -> Explanation:
    """Compare a run's reuse keys with those of the run before, and with the present plan.

    Args:
        target: A run, or a video for its latest finished run.
        store: Where names are looked up.
        plan: Profile, versions and models as they are now.
        component: Only this one.
        source: The video file, or the object, as it is now; None: its bytes count as unchanged.
        document: The document as it is now, with `source`.

    Raises:
        NotFoundError: Nothing is there, or the run has no such component.
        InvalidContentError: What is there is damaged.
        BadMediaError: The source cannot be read.
        StoreUnavailableError: The store refused.
    """
    run = _get_run(target, store)
    records = _choose(run, component)
    inputs = None
    if source is not None:
        ids = run.manifest.run
        order = Order(source, platform_id=ids.platform_id, video_id=ids.video_id, document=document)
        with open_copy(order, plan) as copy:
            inputs = identify_video(order, copy)
    stale = find_stale(run.manifest, plan, inputs)
    before = _read_earlier(run)
    return Explanation(
        run.path, tuple(_tell(record, before, stale.get(record.name)) for record in records)
    )


def _get_run(target: str, store: str) -> Run:
    found = locate(target, store).run
    if found is None:
        raise NotFoundError(
            "it is an artifact, not a run", where=target, hint="Name its run, or the video."
        )
    return found


def _choose(run: Run, component: str | None) -> list[ComponentRecord]:
    records = list(run.manifest.components)
    if component is None:
        return records
    chosen = [record for record in records if record.name == component]
    if not chosen:
        known = ", ".join(record.name for record in records) or "none"
        raise NotFoundError(
            f"the run has no component {component!r}", where=run.path, hint=f"It has: {known}."
        )
    return chosen


def _read_earlier(run: Run) -> list[Manifest]:
    """Return the manifests of the video's runs that began before this one, the latest first."""
    video = run.path.rpartition("/")[0]
    found: list[Manifest] = []
    for name in run.backend.list_folder(video).folders:
        with contextlib.suppress(InvalidContentError, NotFoundError):
            found.append(read_manifest(run.backend, f"{video}/{name}" if video else name))
    own = _rank(run.manifest)
    return sorted((item for item in found if _rank(item) < own), key=_rank, reverse=True)


def _rank(manifest: Manifest) -> tuple[str, str]:
    return manifest.run.created_at, manifest.run.run_id


def _tell(
    record: ComponentRecord, before: list[Manifest], stale: tuple[Difference, ...] | None
) -> ComponentStory:
    parts = get_parts(record)
    compared_with: str | None = None
    changed: tuple[Difference, ...] = ()
    for manifest in before:
        former = manifest.find_component(record.name)
        former_parts = None if former is None else get_parts(former)
        if parts is not None and former_parts is not None:
            compared_with = manifest.run.run_id
            changed = compare_parts(former_parts, parts)
            break
    digest = record.reuse_key.get("digest") if record.reuse_key is not None else None
    return ComponentStory(
        name=record.name,
        status=record.status,
        key=digest if isinstance(digest, str) else None,
        reused_from_run_id=record.reused_from_run_id,
        compared_with=compared_with,
        changed=changed,
        stale=stale,
    )
