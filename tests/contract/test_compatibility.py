"""C7.3: every change of a schema gets the verdict that artifacts and readers need."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from filmcan.contract.compatibility import (
    FIXED_COMPONENT_KEYS,
    VERDICTS,
    SchemaComparison,
    Verdict,
    compare_schemas,
)
from filmcan.contract.registry import get_schema_document, list_schema_versions
from filmcan.contract.schema import parse_schema
from filmcan.contract.units import is_same_unit
from filmcan.contract.validate import validate_arrays
from filmcan.errors import InvalidSchemaError
from filmcan.testing.made_schema import (
    COMPONENT,
    build_probe_arrays,
    build_schema_document,
    find_part,
)

Change = Callable[[dict[str, Any]], object]
NEW_KEY = {"dtype": "bool", "shape": [], "tier": "debug", "description": "new"}


def compare(change: Change, document: dict[str, Any] | None = None) -> SchemaComparison:
    """Return what a change of a document, made in place, amounts to."""
    old = document if document is not None else build_schema_document()
    new = copy.deepcopy(old)
    change(new)
    return compare_schemas(old, new)


def put(path: str, value: object) -> Change:
    """Return a change that sets a field of the component's part."""

    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        target = find_part(document)
        for step in steps:
            target = target[step]
        target[last] = value

    return change


def drop(path: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        *steps, last = path.split(".")
        target = find_part(document)
        for step in steps:
            target = target[step]
        del target[last]

    return change


@pytest.mark.parametrize("version", list_schema_versions())
def test_c7_a_schema_compared_with_itself_has_no_change(version: str) -> None:
    document = get_schema_document(version)
    comparison = compare_schemas(document, document)
    assert comparison == SchemaComparison(version, version, ())
    assert comparison.verdict == "compatible"
    assert comparison.breaking == ()


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("keys.plain.description", put("keys.plain.description", "said better")),
        ("keys.plain.view", put("keys.plain.view", "line")),
        ("keys.plain.tier", put("keys.plain.tier", "debug")),
        ("keys.times_sec.unit", put("keys.times_sec.unit", "seconds")),
        ("features.ratio.description", put("features.ratio.description", "said better")),
        ("description", put("description", "said better")),
        ("dims.N.description", put("dims.N.description", "said better")),
        ("dims.Q", put("dims.Q", {"description": "not used yet"})),
        ("empty_reasons", put("empty_reasons", ["video_too_short", "moon_is_full"])),
        ("empty_reasons", put("empty_reasons", [])),
    ],
)
def test_c7_words_and_drawing_may_change_under_the_same_version(place: str, change: Change) -> None:
    comparison = compare(change)
    assert [item.place for item in comparison.changes] == [place]
    assert comparison.verdict == "compatible"
    assert comparison.breaking == ()


def test_c7_the_order_of_keys_says_nothing_but_that_of_features_does() -> None:
    def turn(field: str) -> Change:
        def change(document: dict[str, Any]) -> None:
            part = find_part(document)
            part[field] = dict(reversed(part[field].items()))

        return change

    assert compare(turn("keys")).changes == ()
    assert compare(turn("features")).verdict == "needs_new_version"


def test_c7_a_key_may_move_between_a_part_and_the_top_level() -> None:
    def move(document: dict[str, Any]) -> None:
        part = find_part(document)
        document["keys"] = {"payload": part["keys"].pop("payload")}

    assert compare(move).changes == ()


def test_c7_another_text_at_the_top_is_words() -> None:
    comparison = compare(lambda document: document.update(description="said better"))
    assert [(item.place, item.verdict) for item in comparison.changes] == [
        ("description", "compatible")
    ]


def test_c7_dropping_a_dim_is_judged_by_the_shapes_that_used_it() -> None:
    document = build_schema_document()
    find_part(document)["dims"]["Q"] = {"description": "used by nobody"}
    assert compare(drop("dims.Q"), document).verdict == "compatible"


