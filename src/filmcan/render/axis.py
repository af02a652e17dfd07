"""Where the entries of a dim lie: in seconds, along another dim, or simply one after another.

A window in time becomes a range of rows without reading the positions: they increase, so a few
single rows are enough to find both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema, DimSchema, KeySchema
    from filmcan.npz.artifact import Artifact

_WHOLE_ROWS = 1 << 14
"""Up to this many positions are read at once; a search would ask more often than it saves."""


@dataclass(frozen=True, slots=True)
class Axis:
    """How the first axis of a key lies.

    Attributes:
        artifact: Where its positions are.
        count: Number of entries.
        keys: Keys to follow, one after another: `preview_indices`, then `times_sec`. None: the
            positions are the row numbers.
        unit: Unit of the positions.
        increasing: Whether the schema promises that the positions increase.
    """

    artifact: Artifact
    count: int
    keys: tuple[str, ...]
    unit: str
    increasing: bool

    def read(self, first: int, last: int) -> np.ndarray:
        """Return the positions of some rows."""
        if not self.keys:
            return np.arange(first, last)
        values = self.artifact.read(self.keys[0], slice(first, last))
        for key in self.keys[1:]:
            values = self.follow(values, key)
        return values

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return the positions of chosen rows, ascending; what lies between is not kept."""
        if not len(rows):
            return np.zeros(0)
        if not self.keys:
            return rows
        first, last = int(rows[0]), int(rows[-1]) + 1
        if last - first <= max(_WHOLE_ROWS, 8 * len(rows)):
            near: np.ndarray = self.read(first, last)[rows - first]
            return near
        return np.concatenate([self.read(int(row), int(row) + 1) for row in rows])

    def find_window(self, start: float | None, end: float | None) -> tuple[int, int]:
        """Return the first row from `start` on, and the row behind the last one up to `end`.

        Without positions that increase, a window selects everything.
        """
        if not self.increasing or not self.count:
            return 0, self.count
        first = 0 if start is None else self._search(start, after=False)
        last = self.count if end is None else self._search(end, after=True)
        return first, max(first, last)

    def follow(self, values: np.ndarray, key: str) -> np.ndarray:
        """Return the entries of a key that row numbers point at, NaN where they point past it."""
        target = self.artifact[key]
        inside = (values >= 0) & (values < len(target))
        found = np.full(len(values), np.nan)
        found[inside] = target[values[inside].astype(np.int64)]
        return found

    def _search(self, value: float, *, after: bool) -> int:
        low, high = 0, self.count
        while high - low > _WHOLE_ROWS:
            middle = (low + high) // 2
            found = float(self.read(middle, middle + 1)[0])
            if found < value or (after and found == value):
                low = middle + 1
            else:
                high = middle
        side: Literal["left", "right"] = "right" if after else "left"
        return low + int(np.searchsorted(self.read(low, high), value, side=side))


def find_axis(artifact: Artifact, schema: ArtifactSchema, key: KeySchema) -> Axis:
    """Return how the first axis of a key lies."""
    shape = artifact.shape(key.name)
    count = shape[0] if shape else 0
    if key.view == "events":
        return Axis(artifact, count, (key.name,), key.unit, key.increasing)
    dim = find_dim(schema, key, 0)
    chain: list[KeySchema] = []
    while dim is not None and dim.positions is not None and len(chain) <= len(schema.dims):
        positions = schema.keys[dim.positions]
        if positions.name not in artifact or not _fits(artifact, positions.name, chain, count):
            break
        chain.append(positions)
        dim = schema.dims.get(positions.indexes) if positions.indexes is not None else None
    return Axis(
        artifact,
        count,
        tuple(item.name for item in chain),
        chain[-1].unit if chain else "",
        bool(chain) and all(item.increasing for item in chain),
    )


def find_dim(schema: ArtifactSchema, key: KeySchema, axis: int) -> DimSchema | None:
    """Return the named dim of one axis of a key, None for a fixed size."""
    name = key.shape[axis] if axis < len(key.shape) else None
    return schema.dims.get(name) if isinstance(name, str) else None


def _fits(artifact: Artifact, name: str, chain: list[KeySchema], count: int) -> bool:
    """Tell whether an artifact, valid or not, can be read along these positions."""
    shape = artifact.shape(name)
    is_number = artifact.dtype(name).kind in "iuf"
    return is_number and len(shape) == 1 and (bool(chain) or shape[0] == count)
