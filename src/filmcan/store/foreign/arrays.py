"""Arrays of another system as C6 wants them, under the schema_version they name where they fit.

Nothing is computed and nothing is filled in. What changes: keys stored as None are left out
(C6.5); values under a false mask are written as missing (C6.2); two keys get the name that the
schema gives them. An empty artifact without one measured value becomes the schema's empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.named_masks import blank_hidden_values
from filmcan.contract.validate import validate_arrays

if TYPE_CHECKING:
    from filmcan.contract.issues import Issue
    from filmcan.contract.schema import ArtifactSchema

RENAMED = {"times_s": "times_sec", "valid_mask": "box_present"}
"""Names in use before the contract had its own; each means the same thing."""

_SAYS_NOTHING = re.compile(r"^(feature_names|version|model_name|created_at)$|_empty_reason$")
"""Keys that tell names, reasons and who wrote it, but no measurement."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Arrays ready to be committed.

    Attributes:
        arrays: Key -> array.
        form: `upgraded` when they satisfy their schema, else `carried`.
        changes: What was changed, one sentence each.
        faults: Why they do not satisfy the schema; empty when there is none in force.
    """

    arrays: Mapping[str, np.ndarray]
    form: Literal["upgraded", "carried"]
    changes: tuple[str, ...] = ()
    faults: tuple[Issue, ...] = ()


def upgrade_arrays(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema | None, *, status: str
) -> Upgrade:
    """Return arrays as they are to be committed.

    Args:
        arrays: Key -> array as read.
        schema: The rules of the schema_version they name; None when it is not in force, and then
            they are kept as they are.
        status: `ok` or `empty`.
    """
    if schema is None:
        return Upgrade(dict(arrays), "carried")
    if status == "empty" and not has_measurement(arrays):
        change = f"written as the empty artifact of {schema.schema_version}: nothing was in it"
        return Upgrade(build_empty_arrays(schema, {}), "upgraded", (change,))
    kept, changes = _drop_nones(arrays)
    renamed, renames = _rename(kept, schema)
    masked, blanks = _blank(renamed, schema)
    faults = _find_errors(masked, schema, status)
    if not faults:
        return Upgrade(masked, "upgraded", (*changes, *renames, *blanks))
    masked, blanks = _blank(kept, schema)
    return Upgrade(masked, "carried", (*changes, *blanks), faults)


def has_measurement(arrays: Mapping[str, np.ndarray]) -> bool:
    """Tell whether any array holds a value that is not missing: also a zero counts."""
    return any(
        _holds_value(array) for name, array in arrays.items() if not _SAYS_NOTHING.search(name)
    )


def _holds_value(array: np.ndarray) -> bool:
    if array.dtype.kind == "f":
        return bool((~np.isnan(array)).any())
    if array.dtype.kind == "i":
        return bool((array != -1).any())
    if array.dtype.kind in "bUO":
        return any(bool(item) for item in array.flat)
    return array.size > 0


def _drop_nones(
    arrays: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    dropped = [
        name
        for name, array in arrays.items()
        if array.dtype == np.object_ and array.size and all(item is None for item in array.flat)
    ]
    kept = {name: array for name, array in arrays.items() if name not in dropped}
    changes = (f"left out, because stored as None: {', '.join(dropped)}",) if dropped else ()
    return kept, changes


def _rename(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    names = {
        old: new
        for old, new in RENAMED.items()
        if old in arrays and old not in schema.keys and new in schema.keys and new not in arrays
    }
    renamed = {names.get(name, name): array for name, array in arrays.items()}
    return renamed, tuple(f"{old} is named {new}" for old, new in names.items())


def _blank(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Write values under false masks as missing: masks of the schema, then those named by C6.1."""
    blanked = dict(arrays)
    changes = []
    for key in schema.keys.values():
        array, mask = arrays.get(key.name), arrays.get(str(key.mask))
        if array is None or mask is None or mask.dtype != np.bool_ or array.dtype.kind not in "fiU":
            continue
        if mask.shape != array.shape[: mask.ndim]:
            continue
        missing = {"f": np.nan, "i": -1}.get(array.dtype.kind, "")
        changed = array.copy()
        changed[~mask] = missing
        if not np.array_equal(changed, array, equal_nan=array.dtype.kind == "f"):
            blanked[key.name] = changed
            changes.append(f"{key.name}: values where {key.mask} is false were written as missing")
    blanked, hidden = blank_hidden_values(blanked, schema)
    changes += [f"{found.key}: written as missing in {found.describe()}" for found in hidden]
    return blanked, tuple(changes)


def _find_errors(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema, status: str
) -> tuple[Issue, ...]:
    found = validate_arrays(arrays, schema, status=status)
    return tuple(issue for issue in found if issue.level == "error")
