"""One function per view: rows of a key -> the JSON of its picture.

Every drawing says how many of the values it looked at are missing and why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filmcan.render.axis import find_dim
from filmcan.render.missing import find_gap_reason, read_measured
from filmcan.render.pictures import encode_grey, encode_vectors, find_bounds, shrink
from filmcan.render.thinning import pick_rows, thin_columns, thin_curves, thin_rows
from filmcan.render.values import count_missing, render_number, render_values

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema, KeySchema
    from filmcan.npz.artifact import Artifact
    from filmcan.render.axis import Axis

_MAX_COLUMNS = 256
_MAX_CURVES = 16
_MAX_VECTORS = 200
_MAX_PICTURES = 48
_MAX_PICTURE_SIDE = 128
_MAX_PICTURE_BYTES = 64 << 20
_PLACE_DIGITS = 4
"""Digits of a place in the frame: a tenth of a pixel of a picture 1000 wide."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn: rows `first` up to, not including, `last` of a key."""

    artifact: Artifact
    schema: ArtifactSchema
    key: KeySchema
    axis: Axis
    first: int
    last: int
    max_points: int

    def read(self, first: int, last: int) -> np.ndarray:
        """Return rows of the key."""
        return read_measured(self.artifact, self.key, self.key.name, slice(first, last))

    def read_picked(self, rows: np.ndarray) -> np.ndarray:
        """Return chosen rows of the key; what lies between is not kept."""
        if len(rows) == self.last - self.first:
            return self.read(self.first, self.last)
        parts = [self.read(int(row), int(row) + 1) for row in rows]
        return np.concatenate(parts) if parts else self.read(0, 0)

    def tell_missing(self, count: int) -> dict[str, object]:
        """Return how many values are missing and why."""
        reason = find_gap_reason(self.artifact, self.key.mask) if count else None
        return {"missing_count": count, "missing_reason": reason}

    def find_labels(self, axis: int) -> list[str] | None:
        """Return the names of the entries of an axis, None where they have none."""
        dim = find_dim(self.schema, self.key, axis)
        if dim is None or dim.labels is None or dim.labels not in self.artifact:
            return None
        found = self.artifact[dim.labels]
        return [str(item) for item in found.tolist()] if found.ndim == 1 else None


def _draw_curves(drawing: Drawing) -> dict[str, object]:
    shape = drawing.artifact.shape(drawing.key.name)
    columns = math.prod(shape[1:])
    row_bytes = max(1, columns * drawing.artifact.dtype(drawing.key.name).itemsize)
    if drawing.first == drawing.last:
        return {"curves": [], "points_of": 0, **drawing.tell_missing(0)}
    curves, missing = thin_curves(
        drawing.read, drawing.first, drawing.last, drawing.max_points, row_bytes
    )
    labels = drawing.find_labels(1) if len(shape) > 1 else None
    if labels is None or len(labels) != columns:
        labels = [str(index) for index in range(columns)] if columns > 1 else [""]
    return {
        "curves": [
            {
                "name": label,
                "x": render_values(drawing.axis.take(curve.rows)),
                "y": render_values(curve.values),
            }
            for label, curve in zip(labels[:_MAX_CURVES], curves, strict=False)
        ],
        "points_of": drawing.last - drawing.first,
        **drawing.tell_missing(missing),
    }


def _draw_events(drawing: Drawing) -> dict[str, object]:
    rows = pick_rows(drawing.first, drawing.last, drawing.max_points)
    return {
        "x": render_values(drawing.axis.take(rows)),
        "points_of": drawing.last - drawing.first,
        **drawing.tell_missing(0),
    }


def _draw_bars(drawing: Drawing) -> dict[str, object]:
    last = min(drawing.last, drawing.first + drawing.max_points)
    values = drawing.read(drawing.first, last)
    labels = drawing.find_labels(0)
    known = labels is not None and len(labels) >= last
    return {
        "labels": labels[drawing.first : last] if labels is not None and known else None,
        "values": render_values(values),
        "points_of": drawing.last - drawing.first,
        **drawing.tell_missing(count_missing(values)),
    }


def _draw_heat_map(drawing: Drawing) -> dict[str, object]:
    most = max(1, drawing.max_points // 4)
    columns = drawing.artifact.shape(drawing.key.name)[1]
    row_bytes = columns * drawing.artifact.dtype(drawing.key.name).itemsize
    table, missing = thin_rows(drawing.read, drawing.first, drawing.last, most, row_bytes)
    cells = thin_columns(table.values, _MAX_COLUMNS)
    labels = drawing.find_labels(1)
    return {
        "x": render_values(drawing.axis.take(table.rows)),
        "labels": labels if labels is not None and len(labels) == cells.shape[1] else None,
        "cells": render_values(cells.astype(np.float32)),
        "cells_of": [drawing.last - drawing.first, columns],
        **drawing.tell_missing(missing),
    }


def _draw_similarity(drawing: Drawing) -> dict[str, object]:
    rows = pick_rows(drawing.first, drawing.last, min(_MAX_VECTORS, drawing.max_points))
    vectors = drawing.read_picked(rows).astype(np.float64)
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))
    units = np.divide(vectors, lengths, out=np.full(vectors.shape, np.nan), where=lengths > 0)
    return {
        "x": render_values(drawing.axis.take(rows)),
        "cells": render_values((units @ units.T).round(_PLACE_DIGITS)),
        "cells_of": [drawing.last - drawing.first] * 2,
        **drawing.tell_missing(count_missing(vectors)),
    }


