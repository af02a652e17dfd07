"""The formats that `storage` compares: each writes one artifact and reads it in four ways.

safetensors, zarr and h5py are optional (`bench/requirements.txt`); who is absent is left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import filmcan
from filmcan.npz.writer import write_npz

Arrays = Mapping[str, np.ndarray]
Meta = dict[str, object]


class Format(Protocol):
    """One way to keep an artifact; `read_*` open it, read, and close it."""

    name: str

    def write(self, path: Path, arrays: Arrays, meta: Meta) -> None:
        """Write durably and know the sha256, as a store must."""

    def read_meta(self, path: Path) -> object:
        """Return the meta."""

    def read_key(self, path: Path, key: str) -> np.ndarray:
        """Return one array."""

    def read_rows(self, path: Path, key: str, rows: int) -> np.ndarray:
        """Return the first rows of an array."""

    def read_all(self, path: Path) -> dict[str, np.ndarray]:
        """Return every array, and decode the meta."""


def _seal(path: Path) -> str:
    """Make a written file durable and return its sha256."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Ours:
    """filmcan: every whole array's CRC is checked."""

    name = "filmcan"

    def write(self, path: Path, arrays: Arrays, meta: Meta) -> None:  # noqa: D102
        with path.open("wb") as file:
            write_npz(file, arrays, meta, sync=lambda: os.fsync(file.fileno()))

    def read_meta(self, path: Path) -> object:  # noqa: D102
        return filmcan.read_meta(path)

    def read_key(self, path: Path, key: str) -> np.ndarray:  # noqa: D102
        with filmcan.open_artifact(path) as artifact:
            return artifact[key]

    def read_rows(self, path: Path, key: str, rows: int) -> np.ndarray:  # noqa: D102
        with filmcan.open_artifact(path) as artifact:
            return artifact.read(key, rows=slice(0, rows))

    def read_all(self, path: Path) -> dict[str, np.ndarray]:  # noqa: D102
        with filmcan.open_artifact(path) as artifact:
            _ = artifact.meta
            return {key: artifact[key] for key in artifact.keys()}  # noqa: SIM118

    def read_all_unchecked(self, path: Path) -> dict[str, np.ndarray]:
        """Return every array without checking CRCs; the meta's is checked in any case."""
        with filmcan.open_artifact(path) as artifact:
            _ = artifact.meta
            return {key: artifact.read(key, verify=False) for key in artifact.keys()}  # noqa: SIM118


class Numpy:
    """numpy's savez and load, CRCs checked by `zipfile`, the meta a pickle."""

    name = "numpy"

    def write(self, path: Path, arrays: Arrays, meta: Meta) -> None:  # noqa: D102
        with path.open("wb") as file:
            np.savez(file, meta=np.array(meta, dtype=object), **arrays)  # type: ignore[arg-type]
        _seal(path)

    def read_meta(self, path: Path) -> object:  # noqa: D102
        return self.read_key(path, "meta").item()

    def read_key(self, path: Path, key: str) -> np.ndarray:  # noqa: D102
        with np.load(path, allow_pickle=True) as loaded:
            return np.asarray(loaded[key])

    def read_rows(self, path: Path, key: str, rows: int) -> np.ndarray:  # noqa: D102
        return self.read_key(path, key)[:rows]

    def read_all(self, path: Path) -> dict[str, np.ndarray]:  # noqa: D102
        with np.load(path, allow_pickle=True) as loaded:
            found = {key: loaded[key] for key in loaded.files}
        del found["meta"]
        return found


class Raw:
    """The floor: plain bytes at places that somebody remembers; nothing is checked."""

    name = "raw floor"

    def __init__(self) -> None:
        """Remember no place yet."""
        self._places: dict[Path, dict[str, tuple[int, np.dtype[Any], tuple[int, ...]]]] = {}
        self._metas: dict[Path, tuple[int, int]] = {}

    def write(self, path: Path, arrays: Arrays, meta: Meta) -> None:  # noqa: D102
        places = {}
        offset = 0
        with path.open("wb") as file:
            for key, array in arrays.items():
                places[key] = (offset, array.dtype, array.shape)
                offset += file.write(array.data)
            text = json.dumps(meta).encode()
            self._metas[path] = (offset, len(text))
            file.write(text)
        self._places[path] = places
        _seal(path)

    def read_meta(self, path: Path) -> object:  # noqa: D102
        offset, size = self._metas[path]
        with _opened(path) as descriptor:
            return json.loads(os.pread(descriptor, size, offset))

    def read_key(self, path: Path, key: str) -> np.ndarray:  # noqa: D102
        with _opened(path) as descriptor:
            return _read_raw(descriptor, *self._places[path][key])

    def read_rows(self, path: Path, key: str, rows: int) -> np.ndarray:  # noqa: D102
        offset, dtype, shape = self._places[path][key]
        with _opened(path) as descriptor:
            return _read_raw(descriptor, offset, dtype, (rows, *shape[1:]))

    def read_all(self, path: Path) -> dict[str, np.ndarray]:  # noqa: D102
        with _opened(path) as descriptor:
            json.loads(os.pread(descriptor, *reversed(self._metas[path])))
            return {key: _read_raw(descriptor, *at) for key, at in self._places[path].items()}


