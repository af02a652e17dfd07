"""Numbers as JSON says them: NaN is null, and beside it stands why (C10.1)."""

from __future__ import annotations

import math

import numpy as np


def render_number(value: float) -> float | None:
    """Return a JSON number, None for NaN. Infinities never pass validation; they read as None.

    A float32 is written with the fewest digits that give the same float32 back.
    """
    if isinstance(value, np.floating):
        text = np.format_float_positional(value, unique=True) if np.isfinite(value) else "nan"
        value = float(text)
    return value if math.isfinite(value) else None
