"""C10: JSON is rendered from NPZ; NaN is null, and beside it stands why."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from filmcan.contract.registry import get_schema
from filmcan.npz.artifact import Artifact
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import write_npz
from filmcan.render.features import render_features
from filmcan.render.schema_page import render_schema_page
from filmcan.render.summary import render_artifact_summary
from filmcan.render.values import render_number
from filmcan.testing.artifacts import COMPONENT, SCHEMA_VERSION, build_product, build_run_record

SCHEMA = get_schema(SCHEMA_VERSION, COMPONENT)


@pytest.fixture
def artifact() -> Artifact:
    product = build_product(build_run_record())
    buffer = io.BytesIO()
    write_npz(buffer, product.arrays, product.meta)
    return Artifact(open_npz(buffer.getvalue()))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.1), 0.1),
        (np.float32(np.nan), None),
        (np.float64(np.inf), None),
        (float("nan"), None),
        (np.float32(-23.0), -23.0),
        (1.5, 1.5),
        (np.float32(1e-30), 1e-30),
    ],
)
def test_c10_a_number_is_the_shortest_that_reads_back_and_nan_is_null(
    value: float, expected: float | None
) -> None:
    assert render_number(value) == expected


def test_c10_a_missing_feature_says_why(artifact: Artifact) -> None:
    rows = render_features(artifact, SCHEMA)
    assert [row["name"] for row in rows] == [feature.name for feature in SCHEMA.features]
    assert {row["value"] for row in rows} == {None}
    assert {row["missing_reason"] for row in rows} == {"video_too_short"}


def test_an_unknown_schema_still_renders(artifact: Artifact) -> None:
    assert len(render_features(artifact, None)) == len(SCHEMA.features)
    summary = render_artifact_summary(artifact, None)
    assert [row["key"] for row in summary["keys"]] == list(artifact.keys())  # type: ignore[attr-defined]


def test_c10_the_summary_is_plain_json(artifact: Artifact) -> None:
    summary = render_artifact_summary(artifact, SCHEMA)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    rows = {row["key"]: row for row in summary["keys"]}  # type: ignore[attr-defined]
    assert rows["frame_indices"] == {
        "key": "frame_indices",
        "dtype": "int32",
        "shape": [0],
        "unit": SCHEMA.keys["frame_indices"].unit,
        "tier": SCHEMA.keys["frame_indices"].tier,
        "description": SCHEMA.keys["frame_indices"].description,
    }


def test_c7_a_schema_page_names_every_key_feature_and_reason() -> None:
    page = render_schema_page(SCHEMA)
    for name in (*SCHEMA.keys, *SCHEMA.empty_reasons, *SCHEMA.dims):
        assert name in page
    for feature in SCHEMA.features:
        assert f"`{feature.name}`" in page
    assert page.count("\n\n\n") == 0
