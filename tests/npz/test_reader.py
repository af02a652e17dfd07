"""What the reader promises: right data or an error, by whichever way it is asked."""

from __future__ import annotations

import io
import os
import runpy
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from filmcan.errors import InvalidArtifactError, NotFoundError
from filmcan.npz import bulk, dtypes, stored_array, zip_format
from filmcan.npz.limits import ReadLimits
from filmcan.npz.npy_header import build_header
from filmcan.npz.reader import NpzReader, open_npz, read_meta
from filmcan.npz.writer import write_npz
from filmcan.npz.zip_directory import TAIL_BYTES
from filmcan.testing.made_npz import (
    DEFLATED,
    Entry,
    find_difference,
    make_npy,
    make_npz,
    make_object_npy,
    make_raw_npy,
    make_streamed_npz,
    make_zip,
    wrap_pickle,
)

_WIDE = np.arange(1 << 20, dtype=np.float32).reshape(-1, 8)
"""4 MiB: read by two threads."""


def _write(arrays: dict[str, Any], meta: dict[str, object] | None = None) -> bytes:
    file = io.BytesIO()
    write_npz(file, arrays, {"status": "ok"} if meta is None else meta)
    return file.getvalue()


@pytest.fixture(scope="module")
def wide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artifact whose largest array is read by two threads."""
    path = tmp_path_factory.mktemp("wide") / "wide.npz"
    path.write_bytes(_write({"wide": _WIDE, "side": np.arange(5), "text": np.array("abc")}))
    return path


@pytest.fixture(scope="module")
def compressed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the same arrays as numpy compresses them."""
    path = tmp_path_factory.mktemp("wide") / "compressed.npz"
    np.savez_compressed(path, wide=_WIDE, side=np.arange(5), text=np.array("abc"))
    return path


@pytest.fixture(params=["file", "bytes", "ranges", "compressed"])
def any_wide(
    request: pytest.FixtureRequest, wide_path: Path, compressed_path: Path, counting_source: Any
) -> NpzReader:
    """Return the same arrays from each kind of source, stored and compressed."""
    if request.param == "file":
        return open_npz(wide_path)
    if request.param == "bytes":
        return open_npz(wide_path.read_bytes())
    if request.param == "ranges":
        return open_npz(counting_source(wide_path.read_bytes()))
    return open_npz(str(compressed_path))


def test_whole_arrays_are_equal_from_any_source(any_wide: NpzReader) -> None:
    for verify in (True, False):
        assert find_difference(any_wide.read("wide", verify=verify), _WIDE) is None
        assert find_difference(any_wide.read("side", verify=verify), np.arange(5)) is None
    assert any_wide["text"].item() == "abc"
    any_wide.check()


@pytest.mark.parametrize(
    "rows",
    [
        slice(5),
        slice(100_000, 100_005),
        slice(None, None, 50_000),
        slice(-3, None),
        slice(None, None, -100_000),
        slice(10, 10),
        slice(7, 3),
        slice(10**9, None),
    ],
)
def test_rows_are_numpys_rows(any_wide: NpzReader, rows: slice) -> None:
    found = any_wide.read("wide", rows)
    assert find_difference(found, _WIDE[rows].copy()) is None
    found[:] = 0  # memory of its own


def test_maps_are_equal_and_read_only(any_wide: NpzReader) -> None:
    found = any_wide.map("wide")
    assert np.array_equal(found, _WIDE)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


def test_a_map_of_ours_is_aligned_and_outlives_its_reader(wide_path: Path) -> None:
    with open_npz(wide_path) as npz:
        found = npz.map("wide")
    assert found.ctypes.data % 64 == 0
    assert np.array_equal(found, _WIDE)


def test_an_open_reader_keeps_its_file_when_the_name_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(_write({"a": np.zeros(9)}))
    with open_npz(path) as npz:
        other = tmp_path / "b.npz"
        other.write_bytes(_write({"a": np.ones(9)}))
        other.replace(path)
        assert not npz["a"].any()


def test_reads_of_several_threads_do_not_disturb_each_other(wide_path: Path) -> None:
    with open_npz(wide_path) as npz, ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: npz.read("wide", slice(1_000, 2_000)), range(40)):
            assert np.array_equal(found, _WIDE[1_000:2_000])