@contextlib.contextmanager
def _opened(path: Path) -> Any:  # noqa: ANN401 - a generator of the descriptor
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read_raw(
    descriptor: int, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray:
    array = np.empty(shape, dtype)
    view = array.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        done += os.preadv(descriptor, [view[done:]], offset + done)
    return array


class Safetensors:
    """safetensors: no checksum; the meta is text in its header."""

    name = "safetensors"

    def __init__(self) -> None:
        """Load the package."""
        self._numpy: Any = importlib.import_module("safetensors.numpy")
        self._open: Any = importlib.import_module("safetensors").safe_open

    def write(self, path: Path, arrays: Arrays, meta: Meta) -> None:  # noqa: D102
        self._numpy.save_file(dict(arrays), path, metadata={"meta": json.dumps(meta)})
        _seal(path)

    def read_meta(self, path: Path) -> object:  # noqa: D102
        with self._open(path, framework="numpy") as file:
            return json.loads(file.metadata()["meta"])

    def read_key(self, path: Path, key: str) -> np.ndarray:  # noqa: D102
        with self._open(path, framework="numpy") as file:
            return np.asarray(file.get_tensor(key))

    def read_rows(self, path: Path, key: str, rows: int) -> np.ndarray:  # noqa: D102
        with self._open(path, framework="numpy") as file:
            return np.asarray(file.get_slice(key)[:rows])

    def read_all(self, path: Path) -> dict[str, np.ndarray]:  # noqa: D102
        with self._open(path, framework="numpy") as file:
            json.loads(file.metadata()["meta"])
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


class Hdf5:
    """h5py: contiguous datasets without checksum; the meta is an attribute."""

    name = "h5py"

    def __init__(self) -> None:
        """Load the package."""
        self._h5py: Any = importlib.import_module("h5py")

    def write(self, path: Path, arrays: Arrays, meta: Meta) -> None:  # noqa: D102
        with self._h5py.File(path, "w") as file:
            for key, array in arrays.items():
                file.create_dataset(key, data=array)
            file.attrs["meta"] = json.dumps(meta)
        _seal(path)

    def read_meta(self, path: Path) -> object:  # noqa: D102
        with self._h5py.File(path, "r") as file:
            return json.loads(file.attrs["meta"])

    def read_key(self, path: Path, key: str) -> np.ndarray:  # noqa: D102
        with self._h5py.File(path, "r") as file:
            return np.asarray(file[key][()])

    def read_rows(self, path: Path, key: str, rows: int) -> np.ndarray:  # noqa: D102
        with self._h5py.File(path, "r") as file:
            return np.asarray(file[key][:rows])

    def read_all(self, path: Path) -> dict[str, np.ndarray]:  # noqa: D102
        with self._h5py.File(path, "r") as file:
            json.loads(file.attrs["meta"])
            return {key: file[key][()] for key in file}


class Zarr:
    """zarr 3: a folder of chunks, uncompressed; written without the one flush others have."""

    name = "zarr"

    def __init__(self) -> None:
        """Load the package."""
        self._zarr: Any = importlib.import_module("zarr")

    def write(self, path: Path, arrays: Arrays, meta: Meta) -> None:  # noqa: D102
        group = self._zarr.open_group(str(path), mode="w")
        for key, array in arrays.items():
            chunks = (min(len(array), 8_192), *array.shape[1:])
            made = group.create_array(
                key, shape=array.shape, dtype=array.dtype, chunks=chunks, compressors=None
            )
            made[...] = array
        group.attrs["meta"] = json.dumps(meta)

    def read_meta(self, path: Path) -> object:  # noqa: D102
        return json.loads(self._zarr.open_group(str(path), mode="r").attrs["meta"])

    def read_key(self, path: Path, key: str) -> np.ndarray:  # noqa: D102
        return np.asarray(self._zarr.open_group(str(path), mode="r")[key][...])

    def read_rows(self, path: Path, key: str, rows: int) -> np.ndarray:  # noqa: D102
        return np.asarray(self._zarr.open_group(str(path), mode="r")[key][:rows])

    def read_all(self, path: Path) -> dict[str, np.ndarray]:  # noqa: D102
        group = self._zarr.open_group(str(path), mode="r")
        json.loads(group.attrs["meta"])
        return {key: group[key][...] for key in group.array_keys()}


def find_others() -> tuple[list[Format], list[str]]:
    """Return the formats that can be compared with here, and the names of the absent ones."""
    found: list[Format] = [Numpy()]
    absent = []
    for kind in (Safetensors, Hdf5, Zarr):
        try:
            found.append(kind())
        except ImportError:
            absent.append(kind.name)
    return [*found, Raw()], absent