# Each change, and arrays that one of the two documents refuses; None where the numbers stay valid
# and only mean something else.
BREAKING: list[tuple[str, Change, dict[str, np.ndarray | None] | None]] = [
    ("keys.plain.dtype", put("keys.plain.dtype", "float64"), {}),
    ("keys.plain.shape", put("keys.plain.shape", ["N", 1]), {}),
    (
        "keys.values.shape",
        put("keys.values.shape", ["N", "any"]),
        {"values": np.float32([[0.5], [np.nan], [0.5]])},
    ),
    ("keys.plain.required", put("keys.plain.required", value=False), {"plain": None}),
    ("keys.extra.required", put("keys.extra.required", value=True), {}),
    ("keys.values.range", put("keys.values.range", [-1, 0.5]), {}),
    (
        "keys.values.range",
        put("keys.values.range", [None, 1]),
        {"values": np.float32([[-2, 0], [np.nan, np.nan], [0, 1]])},
    ),
    (
        "keys.plain.nullable",
        put("keys.plain.nullable", value=True),
        {"plain": np.float32([0, np.nan, 0])},
    ),
    (
        "keys.extra.nullable",
        put("keys.extra.nullable", value=False),
        {"extra": np.float16([np.nan])},
    ),
    ("keys.plain.mask", put("keys.plain.mask", "row_present"), {}),
    ("keys.counts.mask", put("keys.counts.mask", None), {}),
    ("keys.plain.zero_plausible", put("keys.plain.zero_plausible", value=False), {}),
    (
        "keys.times_sec.increasing",
        put("keys.times_sec.increasing", value=False),
        {"times_sec": np.float32([3, 2, 1])},
    ),
    ("keys.plain.tier", put("keys.plain.tier", "model_facing"), None),
    ("keys.times_sec.tier", put("keys.times_sec.tier", "debug"), None),
    ("keys.times_sec.unit", put("keys.times_sec.unit", "ms"), None),
    ("keys.plain", drop("keys.plain"), {}),
    ("keys.extra", drop("keys.extra"), {"extra": np.float16([1])}),
    ("keys.novel", put("keys.novel", NEW_KEY), {}),
    ("keys.novel", put("keys.novel", {**NEW_KEY, "required": False}), {"novel": np.ones((), bool)}),
    ("dims.N.samples", put("dims.N.samples", value=False), None),
    ("features.ratio.range", put("features.ratio.range", [0, 0.4]), {}),
    (
        "features.ratio.nullable",
        put("features.ratio.nullable", value=True),
        {"feature_values": np.float32([-20, np.nan, 1])},
    ),
    (
        "features.loudness.mask",
        put("features.loudness.mask", None),
        {
            "feature_values": np.float32([np.nan, 0.5, 1]),
            "loudness_present": np.array(0, bool),
            "loudness_empty_reason": np.array("video_too_short"),
        },
    ),
    (
        "keys.counts.indexes",
        put("keys.counts.indexes", "N"),
        {"counts": np.int32([0, -1, 3])},
    ),
    ("features.loudness.unit", put("features.loudness.unit", "dB"), None),
    ("features", drop("features.slope"), {}),
    ("features", put("features.novel", {"description": "new"}), {}),
    (
        "open_features",
        put("open_features", value=True),
        {
            "feature_names": np.array(["loudness", "ratio", "slope", "more"], object),
            "feature_values": np.float32([-20, 0.5, 1, 2]),
        },
    ),
    ("extra_keys", lambda document: document.update(extra_keys=True), {"more": np.zeros(1)}),
    ("extra_meta", lambda document: document.update(extra_meta=["mood"]), None),
]


