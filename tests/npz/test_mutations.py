"""Damaged files: any flipped bit, any cut, any mutation is an error or harmless (P9, T5, T11)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from filmcan.errors import InvalidArtifactError
from filmcan.npz.limits import DEFAULT_LIMITS
from filmcan.npz.npy_header import parse_header
from filmcan.npz.object_decoder import decode_object
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import write_npz
from filmcan.testing.made_npz import find_difference, make_streamed_npz, wrap_pickle

Reader = Callable[[bytes], dict[str, np.ndarray]]

_SMALL: dict[str, Any] = {
    "x": np.arange(6, dtype=np.float32).reshape(2, 3),
    "names": np.array(["ü", None], dtype=object),
}


def _write() -> bytes:
    file = io.BytesIO()
    write_npz(file, _SMALL, {"status": "ok", "n": [1, None]})
    return file.getvalue()


def _differs(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> list[str]:
    return [
        key for key in expected if key not in found or find_difference(found[key], expected[key])
    ]


@pytest.mark.parametrize("kind", ["ours", "streamed", "compressed"])
def test_p9_every_flipped_bit_is_an_error_or_harmless(kind: str) -> None:
    data = _write()
    if kind != "ours":
        arrays = {**_SMALL, "meta": np.array({"status": "ok"}, dtype=object)}
        data = make_streamed_npz(arrays, compressed=kind == "compressed")
    with open_npz(data) as npz:
        expected = {key: npz[key] for key in npz}
    harmless = 0
    for at in range(len(data)):
        for bit in range(8) if kind == "ours" else (at % 8, at * 5 % 8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            try:
                with open_npz(bytes(flipped)) as npz:
                    found = {key: npz[key] for key in npz}
            except InvalidArtifactError:
                continue
            harmless += 1
            assert _differs(found, expected) == [], (at, bit)
    # Times, attributes, versions and padding: 14 bytes of each record and what pads to 64.
    assert harmless < 0.35 * 8 * len(data)


def test_every_cut_is_an_error(read_everything: Reader) -> None:
    data = _write()
    for size in range(len(data)):
        with pytest.raises(InvalidArtifactError):
            read_everything(data[:size])


def test_every_cut_from_the_front_is_an_error(read_everything: Reader) -> None:
    data = _write()
    for start in range(1, len(data)):
        with pytest.raises(InvalidArtifactError):
            read_everything(data[start:])


def _mutate(data: bytes, edits: list[tuple[str, int, int, bytes]]) -> bytes:
    """Apply edits whose places are fractions of the length, so that they shrink well."""
    for kind, start, length, content in edits:
        at = start % (len(data) + 1)
        stop = min(len(data), at + length)
        if kind == "replace":
            data = data[:at] + content + data[at + len(content) :]
        elif kind == "insert":
            data = data[:at] + content + data[at:]
        elif kind == "remove":
            data = data[:at] + data[stop:]
        else:
            data = data[:at] + data[at:stop] * 2 + data[stop:]
    return data


_INTERESTING = st.sampled_from(
    [
        b"\0",
        b"\xff",
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"PK\x01\x02",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x93NUMPY",
        b"'|O'",
        b"(9,)",
        b"cos\nsystem\n",
        b"R",
        b"b",
        b".",
        b"\x94",
        b"h\x00",
        b"(",
        b"t",
        b"\x7f\xff\xff\xff",
        b"\x01\x00\x10\x00",
        b"\x80\x05",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff",
    ]
)
_EDITS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "insert", "remove", "double"]),
        st.integers(0, 1 << 16),
        st.integers(0, 64),
        st.one_of(_INTERESTING, st.binary(min_size=1, max_size=8)),
    ),
    min_size=1,
    max_size=6,
)
_SEEDS = (
    _write(),
    make_streamed_npz({**_SMALL, "meta": np.array({"a": [1.5]}, dtype=object)}),
    make_streamed_npz({**_SMALL, "meta": np.array({"a": [1.5]}, dtype=object)}, compressed=True),
)
_FUZZ = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@_FUZZ
@given(seed=st.sampled_from(_SEEDS), edits=_EDITS)
def test_t5_a_mutated_file_is_read_or_refused_typed(
    read_everything: Reader, seed: bytes, edits: list[tuple[str, int, int, bytes]]
) -> None:
    data = _mutate(seed, edits)
    try:
        found = read_everything(data)
    except InvalidArtifactError:
        return
    # Differential: what the strict reader accepts, numpy reads alike.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.load(io.BytesIO(data), allow_pickle=True) as npz:
            assert _differs(found, {key: npz[key] for key in npz.files}) == []


def _golden_pickles() -> list[tuple[bytes, tuple[int, ...]]]:
    folder = Path(__file__).resolve().parent.parent / "data" / "npz"
    found = []
    for path in sorted(folder.glob("*-protocols.npz")):
        with open_npz(path) as npz:
            for member in npz._directory.members.values():
                header, data = npz._data.read_content(member, 1 << 20)
                found.append((bytes(data), header.shape))
    return found


_PICKLES = [*_golden_pickles(), (wrap_pickle(b"](K\x01NX\x01\x00\x00\x00ae"), ())]


@_FUZZ
@given(seed=st.sampled_from(_PICKLES), edits=_EDITS)
def test_t5_a_mutated_pickle_is_decoded_or_refused_typed(
    seed: tuple[bytes, tuple[int, ...]], edits: list[tuple[str, int, int, bytes]]
) -> None:
    data, shape = seed
    try:
        found = decode_object(_mutate(data, edits), shape, DEFAULT_LIMITS)
    except InvalidArtifactError:
        return
    assert found.shape == shape
    repr(found)


@_FUZZ
@given(data=st.binary(max_size=300))
def test_t5_any_bytes_as_a_pickle_are_decoded_or_refused_typed(data: bytes) -> None:
    with pytest.raises(InvalidArtifactError):
        decode_object(data, (), DEFAULT_LIMITS)


_HEADERS = st.lists(
    st.sampled_from(
        [
            "{",
            "}",
            "'descr'",
            "'fortran_order'",
            "'shape'",
            ":",
            ",",
            " ",
            "'<f4'",
            "(",
            ")",
            "True",
            "False",
            "1",
            "3",
            "[",
            "\n",
            '"',
            "L",
            "-",
            "'|O'",
            "(3,)",
            "0",
        ]
    ),
    max_size=30,
).map("".join)


@_FUZZ
@given(text=st.one_of(_HEADERS, st.text(max_size=80)), body=st.binary(max_size=24))
def test_t5_any_header_is_parsed_or_refused_typed(text: str, body: bytes) -> None:
    raw = text.encode("utf-8", "replace")
    data = b"\x93NUMPY\x01\x00" + len(raw).to_bytes(2, "little") + raw + body
    try:
        header = parse_header(data, len(data), DEFAULT_LIMITS)
    except InvalidArtifactError:
        return
    if not header.is_object:
        assert header.items * header.dtype.itemsize == len(data) - header.header_size
