"""What an index is asked and what it answers, as records. They need no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from filmcan.store.marks import Marks

SortKey = Literal[
    "path",
    "created_at",
    "updated_at",
    "platform_id",
    "video_id",
    "run_id",
    "status",
    "duration_sec",
]
RunStatus = Literal["ok", "error", "unfinished"]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs; None asks for nothing. Those about components must hold for one component.

    Attributes:
        platform_id: Where the video is from.
        video_id: Which video.
        run_id: Which run of it.
        status: ok, error, or unfinished.
        config_hash: Or the beginning of one.
        created_from: Time from which on the run was begun.
        created_before: Time before which it was begun.
        latest_only: Only each video's latest finished run (C2.2).
        component: Its name.
        component_status: ok, empty, error.
        reason: Its empty_reason.
        producer_version: Version of the code that made it.
        schema_version: What it is held to.
        model_signature: Or the beginning of one.
        text: Stands in the run's path, the source's name, a note or an error; letters of ASCII in
            any case.
        words: Each stands in the run's path, in any case.
    """

    platform_id: str | None = None
    video_id: str | None = None
    run_id: str | None = None
    status: RunStatus | None = None
    config_hash: str | None = None
    created_from: str | None = None
    created_before: str | None = None
    latest_only: bool = False
    component: str | None = None
    component_status: str | None = None
    reason: str | None = None
    producer_version: str | None = None
    schema_version: str | None = None
    model_signature: str | None = None
    text: str | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of the runs found, in which order.

    Attributes:
        sort: By what; ties by path. A run without a status counts as `unfinished`.
        descending: Greatest first.
        limit: How many runs to give; None: all.
        offset: How many to pass over.
        unknown_last: Whether runs without a value stand last, whatever the direction, or first.
    """

    sort: SortKey = "path"
    descending: bool = False
    limit: int | None = None
    offset: int = 0
    unknown_last: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many components of the runs found ended in one way."""

    component: str
    status: str
    reason: str | None
    count: int


class IndexedComponent(
    msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True
):
    """What an index knows of a component; the fields are those of the manifest's record (C3.3)."""

    name: str
    kind: str
    status: str
    producer_version: str | None
    schema_version: str | None
    started_at: str | None
    finished_at: str | None
    duration_ms: int | None
    device_used: str | None
    error: str | None
    notes: str | None
    required: bool
    empty_reason: str | None
    model_signature: str | None
    reused_from_run_id: str | None
    blocked_by: str | None
    reuse_digest: str | None
    artifact_path: str | None
    artifact_sha256: str | None
    artifact_bytes: int | None
    sub_artifacts: int
    total_bytes: int


class IndexedRun(
    msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True
):
    """What an index knows of a run, equal to what its manifest said when the page was made."""

    platform_id: str
    video_id: str
    run_id: str
    status: str | None
    created_at: str
    updated_at: str
    finished_at: str | None
    config_hash: str
    revision: int
    filmcan_version: str | None
    sampling_policy_version: str
    dataprocessor_version: str
    source_name: str | None
    source_sha256: str | None
    source_size_bytes: int | None
    duration_sec: float | None
    planned_components: tuple[str, ...]
    components: tuple[IndexedComponent, ...]

    @property
    def path(self) -> str:
        """The run's path below the store's root."""
        return f"{self.platform_id}/{self.video_id}/{self.run_id}"

    @property
    def pending_components(self) -> tuple[str, ...]:
        """Planned components that have no record yet, in planned order."""
        done = {component.name for component in self.components}
        return tuple(name for name in self.planned_components if name not in done)


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line. `components` counts statuses; `pending` are planned and not done."""

    platform_id: str
    video_id: str
    run_id: str
    run_path: str
    created_at: str
    finished_at: str | None
    status: str | None
    duration_sec: float | None
    components: Mapping[str, int]
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the runs that a filter found.

    Attributes:
        runs: The runs of this page.
        total: How many runs were found in all.
        set_aside: Manifests of the store that give no run: `filmcan fsck` names them.
    """

    runs: tuple[IndexedRun, ...]
    total: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How runs and their components ended; a run's status None is unfinished."""

    runs: Mapping[str | None, int]
    outcomes: tuple[Outcome, ...]
    set_aside: int

    @property
    def total(self) -> int:
        """All runs found."""
        return sum(self.runs.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """What a store holds, whatever is asked for.

    Attributes:
        runs: How many runs there are.
        platforms: Platform -> its runs.
        components: Names of all components of any run.
        damaged: How many more manifests are damaged; `filmcan fsck` names them.
    """

    runs: int
    platforms: Mapping[str, int]
    components: tuple[str, ...]
    damaged: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a database is up to date.

    Attributes:
        version: Another one whenever what it holds may have changed.
        marks: The change marks before the store was looked at; None where they prove nothing,
            because there are none or a writer was at work.
    """

    version: str
    marks: Marks | None