@pytest.mark.parametrize(("place", "change", "arrays"), BREAKING)
def test_c7_what_moves_the_border_of_valid_needs_a_new_version(
    place: str, change: Change, arrays: dict[str, np.ndarray | None] | None
) -> None:
    old = build_schema_document()
    new = copy.deepcopy(old)
    change(new)
    for first, second in ((old, new), (new, old)):
        comparison = compare_schemas(first, second)
        assert [(item.place, item.verdict) for item in comparison.changes] == [
            (place, "needs_new_version")
        ]
        assert comparison.breaking == comparison.changes
        assert all(item.reason and item.component in ("", COMPONENT) for item in comparison.changes)
    if arrays is not None:
        given = build_probe_arrays(**arrays)
        valid = [
            not validate_arrays(given, parse_schema(document, COMPONENT), status="ok")
            for document in (old, new)
        ]
        assert sorted(valid) == [False, True], "no witness: one document accepts, one refuses"


def test_c7_a_reason_that_artifacts_gave_stays_declared() -> None:
    document = build_schema_document()
    find_part(document)["empty_reasons"] = ["video_too_short", "moon_is_full"]
    comparison = compare(put("empty_reasons", ["video_too_short"]), document)
    assert comparison.verdict == "needs_new_version"
    assert "moon_is_full" in comparison.changes[0].reason
    assert compare(put("empty_reasons", ["moon_is_full"]), document).verdict == "compatible"


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("kind", lambda document: document.update(kind="module")),
        ("keys.feature_names.dtype", put("keys.feature_names.dtype", "str")),
        ("keys.feature_values.dtype", put("keys.feature_values.dtype", "float64")),
        ("keys.feature_values.required", put("keys.feature_values.required", value=False)),
        ("keys.frame_indices.increasing", put("keys.frame_indices.increasing", value=False)),
    ],
)
def test_c7_what_the_contract_fixes_no_version_may_change(place: str, change: Change) -> None:
    comparison = compare(change)
    assert [(item.place, item.verdict) for item in comparison.changes] == [(place, "forbidden")]

    renamed = compare_schemas(
        build_schema_document(), _changed(change, build_schema_document("probe_npz_v2"))
    )
    assert [item.place for item in renamed.breaking] == [place]


def _changed(change: Change, document: dict[str, Any]) -> dict[str, Any]:
    change(document)
    return document


@pytest.mark.parametrize("component", sorted(FIXED_COMPONENT_KEYS))
def test_c9_the_keys_that_the_contract_names_cannot_go(component: str) -> None:
    (version,) = [
        name
        for name in list_schema_versions()
        if component in _components(get_schema_document(name))
    ]
    for key, dtype in FIXED_COMPONENT_KEYS[component].items():
        changed = copy.deepcopy(get_schema_document(version))
        part = find_part(changed, component)  # type: ignore[arg-type]
        assert dtype in (None, part["keys"][key]["dtype"])
        users = [
            item
            for group in ("keys", "features")
            for item in part[group].values()
            if item.get("mask") == key
        ]
        for item in users:
            del item["mask"]
        for dim in part["dims"].values():
            if dim.get("positions") == key:
                del dim["positions"]
        del part["keys"][key]
        found = compare_schemas(get_schema_document(version), changed).changes
        assert (f"keys.{key}", "forbidden") in [(item.place, item.verdict) for item in found]


def _components(document: object) -> dict[str, object]:
    assert isinstance(document, dict)
    components: dict[str, object] = document["components"]
    return components


def test_c7_under_a_new_version_everything_but_the_forbidden_is_allowed() -> None:
    new = _changed(put("keys.plain.unit", "furlong"), build_schema_document("probe_npz_v2"))
    comparison = compare_schemas(build_schema_document(), new)
    assert (comparison.old_version, comparison.new_version) == ("probe_npz_v1", "probe_npz_v2")
    assert comparison.verdict == "needs_new_version"
    assert comparison.breaking == ()


def test_c7_components_of_one_version_are_compared_part_by_part() -> None:
    old = build_schema_document()
    old["components"]["second"] = copy.deepcopy(find_part(old))

    def change(document: dict[str, Any]) -> None:
        document["components"]["second"]["keys"]["plain"]["range"] = [0, 1]

    (found,) = compare(change, old).changes
    assert (found.component, found.place) == ("second", "keys.plain.range")
    assert (found.old, found.new) == ("[None, None]", "[0, 1]")