def test_a_reader_without_a_second_thread_gives_the_same(
    wide_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_npz(wide_path) as npz:
        monkeypatch.setattr(os, "cpu_count", lambda: 1)
        assert np.array_equal(npz["wide"], _WIDE)
        monkeypatch.setattr(os, "cpu_count", lambda: None)
        assert np.array_equal(npz["wide"], _WIDE)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)

        def refuse(*_: object, **__: object) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(bulk.ThreadPoolExecutor, "submit", refuse)
        assert np.array_equal(npz["wide"], _WIDE)


def test_dtype_and_shape_come_from_the_header_alone(
    wide_path: Path, counting_source: Any, compressed_path: Path
) -> None:
    source = counting_source(wide_path.read_bytes())
    npz = open_npz(source)
    assert npz.dtype("wide") == np.float32
    assert npz.shape("wide") == _WIDE.shape
    assert npz.shape("side") == (5,)
    assert sum(size for _, size in source.reads) < TAIL_BYTES + 1_024
    with open_npz(compressed_path) as compressed:
        assert (compressed.shape("wide"), compressed.dtype("text").kind) == (_WIDE.shape, "U")


def test_c4_meta_takes_one_read_of_the_tail(
    typical_arrays: dict[str, Any],
    typical_meta: dict[str, Any],
    wide_path: Path,
    counting_source: Any,
) -> None:
    for data in (_write(typical_arrays, typical_meta), wide_path.read_bytes()):
        source = counting_source(data)
        npz = open_npz(source)
        npz.read_meta()
        npz.read_meta_object()
        assert len(source.reads) == 1
        assert source.reads[0][1] <= 64 << 10
    assert read_meta(_write(typical_arrays, typical_meta)) == typical_meta


def test_five_rows_take_a_few_small_reads(wide_path: Path, counting_source: Any) -> None:
    source = counting_source(wide_path.read_bytes())
    npz = open_npz(source)
    npz.read("wide", slice(4_000, 4_005))
    assert [size for _, size in source.reads[1:]] == [source.reads[1][1], 5 * 32]
    assert source.reads[1][1] < 1_024


def test_a_large_directory_is_read_whole(counting_source: Any) -> None:
    keys = {f"{'k' * 100}{i}": np.array(i) for i in range(400)}
    source = counting_source(_write(keys))
    npz = open_npz(source)
    assert npz["k" * 100 + "7"] == 7
    assert sorted(npz.keys()) == sorted([*keys, "meta", "meta_json"])


def test_keys_are_sorted_and_counted() -> None:
    npz = open_npz(_write({"b": np.zeros(1), "a": np.zeros(90)}))
    assert npz.keys() == ("a", "b", "meta", "meta_json") == tuple(npz)
    assert len(npz) == 4
    assert "a" in npz
    assert "c" not in npz


def test_its_picture_names_the_file(wide_path: Path) -> None:
    with open_npz(wide_path) as npz:
        assert repr(npz) == f"<NpzReader wide.npz: 5 keys, {npz.size_bytes} bytes>"


@pytest.mark.parametrize("ask", [NpzReader.dtype, NpzReader.shape, NpzReader.read, NpzReader.map])
def test_whatever_is_asked_of_a_damaged_array_the_error_names_its_file_and_key(
    ask: Callable[[NpzReader, str], object], tmp_path: Path
) -> None:
    path = tmp_path / "damaged.npz"
    path.write_bytes(make_npz({"a": b"no array" * 20}))
    with open_npz(path) as npz, pytest.raises(InvalidArtifactError) as refusal:
        ask(npz, "a")
    assert (refusal.value.code, refusal.value.where) == ("npy_header", "damaged.npz: a")


def test_an_absent_key_names_what_is_near() -> None:
    npz = open_npz(_write({"frame_embeddings": np.zeros(1), "times_sec": np.zeros(1)}))
    with pytest.raises(
        NotFoundError, match=r"frame_embedding'.*Near it: frame_embeddings"
    ) as caught:
        npz.read("frame_embedding")
    assert isinstance(caught.value, LookupError)
    with pytest.raises(NotFoundError, match="There are: frame_embeddings, meta, meta_json"):
        npz.map("zzz")
    with pytest.raises(NotFoundError, match="There are: none"):
        open_npz(make_zip()).shape("a")


