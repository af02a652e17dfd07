"""Fixtures for the codec's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from filmcan.npz.reader import open_npz
from filmcan.npz.source import MemorySource

_REPOSITORY = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Return the folder of files written by numpy 1 and numpy 2."""
    return _REPOSITORY / "tests" / "data" / "npz"


@pytest.fixture
def typical_arrays() -> dict[str, np.ndarray]:
    """Return arrays as a visual component gives them, some 40 KB."""
    rng = np.random.default_rng(7)
    count = 40
    return {
        "frame_indices": np.arange(0, 2 * count, 2, dtype=np.int32),
        "times_sec": np.arange(count, dtype=np.float32) / 2,
        "frame_present": np.ones(count, bool),
        "frame_embeddings": rng.normal(size=(count, 256)).astype(np.float32),
        "has_any_face": np.array(False),
        "faces_empty_reason": np.array("no_faces_in_video"),
        "feature_names": np.array(["motion_mean", "motion_p95"], dtype=object),
        "feature_values": np.array([0.5, np.nan], np.float32),
        "preview_maps": np.zeros((0, 8, 8, 2), np.float16),
    }


@pytest.fixture
def typical_meta() -> dict[str, object]:
    """Return a meta of the usual size."""
    return {
        "producer": "core_face_landmarks",
        "schema_version": "core_face_landmarks_npz_v1",
        "created_at": "2026-01-02T03:04:05.678Z",
        "status": "ok",
        "empty_reason": None,
        "models_used": [{"model_name": "Ωmega", "weights_digest": "0f" * 32}],
        "config_hash": "0" * 64,
    }


class CountingSource:
    """A source as an object store gives it, which remembers every range it was asked for."""

    def __init__(self, data: bytes) -> None:
        self.name = "counted.npz"
        self.size = len(data)
        self.reads: list[tuple[int, int]] = []
        self._data = data

    def read_at(self, offset: int, size: int) -> bytes:
        """Note the range and return its bytes."""
        self.reads.append((offset, size))
        return self._data[offset : offset + size]


@pytest.fixture
def counting_source() -> type[CountingSource]:
    """Return the class of sources that count their reads."""
    return CountingSource


def _read_everything(data: bytes) -> dict[str, np.ndarray]:
    """Read all there is, by every way of reading, and return the verified arrays."""
    with open_npz(MemorySource(data, "hostile.npz")) as npz:
        npz.check()
        arrays = {key: npz.read(key) for key in npz}
        for key in npz:
            npz.map(key)
            npz.shape(key)
            npz.dtype(key)
            if npz.shape(key):
                npz.read(key, rows=slice(None, 2))
        npz.read_meta_object()
        npz.read_meta()
        return arrays


@pytest.fixture(scope="session")
def read_everything() -> Callable[[bytes], dict[str, np.ndarray]]:
    """Return a function that reads a whole NPZ by every way of reading."""
    return _read_everything
