"""Reading and hashing in one pass: nothing is returned whose digest is not the manifest's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.errors import InvalidArtifactError, NotFoundError
from filmcan.npz import source as source_module
from filmcan.npz.source import open_file
from filmcan.npz.verified import open_verified, read_hashed
from filmcan.npz.writer import write_npz


def _write(path: Path, rows: int) -> tuple[str, np.ndarray]:
    array = np.random.default_rng(7).random((rows, 512), np.float32)
    with path.open("wb") as file:
        return write_npz(file, {"x": array}, {"status": "ok"}).sha256, array


@pytest.mark.parametrize("rows", [3, 5_000])
@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize("mapped", [False, True])
def test_a_verified_artifact_is_the_one_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, processors: int, mapped: bool
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    path = tmp_path / "a.npz"
    sha256, array = _write(path, rows)
    with open_verified(path, sha256, mapped=mapped) as npz:
        path.unlink()
        mapped = npz.map("x")
        assert np.array_equal(mapped, array)
        assert mapped.flags.aligned
        assert mapped.__array_interface__["data"][0] % 64 == 0
        assert not mapped.flags.writeable
        assert npz.read_meta() == {"status": "ok"}
        assert npz.name == "a.npz"


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("rows", [3, 5_000])
def test_p9_a_flipped_bit_anywhere_is_refused_before_anything_is_parsed(
    tmp_path: Path, rows: int, mapped: bool
) -> None:
    path = tmp_path / "a.npz"
    sha256, _ = _write(path, rows)
    data = bytearray(path.read_bytes())
    for at in (0, len(data) // 2, len(data) - 1):
        data[at] ^= 1
        path.write_bytes(data)
        with pytest.raises(InvalidArtifactError) as caught:
            open_verified(path, sha256, mapped=mapped)
        assert (caught.value.code, caught.value.where) == ("hash_mismatch", "a.npz")
        data[at] ^= 1


def test_it_hashes_what_it_returns_also_from_a_source_without_files(
    counting_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "RANGE_BYTES", 1_000)
    data = np.random.default_rng(7).bytes(3 << 20)
    source = counting_source(data[:10_500])
    read, found = read_hashed(source)
    assert bytes(read) == data[:10_500]
    assert found == hashlib.sha256(data[:10_500]).hexdigest()
    assert len(source.reads) == 11, "every byte is read once"


def test_a_file_that_became_shorter_is_an_error_and_one_given_open_stays_open(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.npz"
    sha256, _ = _write(path, 2_000)
    source = open_file(path)
    os.truncate(path, 100)
    with pytest.raises(InvalidArtifactError) as caught:
        open_verified(source, sha256)
    assert caught.value.code == "truncated"
    assert source.read_at(0, 4) == b"PK\x03\x04"
    source.close()


def test_what_cannot_be_mapped_is_read(counting_source: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    sha256, array = _write(path, 3)
    with open_verified(counting_source(path.read_bytes()), sha256, mapped=True) as npz:
        assert np.array_equal(npz["x"], array)
    path.write_bytes(b"")
    with pytest.raises(InvalidArtifactError) as caught:
        open_verified(path, sha256, mapped=True)
    assert caught.value.code == "hash_mismatch"


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_verified(tmp_path / "none.npz", "0" * 64)