def _draw_places(drawing: Drawing) -> dict[str, object]:
    """Draw boxes or landmarks: for each picked row those that were measured."""
    shape = drawing.artifact.shape(drawing.key.name)
    points = math.prod(shape[1:])
    budget = max(1, 40 * drawing.max_points // max(1, points))
    rows = pick_rows(drawing.first, drawing.last, min(drawing.max_points, budget))
    inner = 1 if drawing.key.view == "boxes" else 2
    values = drawing.read_picked(rows)
    places = math.prod(shape[1 : len(shape) - inner])
    values = values.reshape(len(rows), places, *shape[len(shape) - inner :])
    missing = np.isnan(values.astype(np.float64))
    known = ~np.asarray(missing.any(axis=tuple(range(2, values.ndim))))
    captions = _read_captions(drawing, rows, places)
    if inner > 1:
        values = values[..., :2]  # a picture has no depth
    rounded = values.astype(np.float64).round(_PLACE_DIGITS)
    return {
        "frames": [
            {
                "x": at,
                "places": rounded[index][known[index]].tolist(),
                "captions": [
                    [render_caption(caption[index, place]) for caption in captions]
                    for place in np.flatnonzero(known[index])
                ]
                if captions
                else None,
            }
            for index, at in enumerate(_positions(drawing, rows))
        ],
        "points_of": drawing.last - drawing.first,
        **drawing.tell_missing(0),
    }


def render_caption(value: object) -> object:
    """Return what stands beside a box: a name, or a number with two digits behind the point."""
    if isinstance(value, float | np.floating):
        number = render_number(value)
        return None if number is None else round(number, 2)
    return value.item() if isinstance(value, np.generic) else value


def _read_captions(drawing: Drawing, rows: np.ndarray, places: int) -> list[np.ndarray]:
    found = []
    for name in drawing.key.captions:
        artifact, known = drawing.artifact, drawing.schema.keys[name]
        if name not in artifact or artifact.shape(name)[:1] != (drawing.axis.count,):
            continue
        parts = [artifact.read(name, slice(int(row), int(row) + 1)) for row in rows]
        values = np.concatenate(parts) if parts else artifact.read(name, slice(0, 0))
        values = values.reshape(len(rows), math.prod(values.shape[1:]))
        if values.shape[1] == 1 and places > 1:
            values = np.repeat(values, places, axis=1)
        if values.shape[1] == places:
            found.append(_name_entries(drawing, values, known.indexes))
    return found


def _name_entries(drawing: Drawing, values: np.ndarray, dim: str | None) -> np.ndarray:
    """Return the names that whole numbers stand for, the numbers where there are none."""
    labels = drawing.schema.dims[dim].labels if dim is not None else None
    if labels is None or labels not in drawing.artifact or values.dtype.kind not in "iu":
        return values
    names = [str(item) for item in drawing.artifact[labels].tolist()]
    named = [
        names[number] if 0 <= number < len(names) else str(number)
        for number in values.reshape(-1).tolist()
    ]
    return np.array(named, dtype=object).reshape(values.shape)


def _pick_pictures(drawing: Drawing) -> tuple[np.ndarray, np.ndarray]:
    shape = drawing.artifact.shape(drawing.key.name)
    picture_bytes = max(1, math.prod(shape[1:]) * 8)
    most = max(1, min(_MAX_PICTURES, _MAX_PICTURE_BYTES // picture_bytes, drawing.max_points))
    rows = pick_rows(drawing.first, drawing.last, most)
    stack = drawing.read_picked(rows)
    return rows, shrink(stack, _MAX_PICTURE_SIDE) if stack.size else stack.astype(np.float64)


def _draw_pictures(drawing: Drawing) -> dict[str, object]:
    rows, stack = _pick_pictures(drawing)
    bounds = find_bounds(stack)
    low, high = bounds if bounds is not None else (0.0, 0.0)
    return {
        "pictures": [
            {
                "x": at,
                "grey8": None if np.isnan(picture).all() else encode_grey(picture, low, high),
            }
            for at, picture in zip(_positions(drawing, rows), stack, strict=True)
        ],
        "size": list(stack.shape[1:3]),
        "bounds": None if bounds is None else [low, high],
        "points_of": drawing.last - drawing.first,
        **drawing.tell_missing(count_missing(stack)),
    }


def _draw_flows(drawing: Drawing) -> dict[str, object]:
    rows, stack = _pick_pictures(drawing)
    bounds = find_bounds(np.abs(stack))
    longest = bounds[1] if bounds is not None else 0.0
    return {
        "pictures": [
            {"x": at, "vectors8": None if np.isnan(field).all() else encode_vectors(field, longest)}
            for at, field in zip(_positions(drawing, rows), stack, strict=True)
        ],
        "size": list(stack.shape[1:3]),
        "longest": longest,
        "points_of": drawing.last - drawing.first,
        **drawing.tell_missing(count_missing(stack)),
    }


def _positions(drawing: Drawing, rows: np.ndarray) -> list[float | None]:
    found = render_values(drawing.axis.take(rows))
    return found if isinstance(found, list) else []


DRAWERS: Mapping[str, Callable[[Drawing], dict[str, object]]] = {
    "line": _draw_curves,
    "events": _draw_events,
    "bars": _draw_bars,
    "heat_map": _draw_heat_map,
    "similarity": _draw_similarity,
    "boxes": _draw_places,
    "landmarks": _draw_places,
    "image_strip": _draw_pictures,
    "flow_strip": _draw_flows,
}