@pytest.mark.parametrize(
    "array",
    [
        np.array(1.5),
        np.zeros((0, 3)),
        np.zeros((3, 0, 2), "S4"),
        np.arange(12, dtype=">f4").reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.asfortranarray(np.arange(24).reshape(2, 3, 4)),
        np.array([["a", "bcd"], ["", "ü"]], ">U3"),
        np.asfortranarray(np.array([["a", "b"], ["c", "d"]])),
        np.array([b"ab", b""]),
        np.array(["2026-01-01", "NaT"], "<M8[h]"),
        np.array([1 + 2j], "<c16"),
        np.zeros((2, 3), bool),
        np.array(["x", None, 3], dtype=object),
        np.arange(80_000, dtype=np.int64).reshape(100, 800),
        np.asfortranarray(np.arange(80_000, dtype=np.int64).reshape(100, 800)),
        np.full(90_000, "ab"),
    ],
)
@pytest.mark.parametrize("kind", ["stored", "deflated", "streamed", "ranges"])
def test_foreign_arrays_read_as_numpy_reads_them(
    array: np.ndarray, kind: str, counting_source: Any
) -> None:
    source: Any = make_npz({"a": make_npy(array)}, method=DEFLATED * (kind == "deflated"))
    if kind == "streamed":
        source = make_streamed_npz({"a": array})
    elif kind == "ranges":
        source = counting_source(source)
    npz = open_npz(source)
    npz.check()
    for found in (npz["a"], npz.read("a", verify=False), npz.map("a")):
        assert find_difference(found, array) is None
        assert found.dtype == array.dtype
        assert found.flags.f_contiguous == array.flags.f_contiguous
    if array.ndim:
        for rows in (slice(1, 3), slice(None, None, -1)):
            assert find_difference(npz.read("a", rows), array[rows].copy()) is None


def test_rows_of_a_0d_array_are_refused() -> None:
    with pytest.raises(InvalidArtifactError) as caught:
        open_npz(_write({"a": np.array(1)})).read("a", slice(1))
    assert (caught.value.code, caught.value.where) == ("no_rows", "memory: a")


@pytest.mark.parametrize(
    "array", [np.arange(3), np.asfortranarray(np.ones((3, 2))), np.array(["a", None, 1], object)]
)
def test_rows_in_steps_of_nothing_are_refused(array: np.ndarray) -> None:
    with pytest.raises(InvalidArtifactError, match="steps of 0") as caught:
        open_npz(make_npz({"a": make_npy(array)})).read("a", slice(0, 3, 0))
    assert (caught.value.code, caught.value.where) == ("no_rows", "memory: a")


@pytest.mark.parametrize("method", [0, DEFLATED])
@pytest.mark.parametrize("shape", ["(3,)", "(3, 1)"])
@pytest.mark.parametrize("fortran", [False, True])
def test_b2_text_beyond_unicode_is_refused_by_every_way_of_reading(
    method: int, shape: str, *, fortran: bool
) -> None:
    header = f"{{'descr': '<U1', 'fortran_order': {fortran}, 'shape': {shape}}}"
    points = np.array([0x61, 0x110000, 0x62], "<u4").tobytes()
    npz = open_npz(make_npz({"a": make_raw_npy(header, points)}, method=method))
    for read in (
        lambda: npz.read("a"),
        lambda: npz.read("a", verify=False),
        lambda: npz.map("a"),
        lambda: npz.read("a", slice(1, 2)),
        lambda: npz.read("a", slice(None, None, -1)),
    ):
        with pytest.raises(InvalidArtifactError) as caught:
            read()
        assert (caught.value.code, caught.value.where) == ("npy_text", "memory: a")


@pytest.mark.parametrize("major", [1, 2, 3])
@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }",
        "{'shape': (2,), 'fortran_order': False, 'descr': '<i2'}",
        '{"descr":"<i2","fortran_order":False,"shape":(2,)}',
        "{ 'descr' : '<i2' , 'shape' : ( 2 , ) , 'fortran_order' : False , } \n\n",
        "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }" + " " * 2_000 + "\n",
    ],
)
def test_headers_of_other_writers_are_read(header: str, major: int) -> None:
    data = make_npz({"a": make_raw_npy(header, b"\x01\x00\x02\x00", major=major)})
    deflated = make_npz({"a": make_raw_npy(header, bytes(4), major=major)}, method=DEFLATED)
    for npz in (open_npz(data), open_npz(deflated)):
        assert npz.shape("a") == (2,)
        assert npz["a"].dtype == np.int16
    assert open_npz(data)["a"].tolist() == [1, 2]
    assert open_npz(data).map("a").tolist() == [1, 2]


