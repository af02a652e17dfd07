"""C7.2: hints of pictures are held to what can be drawn; only `indexes` judges an artifact."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from filmcan.contract.compatibility import compare_schemas
from filmcan.contract.registry import get_schema, list_schema_components, list_schema_versions
from filmcan.contract.schema import parse_schema
from filmcan.errors import InvalidSchemaError
from filmcan.testing.made_views import STRANGER, STRANGER_DOCUMENT, get_stranger_schema


def change(path: str, value: object) -> dict[str, Any]:
    document = copy.deepcopy(STRANGER_DOCUMENT)
    target = document["components"][STRANGER]
    *steps, last = path.split(".")
    for step in steps:
        target = target[step]
    target[last] = value
    return document


def test_hints_are_read_as_they_stand() -> None:
    schema = get_stranger_schema()
    assert (schema.dims["N"].positions, schema.dims["C"].labels) == ("times_sec", "kind_names")
    assert schema.keys["preview_indices"].indexes == "N"
    assert schema.keys["things"].captions == ("thing_kinds", "thing_scores")
    assert schema.dims["M"].positions is None
    assert schema.keys["mood"].indexes is None


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("dims.N.positions", "nowhere", "its positions nowhere is no key of numbers"),
        ("dims.N.positions", "mood_present", "its positions mood_present is no key of numbers"),
        ("dims.N.positions", "preview_indices", "with the shape \\[N\\]"),
        ("dims.C.labels", "kind_scores", "its labels kind_scores is no key of texts"),
        ("keys.kind_names.view", "line", "str is no number, so it has no view line"),
        ("keys.mood.view", "heat_map", "the view heat_map needs two axes"),
        ("keys.kind_scores.view", "boxes", "the view boxes needs corners"),
        ("keys.glow.view", "flow_strip", "the view flow_strip needs x y"),
        ("keys.mood.indexes", "N", "float32 is no whole number, so it indexes nothing"),
        ("keys.thing_kinds.indexes", "X", "it indexes the unknown dim X"),
        ("keys.mood.captions", ["thing_kinds"], "captions belong to boxes and landmarks"),
        ("keys.things.captions", ["nowhere"], "its caption nowhere is no key"),
        ("keys.things.captions", ["kind_names"], "not one value for each"),
        ("keys.things.captions", "thing_kinds", "expected a list of strings"),
    ],
)
def test_a_hint_that_nobody_could_follow_is_refused(path: str, value: object, told: str) -> None:
    with pytest.raises(InvalidSchemaError, match=told):
        parse_schema(change(path, value), STRANGER)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("dims.N.positions", None),
        ("dims.C.labels", None),
        ("keys.mood.view", "none"),
        ("keys.things.captions", []),
    ],
)
def test_c7_a_hint_may_change_under_a_released_version(path: str, value: object) -> None:
    (found,) = compare_schemas(STRANGER_DOCUMENT, change(path, value)).changes
    assert (found.verdict, found.place) == ("compatible", path)


def test_c7_what_an_index_counts_along_is_no_mere_hint() -> None:
    path = "keys.thing_kinds.indexes"
    (found,) = compare_schemas(STRANGER_DOCUMENT, change(path, None)).changes
    assert (found.verdict, found.place) == ("needs_new_version", path)


def test_whatever_is_sampled_in_the_registry_lies_along_a_time_axis() -> None:
    for version in list_schema_versions():
        for component in list_schema_components(version):
            schema = get_schema(version, component)
            for dim in schema.dims.values():
                assert not dim.samples or schema.keys[str(dim.positions)].unit == "s"
            drawn = [key for key in schema.keys.values() if key.view != "none"]
            assert drawn, component
