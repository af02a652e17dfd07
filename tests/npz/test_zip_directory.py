"""What the reader remembers of directories it met decides nothing (threats B3)."""

from __future__ import annotations

import io

import numpy as np
import pytest

from filmcan.errors import InvalidArtifactError
from filmcan.npz import zip_directory
from filmcan.npz.limits import ReadLimits
from filmcan.npz.reader import open_npz
from filmcan.npz.writer import write_npz


def _write(seed: int, rows: int = 3) -> bytes:
    generator = np.random.default_rng(seed)
    file = io.BytesIO()
    arrays = {f"k{number}": generator.random((rows, number + 1)) for number in range(4)}
    write_npz(file, arrays, {"seed": seed})
    return file.getvalue()


def _forget() -> None:
    zip_directory._layouts.clear()
    zip_directory._parse_table_once.cache_clear()


def _judge(data: bytes) -> object:
    """Return what opening and reading comes to: values, or the error's code and words."""
    try:
        with open_npz(data) as npz:
            return {key: npz[key].tobytes() for key in npz if key != "meta"}
    except InvalidArtifactError as error:
        return error.code, str(error)


def test_artifacts_of_one_layout_are_each_read_as_if_met_first() -> None:
    files = [_write(seed, rows) for seed in range(3) for rows in (3, 3, 5)]
    _forget()
    remembered = [_judge(data) for data in files]
    assert zip_directory._layouts
    for data, found in zip(files, remembered, strict=True):
        _forget()
        assert isinstance(found, dict)
        assert _judge(data) == found


def test_every_changed_byte_of_a_directory_is_judged_as_if_nothing_was_remembered() -> None:
    data = _write(1)
    start = data.index(b"PK\x01\x02")
    for at in range(start, len(data)):
        for change in (1, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= change
            _forget()
            fresh = _judge(bytes(changed))
            _forget()
            assert isinstance(_judge(data), dict)
            assert _judge(bytes(changed)) == fresh, (at, change)


def test_limits_are_those_of_each_reader_also_for_a_remembered_directory() -> None:
    data = _write(1)
    open_npz(data).close()
    with pytest.raises(InvalidArtifactError, match="max_total_bytes"):
        open_npz(data, ReadLimits(max_total_bytes=100))
    with pytest.raises(InvalidArtifactError, match="max_members"):
        open_npz(data, ReadLimits(max_members=3))


def test_what_is_remembered_has_bounds() -> None:
    _forget()
    for count in range(zip_directory._MAX_LAYOUTS + 5):
        file = io.BytesIO()
        write_npz(file, {f"k{number}": np.zeros(1) for number in range(count)}, {})
        open_npz(file.getvalue()).close()
    assert 0 < len(zip_directory._layouts) <= zip_directory._MAX_LAYOUTS
