"""Which results of earlier runs are good for a plan, and how they come into a new run (C11.3).

A result is found by its reuse key among the video's runs. It is carried at copy speed: the arrays
as they are, verified by their digest on the way, under the new run's meta. Called by the
operations before a run and by the runner in it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filmcan.contract.missing import DEPENDENCY_MISSING
from filmcan.errors import InvalidContentError, NotFoundError
from filmcan.npz.artifact import Artifact
from filmcan.npz.verified import open_verified
from filmcan.pipeline.keys import Keys
from filmcan.store.transaction import Product

if TYPE_CHECKING:
    import numpy as np

    from filmcan.contract.manifest import ComponentRecord, RunRecord
    from filmcan.pipeline.plan import Plan, PlannedComponent
    from filmcan.store.run import Run


@dataclass(frozen=True, slots=True)
class Carried:
    """A result of an earlier run that is good for this one, its bytes verified.

    Attributes:
        record: Its record there.
        run: The run that holds it.
        arrays: Key -> array, mapped where the store allows, those beside the NPZ included.
        beside: Keys of the arrays that lie beside it.
        meta: Its meta there.
    """

    record: ComponentRecord
    run: Run
    arrays: Mapping[str, np.ndarray]
    beside: frozenset[str]
    meta: Mapping[str, object]

    @property
    def origin(self) -> str:
        """The run that computed it, however often it was carried since."""
        return self.record.reused_from_run_id or self.run.run_id


def find_carried(runs: Iterable[Run], keys: Keys, joined: str | None = None) -> dict[str, Carried]:
    """Return what can be carried: component -> the latest valid result with its key.

    A result whose bytes are not those that were committed is passed over, and so is one that is
    only empty for want of a dependency.

    Args:
        runs: Of this video, in any order.
        keys: Component -> the key that is wanted.
        joined: The run that the results are for, where it exists: its own come first.

    Raises:
        StoreUnavailableError: The store refused.
    """
    found: dict[str, Carried] = {}
    ranked = sort_latest_first(runs)
    for run in sorted(ranked, key=lambda run: run.run_id != joined):
        for name, key in keys.items():
            record = run.components.get(name)
            if name in found or record is None or not is_reusable(record, key.digest):
                continue
            with contextlib.suppress(InvalidContentError, NotFoundError):
                found[name] = _open(run, record)
    return found


def sort_latest_first(runs: Iterable[Run]) -> list[Run]:
    """Return runs by (created_at, run_id), the latest first."""
    return sorted(runs, key=lambda run: (run.manifest.run.created_at, run.run_id), reverse=True)


def is_reusable(record: ComponentRecord, digest: str) -> bool:
    """Tell whether a record says that its result is good for a key."""
    return (
        record.status in ("ok", "empty")
        and record.empty_reason != DEPENDENCY_MISSING
        and get_key_digest(record) == digest
    )


def get_key_digest(record: ComponentRecord) -> str | None:
    """Return the digest of the key a record was made for, None where it has none."""
    digest = record.reuse_key.get("digest") if record.reuse_key is not None else None
    return digest if isinstance(digest, str) else None


def are_files_there(run: Run, record: ComponentRecord) -> bool:
    """Tell whether all files of a record lie there in their recorded size.

    Raises:
        StoreUnavailableError: The store refused.
    """
    there = run.backend.list_folder(f"{run.path}/{record.name}").files
    return all(
        there.get(artifact.path.removeprefix(f"{record.name}/")) == artifact.size_bytes
        for artifact in record.artifacts
    )


def is_up_to_date(run: Run, item: PlannedComponent, digest: str) -> bool:
    """Tell whether computing a component again could not give a run anything new.

    It holds a valid result for the key, or says that a dependency is missing which still is.

    Raises:
        StoreUnavailableError: The store refused.
    """
    record = run.components.get(item.component.name)
    if record is None or get_key_digest(record) != digest:
        return False
    if item.missing_dependency is not None:
        return is_dependency_missing(record)
    if record.blocked_by is not None:  # whether it stays so is decided where the root is looked at
        return record.status == "empty"
    return is_reusable(record, digest) and are_files_there(run, record)


def is_settled(run: Run, item: PlannedComponent, digest: str) -> bool:
    """Tell whether a run says how a component ends for a key, be it in error.

    Raises:
        StoreUnavailableError: The store refused.
    """
    record = run.components.get(item.component.name)
    if record is not None and record.status == "error" and item.missing_dependency is None:
        return get_key_digest(record) == digest and not is_dependency_missing(record)
    return is_up_to_date(run, item, digest)


def is_dependency_missing(record: ComponentRecord) -> bool:
    """Tell whether a component ended without being run, for want of its own dependency."""
    if record.blocked_by is not None:
        return False
    said = str(record.error or "").startswith(f"{DEPENDENCY_MISSING}:")
    return record.empty_reason == DEPENDENCY_MISSING or said


def find_unchanged(runs: Iterable[Run], plan: Plan, keys: Keys) -> Run | None:
    """Return the video's latest finished run when the plan could add nothing to it.

    Raises:
        StoreUnavailableError: The store refused.
    """
    return _find_complete(runs, plan, keys, is_up_to_date)


def find_settled(runs: Iterable[Run], plan: Plan, keys: Keys) -> Run | None:
    """Return the video's latest finished run when it says how every planned component ends.

    Raises:
        StoreUnavailableError: The store refused.
    """
    return _find_complete(runs, plan, keys, is_settled)


def find_unfinished(runs: Iterable[Run], plan: Plan, source_sha256: str) -> Run | None:
    """Return the video's latest run when it was broken off, and the plan can go on with it."""
    latest = next(iter(sort_latest_first(runs)), None)
    if latest is None or latest.manifest.is_finished:
        return None
    run = latest.manifest.run
    is_same = run.config_hash == plan.profile.config_hash
    return latest if is_same and run.source.get("sha256") == source_sha256 else None


