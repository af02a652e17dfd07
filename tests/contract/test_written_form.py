"""What is read at once is read as the readers that look at every field would read it."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.contract import canonical, manifest
from filmcan.contract.canonical import (
    MAX_DEPTH,
    MAX_INTEGER_DIGITS,
    MAX_VALUES,
    JsonError,
    parse_json,
)
from filmcan.contract.manifest import (
    ArtifactRecord,
    ComponentRecord,
    RunRecord,
    parse_manifest,
)
from filmcan.contract.times import find_time_fault, format_time
from filmcan.contract.written_form import (
    _MOMENT,
    WrittenArtifact,
    WrittenComponent,
    WrittenRun,
    read_written_form,
)
from filmcan.errors import InvalidManifestError
from filmcan.testing.made_runs import build_made_run

MADE = build_made_run(8)
WHOLE = json.loads(MADE.to_bytes())
VALUES = st.sampled_from(
    [
        None, True, 0, 1, -1, 1.5, 2.0, 1e-7, 1e22, 1 << 63, 1 << 64, 10**30, "", "x", "ok",
        "empty", "error", "npz", "npy", "core", "com1", "..", "_x", "manifest.json", "a/b",
        "core_clip/x.npz", "core_clip/a/b.npy", "x.json", "2026-01-31T12:00:00.000Z",
        "2026-02-31T12:00:00.000Z", "0" * 64, "F" * 64, [], {}, [{}], [1], ["a"],
        {"a": 1}, {"digest": "x"}, "\x7f\x1f\n\u2028/é", "core_clip", {"extra": {}},
        {"a": [[], {}, [{}]]},
    ]
)  # fmt: skip
PLACES = st.sampled_from(
    [("components", number, name) for number in range(3) for name in WHOLE["components"][0]]
    + [("components", number, "artifacts", 0, name) for number in (1, 2)
       for name in ("path", "size_bytes", "sha256", "kind")]
    + [("run", name) for name in WHOLE["run"]]
    + [("render",), ("extra",), ("run", "extra"), ("components", 0, "extra"), ("components",)]
)  # fmt: skip
DROP = object()


def _read(data: bytes) -> object:
    try:
        return parse_manifest(data)
    except InvalidManifestError as error:
        return str(error)


def _read_slowly(data: bytes) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "read_written_form", lambda _: None)
        return _read(data)


def _write(document: object) -> bytes:
    """Write as `Manifest.to_bytes` does."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


@given(st.lists(st.tuples(PLACES, st.one_of(VALUES, st.just(DROP))), max_size=3))
def test_a_manifest_taken_at_once_is_the_one_that_is_read_field_by_field(
    changes: list[tuple[tuple[Any, ...], object]],
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
    data = _write(document)
    assert _read(data) == _read_slowly(data)


TEXTS = st.sampled_from(
    [b'"run"', b'"profile"', b'"name"', b"null", b"{", b"}", b"[", b"]", b",", b":", b"\n", b" ",
     b"0", b"1.0", b"1e3", b"-0", b"NaN", b"\\u0061", b"\\ud800", b"\xff", b'"a": 1,',
     b"\xef\xbb\xbf"]
)  # fmt: skip


@given(st.integers(0), st.integers(0, 3), TEXTS)
def test_a_text_with_any_flaw_is_read_field_by_field(place: int, dropped: int, text: bytes) -> None:
    data = MADE.to_bytes()
    place %= len(data)
    changed = data[:place] + text + data[place + dropped :]
    assert _read(changed) == _read_slowly(changed)
    if changed != data and read_written_form(changed) is not None:
        assert parse_manifest(changed).to_bytes() == changed


@pytest.mark.parametrize(
    "make",
    [
        lambda data: data.replace(b'"run": {', b'"run": {}, "run": {', 1),
        lambda data: data.replace(b'"profile": {', b'"profile": {"a": 1, "a": 1, ', 1),
        lambda data: data.replace(b'"revision": 8', b'"revision": 8.0', 1),
        lambda data: data + b"\n",
        lambda data: data[:-1],
        lambda data: data[:-1] + b" ",
        lambda data: data.replace(b"  ", b"\t", 1),
    ],
)
def test_only_what_comes_out_again_byte_for_byte_is_taken_at_once(make: Any) -> None:
    data = make(MADE.to_bytes())
    assert data != MADE.to_bytes()
    assert read_written_form(data) is None
    assert _read(data) == _read_slowly(data)


def test_what_was_written_is_taken_at_once() -> None:
    for number in range(40):
        made = replace(build_made_run(number), render={"locale": "ru"} if number % 2 else None)
        assert read_written_form(made.to_bytes()) is not None
        assert parse_manifest(made.to_bytes()) == made


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({"profile": {"x": [1.5, 'é\\"\n', True, None, -3, {}, []]}}, True),
        ({"profile": {"x": 1e-7}}, False),  # two ways to write it
        ({"revision": -1}, False),
        ({"peak_rss_bytes": -1}, False),
        ({"created_at": "2026-02-31T12:00:00.000Z"}, False),
        ({"updated_at": "x"}, False),
        ({"finished_at": "x"}, False),
        ({"platform_id": ".."}, False),
        ({"video_id": "_tmp_x"}, False),
        ({"run_id": "a/b"}, False),
        ({"from_later": 1}, False),
        ({"status": "empty"}, False),
    ],
)
def test_values_of_a_run_decide(changes: dict[str, object], *, is_taken: bool) -> None:
    data = _write({**WHOLE, "run": {**WHOLE["run"], **changes}})
    assert (read_written_form(data) is not None) is is_taken
    assert _read(data) == _read_slowly(data)


