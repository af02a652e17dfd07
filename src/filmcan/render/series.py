"""What an artifact holds along its axes, as JSON that a face can draw (C10.1).

The schema's hints choose the picture, so a component that is known only by its schema is drawn
like any other. Rows are read in windows and blocks: an artifact of any size costs little memory.
Rows read this way are not held to a checksum; `filmcan fsck --data` is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.errors import InvalidArtifactError
from filmcan.render.axis import find_axis
from filmcan.render.drawings import DRAWERS, Drawing

if TYPE_CHECKING:
    from collections.abc import Collection

    from filmcan.contract.schema import ArtifactSchema, KeySchema
    from filmcan.npz.artifact import Artifact

DEFAULT_POINTS = 2_000


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the series, and how much of it.

    Attributes:
        start: Least position (seconds on a time axis), None for the beginning.
        end: Greatest position, None for the end.
        max_points: How many points a curve may have; pictures keep to a share of it.
        keys: Only these keys; None for all that have a view.
    """

    start: float | None = None
    end: float | None = None
    max_points: int = DEFAULT_POINTS
    keys: Collection[str] | None = None


WHOLE = Window()


def render_series(
    artifact: Artifact, schema: ArtifactSchema | None, window: Window = WHOLE
) -> list[dict[str, object]]:
    """Return one drawing per key that has a view, in the schema's order.

    Without a schema nothing says what an axis means, so nothing is drawn.

    Raises:
        InvalidArtifactError: The artifact is damaged, or does not have the shape its schema says.
    """
    if schema is None:
        return []
    return [
        _render_key(artifact, schema, key, window)
        for key in schema.keys.values()
        if key.view != "none"
        and key.name in artifact
        and (window.keys is None or key.name in window.keys)
    ]


def _render_key(
    artifact: Artifact, schema: ArtifactSchema, key: KeySchema, window: Window
) -> dict[str, object]:
    shape = artifact.shape(key.name)
    kind = artifact.dtype(key.name).kind
    fits = len(shape) == len(key.shape) and all(
        size == axis for size, axis in zip(shape, key.shape, strict=True) if isinstance(axis, int)
    )
    if not fits or kind not in "iuf":
        raise InvalidArtifactError(
            f"{artifact.dtype(key.name)}{list(shape)} cannot be drawn as {key.view}, "
            f"its schema says {key.dtype}{list(key.shape)}",
            code="shape",
            where=f"{artifact.name}: {key.name}",
            hint="See `filmcan validate`.",
        )
    axis = find_axis(artifact, schema, key)
    first, last = axis.find_window(window.start, window.end)
    drawing = Drawing(artifact, schema, key, axis, first, last, window.max_points)
    return {
        "key": key.name,
        "view": key.view,
        "tier": key.tier,
        "unit": key.unit,
        "range": [key.low, key.high],
        "description": key.description,
        "shape": list(shape),
        "axis": {"key": axis.keys[-1] if axis.keys else None, "unit": axis.unit},
        "rows": [first, last],
        **DRAWERS[key.view](drawing),
    }
