"""What is read at once is read as the readers that look at every field would read it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.contract import canonical, manifest
from filmcan.contract.canonical import JsonError, parse_json
from filmcan.contract.manifest import parse_manifest
from filmcan.contract.quick_records import read_component_at_once
from filmcan.errors import InvalidManifestError
from filmcan.testing.made_runs import build_made_run

WHOLE = json.loads(build_made_run(8).to_bytes())
VALUES = st.sampled_from(
    [
        None, True, 0, 1, -1, 1.5, "", "x", "ok", "empty", "error", "npz", "npy", "core", "com1",
        "..", "_x", "manifest.json", "a/b", "core_clip/x.npz", "core_clip/a/b.npy", "x.json",
        "2026-01-31T12:00:00.000Z", "2026-02-31T12:00:00.000Z", "0" * 64, "F" * 64, [], {},
        [{}], [1], {"a": 1}, {"digest": "x"},
    ]
)  # fmt: skip
PLACES = st.sampled_from(
    [("components", number, name) for number in range(3) for name in WHOLE["components"][0]]
    + [("components", number, "artifacts", 0, name) for number in (1, 2)
       for name in ("path", "size_bytes", "sha256", "kind")]
)  # fmt: skip
DROP = object()


def _read(data: bytes) -> object:
    try:
        return parse_manifest(data)
    except InvalidManifestError as error:
        return str(error)


@given(st.lists(st.tuples(PLACES, st.one_of(VALUES, st.just(DROP))), max_size=3), st.booleans())
def test_a_record_taken_at_once_is_the_one_that_is_read_field_by_field(
    changes: list[tuple[tuple[Any, ...], object]], has_extra: bool
) -> None:
    document = copy.deepcopy(WHOLE)
    for place, value in changes:
        target = document
        for step in place[:-1]:
            try:
                target = target[step]
            except (IndexError, KeyError, TypeError):
                break  # an earlier change took that place away
        else:
            if not isinstance(target, dict):
                continue
            target.pop(place[-1], None) if value is DROP else target.update({place[-1]: value})
    if has_extra:
        document["components"][0]["from_later"] = 1
    data = json.dumps(document).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "read_component_at_once", lambda _: None)
        expected = _read(data)
    assert _read(data) == expected


def test_whole_records_are_taken_at_once() -> None:
    for component in WHOLE["components"]:
        assert read_component_at_once(component) is not None
    renamed = {**WHOLE["components"][0], "other": 1}
    del renamed["name"]
    assert read_component_at_once(renamed) is None
    artifact = {**WHOLE["components"][1]["artifacts"][0], "other": 1}
    del artifact["kind"]
    assert read_component_at_once({**WHOLE["components"][1], "artifacts": [artifact]}) is None
    assert read_component_at_once({**WHOLE["components"][1], "artifacts": [7]}) is None


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(alphabet='a:"\\ \n\ud800é', max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(alphabet='a:"', max_size=2), inner)
    ),
    max_leaves=12,
)
PARTS = st.sampled_from(
    ['"a"', ":", ",", "{", "}", "[", "]", '":"', "1", "1e999", "-1e400", "NaN", " ", '"\\u003a"',
     '"\\ud800"', "9" * 301, "9" * 4200, "\ufeff", "true", '{"a":1,"a":2}', "[" * 70 + "]" * 70]
)  # fmt: skip


def _parse(parse: object, text: str) -> object:
    try:
        return parse(text)  # type: ignore[operator]
    except JsonError as error:
        return f"refused: {error}"


@given(st.one_of(JSON.map(json.dumps), st.lists(PARTS, max_size=8).map("".join)), st.booleans())
def test_json_parsed_quickly_is_json_parsed_strictly(text: str, is_doubled: bool) -> None:
    if is_doubled:
        text = f'{{"a": {text}, "b:": [{text}], "a": 1}}'
    quick, strict = _parse(parse_json, text), _parse(canonical._parse_slowly, text)
    assert repr(quick) == repr(strict)
