"""C7.2: the schema of schemas says what the parser says."""

from __future__ import annotations

import copy
import json
import re
from importlib import resources
from typing import Any

import pytest

from filmcan.contract.registry import get_schema_document, list_schema_versions
from filmcan.contract.schema import find_components, parse_schema
from filmcan.contract.schema_language import build_schema_language
from filmcan.errors import InvalidSchemaError
from filmcan.testing.made_schema import COMPONENT, build_schema_document, find_part

LANGUAGE = build_schema_language()
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
KNOWN_WORDS = {
    "$defs", "$ref", "$schema", "additionalProperties", "anyOf", "description", "enum", "items",
    "maxItems", "minItems", "minimum", "pattern", "properties", "propertyNames", "required",
    "title", "type",
}  # fmt: skip


def accepts(rule: dict[str, Any], value: object) -> bool:
    """Tell whether a JSON Schema, of the words this one uses, accepts a value."""
    assert set(rule) <= KNOWN_WORDS
    if "$ref" in rule:
        return accepts(LANGUAGE["$defs"][rule["$ref"].rpartition("/")[2]], value)  # type: ignore[index]
    if "anyOf" in rule:
        return any(accepts(option, value) for option in rule["anyOf"])
    if "enum" in rule and value not in rule["enum"]:
        return False
    names = rule.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(_is(name, value) for name in names):
        return False
    if isinstance(value, str):
        return re.search(rule.get("pattern", ""), value) is not None
    if isinstance(value, list):
        least, most = rule.get("minItems", 0), rule.get("maxItems", len(value))
        return least <= len(value) <= most and all(
            accepts(rule.get("items", {}), item) for item in value
        )
    if isinstance(value, dict):
        return _accepts_object(rule, value)
    return not isinstance(value, int) or value >= rule.get("minimum", value)


def _is(name: str, value: object) -> bool:
    is_number = name in ("integer", "number")
    return isinstance(value, TYPES[name]) and not (is_number and isinstance(value, bool))


def _accepts_object(rule: dict[str, Any], value: dict[str, object]) -> bool:
    known = rule.get("properties", {})
    others = rule.get("additionalProperties", {})
    return (
        set(rule.get("required", ())) <= set(value)
        and all(accepts(rule.get("propertyNames", {}), name) for name in value)
        and all(
            accepts(known[name], item)
            if name in known
            else others is not False and accepts(others, item)
            for name, item in value.items()
        )
    )


def is_parsed(document: object) -> bool:
    try:
        for component in find_components(document):
            parse_schema(document, component)
    except InvalidSchemaError:
        return False
    return True


def test_c7_the_packaged_file_is_what_the_parser_accepts() -> None:
    file = resources.files("filmcan").joinpath("schemas", "definition", "machine_schema.json")
    assert json.loads(file.read_text()) == LANGUAGE
    assert "machine_schema" not in list_schema_versions()


@pytest.mark.parametrize("version", list_schema_versions())
def test_c7_every_schema_of_the_registry_satisfies_it(version: str) -> None:
    assert accepts(LANGUAGE, get_schema_document(version))


def _edit(document: dict[str, Any], path: str, value: object) -> None:
    *steps, last = path.split(".")
    target: Any = document
    for step in steps:
        target = target[step]
    if value is ...:
        del target[last]
    else:
        target[last] = value


PART = f"components.{COMPONENT}"
KEY = f"{PART}.keys.plain"