def test_c7_a_component_may_join_a_version_but_never_leave_it() -> None:
    one = build_schema_document()
    two = build_schema_document()
    two["components"]["second"] = copy.deepcopy(find_part(two))
    assert [(item.component, item.verdict) for item in compare_schemas(one, two).changes] == [
        ("second", "compatible")
    ]
    assert [(item.component, item.verdict) for item in compare_schemas(two, one).changes] == [
        ("second", "needs_new_version")
    ]


def test_c7_two_documents_without_a_common_component_are_compared_by_their_parts_alone() -> None:
    new = build_schema_document()
    new["components"] = {"second": find_part(new)}
    assert {item.place for item in compare_schemas(build_schema_document(), new).changes} == {
        "components"
    }


def test_long_values_are_shortened() -> None:
    (change,) = compare(put("keys.plain.description", "x" * 5000)).changes
    assert len(change.new) == 120


@pytest.mark.parametrize("wrong", [None, [], {"components": []}, {"components": {"x": {}}}])
def test_a_malformed_document_is_not_compared(wrong: object) -> None:
    for pair in ((wrong, build_schema_document()), (build_schema_document(), wrong)):
        with pytest.raises(InvalidSchemaError):
            compare_schemas(*pair)


FIELDS = st.one_of(
    st.tuples(st.just("unit"), st.sampled_from(["", "s", "sec", "ms"])),
    st.tuples(st.just("range"), st.sampled_from([[None, None], [0, 1], [-1, 1], [0, None]])),
    st.tuples(st.just("nullable"), st.booleans()),
    st.tuples(st.just("required"), st.booleans()),
    st.tuples(st.just("mask"), st.sampled_from([None, "row_present"])),
    st.tuples(st.just("zero_plausible"), st.booleans()),
    st.tuples(st.just("tier"), st.sampled_from(["model_facing", "analytics", "debug"])),
    st.tuples(st.just("view"), st.sampled_from(["none", "line", "bars"])),
    st.tuples(st.just("shape"), st.sampled_from([["N"], ["any"], [3]])),
    st.tuples(st.just("description"), st.sampled_from(["one", "two"])),
)
VALUES = st.lists(
    st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 9.0, float("nan")]), min_size=3, max_size=3
)


@given(
    changes=st.lists(st.tuples(st.sampled_from(["plain", "counts"]), FIELDS), max_size=4),
    plain=VALUES,
    present=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_c7_a_compatible_change_judges_every_artifact_as_before(
    changes: list[tuple[str, tuple[str, object]]], plain: list[float], present: list[bool]
) -> None:
    old = build_schema_document()
    new = copy.deepcopy(old)
    for key, (field, value) in changes:
        find_part(new)["keys"][key][field] = value
    arrays = build_probe_arrays(
        plain=np.float32(plain), row_present=np.array(present), values=None, labels=None
    )
    try:
        verdict: Verdict = compare_schemas(old, new).verdict
    except InvalidSchemaError:
        reject()  # no schema at all, such as a mask longer than what it governs
    findings = [
        {
            (issue.code, issue.key)
            for issue in validate_arrays(arrays, parse_schema(document, COMPONENT), status="ok")
        }
        for document in (old, new)
    ]
    assert verdict in VERDICTS
    if verdict == "compatible":
        assert findings[0] == findings[1]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("s", "seconds", True),
        ("bpm", "beats per minute", True),
        ("frame  width/s", "frame width/s", True),
        ("s", "ms", False),
        ("mW", "MW", False),
        ("", "s", False),
        ("dB", "dBFS", False),
    ],
)
def test_only_spellings_that_nobody_can_misread_name_the_same_unit(
    first: str, second: str, same: bool
) -> None:
    assert is_same_unit(first, second) is same
    assert is_same_unit(second, first) is same
