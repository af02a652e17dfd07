"""Why a value is missing, in canonical words where there are any (C6, C10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from filmcan.contract.schema import KeySchema
    from filmcan.npz.artifact import Artifact

_PRESENT = "_present"
_REASON = "_empty_reason"
UNMEASURABLE = "not measurable on this input"


def find_missing_reason(artifact: Artifact, mask: str | None) -> str:
    """Return why a value is missing that a 0-d mask governs, or that is nullable by itself."""
    if artifact.status == "empty":
        return str(artifact.meta.get("empty_reason"))
    if mask is not None and mask in artifact and not artifact[mask].all():
        return _find_said_reason(artifact, mask) or f"{mask} is false"
    return UNMEASURABLE


def find_gap_reason(artifact: Artifact, mask: str | None) -> str:
    """Return why samples of an array are missing; its mask, as long as the array, is not read."""
    if artifact.status == "empty":
        return str(artifact.meta.get("empty_reason"))
    if mask is None or mask not in artifact:
        return UNMEASURABLE
    return _find_said_reason(artifact, mask) or f"{mask} is false there"


def read_measured(
    artifact: Artifact, key: KeySchema | None, name: str, rows: slice | None = None
) -> np.ndarray:
    """Return an array, or some rows of it, with NaN also where a whole number is missing.

    Raises:
        NotFoundError: There is no such key.
        InvalidArtifactError: It is damaged.
    """
    values = artifact.read(name, rows)
    if key is None or values.dtype.kind not in "iu":
        return values
    missing = np.zeros(values.shape, bool)
    if key.mask is not None and key.mask in artifact:
        mask = artifact.read(key.mask, rows if artifact.shape(key.mask) else None)
        if mask.dtype == np.bool_ and mask.shape == values.shape[: mask.ndim]:
            missing |= ~mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
    if key.nullable and key.low is not None and key.low >= 0:
        missing |= values < 0
    return np.where(missing, np.nan, values) if missing.any() else values


def _find_said_reason(artifact: Artifact, mask: str) -> str:
    key = f"{mask.removesuffix(_PRESENT)}{_REASON}"
    return str(artifact[key].item()) if key in artifact and not artifact.shape(key) else ""
