"""Everything an artifact holds as JSON, array by array. For small artifacts and for debugging."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from filmcan.render.missing import find_missing_reason, read_measured
from filmcan.render.values import count_missing, render_values

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema
    from filmcan.npz.artifact import Artifact


def render_full(
    artifact: Artifact, schema: ArtifactSchema | None, *, max_items: int | None = None
) -> list[dict[str, object]]:
    """Return one row per array, with all its values.

    Args:
        artifact: An open artifact.
        schema: Its rules; None for an unknown schema_version.
        max_items: Arrays with more values are named but not read; None reads them all.
    """
    keys = schema.keys if schema is not None else {}
    rows = []
    for name in artifact:
        known = keys.get(name)
        shape = artifact.shape(name)
        row: dict[str, object] = {
            "key": name,
            "dtype": str(artifact.dtype(name)),
            "shape": list(shape),
            "unit": known.unit if known is not None else "",
            "values": None,
            "missing_count": None,
            "missing_reason": None,
            "omitted": None,
        }
        if max_items is not None and math.prod(shape) > max_items:
            row["omitted"] = f"more than {max_items} values: ask for its series, or download it"
        else:
            array = read_measured(artifact, known, name)
            missing = count_missing(array)
            row["values"] = render_values(array)
            row["missing_count"] = missing
            if missing:
                mask = known.mask if known is not None else None
                row["missing_reason"] = find_missing_reason(artifact, mask)
        rows.append(row)
    return rows
