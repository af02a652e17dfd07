"""What our store, and the foreign one, already say of a run that is to come in.

A deleted run is not brought back by the way: neither one that lies dead in a store of ours, nor
one that was deleted from the store it would enter, unless that is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from filmcan.contract.imported import find_mark
from filmcan.errors import ConflictError, NotFoundError
from filmcan.store.manifests import read_manifest
from filmcan.store.tombstones import DELETIONS_KEY, find_tombstone

if TYPE_CHECKING:
    from filmcan.contract.manifest import Manifest, RunRecord
    from filmcan.store.base import Backend
    from filmcan.store.foreign.plan import RunPlan


def refuse_dead(source: Backend, path: str, plan: RunPlan, run: RunRecord) -> None:
    """Refuse a run that was deleted from the foreign store; a copy of it was put back there.

    Args:
        source: The foreign store; only one of ours has tombstones.
        path: `platform_id/video_id/run_id`.
        plan: What is known of the run.
        run: Its record as it would come in.

    Raises:
        ConflictError: It was.
        InvalidContentError: The tombstone is damaged.
        StoreUnavailableError: The source cannot be read.
    """
    if find_tombstone(source, path.rpartition("/")[0]).is_dead(_recall_deletions(plan, run)):
        message = "it was deleted there; what lies there was put back since and counts for nothing"
        raise ConflictError(message, code="deleted")


def find_former(
    target: Backend, path: str, plan: RunPlan, run: RunRecord, *, take_back: bool
) -> Manifest | None:
    """Return what an earlier import of this run has written, None when there is none.

    Args:
        target: Our store.
        path: `platform_id/video_id/run_id`.
        plan: What is known of the run.
        run: Its record as it would come in.
        take_back: Also let a run come that was deleted from our store.

    Raises:
        ConflictError: The run there was not imported, or from another manifest; or the run was
            deleted from our store, or is being deleted.
        InvalidContentError: The run there, or the tombstone of its video, is damaged.
        StoreUnavailableError: Our store refused.
    """
    tombstone = find_tombstone(target, path.rpartition("/")[0])
    if tombstone.is_pending(run.run_id):
        message = "the video, or this run of it, is being deleted from the store"
        raise ConflictError(message, code="being_deleted")
    try:
        former = read_manifest(target, path)
    except NotFoundError:
        if take_back or not tombstone.is_dead(_recall_deletions(plan, run)):
            return None
        message = "it was deleted from the store; give --take-back to bring it in all the same"
        raise ConflictError(message, code="deleted") from None
    if tombstone.is_dead(former.run):
        message = "it was deleted from the store, where a copy lies; `filmcan gc` removes that"
        raise ConflictError(message, code="deleted")
    mark = find_mark(former.run.extra)
    if not mark:
        message = "the store holds a run of these ids that was not imported"
        raise ConflictError(message, code="run_exists")
    if mark.get("manifest_sha256") != plan.sha256:
        message = (
            "it was imported before, but its manifest has changed since; delete it in the store, "
            "then import it with --take-back"
        )
        raise ConflictError(message, code="source_changed")
    return former


def _recall_deletions(plan: RunPlan, run: RunRecord) -> RunRecord:
    """Return the run with the deletions that its own manifest says it began after."""
    return replace(run, extra={DELETIONS_KEY: plan.kept.get(DELETIONS_KEY)})
