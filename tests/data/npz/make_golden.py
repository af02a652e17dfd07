"""Make the golden files beside this script with the numpy that runs it.

    python make_golden.py        # once with numpy 1.26, once with numpy 2

Files are named for the numpy that wrote them and must be readable for ever (P16): add new ones,
never remake old ones. `build_arrays` is also what the tests expect to find in them.
"""

from __future__ import annotations

import io
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np

PROTOCOLS = range(6)


def build_meta() -> dict[str, object]:
    """Return a dict of every kind of value that object arrays of artifacts hold."""
    return {
        "producer": "core_clip",
        "text": "naïve – 日本 🎬",
        "nothing": None,
        "flags": [True, False],
        "numbers": [0, -1, 255, 65_536, -(2**31), 2**40, -(2**70), 0.1, -0.0, float("inf")],
        "bytes": [b"", b"\x00\xff", bytes(range(256))],
        "tuple": (1, (2, ()), [3]),
        "nested": {"list": [{"deep": ["er"]}], "empty": {}},
        "scalars": [np.float32(0.5), np.int64(-7), np.bool_(True), np.str_("s"), np.bytes_(b"b")],
        "times": [np.datetime64("2026-01-02T03:04:05", "ms"), np.timedelta64(25, "s")],
        "array": np.arange(6, dtype="<i4").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=">f8").reshape(2, 3)),
        "empty_array": np.zeros((0, 3), "<f4"),
        "words": np.array(["a", "bcd"]),
        "objects": np.array(["x", None, 3], dtype=object),
    }


def build_arrays() -> dict[str, np.ndarray]:
    """Return the arrays of every golden file."""
    meta = np.empty((), object)
    meta[()] = build_meta()
    lists = np.empty((2, 2), object)
    lists[0, 0], lists[0, 1], lists[1, 0], lists[1, 1] = ["a"], ("b",), {"c": 1}, b"d"
    return {
        "flag": np.array(True),
        "bools": np.array([[True, False], [False, True]]),
        "int8": np.arange(-3, 3, dtype="i1"),
        "uint16": np.arange(7, dtype="<u2"),
        "int64": np.array(2**60),
        "float16": np.array([0.5, np.nan], "<f2"),
        "float32": np.linspace(0, 1, 12, dtype="<f4").reshape(3, 4),
        "float64_fortran": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
        "big_endian": np.arange(5, dtype=">f4"),
        "complex64": np.array([1 + 2j], "<c8"),
        "empty": np.zeros((0, 5), "<f4"),
        "text": np.array("naïve – 日本"),
        "texts": np.array([["a", "bcd"], ["", "🎬"]]),
        "big_endian_text": np.array(["ab", "c"], ">U2"),
        "bytes": np.array([b"ab", b""]),
        "dates": np.array(["2026-01-02", "NaT"], "<M8[D]"),
        "spans": np.array([1, 2], "<m8[25s]"),
        "names": np.array(["alpha", "beta", None], dtype=object),
        "lists": lists,
        "lists_fortran": np.asfortranarray(lists),
        "no_objects": np.empty((0, 2), object),
        "meta": meta,
    }


class _Pipe(io.RawIOBase):
    """A file that can only be written forwards."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:
        self.data += bytes(data)
        return len(data)


def _write_protocols(path: Path) -> None:
    """Write `meta` once per pickle protocol."""
    meta = build_arrays()["meta"]
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    with zipfile.ZipFile(path, "w") as archive:
        for protocol in PROTOCOLS:
            info = zipfile.ZipInfo(f"protocol{protocol}.npy")
            archive.writestr(info, header.getvalue() + pickle.dumps(meta, protocol=protocol))


def main() -> None:
    """Write the files that are not there yet."""
    folder = Path(__file__).parent
    stem = f"numpy-{np.__version__}"
    arrays = build_arrays()
    pipe = _Pipe()
    np.savez(pipe, **arrays)
    writers = {
        "savez": lambda path: np.savez(path, **arrays),
        "savez_compressed": lambda path: np.savez_compressed(path, **arrays),
        "streamed": lambda path: path.write_bytes(pipe.data),
        "protocols": _write_protocols,
    }
    for name, write in writers.items():
        path = folder / f"{stem}-{name}.npz"
        if path.exists():
            sys.stderr.write(f"{path.name} is there already\n")
        else:
            write(path)


if __name__ == "__main__":
    main()
