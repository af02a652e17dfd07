"""C6.4: an empty artifact has every required key, and keeps what was measured."""

from __future__ import annotations

import numpy as np

from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.schema import parse_schema
from filmcan.contract.validate import validate_arrays
from filmcan.testing.made_schema import COMPONENT, build_schema_document, find_part


def test_c6_each_type_has_its_own_way_to_be_missing() -> None:
    document = build_schema_document()
    find_part(document)["keys"]["notes"] = {
        "dtype": "object_str",
        "shape": [2],
        "tier": "debug",
        "description": "fixed size",
    }
    schema = parse_schema(document, COMPONENT)
    given = {"frame_indices": np.int32([0, 4]), "times_sec": np.float32([0, 1])}
    given["row_present"] = np.bool_([0, 0])
    arrays = build_empty_arrays(schema, given)
    assert arrays["notes"].tolist() == ["", ""]
    assert arrays["counts"].tolist() == [-1, -1]
    assert arrays["labels"].tolist() == ["", ""]
    assert np.isnan(arrays["values"]).all()
    assert arrays["values"].shape == (2, 2)
    assert arrays["payload"].item() == {}
    assert arrays["loudness_present"].item() is False
    assert validate_arrays(arrays, schema, status="empty") == []


def test_c6_sizes_are_learnt_only_from_given_arrays_that_fit() -> None:
    schema = parse_schema(build_schema_document(), COMPONENT)
    given = {
        "values": np.full((3, 2), np.nan, np.float32),
        "plain": np.zeros((4, 4), np.float32),
        "stranger": np.zeros(9),
    }
    arrays = build_empty_arrays(schema, given)
    assert arrays["row_present"].shape == (3,)
    assert arrays["plain"] is given["plain"]
    assert arrays["stranger"] is given["stranger"]
