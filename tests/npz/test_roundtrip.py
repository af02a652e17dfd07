"""Round trips of any array and any meta: what goes in comes out, for us and for numpy."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from filmcan.errors import InvalidArtifactError
from filmcan.npz.limits import DEFAULT_LIMITS, ReadLimits
from filmcan.npz.object_decoder import decode_object
from filmcan.npz.object_encoder import encode_object
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import write_npz
from filmcan.testing.made_npz import find_difference

_PLAIN_TYPES = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="?"),
    npst.unsigned_integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    npst.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    npst.datetime64_dtypes(endianness="?"),
    npst.timedelta64_dtypes(endianness="?"),
    npst.byte_string_dtypes(max_len=9),
    npst.unicode_string_dtypes(endianness="?", max_len=9),
)
_SHAPES = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
_ARRAYS = st.builds(
    lambda array, order: np.array(array, order=order),
    _PLAIN_TYPES.flatmap(lambda dtype: npst.arrays(dtype, _SHAPES)),
    st.sampled_from("CF"),
)
_KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True).filter(
    lambda key: key not in ("meta", "meta_json")
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        _TEXT,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXT, inner, max_size=4)),
    max_leaves=15,
)
_METAS = st.dictionaries(_TEXT, _JSON, max_size=5)
_SCALARS = st.one_of(
    npst.arrays(np.float32, ()).map(lambda array: array[()]),
    npst.arrays(np.int16, ()).map(lambda array: array[()]),
    st.sampled_from([np.bool_(True), np.str_("ü"), np.bytes_(b"x"), np.complex64(1j)]),
)
_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**900), 2**900),
        st.floats(),
        st.text(max_size=12),
        st.binary(max_size=300),
        _SCALARS,
        npst.arrays(np.float32, npst.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)),
        npst.arrays("<U3", (2,)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5), inner, max_size=4),
    ),
    max_leaves=15,
)


@settings(max_examples=70, deadline=None)
@given(arrays=st.dictionaries(_KEYS, _ARRAYS, max_size=4), meta=_METAS)
def test_any_arrays_and_meta_come_back(arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    file = io.BytesIO()
    write_npz(file, arrays, meta)
    data = file.getvalue()
    with open_npz(data) as npz, np.load(io.BytesIO(data), allow_pickle=True) as loaded:
        npz.check()
        assert find_difference(npz.read_meta(), meta) is None
        assert find_difference(npz.read_meta_object(), meta) is None
        assert find_difference(loaded["meta"].item(), meta) is None
        for key, array in arrays.items():
            for found in (npz[key], npz.map(key), loaded[key]):
                assert find_difference(found, array) is None
            assert npz.shape(key) == array.shape
            assert npz.dtype(key) == array.dtype.newbyteorder("<")


def _in_array(value: object) -> np.ndarray:
    array = np.empty((), object)
    array[()] = value
    return array


@settings(max_examples=90, deadline=None)
@given(value=_VALUES)
def test_any_value_comes_back_from_its_encoding(value: object) -> None:
    data = encode_object(value)
    expected = (
        value if isinstance(value, np.ndarray) and value.dtype == object else _in_array(value)
    )
    assert find_difference(decode_object(data, expected.shape, DEFAULT_LIMITS), expected) is None
    assert find_difference(pickle.loads(data), expected) is None  # noqa: S301 - our own bytes


@settings(max_examples=70, deadline=None)
@given(value=_VALUES, protocol=st.integers(0, 5))
def test_what_numpy_pickles_is_decoded_at_every_protocol(value: object, protocol: int) -> None:
    data = pickle.dumps(_in_array(value), protocol=protocol)
    found = decode_object(data, (), DEFAULT_LIMITS)
    assert find_difference(found, _in_array(value)) is None


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", None, "b"], dtype=object),
        np.asfortranarray(np.array([["a", "b"], ["c", 1]], dtype=object)),
        np.empty((0, 3), object),
        np.array({"nested": np.array(["x", {"y": (1,)}], dtype=object)}, dtype=object),
    ],
)
@pytest.mark.parametrize("protocol", [None, 0, 2, 4, 5])
def test_object_arrays_keep_shape_and_items(array: np.ndarray, protocol: int | None) -> None:
    data = encode_object(array) if protocol is None else pickle.dumps(array, protocol=protocol)
    assert find_difference(decode_object(data, array.shape, DEFAULT_LIMITS), array) is None


@pytest.mark.parametrize("protocol", range(6))
def test_every_width_of_memo_and_length_is_decoded(protocol: int) -> None:
    words = [f"word {i}" for i in range(300)]
    value = [
        words,
        words[::-1],
        "x" * 300,
        b"x" * 70_000,
        np.timedelta64(5),
        np.timedelta64(7, "25s"),
        np.str_(),
        np.bytes_(),
    ]
    data = pickle.dumps(_in_array(value), protocol=protocol)
    assert find_difference(decode_object(data, (), DEFAULT_LIMITS), _in_array(value)) is None
    assert decode_object(encode_object(value[:4]), (), DEFAULT_LIMITS).item() == value[:4]


def test_shared_values_are_written_out_each_time() -> None:
    part = ["x", {"y": 1}]
    assert encode_object([part, part]) == encode_object([["x", {"y": 1}], ["x", {"y": 1}]])


def test_equal_dicts_have_equal_encodings() -> None:
    assert encode_object({"a": 1, "b": 2}) == encode_object({"b": 2, "a": 1})


def _nest(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({1, 2}, "object_value"),
        (object(), "object_value"),
        (1j, "object_value"),
        ({1: 2}, "object_value"),
        (np.ma.masked_array([1]), "object_value"),
        (np.zeros(1, "M8[s]"), "object_value"),
        (np.datetime64(1, "s"), "object_value"),
        (np.longdouble(1), "npy_dtype"),
        (np.zeros((1,) * 33), "limit_exceeded"),
        (np.zeros(5 << 20), "limit_exceeded"),
        (b"x" * (33 << 20), "limit_exceeded"),
        (["x" * (17 << 20)] * 2, "limit_exceeded"),
        ([None] * 400_000, "limit_exceeded"),
        (10**4_000, "limit_exceeded"),
        (_nest(100), "limit_exceeded"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_the_decoder_would_refuse_is_not_encoded(value: object, code: str) -> None:
    with pytest.raises(InvalidArtifactError) as caught:
        encode_object(value)
    assert caught.value.code == code


def test_b1_the_depth_of_100_is_the_same_for_both() -> None:
    data = encode_object(_nest(99))
    assert decode_object(data, (), DEFAULT_LIMITS).item() == _nest(99)
    with pytest.raises(InvalidArtifactError, match="max_object_depth"):
        decode_object(pickle.dumps(_in_array(_nest(100))), (), DEFAULT_LIMITS)


def test_b1_integers_of_4000_digits_are_the_longest() -> None:
    for sign in (1, -1):
        longest = sign * (10**4_000 - 1)
        data = encode_object(longest)
        assert decode_object(data, (), DEFAULT_LIMITS).item() == longest
        for protocol in (0, 2):
            data = pickle.dumps(_in_array(longest), protocol=protocol)
            assert decode_object(data, (), DEFAULT_LIMITS).item() == longest
            data = pickle.dumps(_in_array(longest + sign), protocol=2)
            with pytest.raises(InvalidArtifactError, match="4000 digits"):
                decode_object(data, (), DEFAULT_LIMITS)


def test_b1_nested_arrays_count_towards_the_bounds() -> None:
    limits = ReadLimits(max_object_text_bytes=1_000)
    shared = np.zeros(100, np.float32)
    data = pickle.dumps(_in_array([shared] * 3))
    with pytest.raises(InvalidArtifactError, match="max_object_text_bytes"):
        decode_object(data, (), limits)


def test_b1_a_caller_deep_in_calls_gets_a_typed_error() -> None:
    data = pickle.dumps(_in_array(_nest(90)))

    def descend(depth: int) -> object:
        if depth:
            return descend(depth - 1)
        return decode_object(data, (), DEFAULT_LIMITS)

    found = 0
    for depth in range(700, 1_000, 5):
        try:
            descend(depth)
        except InvalidArtifactError as error:
            found += error.code == "limit_exceeded"
        except RecursionError:
            break
    assert found
