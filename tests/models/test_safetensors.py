"""The reader of weights that are no network yet: it believes nothing that the file cannot mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.errors import AssetError
from filmcan.models.safetensors import MAX_HEADER_BYTES, read_tensors
from filmcan.testing.reference_bert import build_safetensors

ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def write(path: Path, header: object, body: bytes = b"\0" * 8) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    tensors: Mapping[str, np.ndarray] = {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
        "whole": np.array([[1, -2]], np.int64),
        "scalar": np.array(2.5, np.float32),
        "nothing": np.empty((0, 7), np.float32),
    }
    path = tmp_path / "a.safetensors"
    path.write_bytes(build_safetensors(tensors))
    found = read_tensors(path, "a")
    assert set(found) == set(tensors)
    for name, value in tensors.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)
        assert not found[name].flags.writeable


def test_tensors_may_stand_in_another_order_than_their_bytes(tmp_path: Path) -> None:
    header = {
        "second": {"dtype": "F16", "shape": [2], "data_offsets": [4, 8]},
        "first": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
    }
    found = read_tensors(write(tmp_path / "a", header, bytes(range(4)) + b"\0\x3c\0\xbc"), "a")
    assert found["first"].tolist() == [0, 1, 2, 3]
    assert found["second"].tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"", "no sound safetensors"),
        (b"[]", "no JSON object"),
        (b'{"a": NaN}', "no sound safetensors"),
        (b'{"a": 1, "a": 2}', "no sound safetensors"),
        (b"\xff{}", "not UTF-8"),
        (b"[" * 100_000, "no sound safetensors"),
        ({"a": 5}, "must have exactly"),
        ({"a": {"dtype": "F32", "shape": [2]}}, "must have exactly"),
        ({"a": {**ENTRY, "extra": 1}}, "must have exactly"),
        ({"a": {**ENTRY, "dtype": "BF16"}}, "of type BF16"),
        ({"a": {**ENTRY, "dtype": ["F32"]}}, "of type"),
        ({"a": {**ENTRY, "shape": "2"}}, "no list"),
        ({"a": {**ENTRY, "shape": [2.0]}}, "no list"),
        ({"a": {**ENTRY, "shape": [True, 2]}}, "no list"),
        ({"a": {**ENTRY, "shape": [-2, -1]}}, "no list"),
        ({"a": {**ENTRY, "shape": [1] * 9}}, "no list"),
        ({"a": {**ENTRY, "shape": [1 << 41, 0]}}, "no list"),
        ({"a": {**ENTRY, "shape": [1 << 40, 1 << 40]}}, "its shape takes"),
        ({"a": {**ENTRY, "shape": [3]}}, "its shape takes 12"),
        ({"a": {**ENTRY, "data_offsets": [0, 8, 9]}}, "no pair"),
        ({"a": {**ENTRY, "data_offsets": [8, 0]}}, "begins at byte 8"),
        ({"a": {**ENTRY, "shape": [1], "data_offsets": [4, 8]}}, "begins at byte 4"),
        ({"a": {**ENTRY, "shape": [1], "data_offsets": [0, 4]}}, "4 bytes belong to no tensor"),
        ({"a": {**ENTRY, "shape": [4], "data_offsets": [0, 16]}}, "its shape takes 16"),
        ({"a": ENTRY, "b": ENTRY}, "tensor b begins at byte 0"),
        (
            {
                "a": {**ENTRY, "shape": [1], "data_offsets": [0, 4]},
                "b": {**ENTRY, "shape": [1], "data_offsets": [2, 6]},
            },
            "the one before ends at 4",
        ),
    ],
)
def test_t6_a_header_that_lies_is_refused_by_name(tmp_path: Path, header: Any, told: str) -> None:
    with pytest.raises(AssetError, match="no sound safetensors") as caught:
        read_tensors(write(tmp_path / "a", header), "asset: file")
    assert told in str(caught.value)
    assert (caught.value.code, caught.value.where) == ("bad_safetensors", "asset: file")


@pytest.mark.parametrize("content", [b"", b"1234567", b"12345678"])
def test_t6_a_file_too_short_for_a_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(AssetError, match="too few"):
        read_tensors(path, "a")


@pytest.mark.parametrize("claimed", [9, MAX_HEADER_BYTES + 1, 1 << 40, (1 << 64) - 1])
def test_t6_a_header_longer_than_the_file_or_the_limit_is_never_read(
    tmp_path: Path, claimed: int
) -> None:
    path = tmp_path / "a"
    path.write_bytes(claimed.to_bytes(8, "little") + b"{}      ")
    with pytest.raises(AssetError, match="its header claims"):
        read_tensors(path, "a")


def test_t6_every_cut_of_a_file_is_refused(tmp_path: Path) -> None:
    whole = build_safetensors({"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.int64)})
    path = tmp_path / "a"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(AssetError):
            read_tensors(path, "a")
    path.write_bytes(whole + b"\0")
    with pytest.raises(AssetError, match="1 bytes belong to no tensor"):
        read_tensors(path, "a")
