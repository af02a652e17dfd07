"""The strict NPZ reader: what is damaged, ambiguous or hostile is an error, never wrong data.

Opening reads the tail and checks the container's end and directory. A whole-array read checks the
member's header, its CRC and its size; `meta`, `meta_json` and object members always. Slices, maps,
`dtype` and `shape` check no CRC: `check`, or rehashing the file, covers what they look at.
"""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from filmcan.contract.canonical import JsonError, parse_json
from filmcan.errors import NotFoundError
from filmcan.npz.limits import DEFAULT_LIMITS, ReadLimits
from filmcan.npz.member_data import MemberData
from filmcan.npz.refusal import PLACELESS, over_limit, raise_at, refuse
from filmcan.npz.source import Buffer, ByteSource, FileSource, open_source
from filmcan.npz.zip_directory import read_directory
from filmcan.npz.zip_records import Member

META = "meta"
META_JSON = "meta_json"

_SHOWN_KEYS = 12


class NpzReader:
    """One open NPZ. Reads are independent of each other and may run in several threads.

    Use it as a context manager, or `close` it; memory maps stay valid afterwards.
    """

    def __init__(self, source: ByteSource, limits: ReadLimits = DEFAULT_LIMITS) -> None:
        """Read the tail and check the container's end and directory.

        Raises:
            InvalidArtifactError: It is no NPZ, or one that can be read in more than one way.
            StoreUnavailableError: The source cannot be read.
        """
        self._source = source
        self._limits = limits
        try:
            self._directory = read_directory(source, limits)
            self._data = MemberData(source, self._directory, limits)
        except PLACELESS as error:
            raise_at(error, self._source)

    @property
    def name(self) -> str:
        """The file's base name."""
        return self._source.name

    @property
    def size_bytes(self) -> int:
        """Size of the whole file."""
        return self._source.size

    def keys(self) -> tuple[str, ...]:
        """Return all keys in sorted order, `meta` and `meta_json` among them."""
        return tuple(sorted(self._directory.members))

    def __contains__(self, key: object) -> bool:
        """Tell whether there is such a key."""
        return key in self._directory.members

    def __iter__(self) -> Iterator[str]:
        """Iterate over `keys`."""
        return iter(self.keys())

    def __len__(self) -> int:
        """Count `keys`."""
        return len(self._directory.members)

    def __getitem__(self, key: str) -> np.ndarray:
        """Return the whole array; see `read`."""
        return self.read(key)

    def dtype(self, key: str) -> np.dtype[np.generic]:
        """Return the element type, from the array's header alone."""
        try:
            return self._data.read_header(self._find(key)).dtype
        except PLACELESS as error:
            raise_at(error, self._source, key)

    def shape(self, key: str) -> tuple[int, ...]:
        """Return the shape, from the array's header alone."""
        try:
            return self._data.read_header(self._find(key)).shape
        except PLACELESS as error:
            raise_at(error, self._source, key)

    def read(self, key: str, rows: slice | None = None, *, verify: bool = True) -> np.ndarray:
        """Return an array, or some rows of it, in memory of its own.

        A stepped slice reads everything between its first and its last row.

        Args:
            key: Which array.
            rows: Slice along the first axis; only these bytes are read, so no CRC is checked.
            verify: False skips the CRC of a whole array; `meta`, `meta_json` and object arrays are
                checked in any case.

        Raises:
            NotFoundError: There is no such key.
            InvalidArtifactError: The member is damaged or holds what is not accepted.
        """
        member = self._find(key)
        try:
            if rows is not None:
                return self._data.read_rows(member, rows)
            return self._data.read_array(member, verify=verify or key in (META, META_JSON))
        except PLACELESS as error:
            raise_at(error, self._source, key)

    def map(self, key: str) -> np.ndarray:
        """Return an array read-only and without copying: a memory map of a stored member.

        No CRC is checked. Where that is impossible (compressed and object members, an object
        store), and for `meta` and `meta_json`, the array is read whole, checked, and returned
        read-only. A mapped file must not be cut short while the array lives: the system then ends
        the process.

        Raises:
            NotFoundError: There is no such key.
            InvalidArtifactError: The member is damaged or holds what is not accepted.
        """
        member = self._find(key)
        try:
            return self._data.map_array(member, verify=key in (META, META_JSON))
        except PLACELESS as error:
            raise_at(error, self._source, key)

    def read_meta(self) -> dict[str, object]:
        """Return the meta: from `meta_json`, or from `meta` in artifacts that have only that.

        Raises:
            InvalidArtifactError: There is neither, or it is no str-keyed dict.
        """
        if META_JSON in self._directory.members:
            return self.read_meta_json()
        return self.read_meta_object()

    def read_meta_json(self) -> dict[str, object]:
        """Return the dict that `meta_json` writes out.

        Raises:
            InvalidArtifactError: It is absent, no text, no strict JSON, or no object.
        """
        try:
            text = self._read_text(self._find_meta(META_JSON), "meta_invalid")
            try:
                return _as_dict(parse_json(text))
            except JsonError as error:
                raise refuse("meta_invalid", f"no strict JSON: {error}") from error
        except PLACELESS as error:
            raise_at(error, self._source, META_JSON)

    def read_text(self, key: str, code: str) -> str:
        """Return the string of a 0-d text array of bounded length, its CRC checked.

        Args:
            key: Which array.
            code: What an error says of another kind of array.

        Raises:
            NotFoundError: There is no such key.
            InvalidArtifactError: It is no such array, too long, or damaged.
        """
        member = self._find(key)
        try:
            return self._read_text(member, code)
        except PLACELESS as error:
            raise_at(error, self._source, key)

    def read_meta_object(self) -> dict[str, object]:
        """Return the dict in the object array `meta`, through the restricted decoder.

        Raises:
            InvalidArtifactError: It is absent, no 0-d object array, or holds no str-keyed dict.
        """
        try:
            array = self._data.read_array(self._find_meta(META), verify=True)
            if array.dtype != np.dtype(object) or array.shape:
                raise refuse(
                    "meta_invalid", f"expected a dict in a 0-d object array, got {array.dtype}"
                )
            return _as_dict(array.item())
        except PLACELESS as error:
            raise_at(error, self._source, META)

    def check(self) -> None:
        """Check the whole container: every header, every CRC, no byte unaccounted for.

        Arrays are read in bounded memory; objects and `meta_json` are decoded too.

        Raises:
            InvalidArtifactError: The first thing that is wrong.
        """
        for member in self._directory.members.values():
            try:
                self._data.check(member)
            except PLACELESS as error:
                raise_at(error, self._source, member.key)
        if META_JSON in self._directory.members:
            self.read_meta_json()

    def close(self) -> None:
        """Close the file."""
        if isinstance(self._source, FileSource):
            self._source.close()

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Say what it is in one line."""
        return f"<NpzReader {self.name}: {len(self)} keys, {self.size_bytes} bytes>"

    def _find(self, key: str) -> Member:
        member = self._directory.members.get(key)
        if member is None:
            near = difflib.get_close_matches(str(key), self._directory.members, 3)
            shown = near or self.keys()[:_SHOWN_KEYS]
            raise NotFoundError(
                f"there is no key {key!r:.100}",
                where=self.name,
                hint=f"{'Near it' if near else 'There are'}: {', '.join(shown) or 'none'}.",
            )
        return member

    def _find_meta(self, key: str) -> Member:
        member = self._directory.members.get(key)
        if member is None:
            raise refuse("meta_missing", f"the artifact has no {key}")
        return member

    def _read_text(self, member: Member, code: str) -> str:
        """Return the string of a 0-d text array."""
        limit = self._limits.max_json_chars
        header, data = self._data.read_content(member, 4 * limit)
        if header.dtype.kind != "U" or header.shape:
            raise refuse(code, f"expected a 0-d text array, got {header.dtype.kind!r}")
        if len(data) > 4 * limit:
            raise over_limit("max_json_chars", f"{len(data) // 4} characters, at most {limit}")
        return _decode(data, code, big_endian=header.dtype.str[0] == ">")


def open_npz(
    source: str | Path | Buffer | ByteSource, limits: ReadLimits = DEFAULT_LIMITS
) -> NpzReader:
    """Open an NPZ for reading.

    Args:
        source: A path, the bytes themselves, or a `ByteSource`.
        limits: Bounds on what is accepted.

    Raises:
        NotFoundError: There is no such file.
        InvalidArtifactError: It is no regular file or no NPZ.
        StoreUnavailableError: The system refuses to read it.
    """
    opened = open_source(source)
    try:
        return NpzReader(opened, limits)
    except BaseException:
        if isinstance(opened, FileSource):
            opened.close()
        raise


def read_meta(
    source: str | Path | Buffer | ByteSource, limits: ReadLimits = DEFAULT_LIMITS
) -> dict[str, object]:
    """Return the meta of an artifact, by one read of its tail where `meta_json` lies there.

    Raises:
        NotFoundError: There is no such file.
        InvalidArtifactError: It is no NPZ, or has no readable meta.
        StoreUnavailableError: The system refuses to read it.
    """
    with open_npz(source, limits) as npz:
        return npz.read_meta()


def _as_dict(value: object) -> dict[str, object]:
    if type(value) is not dict:
        raise refuse("meta_invalid", f"expected a dict, got a {type(value).__name__}")
    return value


def _decode(data: Buffer, code: str, *, big_endian: bool) -> str:
    # The codecs' own functions: a look-up by name imports a module the first time.
    decode = codecs.utf_32_be_decode if big_endian else codecs.utf_32_le_decode
    try:
        text, _ = decode(data, "strict", True)  # noqa: FBT003 - final, positional in CPython
    except UnicodeDecodeError as error:
        raise refuse(code, f"no text: {error.reason}") from error
    return text.rstrip("\0")
