"""The deterministic NPZ writer (C4.4, C4.5): the same arrays and meta give the same bytes.

Stored members, largest first, so that small ones lie in the tail; then `meta`; `meta_json` last of
all, beside the directory. Array data start on multiples of 64 bytes. All sizes are known before the
first byte is written; big artifacts are hashed by a second thread while the first writes and
flushes.
"""

from __future__ import annotations

import errno
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO, NamedTuple

import numpy as np

from filmcan.contract.canonical import JsonError, canonical_json, parse_json
from filmcan.errors import InvalidArtifactError
from filmcan.npz import zip_format as z
from filmcan.npz.crc import crc32
from filmcan.npz.dtypes import check_text, normalise
from filmcan.npz.limits import DEFAULT_LIMITS
from filmcan.npz.npy_header import MAX_DIMS, OBJECT, build_header, parse_header
from filmcan.npz.object_cost import ObjectCost
from filmcan.npz.object_decoder import decode_object
from filmcan.npz.object_encoder import encode_object
from filmcan.npz.refusal import PLACELESS, over_limit, raise_at, refuse
from filmcan.npz.zip_names import build_name

META = "meta"
META_JSON = "meta_json"
OVERLAP_FROM_BYTES = 256 << 10
"""From this size on a second thread hashes while the first writes; below, it costs more."""

_OBJECT_DESCR = b"'descr': '|O'"
_ARRAYS = (np.ndarray, np.memmap)
"""Other subclasses mean more than their elements (a mask, a matrix), which would be lost."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a manifest records of a written artifact: its size and the sha256 of its bytes."""

    size_bytes: int
    sha256: str


class Part(NamedTuple):
    """One member's content: its array header, the bytes behind it, and the size of both."""

    key: str
    header: bytes
    body: memoryview
    size: int

    @property
    def crc(self) -> int:
        """CRC of the member."""
        return crc32(self.body, crc32(self.header))


def write_npz(
    file: IO[bytes],
    arrays: Mapping[str, np.ndarray],
    meta: Mapping[str, object],
    *,
    sync: Callable[[], None] | None = None,
) -> Written:
    """Write one artifact into an empty file.

    Arrays are written in C order and little-endian, whatever order they come in; arrays that are so
    already are not copied. They must not change meanwhile.

    Args:
        file: Empty, seekable, open for binary writing: a file or `io.BytesIO`. It is left open, at
            its end.
        arrays: Key -> array, 0-d ones included; object arrays as `encode_object` takes them.
        meta: A value of JSON: the same dict is written as object and as text.
        sync: Called once when all bytes are handed to the system, to make them durable; a big
            artifact is still being hashed then. None: the caller sees to it.

    Returns:
        Size and sha256 of the artifact.

    Raises:
        InvalidArtifactError: A key, an array or the meta cannot be written; nothing is written.
        OSError: The file, or `sync`, failed; what the file holds now is of no use.
    """
    parts = _plan_parts(arrays, meta)
    members = []
    offset = 0
    for part in parts:
        member = z.plan_member(build_name(part.key), part.size, offset)
        members.append(member)
        offset = member.end
    if offset > DEFAULT_LIMITS.max_object_nodes:  # else each value would have less than a byte
        _check_objects(parts)
    if offset < OVERLAP_FROM_BYTES:
        return _write_small(file, parts, members, sync)
    return _write_large(file, parts, members, sync)


def _plan_parts(arrays: Mapping[str, np.ndarray], meta: Mapping[str, object]) -> list[Part]:
    """Return the members in their final order."""
    for what, given in (("arrays", arrays), ("meta", meta)):
        if not isinstance(given, Mapping):
            raise refuse("not_a_dict", f"expected {what} as a dict, got a {type(given).__name__}")
    if {META, META_JSON} & set(arrays):
        raise refuse("zip_name", f"{META} and {META_JSON} are written from the meta")
    if len(arrays) + 2 > DEFAULT_LIMITS.max_members:
        raise over_limit("max_members", f"{len(arrays)} arrays")
    keys: Collection[object] = arrays  # whatever a caller without types gives
    if len({key.casefold() for key in keys if isinstance(key, str)}) != len(keys):
        raise _refuse_keys(keys)
    parts = [plan_part(key, array) for key, array in arrays.items()]
    parts.sort(key=lambda part: (-part.size, part.key))
    try:
        return [*parts, *_plan_meta(meta)]
    except PLACELESS as error:
        raise_at(error, None, META)


def _refuse_keys(keys: Collection[object]) -> InvalidArtifactError:
    """Return the error for keys of which one is no text, or two are the same on some disk."""
    wrong = [key for key in keys if not isinstance(key, str)]
    if wrong:
        return refuse("zip_name", f"a key must be text, got {wrong[0]!r:.100}")
    forms = Counter(str(key).casefold() for key in keys)
    twins = [key for key in keys if str(key).casefold() == forms.most_common(1)[0][0]]
    return refuse("zip_duplicate", f"{twins[0]!r:.100} and {twins[1]!r:.100} differ only in case")


