"""Missing data as C6 alone can see it, where no schema says which mask governs which array.

For arrays from elsewhere: keys that a schema does not describe, or whose mask it names but the
artifact lacks. C6.1 gives masks their names, so a name tells what a mask governs:

    <stem>_present   arrays named <stem> or <stem>_..., the longest stem first
    valid_mask       every array that begins with its axes (a name in use before C6.1)
    dt_sec           rates (..._per_sec...): without a time difference there is no rate

What an array's own schema rules is not judged here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from filmcan.contract.issues import Issue, Level
from filmcan.contract.pieces import iterate_pieces, spread_mask
from filmcan.contract.schema import ArtifactSchema

VALID_MASK = "valid_mask"

_MISSING: Mapping[str, float] = {"f": np.nan, "i": -1}
_PRESENT = "_present"
_DIFFERENCES = ("dt_sec", "dt_seconds")
_RATE = re.compile(r"_per_sec(?:_|$)")
_UNGOVERNED = re.compile(r"_present$|_empty_reason$|_mask$|^has_|_indices$|(?:^|_)times_s(?:ec)?$")
"""Masks, reasons and axes: they say something wherever a mask is false."""


@dataclass(frozen=True, slots=True)
class HiddenValues:
    """Values that stand where nothing was measured.

    Attributes:
        key: The array that holds them.
        mask: The key that says so.
        cells: How many cells of the mask hide a value.
    """

    key: str
    mask: str
    cells: int

    def describe(self) -> str:
        """Say which cells, as the beginning of a sentence."""
        state = "NaN" if self.mask in _DIFFERENCES else "false"
        return f"cells where {self.mask} is {state}: {self.cells}"


def validate_named_masks(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema | None
) -> list[Issue]:
    """Return an issue for each array that holds values where a mask's name says it has none.

    Args:
        arrays: Key -> array of the artifact.
        schema: Its rules; None when they are not known, and then this only warns.
    """
    level: Level = "warning" if schema is None else "error"
    return [
        Issue(
            level,
            "value_under_false_mask",
            found.key,
            f"{found.describe()}, yet they hold a value",
        )
        for found in find_hidden_values(arrays, schema)
    ]


def blank_hidden_values(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema | None
) -> tuple[dict[str, np.ndarray], list[HiddenValues]]:
    """Return the arrays with hidden values written as missing (C6.2), and what was blanked.

    Floats become NaN, integers -1, strings empty. Arrays that hide nothing are returned as they
    are; none is changed in place.
    """
    blanked = dict(arrays)
    hidden = find_hidden_values(arrays, schema)
    for found in hidden:
        array = blanked[found.key].copy()
        absent = spread_mask(_say_absent(arrays[found.mask]), array)
        hidden_places = absent & _find_values(array.ravel()).reshape(array.shape)
        array[hidden_places] = _MISSING.get(array.dtype.kind, "")
        blanked[found.key] = array
    return blanked, hidden


def find_hidden_values(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema | None
) -> list[HiddenValues]:
    """Return what stands where nothing was measured, in the order of the arrays."""
    found = []
    for key, array in arrays.items():
        if array.dtype.kind not in "fiUO" or _is_ruled(key, arrays, schema):
            continue
        mask = _find_mask(key, array, arrays)
        count = 0 if mask is None else _count_hiding_cells(array, arrays[mask])
        if mask is not None and count:
            found.append(HiddenValues(key, mask, count))
    return found


def _count_hiding_cells(array: np.ndarray, mask: np.ndarray) -> int:
    """Count the cells of a mask that are absent, yet have a value behind them."""
    if not any(_say_absent(piece).any() for _, (piece,) in iterate_pieces(mask)):
        return 0
    values_per_cell = math.prod(array.shape[mask.ndim :])
    count, last = 0, -1
    for start, (piece, cells) in iterate_pieces(array, spread_mask(mask, array)):
        places = np.flatnonzero(_say_absent(cells) & _find_values(piece))
        if places.size:
            hiding = (places + start) // values_per_cell  # in order, each for all it hides
            count += int(np.count_nonzero(hiding[1:] != hiding[:-1])) + int(hiding[0] != last)
            last = int(hiding[-1])
        if count == mask.size:
            break  # every cell is known
    return count


def _is_ruled(key: str, arrays: Mapping[str, np.ndarray], schema: ArtifactSchema | None) -> bool:
    """Tell whether the schema itself says where this array is measured."""
    known = schema.keys.get(key) if schema is not None else None
    return known is not None and (known.mask is None or known.mask in arrays)


def _find_mask(key: str, array: np.ndarray, arrays: Mapping[str, np.ndarray]) -> str | None:
    """Return the one mask that governs an array by its name, None when there is none."""
    if _UNGOVERNED.search(key) or key in _DIFFERENCES:
        return None
    for name in _list_masks(key, arrays):
        mask = arrays[name]
        if mask.dtype == np.bool_ and array.shape[: mask.ndim] == mask.shape:
            return name
    if _RATE.search(key):
        for name in _DIFFERENCES:
            difference = arrays.get(name)
            if difference is None or difference.dtype.kind != "f" or difference.ndim != 1:
                continue
            if array.shape[:1] == difference.shape:
                return name
    return None


def _say_absent(mask: np.ndarray) -> np.ndarray:
    """Return where a mask, or a time difference that serves as one, says nothing was measured."""
    return np.asarray(~mask if mask.dtype == np.bool_ else np.isnan(mask))


def _list_masks(key: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return the keys that may be the mask of `key`, the most specific first."""
    words = key.split("_")
    stems = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    named = [f"{stem}{_PRESENT}" for stem in stems]
    return [name for name in (*named, VALID_MASK) if name in arrays]


def _find_values(array: np.ndarray) -> np.ndarray:
    """Return where a piece holds a value, not the sign of a missing one."""
    match array.dtype.kind:
        case "f":
            return np.asarray(~np.isnan(array))
        case "i":
            return np.asarray(array != -1)
        case "U":
            return np.asarray(array != "")
    missing = [item is None or (isinstance(item, str) and not item) for item in array]
    return ~np.array(missing, bool)
