"""What the writer promises: the same bytes for the same content, readable by anyone."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.errors import InvalidArtifactError
from filmcan.npz import writer, zip_format
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import OVERLAP_FROM_BYTES, Written, write_npz
from filmcan.testing.made_npz import find_difference

_BIG = OVERLAP_FROM_BYTES // 4 + 1_000


def _write(arrays: dict[str, Any], meta: dict[str, object] | None = None) -> bytes:
    file = io.BytesIO()
    written = write_npz(file, arrays, {"status": "ok"} if meta is None else meta)
    data = file.getvalue()
    assert written == Written(len(data), hashlib.sha256(data).hexdigest())
    return data


def _load(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data), allow_pickle=True) as npz:
        return dict(npz)


def test_c4_numpy_alone_reads_every_array(
    typical_arrays: dict[str, Any], typical_meta: dict[str, Any]
) -> None:
    loaded = _load(_write(typical_arrays, typical_meta))
    assert loaded.keys() == {*typical_arrays, "meta", "meta_json"}
    for key, array in typical_arrays.items():
        assert find_difference(loaded[key], array) is None, key


def test_c4_meta_is_a_dict_in_a_0d_object_array_and_meta_json_its_text(
    typical_meta: dict[str, Any],
) -> None:
    loaded = _load(_write({}, typical_meta))
    assert loaded["meta"].shape == ()
    assert loaded["meta"].dtype == object
    assert loaded["meta"].item() == typical_meta
    assert loaded["meta_json"].shape == ()
    assert loaded["meta_json"].item().startswith('{"config_hash":"000')


def test_c4_small_members_come_last_and_meta_json_last_of_all() -> None:
    data = _write({"a": np.zeros(3), "b": np.zeros(5_000), "c": np.zeros(900), "d": np.zeros(3)})
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert names == ["b.npy", "c.npy", "a.npy", "d.npy", "meta.npy", "meta_json.npy"]


def test_c4_the_order_of_dicts_does_not_show(
    typical_arrays: dict[str, Any], typical_meta: dict[str, Any]
) -> None:
    backwards = dict(reversed(typical_arrays.items()))
    assert _write(typical_arrays, typical_meta) == _write(
        backwards, dict(reversed(typical_meta.items()))
    )


def test_c4_the_identity_of_strings_does_not_show() -> None:
    word = "interned_word"
    other = b"interned_word".decode()
    assert word is not other
    names = [np.array([word, word], dtype=object), np.array([word, other], dtype=object)]
    first, second = (_write({"n": array}, {"a": array[0], "b": array[1]}) for array in names)
    assert first == second


_SCRIPT = """
import io, sys, numpy as np
from filmcan.npz.writer import write_npz
file = io.BytesIO()
names = np.array(["a" * 3, "".join(["a"] * 3), "é"], dtype=object)
payload = np.array({"k": [1], "b": {"z": 0, "a": 1}}, dtype=object)
arrays = {"x": np.arange(100_000, dtype="f4"), "names": names, "payload": payload}
print(write_npz(file, arrays, {"b": [None, True, 1.25], "a": "é"}).sha256)
"""


def test_c4_another_interpreter_writes_the_same_bytes() -> None:
    digests = set()
    for seed in ("0", "1", "77"):
        found = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(found.stdout)
    assert len(digests) == 1


def test_c4_the_bytes_of_one_artifact_are_fixed() -> None:
    """A change of the format must be meant: C4.5 names artifacts after their bytes."""
    arrays: dict[str, Any] = {
        "n": np.array(["a", None, "é"], dtype=object),
        "x": np.arange(7, dtype=">f4"),
        "flag": np.bool_(True),
    }
    digest = hashlib.sha256(_write(arrays, {"status": "ok", "n": 1})).hexdigest()
    assert digest == "8eb26353a902d2cea273a2871f4f22afa40ce8130e5d939624696140e8ea66e4"


def test_the_standard_library_finds_nothing_wrong(
    typical_arrays: dict[str, Any], typical_meta: dict[str, Any]
) -> None:
    with zipfile.ZipFile(io.BytesIO(_write(typical_arrays, typical_meta))) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_finds_nothing_wrong(tmp_path: Path, typical_arrays: dict[str, Any]) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(_write(typical_arrays))
    command = [str(shutil.which("unzip")), "-t", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


def test_array_data_start_on_multiples_of_64(typical_arrays: dict[str, Any]) -> None:
    data = _write(typical_arrays)
    for info in zipfile.ZipFile(io.BytesIO(data)).infolist():
        name_size, extra_size = struct.unpack_from("<2H", data, info.header_offset + 26)
        start = info.header_offset + 30 + name_size + extra_size
        (header_size,) = struct.unpack_from("<H", data, start + 8)
        assert start % 64 == 0
        assert (10 + header_size) % 64 == 0
        assert data[start + 10 + header_size - 1 : start + 10 + header_size] == b"\n"


@pytest.mark.parametrize(
    "array",
    [
        np.float32(1.5),
        np.array(7),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(20)[::-3],
        np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(5, dtype=">i2"),
        np.array(["ab", "ü"], dtype=">U2"),
        np.array("", dtype="U0"),
        np.zeros((2, 0, 3), ">c16"),
        np.broadcast_to(np.float64(2), (3, 4)),
        np.array(["NaT", "2026-01-01"], ">M8[D]"),
        np.array([b"a", b""]),
    ],
)
def test_any_layout_is_written_little_endian_and_in_c_order(array: np.ndarray) -> None:
    found = _load(_write({"a": array}))["a"]
    assert find_difference(found, np.asarray(array)) is None
    assert found.flags.c_contiguous
    assert found.dtype.str[0] in "<|"


def test_an_array_that_lies_right_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(_BIG, dtype=np.float32)
    seen = []
    monkeypatch.setattr(writer, "_hash", lambda parts, *_: seen.append(parts[0].body) or "")
    write_npz(io.BytesIO(), {"a": array}, {})
    assert np.shares_memory(np.frombuffer(seen[0], np.float32), array)


@pytest.mark.parametrize("count", [10, _BIG])
def test_files_and_memory_get_the_same_bytes(tmp_path: Path, count: int) -> None:
    arrays = {"a": np.arange(count, dtype=np.float32), "b": np.arange(9)}
    with (tmp_path / "a").open("x+b") as file:
        write_npz(file, arrays, {})
        assert file.tell() == os.fstat(file.fileno()).st_size
    assert (tmp_path / "a").read_bytes() == _write(arrays, {})


class _Reluctant(io.BytesIO):
    """A file that takes at most 1000 bytes at a time."""

    def write(self, data: Any) -> int:
        return super().write(memoryview(data)[:1_000])


@pytest.mark.parametrize("count", [10, 1_000, _BIG])
def test_a_file_that_writes_short_gets_everything(count: int) -> None:
    arrays = {"a": np.arange(count, dtype=np.float32)}
    file = _Reluctant()
    write_npz(file, arrays, {"status": "ok"})
    assert file.getvalue() == _write(arrays)


class _Full(io.BytesIO):
    """A file that takes nothing."""

    def write(self, data: Any) -> int:
        return 0


@pytest.mark.parametrize("count", [10, _BIG])
def test_p5_a_file_that_takes_nothing_is_an_error(count: int) -> None:
    with pytest.raises(OSError, match="takes no more"):
        write_npz(_Full(), {"a": np.zeros(count)}, {})


@pytest.mark.parametrize("count", [10, _BIG])
def test_p3_sync_is_called_once_when_the_system_has_every_byte(tmp_path: Path, count: int) -> None:
    arrays = {"a": np.arange(count, dtype=np.float32)}
    path = tmp_path / "a.npz"
    seen = []
    with path.open("x+b") as file:
        write_npz(file, arrays, {"status": "ok"}, sync=lambda: seen.append(path.read_bytes()))
    assert seen == [_write(arrays)]


@pytest.mark.parametrize("count", [10, _BIG])
def test_p4_a_failed_sync_fails_the_write(count: int) -> None:
    def sync() -> None:
        raise OSError(5, "no")

    before = threading.active_count()
    with pytest.raises(OSError, match="no"):
        write_npz(io.BytesIO(), {"a": np.zeros(count)}, {}, sync=sync)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("arrays", "code", "where"),
    [
        ({"a": [1, 2]}, "not_an_array", "a"),
        ({"a": np.ma.masked_array([1.0], [True])}, "not_an_array", "a"),
        ({"a": np.zeros(1, "f4,f4")}, "npy_dtype", "a"),
        ({"a": np.zeros(1, "V3")}, "npy_dtype", "a"),
        ({"a": np.zeros(1, np.longdouble)}, "npy_dtype", "a"),
        ({"a": np.zeros((1,) * 33)}, "limit_exceeded", "a"),
        ({"a": np.array([{1: 2}], dtype=object)}, "object_value", "a"),
        ({"a": np.array([0x110000], "<u4").view("<U1")}, "npy_text", "a"),
        ({"a b": np.zeros(1)}, "zip_name", ""),
        ({"../a": np.zeros(1)}, "zip_name", ""),
        ({"-a": np.zeros(1)}, "zip_name", ""),
        ({"meta": np.zeros(1)}, "zip_name", ""),
        ({"a": np.zeros(1), "A": np.zeros(1)}, "zip_duplicate", ""),
        ({"a.npy": np.zeros(1)}, "zip_name", ""),
        ({3: np.zeros(1)}, "zip_name", ""),
        ([np.zeros(1)], "not_a_dict", ""),
        ({f"k{i}": np.zeros(1) for i in range(4_095)}, "limit_exceeded", ""),
    ],
)
def test_what_cannot_be_read_back_is_not_written(
    arrays: dict[str, Any], code: str, where: str
) -> None:
    file = io.BytesIO()
    with pytest.raises(InvalidArtifactError) as caught:
        write_npz(file, arrays, {})
    assert (caught.value.code, caught.value.where) == (code, where)
    assert file.getvalue() == b""


def test_keys_that_cannot_stand_side_by_side_are_both_named() -> None:
    with pytest.raises(InvalidArtifactError, match="'Ab' and 'aB' differ only in case"):
        write_npz(io.BytesIO(), {"x": np.zeros(1), "Ab": np.zeros(1), "aB": np.zeros(1)}, {})


@pytest.mark.parametrize("meta", [None, 3, [("a", 1)]])
def test_a_meta_that_is_no_dict_is_refused(meta: Any) -> None:
    with pytest.raises(InvalidArtifactError, match="expected meta as a dict") as caught:
        write_npz(io.BytesIO(), {}, meta)
    assert caught.value.code == "not_a_dict"


_UNITS = """
import io, sys, numpy as np
from filmcan.npz.writer import write_npz
def write(unit):
    return write_npz(io.BytesIO(), {"t": np.array([1, 2], unit)}, {}).sha256
