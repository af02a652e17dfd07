"""In which order the components of a run go: those that need others' results come after them.

One pass over the media feeds all components that run at the same time, and must not wait for a
result, so a plan with needs runs in waves. Called by the runner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from filmcan.errors import InternalError

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord
    from filmcan.pipeline.plan import PlannedComponent


class Schedule:
    """The waves of one plan. Take a wave, end each of its components, take the next."""

    def __init__(self, components: Iterable[PlannedComponent]) -> None:
        """Order the components.

        Raises:
            InternalError: They need each other in a circle.
        """
        self._components = {item.component.name: item for item in components}
        self._graph: TopologicalSorter[str] = TopologicalSorter(
            {
                name: [
                    need.component
                    for need in item.component.needs
                    if need.component in self._components
                ]
                for name, item in self._components.items()
            }
        )
        try:
            self._graph.prepare()
        except CycleError as error:
            raise InternalError(
                f"components need each other in a circle: {' -> '.join(error.args[1])}"
            ) from error

    def take_wave(self) -> list[PlannedComponent]:
        """Return what can run now, in planned order; nothing when all have ended."""
        if not self._graph.is_active():
            return []
        ready = set(self._graph.get_ready())
        return [item for name, item in self._components.items() if name in ready]

    def end(self, name: str) -> None:
        """Say that a component has ended, however it did."""
        self._graph.done(name)


def find_blocker(
    item: PlannedComponent, records: Mapping[str, ComponentRecord]
) -> tuple[str, ComponentRecord | None] | None:
    """Return the needed component without which this one cannot run: its root and its own record.

    Args:
        item: The component.
        records: What has ended so far.

    Returns:
        The component whose failure is at the root, and the record of the one that was needed,
        None when it is not part of the run; None altogether when nothing stands in the way.
    """
    for need in item.component.needs:
        record = records.get(need.component)
        if need.required and (record is None or record.status != "ok"):
            root = need.component if record is None else record.blocked_by or record.name
            return root, record
    return None