@pytest.mark.parametrize(
    ("path", "value", "good"),
    [
        ("description", ..., False),
        ("description", 7, False),
        ("kind", "video", False),
        ("kind", "text", True),
        ("kind", ..., False),
        ("extra_keys", "yes", False),
        ("extra_meta", ["mood"], True),
        ("extra_meta", [1], False),
        ("colour", "red", False),
        ("schema_version", "probe", False),
        ("schema_version", "probe_npz_v0", False),
        ("schema_version", "Probe_npz_v1", False),
        ("schema_version", "probe_npz_v12", True),
        (f"{PART}.description", ..., False),
        (f"{PART}.colour", "red", False),
        (f"{PART}.open_features", True, True),
        (f"{PART}.open_features", 1, False),
        (f"{PART}.empty_reasons", "video_too_short", False),
        (f"{PART}.dims", [], False),
        (f"{PART}.dims.Q", {"description": "new"}, True),
        (f"{PART}.dims.Q", {"samples": True}, False),
        (f"{PART}.dims.Q", {"description": "new", "samples": 1}, False),
        (f"{PART}.dims.Q", {"description": "new", "size": 1}, False),
        (f"{PART}.dims.any", {"description": "reserved"}, False),
        (f"{PART}.dims.2", {"description": "no name"}, False),
        (f"{PART}.keys.Upper", {}, False),
        (f"{PART}.features.Upper", {"description": "no name"}, False),
        (f"{PART}.features.novel", {"description": "new", "range": [0, 1]}, True),
        (f"{PART}.features.novel", {"description": "new", "tier": "debug"}, False),
        (f"{PART}.features.novel", {"unit": "s"}, False),
        (f"{KEY}.description", ..., False),
        (f"{KEY}.dtype", ..., False),
        (f"{KEY}.dtype", "float8", False),
        (f"{KEY}.dtype", "float64", True),
        (f"{KEY}.shape", "N", False),
        (f"{KEY}.shape", ["N", 3, "any"], True),
        (f"{KEY}.shape", [-1], False),
        (f"{KEY}.shape", [True], False),
        (f"{KEY}.shape", [1.5], False),
        (f"{KEY}.shape", ..., False),
        (f"{KEY}.tier", "secret", False),
        (f"{KEY}.tier", ..., False),
        (f"{KEY}.unit", None, False),
        (f"{KEY}.unit", "s", True),
        (f"{KEY}.range", [0, None], True),
        (f"{KEY}.range", [0], False),
        (f"{KEY}.range", [0, 1, 2], False),
        (f"{KEY}.range", [True, 1], False),
        (f"{KEY}.range", [0, False], False),
        (f"{KEY}.range", ["0", 1], False),
        (f"{KEY}.nullable", 1, False),
        (f"{KEY}.required", "no", False),
        (f"{KEY}.mask", None, True),
        (f"{KEY}.mask", 7, False),
        (f"{KEY}.zero_plausible", None, False),
        (f"{KEY}.increasing", "up", False),
        (f"{KEY}.view", "pie", False),
        (f"{KEY}.view", "line", True),
        (f"{KEY}.colour", "red", False),
    ],
)
def test_c7_it_accepts_a_change_exactly_when_the_parser_does(
    path: str, value: object, good: bool
) -> None:
    document = build_schema_document()
    _edit(document, path, value)
    assert is_parsed(document) is good
    assert accepts(LANGUAGE, document) is good


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("keys.plain.shape", ["Q"], "unknown dim"),
        ("keys.plain.mask", "nowhere", "no bool key"),
        ("keys.plain.range", [2, 1], "range is empty"),
        ("keys.labels.range", [0, 1], "no number, so it has no range"),
        ("keys.labels.zero_plausible", False, "zero_plausible says nothing"),
        ("keys.labels.increasing", True, "only numbers along one axis"),
        ("keys.values.increasing", True, "only numbers along one axis"),
        ("keys.payload.nullable", True, "cannot be nullable"),
        ("keys.row_present.nullable", True, "cannot be nullable"),
        ("keys.loudness_present.mask", "loudness_present", "no mask can govern it"),
        ("keys.row_present.required", False, "may be absent"),
        ("keys.meta", {"dtype": "bool", "shape": [], "tier": "debug", "description": "x"}, "meta"),
        ("features.ratio.range", [2, 1], "range is empty"),
        ("features.ratio.mask", "row_present", "no 0-d bool"),
    ],
)
def test_c7_rules_that_span_fields_are_the_parsers_alone(
    path: str, value: object, told: str
) -> None:
    document = build_schema_document()
    _edit(document, f"{PART}.{path}", value)
    assert accepts(LANGUAGE, document)
    with pytest.raises(InvalidSchemaError, match=told):
        parse_schema(document, COMPONENT)


def test_c6_a_mask_is_named_as_one() -> None:
    document = build_schema_document()
    part = find_part(document)
    part["keys"]["rows"] = part["keys"].pop("row_present")
    for key in part["keys"].values():
        if key.get("mask") == "row_present":
            key["mask"] = "rows"
    with pytest.raises(InvalidSchemaError, match=r"not named \*_present or has_\*"):
        parse_schema(document, COMPONENT)


def test_c9_a_schema_with_features_has_the_arrays_for_them() -> None:
    document = build_schema_document()
    del find_part(document)["keys"]["feature_values"]
    with pytest.raises(InvalidSchemaError, match="feature_values: the schema names features"):
        parse_schema(document, COMPONENT)


def test_c7_a_key_stands_once() -> None:
    document = build_schema_document()
    document["keys"] = {"plain": copy.deepcopy(find_part(document)["keys"]["plain"])}
    with pytest.raises(InvalidSchemaError, match="stands at the top level too"):
        parse_schema(document, COMPONENT)