print([write(unit) for unit in sys.argv[1:]][-1])
"""


def test_c4_what_was_written_before_does_not_show() -> None:
    """`M8[1000ms]` equals `M8[s]`, and so does its hash, yet each is spelled its own way."""
    digests = set()
    for units in (["M8[s]"], ["M8[1000ms]", "M8[s]"]):
        found = subprocess.run(
            [sys.executable, "-c", _UNITS, *units],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(found.stdout)
    assert len(digests) == 1


@pytest.mark.parametrize(
    "meta",
    [
        {"a": float("nan")},
        {"a": np.float32(1)},
        {1: 2},
        {"a": {1: 2}},
        {"a": {1, 2}},
        {"a": "\ud800"},
        {"a": 10**4_300},
    ],
)
def test_a_meta_that_is_no_json_is_refused(meta: Any) -> None:
    with pytest.raises(InvalidArtifactError) as caught:
        write_npz(io.BytesIO(), {}, meta)
    assert (caught.value.code, caught.value.where) == ("meta_invalid", "meta")


def test_a_meta_beyond_the_readers_limit_is_refused() -> None:
    with pytest.raises(InvalidArtifactError, match="max_json_chars"):
        write_npz(io.BytesIO(), {}, {"a": "x" * (4 << 20)})


def test_c4_meta_and_meta_json_agree_also_for_tuples() -> None:
    npz = open_npz(_write({}, {"a": (1, 2)}))
    assert npz.read_meta_object() == npz.read_meta() == {"a": [1, 2]}


@pytest.mark.parametrize("limit", [1, 300, 1_500])
def test_zip64_fields_are_written_from_their_limit_on_and_read_by_all(
    monkeypatch: pytest.MonkeyPatch, typical_arrays: dict[str, Any], limit: int
) -> None:
    """The limit of 4 GiB, lowered: sizes, offsets and the end record need zip64 at 1 byte."""
    monkeypatch.setattr(zip_format, "ZIP64_FROM", limit)
    data = _write(typical_arrays)
    assert b"PK\x06\x06" in data
    assert b"PK\x06\x07" in data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    with open_npz(data) as npz:
        npz.check()
        for key, array in _load(data).items():
            assert find_difference(npz[key], array) is None
    for info in zipfile.ZipFile(io.BytesIO(data)).infolist():
        name_size, extra_size = struct.unpack_from("<2H", data, info.header_offset + 26)
        assert (info.header_offset + 30 + name_size + extra_size) % 64 == 0


def test_many_members_need_no_zip64_below_65535() -> None:
    data = _write({f"k{i}": np.zeros(1, "u1") for i in range(4_094)})
    assert b"PK\x06\x06" not in data
    assert len(open_npz(data)) == 4_096