def _find_complete(
    runs: Iterable[Run],
    plan: Plan,
    keys: Keys,
    is_good: Callable[[Run, PlannedComponent, str], bool],
) -> Run | None:
    """Return the latest finished run if it was made with these settings and all in it is good."""
    finished = (run for run in sort_latest_first(runs) if run.manifest.is_finished)
    latest = next(finished, None)
    if latest is None or latest.manifest.run.config_hash != plan.profile.config_hash:
        return None
    planned = [(item, keys[item.component.name].digest) for item in plan.components]
    return latest if all(is_good(latest, item, digest) for item, digest in planned) else None


def build_carried_product(
    carried: Carried, run: RunRecord, *, required: bool, started_at: str, now: str
) -> Product:
    """Return a carried result as a product of the new run: its arrays, the run's meta."""
    meta = {
        **carried.meta,
        "created_at": now,
        "platform_id": run.platform_id,
        "video_id": run.video_id,
        "run_id": run.run_id,
        "config_hash": run.config_hash,
        "sampling_policy_version": run.sampling_policy_version,
        "dataprocessor_version": run.dataprocessor_version,
        "reused_from_run_id": carried.origin,
    }
    record = replace(
        carried.record,
        artifacts=(),
        required=required,
        reused_from_run_id=carried.origin,
        started_at=started_at,
        finished_at=now,
    )
    return Product(record, carried.arrays, meta, carried.beside)


def _open(run: Run, record: ComponentRecord) -> Carried:
    """Open a result after hashing every byte of it.

    Raises:
        NotFoundError: A file is gone.
        InvalidArtifactError: A file is not what was committed.
    """
    (listed,) = (item for item in record.artifacts if item.kind == "npz")
    folder = f"{run.path}/{record.name}"
    source = run.backend.open(f"{run.path}/{listed.path}")
    try:
        npz = open_verified(source, listed.sha256, mapped=True)
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()
    # Maps stay valid when the files behind them are closed.
    with Artifact(npz, None, lambda name: run.backend.open(f"{folder}/{name}")) as artifact:
        beside = frozenset(artifact.sub_artifacts.references)
        for key in beside:
            artifact.sub_artifacts.check(key)
        arrays = {key: artifact.map(key) for key in artifact}
        return Carried(record, run, arrays, beside, artifact.meta)