def test_a_long_header_of_a_large_array_is_read() -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (400000,), }" + " " * 5_000 + "\n"
    content = make_raw_npy(header, bytes(range(200)) * 2_000)
    for method in (0, DEFLATED):
        npz = open_npz(make_npz({"a": content}, method=method))
        assert npz["a"].sum() == 199 * 100 * 2_000
        assert npz.read("a", slice(2)).tolist() == [0, 1]


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("size", [3, 90_000])
def test_b3_data_descriptors_of_every_form_are_normal(
    *, signed: bool, wide: bool, stated: bool, size: int
) -> None:
    content = make_npy(np.arange(size))
    entry = Entry(b"a.npy", content, flags=8)
    if not stated:
        entry = entry.but(local={"crc": 0, "stored_size": 0, "size": 0})
    sizes = struct.pack("<2Q" if wide else "<2L", len(content), len(content))
    behind = b"PK\x07\x08" * signed + struct.pack("<L", zlib.crc32(content)) + sizes
    npz = open_npz(make_zip(entry.but(behind=behind), Entry(b"b.npy", content)))
    npz.check()
    assert npz["a"].tolist() == list(range(size))
    assert npz.read("a", slice(1, 3)).tolist() == [1, 2]


def test_b3_a_stream_that_ends_in_an_empty_block_is_read() -> None:
    content = make_npy(np.arange(9))
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    payload = stream.compress(content) + stream.flush(zlib.Z_FULL_FLUSH)
    payload += stream.flush(zlib.Z_FULL_FLUSH) + stream.flush()
    npz = open_npz(make_zip(Entry(b"a.npy", content, method=DEFLATED, payload=payload)))
    npz.check()
    assert npz["a"].tolist() == list(range(9))


def test_b3_a_stream_whose_end_lies_far_behind_its_content_is_read() -> None:
    content = make_npy(np.arange(9))
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    payload = stream.compress(content) + stream.flush(zlib.Z_SYNC_FLUSH)
    payload += b"\x00\x00\x00\xff\xff" * 60_000 + b"\x01\x00\x00\xff\xff"  # empty blocks
    npz = open_npz(make_zip(Entry(b"a.npy", content, method=DEFLATED, payload=payload)))
    assert npz["a"].tolist() == list(range(9))


def test_b2_a_type_this_platform_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise TypeError

    monkeypatch.setattr(dtypes, "np", SimpleNamespace(dtype=refuse))
    with pytest.raises(InvalidArtifactError, match="this platform has no element type '<c32'"):
        dtypes.parse_dtype("<c32")


def test_b3_compression_of_zeros_is_honest(tmp_path: Path) -> None:
    path = tmp_path / "zeros.npz"
    np.savez_compressed(path, a=np.zeros(3_000_000))
    with open_npz(path) as npz:
        assert not npz["a"].any()
        assert npz["a"].shape == (3_000_000,)


def test_zip64_a_member_beyond_4_gib_is_read_by_rows_and_mapped(tmp_path: Path) -> None:
    """A sparse file: 5 GiB of zeros that take no room, and one row that is not zero."""
    rows, width = 5 << 10, 1 << 20
    header = build_header(np.dtype("u1"), (rows, width))
    big = zip_format.plan_member(b"big.npy", len(header) + rows * width, 0)
    content = make_npy(np.arange(3))
    side = zip_format.plan_member(b"side.npy", len(content), big.end)
    path = tmp_path / "sparse.npz"
    with path.open("wb") as file:
        file.write(zip_format.build_local(big, 0) + header)
        file.seek(big.data_offset + len(header) + 4_500 * width)
        file.write(b"\x07" * width)
        file.seek(side.offset)
        file.write(zip_format.build_local(side, zlib.crc32(content)) + content)
        directory = zip_format.build_central(big, 0)
        directory += zip_format.build_central(side, zlib.crc32(content))
        file.write(directory + zip_format.build_end(2, side.end, len(directory)))
    assert path.stat().st_size > 5 << 30
    with open_npz(path) as npz:
        assert npz.shape("big") == (rows, width)
        assert npz.read("big", slice(4_499, 4_501))[:, ::100_000].sum(axis=1).tolist() == [0, 77]
        assert npz.map("big")[4_500, -1] == 7
        assert npz["side"].tolist() == [0, 1, 2]


