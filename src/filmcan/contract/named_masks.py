"""Missing data as C6 alone can see it, where no schema says which mask governs which array.

For arrays from elsewhere: keys that a schema does not describe, or whose mask it names but the
artifact lacks. C6.1 gives masks their names, so a name tells what a mask governs:

    <stem>_present   arrays named <stem> or <stem>_..., the longest stem first
    valid_mask       every array that begins with its axes (a name in use before C6.1)
    dt_sec           rates (..._per_sec...): without a time difference there is no rate

What an array's own schema rules is not judged here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from filmcan.contract.issues import Issue, Level
from filmcan.contract.schema import ArtifactSchema

VALID_MASK = "valid_mask"

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
        places: Where the values stand: bool, of the array's own shape.
    """

    key: str
    mask: str
    cells: int
    places: np.ndarray

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
        array[found.places] = {"f": np.nan, "i": -1}.get(array.dtype.kind, "")
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
        for mask, absent in _find_absence(key, array, arrays):
            cells = absent.reshape(absent.shape + (1,) * (array.ndim - absent.ndim))
            places = np.logical_and(_find_values(array), cells)
            trailing = tuple(range(absent.ndim, array.ndim))
            count = int(np.count_nonzero(places.any(axis=trailing)))
            if count:
                found.append(HiddenValues(key, mask, count, places))
    return found


def _is_ruled(key: str, arrays: Mapping[str, np.ndarray], schema: ArtifactSchema | None) -> bool:
    """Tell whether the schema itself says where this array is measured."""
    known = schema.keys.get(key) if schema is not None else None
    return known is not None and (known.mask is None or known.mask in arrays)


def _find_absence(
    key: str, array: np.ndarray, arrays: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the one mask that governs an array by its name, as (its key, true where absent)."""
    if _UNGOVERNED.search(key) or key in _DIFFERENCES:
        return
    for name in _list_masks(key, arrays):
        mask = arrays[name]
        if mask.dtype == np.bool_ and array.shape[: mask.ndim] == mask.shape:
            yield name, ~mask
            return
    if _RATE.search(key):
        for name in _DIFFERENCES:
            difference = arrays.get(name)
            if difference is None or difference.dtype.kind != "f" or difference.ndim != 1:
                continue
            if array.shape[:1] == difference.shape:
                yield name, np.isnan(difference)
                return


def _list_masks(key: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return the keys that may be the mask of `key`, the most specific first."""
    words = key.split("_")
    stems = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    named = [f"{stem}{_PRESENT}" for stem in stems]
    return [name for name in (*named, VALID_MASK) if name in arrays]


def _find_values(array: np.ndarray) -> np.ndarray:
    """Return where an array holds a value, not the sign of a missing one."""
    if array.dtype.kind in "fi":
        missing = np.isnan(array) if array.dtype.kind == "f" else np.equal(array, -1)
    else:
        empty = [item is None or (isinstance(item, str) and not item) for item in array.flat]
        missing = np.array(empty, bool).reshape(array.shape)
    return np.asarray(~missing)
