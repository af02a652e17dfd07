"""One run to be done, and how one component of it ended: what the parts of the runner share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from filmcan.components.base import Needed, Result
    from filmcan.contract.manifest import ComponentRecord, RunRecord
    from filmcan.media.document import TextSources
    from filmcan.media.probe import Probe
    from filmcan.models.execution import Execution
    from filmcan.pipeline.keys import Keys, VideoInputs
    from filmcan.pipeline.plan import Plan, PlannedComponent
    from filmcan.pipeline.reuse import Carried


class Observer(Protocol):
    """Is told how a run goes on; called from any thread, must return quickly."""

    def on_progress(self, fraction: float) -> None:
        """Take the share of the source that has been read, 0 to 1."""
        ...

    def on_component(self, record: ComponentRecord) -> None:
        """Take the record of a component that was just committed."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be done.

    Attributes:
        plan: What to do.
        source: The file to read.
        probe: What it is; None when everything is carried and nothing is read.
        text: The text that comes with it.
        inputs: Which video, and the digests of all of that.
        keys: Component -> the key its result is planned to have.
        carried: Component -> a result of an earlier run, or of this run when it is joined.
        run: The run's record as planned.
        joins: True to join the run when it exists.
    """

    plan: Plan
    source: Path
    probe: Probe | None
    text: TextSources
    inputs: VideoInputs
    keys: Keys
    carried: Mapping[str, Carried]
    run: RunRecord
    joins: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a component.

    Attributes:
        planned: The component.
        execution: How its networks run this time.
        needed: What others measured for it.
        notes: What is to be said of earlier tries.
    """

    planned: PlannedComponent
    execution: Execution
    needed: Mapping[str, Needed] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The component's name."""
        return self.planned.component.name


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one try ended: with a result or with an error."""

    attempt: Attempt
    result: Result | None
    error: BaseException | None
    started_at: datetime
    finished_at: datetime
    blocked_by: str | None = None