def test_p9_whole_reads_check_the_crc_and_partial_ones_say_they_do_not() -> None:
    for size in (100, 50_000, 3 << 20):
        data = bytearray(_write({"a": np.zeros(size, np.uint8)}))
        data[200 + size // 2] ^= 1
        npz = open_npz(bytes(data))
        with pytest.raises(InvalidArtifactError) as caught:
            npz.read("a")
        assert (caught.value.code, caught.value.where) == ("crc_mismatch", "memory: a")
        with pytest.raises(InvalidArtifactError, match="CRC"):
            npz.check()
        assert npz.read("a", verify=False).sum() == 1
        assert npz.read("a", slice(None)).sum() == 1
        assert npz.map("a").sum() == 1


@pytest.mark.parametrize("key", ["meta", "meta_json", "o"])
def test_b3_meta_and_objects_are_checked_even_unverified(key: str) -> None:
    text = "unmistakable"
    data = _write({"o": np.array([text * 2], dtype=object)}, {"a": text * 3})
    spot = {"o": text * 2, "meta": text * 3}.get(key, text * 3).encode(
        "utf-32-le" if key == "meta_json" else "utf-8"
    )
    at = data.rindex(spot) if key != "o" else data.index(spot)
    damaged = bytearray(data)
    damaged[at] ^= 1
    npz = open_npz(bytes(damaged))
    for read in (
        lambda: npz.read(key, verify=False),
        lambda: npz.map(key),
        lambda: npz.read_meta_object() if key == "meta" else npz.read(key),
        lambda: npz.read_meta() if key == "meta_json" else npz.read(key),
    ):
        with pytest.raises(InvalidArtifactError) as caught:
            read()
        assert caught.value.code == "crc_mismatch"


def test_rows_of_an_object_array_are_checked_and_decoded() -> None:
    for method in (0, DEFLATED):
        names = np.array([f"n{i}" for i in range(40)], dtype=object)
        npz = open_npz(make_npz({"o": make_npy(names)}, method=method))
        assert npz.read("o", slice(38, None)).tolist() == ["n38", "n39"]
        assert not npz.map("o").flags.writeable


def test_large_object_members_are_read_in_one_piece() -> None:
    names = np.array([f"name {i}" for i in range(20_000)], dtype=object)
    for method in (0, DEFLATED):
        npz = open_npz(make_npz({"o": make_npy(names)}, method=method))
        npz.check()
        assert npz["o"].tolist() == names.tolist()


def test_c4_artifacts_from_elsewhere_with_only_meta_stay_readable() -> None:
    data = make_npz({"meta": make_object_npy(wrap_pickle(b"}X\x01\x00\x00\x00aK\x05s"))})
    assert read_meta(data) == {"a": 5}
    with pytest.raises(InvalidArtifactError) as caught:
        open_npz(data).read_meta_json()
    assert caught.value.code == "meta_missing"


def test_meta_json_in_big_endian_is_read() -> None:
    assert read_meta(make_npz({"meta_json": make_npy(np.array('{"a":"ü"}', ">U20"))})) == {"a": "ü"}


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (ReadLimits(max_members=2), "max_members"),
        (ReadLimits(max_directory_bytes=100), "max_directory_bytes"),
        (ReadLimits(max_member_bytes=100), "max_member_bytes"),
        (ReadLimits(max_total_bytes=1_000), "max_total_bytes"),
        (ReadLimits(max_header_bytes=50), "max_header_bytes"),
        (ReadLimits(max_object_bytes=10), "max_object_bytes"),
        (ReadLimits(max_object_opcodes=10), "max_object_opcodes"),
        (ReadLimits(max_object_depth=1), "max_object_depth"),
        (ReadLimits(max_object_nodes=3), "max_object_nodes"),
        (ReadLimits(max_object_text_bytes=3), "max_object_text_bytes"),
        (ReadLimits(max_json_chars=3), "max_json_chars"),
    ],
)
def test_every_limit_is_configurable_and_named(limits: ReadLimits, name: str) -> None:
    data = _write({"a": np.arange(50)}, {"a": "some text", "b": [1, 2, 3]})
    open_npz(data).check()
    with pytest.raises(InvalidArtifactError, match=name) as caught:
        open_npz(data, limits).check()
    assert caught.value.code == "limit_exceeded"
    assert "ReadLimits" in caught.value.hint


