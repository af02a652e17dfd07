"""Values as JSON says them: NaN is null, and beside it stands why (C10.1).

A number is written with the fewest digits that give the same stored number back, so a float32
reads as 0.1 and not as 0.10000000149011612.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np


def render_number(value: float | np.floating) -> float | None:
    """Return a JSON number, None for NaN. Infinities never pass validation; they read as None."""
    if isinstance(value, np.floating):
        value = float(str(value)) if np.isfinite(value) else math.nan
    return float(value) if math.isfinite(value) else None


def render_values(array: np.ndarray) -> object:
    """Return an array as nested lists (a 0-d one as a bare value), NaN as None."""
    if array.dtype.kind == "f":
        return _render_floats(array)
    if array.dtype.kind in "iub":
        return array.tolist()
    if array.dtype.kind == "O":
        return render_object(array.tolist() if array.ndim else array.item())
    return render_object(array.astype(str).tolist())


def render_object(value: object) -> object:
    """Return what an object array holds as JSON; what JSON cannot say becomes its text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() | np.floating():
            return render_number(value)
        case np.ndarray():
            return render_values(value)
        case np.generic():
            return render_object(value.item())
        case Mapping():
            return {str(key): render_object(item) for key, item in value.items()}
        case list() | tuple():
            return [render_object(item) for item in value]
        case _:
            return str(value)


def count_missing(array: np.ndarray) -> int:
    """Count NaN."""
    return int(np.isnan(array).sum()) if array.dtype.kind == "f" else 0


def _render_floats(array: np.ndarray) -> object:
    known = np.isfinite(array)
    if array.dtype.itemsize < np.dtype(np.float64).itemsize:
        # Through its shortest text: that is what a float64 with the fewest digits is.
        array = np.where(known, array, 0).astype("U32").astype(np.float64)
    if known.all():
        return array.tolist()
    if not array.ndim:
        return None
    values = array.astype(object)
    values[~known] = None
    return values.tolist()
