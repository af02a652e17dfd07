"""C10: series are drawn from the schema alone, thinned without losing an extreme."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from filmcan.errors import InvalidArtifactError
from filmcan.npz.artifact import Artifact
from filmcan.npz.reader import open_npz
from filmcan.npz.source import Buffer, MemorySource
from filmcan.npz.writer import write_npz
from filmcan.render.full import render_full
from filmcan.render.series import Window, render_series
from filmcan.render.thinning import thin_columns, thin_curves, thin_rows
from filmcan.testing.made_views import (
    STRANGER_DOCUMENT,
    build_stranger_arrays,
    build_stranger_product,
    get_stranger_schema,
)

SCHEMA = get_stranger_schema()
VIEWS = {key.view for key in SCHEMA.keys.values()} - {"none"}


def write(**changes: np.ndarray) -> bytes:
    product = build_stranger_product(**changes)
    buffer = io.BytesIO()
    write_npz(buffer, product.arrays, product.meta)
    return buffer.getvalue()


def draw(window: Window = Window(), **changes: np.ndarray) -> dict[str, Any]:  # noqa: B008 - frozen
    with Artifact(open_npz(write(**changes))) as artifact:
        rows = render_series(artifact, SCHEMA, window)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    return {str(row["key"]): row for row in rows}


def test_a_component_known_by_its_schema_alone_is_drawn_in_every_view() -> None:
    drawn = draw()
    assert {row["view"] for row in drawn.values()} == VIEWS
    assert list(drawn) == [key.name for key in SCHEMA.keys.values() if key.view != "none"]
    curve = drawn["mood"]["curves"][0]
    assert curve["x"] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0]
    assert drawn["mood"]["axis"] == {"key": "times_sec", "unit": "s"}
    assert drawn["feature_values"]["labels"] == ["zest", "gloom"]
    assert drawn["kind_scores"]["labels"] == ["cat", "dog", "<b>eel</b>"]
    assert drawn["hits_sec"]["x"] == [0.25, 3.5]
    cells = np.array(drawn["vectors"]["cells"])
    assert cells.shape == (9, 9)
    assert np.array_equal(cells, (np.arange(9)[:, None] % 4 == np.arange(9) % 4).astype(float))


def test_c10_a_gap_is_null_with_its_reason_beside_it() -> None:
    drawn = draw()
    assert drawn["mood"]["curves"][0]["y"][4] is None
    assert drawn["mood"]["missing_count"] == 1
    assert drawn["mood"]["missing_reason"] == "mood_present is false there"
    assert drawn["feature_values"]["values"] == [7.5, None]
    assert drawn["feature_values"]["missing_reason"] == "not measurable on this input"


def test_c10_a_missing_whole_number_is_null_and_not_minus_one() -> None:
    counts = draw()["thing_count"]
    assert counts["curves"][0]["y"] == [2, 2, 2, 2, None, 2, 2, 2, 2]
    assert counts["missing_count"] == 1


def test_boxes_carry_the_names_and_scores_their_captions_say() -> None:
    frames = draw()["things"]["frames"]
    assert frames[0]["captions"] == [["cat", 0.88], ["<b>eel</b>", 0.5]]
    assert frames[2]["places"] == [[0.1, 0.2, 0.4, 0.6]]
    assert frames[2]["captions"] == [["cat", 0.88]]


def test_pictures_lie_at_the_time_of_the_sample_they_show() -> None:
    glow = draw()["glow"]
    assert [picture["x"] for picture in glow["pictures"]] == [0.0, 2.0, 4.0]
    assert glow["bounds"] == [0.0, 143.0]
    first = np.frombuffer(base64.b64decode(glow["pictures"][0]["grey8"]), np.uint8)
    assert first.reshape(glow["size"])[0, 0] == 0
    last = np.frombuffer(base64.b64decode(glow["pictures"][2]["grey8"]), np.uint8)
    assert last[-1] == 255
    drift = draw()["drift"]
    assert drift["longest"] == 0.5
    field = np.frombuffer(base64.b64decode(drift["pictures"][0]["vectors8"]), np.int8)
    assert set(field.tolist()) == {127}


def test_a_window_selects_by_time_and_both_ends_belong_to_it() -> None:
    drawn = draw(Window(start=1.0, end=2.0, keys=["mood", "things", "hits_sec"]))
    assert list(drawn) == ["mood", "hits_sec", "things"]
    assert drawn["mood"]["curves"][0]["x"] == [1.0, 1.5, 2.0]
    assert drawn["mood"]["rows"] == [2, 5]
    assert len(drawn["things"]["frames"]) == 3
    assert drawn["hits_sec"]["x"] == []
    assert draw(Window(start=99.0))["mood"]["curves"] == []


class Counting(MemorySource):
    """Counts the bytes that are read."""

    def __init__(self, data: Buffer) -> None:
        super().__init__(data)
        self.bytes_read = 0

    def read_at(self, offset: int, size: int) -> memoryview:
        self.bytes_read += size
        return super().read_at(offset, size)

    def read_into(self, offset: int, target: memoryview) -> int:
        self.bytes_read += len(target)
        return super().read_into(offset, target)


def test_a_window_of_a_long_artifact_reads_next_to_nothing() -> None:
    count = 1_000_000
    source = Counting(
        write(
            times_sec=np.arange(count, dtype=np.float32) / 100,
            mood=np.zeros(count, np.float32),
            mood_present=np.ones(count, bool),
        )
    )
    with Artifact(open_npz(source)) as artifact:
        before = source.bytes_read
        rows: Any = render_series(artifact, SCHEMA, Window(5000.0, 5001.0, keys=["mood"]))
    assert rows[0]["curves"][0]["x"][0] == 5000.0
    assert rows[0]["rows"] == [500_000, 500_101]
    assert source.bytes_read - before < count // 2


def test_a_shape_the_schema_does_not_say_is_a_typed_error() -> None:
    with pytest.raises(InvalidArtifactError, match="cannot be drawn as boxes"):
        draw(things=np.zeros((9, 2, 3), np.float32))
    with pytest.raises(InvalidArtifactError, match="cannot be drawn as line"):
        draw(mood=np.array(["x"] * 9))


def test_positions_that_are_missing_or_too_short_leave_row_numbers() -> None:
    drawn = draw(times_sec=np.zeros(3, np.float32))
    assert drawn["mood"]["curves"][0]["x"] == list(range(9))
    assert drawn["mood"]["axis"] == {"key": None, "unit": ""}


def test_an_unknown_schema_draws_nothing() -> None:
    with Artifact(open_npz(write())) as artifact:
        assert render_series(artifact, None) == []


def test_full_holds_every_value_and_says_what_it_leaves_out() -> None:
    with Artifact(open_npz(write())) as artifact:
        rows: Any = {str(row["key"]): row for row in render_full(artifact, SCHEMA, max_items=40)}
        everything: Any = {str(row["key"]): row for row in render_full(artifact, SCHEMA)}
    assert rows["mood"]["values"][4] is None
    assert rows["mood"]["missing_reason"] == "mood_present is false"
    assert rows["thing_count"]["values"][4] is None
    assert rows["kind_names"]["values"][2] == "<b>eel</b>"
    assert rows["things"]["values"] is None
    assert "40 values" in rows["things"]["omitted"]
    assert np.allclose(
        np.array(everything["things"]["values"][0]), build_stranger_arrays()["things"][0]
    )
    assert everything["glow"]["values"][0][0] == list(range(8))


FLOATS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=1, max_dims=2, max_side=300),
    elements=st.floats(-1e6, 1e6, width=32) | st.just(float("nan")),
)


@given(FLOATS, st.integers(2, 50))
def test_thinning_keeps_every_extreme_and_the_order(values: np.ndarray, points: int) -> None:
    curves, missing = thin_curves(lambda a, b: values[a:b], 0, len(values), points, 4)
    columns = values.reshape(len(values), -1)
    assert missing == np.isnan(values).sum()
    assert len(curves) == columns.shape[1]
    for curve, column in zip(curves, columns.T, strict=True):
        assert len(curve.rows) <= max(points, 2)
        assert (np.diff(curve.rows) > 0).all()
        assert np.array_equal(curve.values, column[curve.rows], equal_nan=True)
        if not np.isnan(column).all():
            assert np.nanmax(curve.values) == np.nanmax(column)
            assert np.nanmin(curve.values) == np.nanmin(column)


@given(
    hnp.arrays(np.float64, (37, 11), elements=st.floats(-9, 9) | st.just(float("nan"))),
    st.integers(1, 40),
    st.integers(1, 12),
)
def test_a_thinned_table_keeps_what_is_farthest_from_zero(
    table: np.ndarray, rows: int, columns: int
) -> None:
    thinned, missing = thin_rows(lambda a, b: table[a:b], 0, 37, rows, 8)
    cells = thin_columns(thinned.values, columns)
    assert len(cells) == len(thinned.rows) <= rows
    assert cells.shape[1] <= columns
    assert missing == np.isnan(table).sum()
    if not np.isnan(table).all():
        assert np.nanmax(np.abs(cells)) == np.nanmax(np.abs(table))


def test_every_view_of_the_schema_language_is_shown_here() -> None:
    views = {
        key.get("view", "none")
        for part in STRANGER_DOCUMENT["components"].values()
        for key in part["keys"].values()
    }
    assert views - {"none"} == VIEWS