def test_the_limit_of_inflating_is_configurable_too(compressed_path: Path) -> None:
    with pytest.raises(InvalidArtifactError, match="max_inflated_bytes"):
        open_npz(compressed_path, ReadLimits(max_inflated_bytes=1 << 20))


def test_a_large_object_member_beyond_its_limit_is_refused_unread(counting_source: Any) -> None:
    names = np.array(["x" * 1_000_000], dtype=object)
    source = counting_source(make_npz({"o": make_npy(names)}))
    npz = open_npz(source, ReadLimits(max_object_bytes=100_000))
    with pytest.raises(InvalidArtifactError, match="max_object_bytes"):
        npz.read("o")
    assert sum(size for _, size in source.reads) < 50_000


class _Shrinking:
    """A source that loses its end after opening."""

    name = "shrinking.npz"

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self.data = data

    def read_at(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size]


def test_a_source_that_becomes_shorter_is_an_error_naming_it() -> None:
    source = _Shrinking(_write({"a": np.zeros(100_000)}))
    npz = open_npz(source)
    source.data = source.data[:1_000]
    for read in (lambda: npz["a"], lambda: npz.read("a", slice(50_000, 50_001)), npz.check):
        with pytest.raises(InvalidArtifactError) as caught:
            read()
        assert (caught.value.code, caught.value.where) == ("truncated", "shrinking.npz: a")


def test_a_file_that_becomes_shorter_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(_write({"a": np.zeros(1_000_000)}))
    with open_npz(path) as npz:
        os.truncate(path, 4_000_000)
        for read in (lambda: npz["a"], lambda: npz.read("a", slice(900_000, None))):
            with pytest.raises(InvalidArtifactError, match="cut short"):
                read()


def test_memory_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    npz = open_npz(_write({"a": np.zeros(100_000)}))
    monkeypatch.setattr(stored_array, "allocate", refuse)
    with pytest.raises(InvalidArtifactError) as caught:
        npz.read("a")
    assert (caught.value.code, caught.value.where) == ("out_of_memory", "memory: a")
    monkeypatch.setattr("filmcan.npz.reader.read_directory", refuse)
    with pytest.raises(InvalidArtifactError) as caught:
        open_npz(b"")
    assert caught.value.where == "memory"


def test_other_errors_pass_through_unchanged() -> None:
    with pytest.raises(TypeError):
        open_npz(_write({"a": np.zeros(3)})).read("a", slice("x"))


_LIGHT = "import filmcan, sys; sys.exit('numpy' in sys.modules)"


def test_the_facade_loads_no_numpy() -> None:
    subprocess.run(
        [sys.executable, "-c", _LIGHT],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize("writer", ["savez", "savez_compressed", "streamed", "protocols"])
@pytest.mark.parametrize("version", ["1.26.4", "2.4.6"])
def test_p16_files_of_numpy_1_and_2_are_read(
    golden_folder: Path, version: str, writer: str
) -> None:
    script = runpy.run_path(str(golden_folder / "make_golden.py"))
    with open_npz(golden_folder / f"numpy-{version}-{writer}.npz") as npz:
        npz.check()
        if writer == "protocols":
            expected = dict.fromkeys(npz, script["build_arrays"]()["meta"])
            assert len(expected) == 6
        else:
            expected = script["build_arrays"]()
            assert npz.read_meta().keys() == expected["meta"].item().keys()
        assert set(npz) == set(expected)
        for key, array in expected.items():
            assert find_difference(npz[key], array) is None, key
            assert npz[key].dtype == array.dtype, key


def test_p16_every_npz_of_the_legacy_store_is_read(legacy_store: Path) -> None:
    paths = sorted(legacy_store.rglob("*.npz"))
    assert len(paths) == 32
    for path in paths:
        with open_npz(path) as npz, np.load(path, allow_pickle=True) as expected:
            npz.check()
            assert npz.read_meta()["producer"]
            assert set(npz) == set(expected.files)
            for key in npz:
                assert find_difference(npz[key], expected[key]) is None, (path, key)
