"""Canonical JSON identifies a value; the strict parser refuses what is ambiguous."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.contract import canonical
from filmcan.contract.canonical import MAX_VALUES, JsonError, canonical_json, parse_json

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_VALUES)
def test_a_value_survives_the_round_trip(value: object) -> None:
    assert parse_json(canonical_json(value)) == value


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": [1, {"d": 2, "c": 3}]}) == canonical_json(
        {"a": [1, {"c": 3, "d": 2}], "b": 1}
    )
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {1: 2}, {"a": b""}, {"a": {2: 1}}, {"\udcff": 1}, ["a\ud800"]],
)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(JsonError):
        canonical_json(value)


def test_a_value_that_would_grow_too_large_is_refused_before_any_of_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stands before the values without end: without the limit those never return."""
    monkeypatch.setattr(canonical, "MAX_VALUES", 10)
    monkeypatch.setattr(json, "dumps", lambda *_, **__: pytest.fail("it was written"))
    shared = [0] * 5
    for value in ([shared, shared], {"a": shared, "b": {"c": 1}}, [[0] * 11]):
        with pytest.raises(JsonError, match="more than 10 values"):
            canonical_json(value)


def _build_cycles() -> list[object]:
    inside: list[object] = []
    inside.append(inside)
    around: dict[str, object] = {}
    around["a"] = ({"b": around},)
    doubled: object = []
    for _ in range(60):
        doubled = [doubled, {"a": doubled}]
    wide: list[object] = [0] * 1000
    wide[:] = [wide] * 1000
    return [inside, around, doubled, wide]


@pytest.mark.parametrize("value", _build_cycles(), ids=["inside", "around", "doubled", "wide"])
def test_a_value_that_holds_itself_or_grows_when_written_is_refused(value: object) -> None:
    with pytest.raises(JsonError, match="more than 500000 values"):
        canonical_json(value)


def test_as_many_values_are_written_as_are_read() -> None:
    assert parse_json(canonical_json([0] * (MAX_VALUES - 1))) == [0] * (MAX_VALUES - 1)
    with pytest.raises(JsonError):
        canonical_json([0] * (MAX_VALUES + 1))
    with pytest.raises(JsonError):
        canonical_json({str(number): 0 for number in range(MAX_VALUES // 2 + 1)})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a":1,"a":2}', "duplicate"),
        ('{"a":{"b":1,"b":1}}', "duplicate"),
        ('{"a":NaN}', "NaN"),
        ("[Infinity]", "Infinity"),
        ("[-Infinity]", "Infinity"),
        ("[1e999]", "overflows"),
        ("[" * 65 + "]" * 65, "deeper"),
        ('{"a":' * 65 + "1" + "}" * 65, "deeper"),
        ("[" * 100_000, "deeper"),
        ('["\\ud800"]', "surrogate"),
        ('{"\\uDFFF":1}', "surrogate"),
        ("{} {}", "Extra data"),
        ("", "Expecting"),
        ("\0\0\0\0", "Expecting"),
        ("\ufeff{}", "BOM"),
        ("[" + "9" * 5000 + "]", "digits"),
        ('{"a":1', "Expecting"),
        ("['a']", "Expecting"),
        ("[" + "0," * MAX_VALUES + "0]", "values"),
        ("[" + "{}," * MAX_VALUES + "0]", "values"),
        ("[" * 70 + '"' + '\\"' * 1_000_000, "deeper"),
        ("[" * 60 + '"' + '\\"' * 1_000_000, "Unterminated"),
    ],
    ids=lambda value: value[:20],
)
def test_ambiguous_or_hostile_text_is_refused(text: str, told: str) -> None:
    with pytest.raises(JsonError, match=told):
        parse_json(text)


def test_bytes_must_be_utf8() -> None:
    with pytest.raises(JsonError, match="UTF-8 at byte 2"):
        parse_json(b'["\xff"]')


def test_brackets_inside_strings_are_no_depth() -> None:
    text = json.dumps(["[" * 200 + '\\"{'])
    assert parse_json(text) == ["[" * 200 + '\\"{']


def test_commas_inside_strings_are_no_values() -> None:
    text = json.dumps(["{},:" * MAX_VALUES])
    assert parse_json(text) == ["{},:" * MAX_VALUES]


def test_what_could_not_be_read_again_is_not_written() -> None:
    deep: object = None
    for _ in range(65):
        deep = [deep]
    for value in (deep, [0] * (MAX_VALUES + 1)):
        with pytest.raises(JsonError):
            canonical_json(value)


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json('["\\ud83d\\ude00"]') == ["😀"]


def test_a_parser_that_runs_out_of_stack_refuses_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def overflow(*arguments: object, **options: object) -> None:
        raise RecursionError

    monkeypatch.setattr("filmcan.contract.canonical._DECODER.decode", overflow)
    with pytest.raises(JsonError, match="nested deeper"):
        parse_json("[ ]")


def test_an_escaped_colon_and_a_pair_of_surrogates_are_text_like_any_other() -> None:
    assert parse_json('{"a\\u003a": ["\\ud83d\\ude00", 1]}') == {"a:": ["😀", 1]}