def test_a_component_that_stands_there_twice_is_not_taken_at_once() -> None:
    data = _write({**WHOLE, "components": [*WHOLE["components"], WHOLE["components"][0]]})
    assert read_written_form(data) is None


def test_depth_and_number_of_values_are_bounded_as_in_any_json() -> None:
    def build(value: object) -> bytes:
        return _write({**WHOLE, "run": {**WHOLE["run"], "profile": {"x": value}}})

    nested: object = 0
    for _ in range(MAX_DEPTH - 4):
        nested = [nested]
    assert read_written_form(build(nested)) is not None
    assert isinstance(_read(build([nested])), manifest.Manifest)
    assert read_written_form(build([[nested]])) is None
    assert "deeper" in str(_read(build([[nested]])))
    assert read_written_form(build([0] * MAX_VALUES)) is None


@pytest.mark.parametrize("innermost", [{}, [], 0, [0]])
@pytest.mark.parametrize("depth", range(MAX_DEPTH - 3, MAX_DEPTH + 2))
@pytest.mark.parametrize("place", ["profile", "source"])
def test_b4_an_empty_container_counts_as_one_level_too(
    place: str, depth: int, innermost: object
) -> None:
    nested = innermost
    for _ in range(depth - 3):
        nested = {"a": nested}
    data = _write({**WHOLE, "run": {**WHOLE["run"], place: {"a": nested}}})
    assert _read(data) == _read_slowly(data)


@pytest.mark.parametrize("number", ["9" * 4300, "9" * 4301, "-" + "9" * 4299, "-" + "9" * 4300])
def test_integers_are_as_long_as_in_any_json(number: str) -> None:
    whole = {**WHOLE, "run": {**WHOLE["run"], "profile": {"x": 12345678987654321}}}
    data = _write(whole).replace(b"12345678987654321", number.encode())
    assert _read(data) == _read_slowly(data)
    assert (read_written_form(data) is not None) is (len(number) <= MAX_INTEGER_DIGITS)


def test_fields_are_those_of_the_records() -> None:
    for written, record in (
        (WrittenRun, RunRecord),
        (WrittenComponent, ComponentRecord),
        (WrittenArtifact, ArtifactRecord),
    ):
        names = tuple(item.name for item in fields(record) if item.name != "extra")  # type: ignore[arg-type]
        assert written.__struct_encode_fields__ == names
    found = read_written_form(MADE.to_bytes())
    assert found is not None
    assert {} == found.run.extra == found.components[0].extra
    assert found.components[1].artifacts[0].extra == {}


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
     '"\\ud800"', "9" * 301, "9" * 4200,
     "9" * 4300, "9" * 4301, "-" + "9" * 4299, "-" + "9" * 4300, "\ufeff", "true",
     '{"a":1,"a":2}', "[" * 70 + "]" * 70]
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


@pytest.mark.parametrize("name", ["con", "_core", "x" * 51, "core.clip", "clip\n"])
def test_an_ordinary_component_of_another_name_is_judged_as_in_any_json(name: str) -> None:
    digest = "0123456789ab"
    component = {
        **WHOLE["components"][0],
        "name": name,
        "status": "ok",
        "empty_reason": None,
        "error": None,
        "started_at": "2026-01-31T12:00:00.000Z",
        "finished_at": "2026-01-31T12:00:00.000Z",
        "artifacts": [
            {
                "path": f"{name}/{name}.{digest}.npz",
                "size_bytes": 1,
                "sha256": "0" * 64,
                "kind": "npz",
            }
        ],
    }
    data = _write({**WHOLE, "components": [component]})
    assert _read(data) == _read_slowly(data)
    assert (read_written_form(data) is None) is (name in ("con", "_core", "clip\n"))


def test_every_day_of_a_leap_year_is_surely_good_but_one() -> None:
    first = datetime(2027, 12, 31, 23, 59, 59, 999000, UTC)
    days = [first + timedelta(days=day) for day in range(368)]
    others = [day for day in days if not re.fullmatch(_MOMENT, format_time(day))]
    assert [(day.month, day.day) for day in others] == [(2, 29)]


@pytest.mark.parametrize(
    "text",
    ["2026-02-29", "2026-02-30", "2026-04-31", "2026-06-31", "2026-09-31", "2026-11-31",
     "2026-00-01", "2026-13-01", "2026-01-00", "2026-01-32", "0000-01-01"],
)  # fmt: skip
def test_a_day_that_is_none_is_never_surely_good(text: str) -> None:
    assert find_time_fault(f"{text}T12:00:00.000Z")
    assert not re.fullmatch(_MOMENT, f"{text}T12:00:00.000Z")


def test_a_value_with_lines_of_another_component_is_judged_as_in_any_json() -> None:
    moment = "2026-01-15T12:00:00.000Z"
    digest = "0" * 64
    hidden = f"{moment}\n{moment}\nclip/clip.0123.npz\n{digest}\nother\n{moment}"
    component = {
        **WHOLE["components"][0],
        "name": "clip",
        "status": "ok",
        "empty_reason": None,
        "error": None,
        "started_at": hidden,
        "finished_at": moment,
        "artifacts": [
            {
                "path": "other/other.0123.npz",
                "size_bytes": 1,
                "sha256": digest,
                "kind": "npz",
            }
        ],
    }
    data = _write({**WHOLE, "components": [component]})
    assert read_written_form(data) is None
    with pytest.raises(InvalidManifestError, match="must start with clip/"):
        parse_manifest(data)
