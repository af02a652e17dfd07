"""The records of a central directory: kept as columns, made into members when asked for.

Whoever opens an artifact reads one or two of its members; making all of them would cost more than
reading one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Member(NamedTuple):
    """One member as the central directory states it.

    `end` is where the next member, or the directory, starts; `size` is the size after inflating.
    """

    key: str
    name: bytes
    flags: int
    method: int
    crc: int
    stored_size: int
    size: int
    offset: int
    end: int


class Columns(NamedTuple):
    """The judged fields of all records, one tuple per field: bulk checks cost less than loops."""

    signatures: tuple[bytes, ...] = ()
    versions: tuple[int, ...] = ()
    flags: tuple[int, ...] = ()
    methods: tuple[int, ...] = ()
    crcs: tuple[int, ...] = ()
    stored_sizes: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    name_sizes: tuple[int, ...] = ()
    extra_sizes: tuple[int, ...] = ()
    comment_sizes: tuple[int, ...] = ()
    disks: tuple[int, ...] = ()
    offsets: tuple[int, ...] = ()


class Members(Mapping[str, Member]):
    """The members of a container by key, in the file's order."""

    __slots__ = ("_columns", "_ends", "_names", "_places")

    def __init__(
        self,
        places: Mapping[str, int],
        names: tuple[bytes, ...],
        columns: Columns,
        ends: tuple[int, ...],
    ) -> None:
        """Look at checked records.

        Args:
            places: Key -> which record; shared between containers, never changed.
            names: Names in the container.
            columns: Their fields.
            ends: Where each member must end.
        """
        self._places = places
        self._names = names
        self._columns = columns
        self._ends = ends

    def __getitem__(self, key: str) -> Member:
        """Return a member."""
        at = self._places[key]
        columns = self._columns
        return Member(
            key,
            self._names[at],
            columns.flags[at],
            columns.methods[at],
            columns.crcs[at],
            columns.stored_sizes[at],
            columns.sizes[at],
            columns.offsets[at],
            self._ends[at],
        )

    def __contains__(self, key: object) -> bool:
        """Tell whether there is such a key."""
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._places)

    def __len__(self) -> int:
        """Count the members."""
        return len(self._places)