def _check_objects(parts: list[Part]) -> None:
    """Refuse objects that are too much for a reader together, by reading them.

    Raises:
        InvalidArtifactError: They are; it names the one that was too much.
    """
    objects = [part for part in parts if _OBJECT_DESCR in part.header]
    if sum(part.size for part in objects) <= DEFAULT_LIMITS.max_object_nodes:
        return
    cost = ObjectCost()
    for part in objects:
        shape = parse_header(part.header, part.size, DEFAULT_LIMITS).shape
        try:
            decode_object(part.body, shape, DEFAULT_LIMITS, cost)
        except PLACELESS as error:
            raise_at(error, None, part.key)


def _plan_meta(meta: Mapping[str, object]) -> tuple[Part, Part]:
    """Return `meta` and `meta_json`, which agree because one is parsed from the other."""
    value = np.empty((), OBJECT)
    try:
        text = canonical_json(dict(meta))
        value[()] = parse_json(text)
    except JsonError as error:
        raise refuse("meta_invalid", f"the meta is no JSON: {error}") from error
    if len(text) > DEFAULT_LIMITS.max_json_chars:
        raise over_limit("max_json_chars", f"a meta of {len(text)} characters")
    return _plan_object(META, value), plan_part(META_JSON, np.array(text))


def plan_part(key: str, array: np.ndarray) -> Part:
    """Return what is written for one array.

    Raises:
        InvalidArtifactError: It cannot be written.
    """
    try:
        if type(array) not in _ARRAYS and not isinstance(array, np.generic):
            raise refuse("not_an_array", f"expected an array, got a {type(array).__name__}")
        array = np.asarray(array)
        if array.ndim > MAX_DIMS:
            raise over_limit("32 axes", f"an array of {array.ndim} axes")
        if array.dtype == OBJECT:
            return _plan_object(key, array)
        array = normalise(array)
        if array.dtype.kind == "U":
            check_text(array)
        return _build_part(key, build_header(array.dtype, array.shape), _view_bytes(array))
    except PLACELESS as error:
        raise_at(error, None, key)


def _plan_object(key: str, array: np.ndarray) -> Part:
    return _build_part(key, build_header(OBJECT, array.shape), memoryview(encode_object(array)))


def _build_part(key: str, header: bytes, body: memoryview) -> Part:
    return Part(key, header, body, len(header) + len(body))


def _view_bytes(array: np.ndarray) -> memoryview:
    """Return the bytes of an array in C order, without copying."""
    if not array.size:
        return memoryview(b"")
    if array.ndim and array.dtype.kind in "biuf":  # what memoryview knows, at half the cost
        return array.data.cast("B")
    return array.reshape(-1).view(np.uint8).data


def _write_small(
    file: IO[bytes],
    parts: list[Part],
    members: list[z.StoredMember],
    sync: Callable[[], None] | None,
) -> Written:
    pieces: list[bytes | memoryview] = []
    crcs = [part.crc for part in parts]
    for part, member, crc in zip(parts, members, crcs, strict=True):
        pieces += (z.build_local(member, crc), part.header, part.body)
    pieces.append(_build_directory(members, crcs))
    data = b"".join(pieces)
    write_all(file, data)
    file.flush()
    if sync is not None:
        sync()
    return Written(len(data), hashlib.sha256(data).hexdigest())


def _write_large(
    file: IO[bytes],
    parts: list[Part],
    members: list[z.StoredMember],
    sync: Callable[[], None] | None,
) -> Written:
    with ThreadPoolExecutor(1) as second:
        summing = second.submit(lambda: [part.crc for part in parts])
        hashing = second.submit(lambda: _hash(parts, members, summing.result()))
        for part, member in zip(parts, members, strict=True):
            file.seek(member.data_offset)
            write_all(file, part.header)
            write_all(file, part.body)
        crcs = summing.result()
        for member, crc in zip(members, crcs, strict=True):
            file.seek(member.offset)
            write_all(file, z.build_local(member, crc))
        directory = _build_directory(members, crcs)
        file.seek(members[-1].end)
        write_all(file, directory)
        file.flush()
        if sync is not None:
            sync()
        return Written(members[-1].end + len(directory), hashing.result())


def _hash(parts: list[Part], members: list[z.StoredMember], crcs: list[int]) -> str:
    """Return the sha256 of the file, computed from memory."""
    digest = hashlib.sha256()
    for part, member, crc in zip(parts, members, crcs, strict=True):
        digest.update(z.build_local(member, crc))
        digest.update(part.header)
        digest.update(part.body)
    digest.update(_build_directory(members, crcs))
    return digest.hexdigest()


def _build_directory(members: list[z.StoredMember], crcs: list[int]) -> bytes:
    records = b"".join(map(z.build_central, members, crcs))
    return records + z.build_end(len(members), members[-1].end, len(records))


def write_all(file: IO[bytes], data: bytes | memoryview) -> None:
    """Write everything, also into an unbuffered file that takes less at a time.

    Raises:
        OSError: The file failed, or takes nothing more.
    """
    view = memoryview(data)
    while view.nbytes:
        count = file.write(view)
        if not count:
            raise OSError(errno.EIO, "the file takes no more bytes")
        view = view[count:]
