"""A child process in which numpy reads what we accepted, its own dangers included.

Run as a script it answers frames on its standard input: does numpy read the same values? Where
numpy will not read an object array that we read, or dies of it, that is counted and no find: numpy
believes flags and sizes in a pickle, which we never use but work out anew (threats B1).
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
from pathlib import Path

_SOURCE = Path(__file__).resolve().parent.parent.parent / "src"
_SAME, _REFUSED = "same", "refused"
_FRAME = struct.Struct("<cL")


class Referee:
    """The child, started when first asked and again after numpy took it down."""

    def __init__(self) -> None:
        self.asked = 0
        self.refused = 0
        self._child: subprocess.Popen[bytes] | None = None

    def compare(self, kind: bytes, data: bytes) -> str | None:
        """Return where numpy and we differ on an NPZ (`z`) or a `.npy` (`y`); None: nowhere."""
        self.asked += 1
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(_FRAME.pack(kind, len(data)) + data)
            child.stdin.flush()
            size = int.from_bytes(child.stdout.read(4), "little")
            said = child.stdout.read(size).decode("utf-8", "replace")
        except BrokenPipeError:
            said = ""
        if not said:
            self.close()
            if b"'|O'" not in data:
                return "numpy took the child down"
            said = _REFUSED
        self.refused += said == _REFUSED
        return None if said in (_SAME, _REFUSED) else said

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout):
                if stream is not None:
                    stream.close()


def _judge(kind: bytes, data: bytes) -> str:
    import numpy as np

    from filmcan.npz.limits import DEFAULT_LIMITS
    from filmcan.npz.npy_header import parse_header
    from filmcan.npz.object_decoder import decode_object
    from filmcan.npz.reader import open_npz
    from filmcan.testing.made_npz import find_difference

    def read_ours(raw: bytes) -> object:
        header = parse_header(raw, len(raw), DEFAULT_LIMITS)
        if header.is_object:
            return decode_object(raw[header.header_size :], header.shape, DEFAULT_LIMITS)
        flat = np.frombuffer(raw, header.dtype, header.items, header.header_size)
        return flat.reshape(header.shape, order="F" if header.fortran else "C")

    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=kind != b"y" or b"'|O'" in data[:128])
    except Exception as error:  # noqa: BLE001 - whatever numpy raises
        return (
            _REFUSED
            if kind == b"y" and b"'|O'" in data[:128]
            else f"numpy refuses: {type(error).__name__}: {error}"
        )
    if kind == b"y":
        return find_difference(read_ours(data), loaded) or _SAME
    said = _SAME
    with open_npz(data) as npz:
        if sorted(npz) != sorted(loaded.files):
            return f"numpy finds {loaded.files}"
        for key in npz:
            ours = npz[key]
            try:
                theirs = loaded[key]
            except Exception as error:  # noqa: BLE001 - whatever numpy raises
                if ours.dtype != np.dtype(object):
                    return f"{key}: numpy refuses: {type(error).__name__}: {error}"
                said = _REFUSED
                continue
            found = find_difference(ours, theirs)
            if found:
                return f"{key}: {found}"
    return said


def main() -> None:
    """Answer until the other side hangs up."""
    sys.path.insert(0, str(_SOURCE))
    warnings.simplefilter("ignore")
    while head := sys.stdin.buffer.read(_FRAME.size):
        kind, size = _FRAME.unpack(head)
        said = _judge(kind, sys.stdin.buffer.read(size)).encode("utf-8", "replace")[:2_000]
        sys.stdout.buffer.write(len(said).to_bytes(4, "little") + said)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
