"""Sub-artifacts: one plain array per file, held to its header (C9.4)."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.errors import InvalidArtifactError, NotFoundError
from filmcan.npz.limits import ReadLimits
from filmcan.npz.npy import open_npy, write_npy
from filmcan.npz.writer import OVERLAP_FROM_BYTES, Written
from filmcan.testing.made_npz import find_difference, make_npy, make_raw_npy

_LARGE = np.arange(OVERLAP_FROM_BYTES, dtype=np.float32).reshape(-1, 16)


@pytest.mark.parametrize(
    "array",
    [
        np.array(2.5),
        np.zeros((0, 3), "f2"),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.ndarray((2,), "U0", b""),
        _LARGE,
    ],
    ids=["0d", "empty", "fortran", "empty_text", "large"],
)
def test_c9_any_plain_array_comes_back_and_numpy_reads_it(
    tmp_path: Path, array: np.ndarray
) -> None:
    path = tmp_path / "a.npy"
    synced = []
    with path.open("x+b") as file:
        written = write_npy(file, array, sync=lambda: synced.append(path.stat().st_size))
    data = path.read_bytes()
    assert written == Written(len(data), hashlib.sha256(data).hexdigest())
    assert synced == [len(data)]
    assert find_difference(np.load(path), array.astype(array.dtype.str.replace("U0", "U1"))) is None
    with open_npy(path) as npy:
        assert npy.name == "a.npy"
        assert npy.shape == array.shape
        assert npy.dtype == np.load(path).dtype
        for found in (npy.read(), npy.map()):
            assert find_difference(found, np.load(path)) is None
        if array.ndim:
            assert find_difference(npy.read(slice(1, 3)), np.load(path)[1:3].copy()) is None


def test_c9_a_sub_artifact_on_an_object_store_is_read_by_ranges(counting_source: Any) -> None:
    file = io.BytesIO()
    write_npy(file, _LARGE)
    source = counting_source(file.getvalue())
    npy = open_npy(source)
    assert np.array_equal(npy.read(slice(7, 9)), _LARGE[7:9])
    assert sum(size for _, size in source.reads) < 1_000
    assert np.array_equal(npy.map(), _LARGE)
    assert not npy.map().flags.writeable


def test_a_foreign_array_in_fortran_order_is_read_by_rows() -> None:
    array = np.asfortranarray(np.arange(12).reshape(3, 4))
    with open_npy(make_npy(array)) as npy:
        assert npy.shape == (3, 4)
    assert npy.read().flags.f_contiguous
    assert np.array_equal(npy.read(slice(1, 2)), array[1:2])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (make_npy(np.array([None])), "npy_dtype"),
        (make_npy(np.zeros(1, "f4,f4")), "npy_header"),
        (make_npy(np.arange(4)) + b"\0", "npy_size"),
        (make_npy(np.arange(4))[:-1], "npy_size"),
        (make_npy(np.arange(4))[:40], "npy_header"),
        (b"", "npy_header"),
        (b"\x80\x04N.", "npy_header"),
        (
            make_raw_npy(
                "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}" + " " * 10_000, b"a"
            ),
            "limit_exceeded",
        ),
    ],
)
def test_b2_what_is_no_plain_array_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    with pytest.raises(InvalidArtifactError) as caught:
        open_npy(path)
    assert (caught.value.code, caught.value.where) == (code, "a.npy")


def test_its_size_has_a_limit() -> None:
    with pytest.raises(InvalidArtifactError, match="max_member_bytes"):
        open_npy(make_npy(np.zeros(100)), ReadLimits(max_member_bytes=100))


def test_an_absent_sub_artifact_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_npy(tmp_path / "a.npy")


def test_objects_are_not_written() -> None:
    with pytest.raises(InvalidArtifactError, match="no place"):
        write_npy(io.BytesIO(), np.array([None]))


def test_p4_a_failed_sync_fails_the_write() -> None:
    def sync() -> None:
        raise OSError(5, "no")

    with pytest.raises(OSError, match="no"):
        write_npy(io.BytesIO(), _LARGE, sync=sync)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("fortran", [False, True])
def test_b2_text_that_is_no_text_is_refused_by_every_way_of_reading(
    order: str, *, fortran: bool, counting_source: Any
) -> None:
    header = f"{{'descr': '{order}U1', 'fortran_order': {fortran}, 'shape': (2, 1)}}"
    raw = make_raw_npy(header, np.array([0x61, 0x110000], f"{order}u4").tobytes())
    for npy in (open_npy(raw), open_npy(counting_source(raw))):
        for read in (npy.read, npy.map, lambda npy=npy: npy.read(slice(1, 2))):
            with pytest.raises(InvalidArtifactError) as caught:
                read()
            assert caught.value.code == "npy_text"
            assert caught.value.where == npy.name
