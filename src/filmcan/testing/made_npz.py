"""NPZ files made byte by byte, so that each can break exactly one rule.

Nothing of `filmcan.npz` is used: what these functions write comes from the formats' own papers.
"""

from __future__ import annotations

import io
import pickle
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

STORED = 0
DEFLATED = 8

Fields = Mapping[str, Any]
"""Header fields to write instead of the true ones, by the names used below."""


@dataclass(frozen=True)
class Entry:
    """One member to write.

    Attributes:
        name: As in both headers.
        content: The true content, before compression.
        method: `STORED` or `DEFLATED`.
        flags: In both headers.
        local: Fields of the local header that shall lie.
        central: Fields of the central record that shall lie.
        local_extra: Extra field of the local header.
        central_extra: Extra field of the central record.
        comment: Comment of the central record.
        payload: Bytes to store instead of the (compressed) content.
        behind: Bytes between the content and the next member, such as a data descriptor.
    """

    name: bytes
    content: bytes
    method: int = STORED
    flags: int = 0
    local: Fields = field(default_factory=dict)
    central: Fields = field(default_factory=dict)
    local_extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    payload: bytes | None = None
    behind: bytes = b""

    @property
    def stored(self) -> bytes:
        """The bytes that lie between local header and next member."""
        if self.payload is not None:
            return self.payload
        return deflate(self.content) if self.method == DEFLATED else self.content

    def but(self, **changes: Any) -> Entry:  # noqa: ANN401 - any attribute
        """Return the same entry with other attributes."""
        return replace(self, **changes)


def deflate(content: bytes) -> bytes:
    """Return raw deflate data, as a ZIP stores it."""
    stream = zlib.compressobj(6, zlib.DEFLATED, -15)
    return stream.compress(content) + stream.flush()


def make_zip(*entries: Entry, end: Fields | None = None, between: bytes = b"") -> bytes:
    """Return a ZIP file.

    Args:
        entries: The members in order.
        end: Fields of the end record that shall lie.
        between: Bytes between the directory and the end record.
    """
    body = b""
    directory = b""
    for entry in entries:
        stored = entry.stored
        fields: dict[str, Any] = {
            "version": 20,
            "flags": entry.flags,
            "method": entry.method,
            "crc": zlib.crc32(entry.content),
            "stored_size": len(stored),
            "size": len(entry.content),
            "name": entry.name,
            "offset": len(body),
            "disk": 0,
        }
        directory += _pack_central({**fields, **entry.central}, entry)
        body += _pack_local({**fields, **entry.local}, entry) + stored + entry.behind
    count = len(entries)
    said = {"disk": 0, "first_disk": 0, "here": count, "count": count, "size": len(directory),
            "offset": len(body), "comment": 0, **(end or {})}  # fmt: skip
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", *(said[name] for name in _END))
    return body + directory + between + tail


_END = ("disk", "first_disk", "here", "count", "size", "offset", "comment")


def _pack_local(said: Fields, entry: Entry) -> bytes:
    name = said["name"]
    numbers = [said[key] for key in ("version", "flags", "method")]
    sizes = [said[key] for key in ("crc", "stored_size", "size")]
    sizes += [len(name), len(entry.local_extra)]
    head = struct.pack("<4s5H3L2H", b"PK\x03\x04", *numbers, 0, 33, *sizes)
    return head + bytes(name) + entry.local_extra


def _pack_central(said: Fields, entry: Entry) -> bytes:
    name = said["name"]
    numbers = [said[key] for key in ("version", "flags", "method")]
    sizes = [said[key] for key in ("crc", "stored_size", "size")]
    sizes += [len(name), len(entry.central_extra), len(entry.comment), said["disk"]]
    head = struct.pack(
        "<4s6H3L5H2L", b"PK\x01\x02", 20, *numbers, 0, 33, *sizes, 0, 0, said["offset"]
    )
    return head + bytes(name) + entry.central_extra + entry.comment


def make_npy(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    """Return an array as numpy itself writes it; object arrays are pickled."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def make_raw_npy(header: str | bytes, body: bytes = b"", *, major: int = 1) -> bytes:
    """Return an array with any header text."""
    text = header.encode("latin-1") if isinstance(header, str) else header
    length = struct.pack("<H" if major == 1 else "<L", len(text))
    return b"\x93NUMPY" + bytes([major, 0]) + length + text + body


def make_object_npy(pickled: bytes, shape: tuple[int, ...] = ()) -> bytes:
    """Return an object array that holds any bytes as its pickle."""
    return make_raw_npy(
        f"{{'descr': '|O', 'fortran_order': False, 'shape': {shape!r}, }}\n", pickled
    )


def make_npz(arrays: Mapping[str, bytes], **settings: Any) -> bytes:  # noqa: ANN401
    """Return an NPZ of members given as the bytes of their `.npy`."""
    entries = [Entry(f"{key}.npy".encode(), content) for key, content in arrays.items()]
    return make_zip(*[entry.but(**settings) for entry in entries])


def make_meta_npz(pickled: bytes, shape: tuple[int, ...] = ()) -> bytes:
    """Return an NPZ whose `meta` holds any bytes as its pickle."""
    return make_npz({"meta": make_object_npy(pickled, shape)})


def make_streamed_npz(arrays: Mapping[str, np.ndarray], *, compressed: bool = False) -> bytes:
    """Return an NPZ as numpy writes it into a pipe: sizes in data descriptors, zip64 fields."""
    stream = _Pipe()
    save: Any = np.savez_compressed if compressed else np.savez
    save(stream, **arrays)
    return bytes(stream.data)


class _Pipe(io.RawIOBase):
    """A file that can only be written forwards."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - as the base class
        view = memoryview(data).cast("B")
        self.data += view
        return len(view)


def wrap_pickle(value: bytes) -> bytes:
    """Return a pickle of a 0-d object array whose one item some opcodes leave on the stack."""
    item = np.empty((), object)
    item[()] = _MARKER
    whole = pickle.dumps(item, protocol=2)
    marker = b"X" + len(_MARKER).to_bytes(4, "little") + _MARKER.encode()
    start = whole.index(marker)
    rest = start + len(marker) + 2  # the memo entry of the marker: BINPUT and its index
    return whole[:start] + value + whole[rest:]


_MARKER = "filmcan-replaces-this"


def find_difference(got: object, expected: object) -> str | None:
    """Return where two values of arrays or metas differ, NaN equal to NaN; None: nowhere.

    Types count: a list is no tuple, a numpy scalar no float. Byte order does not.
    """
    if type(got) is not type(expected):
        return f"{type(got).__name__} is no {type(expected).__name__}"
    if isinstance(expected, dict) and isinstance(got, dict):
        if sorted(got) != sorted(expected):
            return f"keys {sorted(got)} are not {sorted(expected)}"
        pairs = [(got[key], expected[key]) for key in expected]
    elif isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        pairs = [(len(got), len(expected)), *zip(got, expected, strict=False)]
    elif isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        forms = [(a.shape, a.dtype.newbyteorder("=")) for a in (got, expected)]
        if forms[0] != forms[1]:
            return f"{forms[0]} is not {forms[1]}"
        if expected.dtype != object:
            same = np.array_equal(got, expected, equal_nan=expected.dtype.kind in "fcmM")
            return None if same else f"{got} is not {expected}"
        pairs = list(zip(got.ravel().tolist(), expected.ravel().tolist(), strict=True))
    else:
        return None if got == expected or (got != got and expected != expected) else f"{got!r}"  # noqa: PLR0124
    return next((found for pair in pairs if (found := find_difference(*pair))), None)
