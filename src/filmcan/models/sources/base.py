"""What a source is: one place an asset's file can come from.

A new kind is a file of its own beside this one and a line in `sources/__init__.py`. A source only
delivers bytes: the caller checks the digest, locks and publishes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, ClassVar, Protocol, Self

from filmcan.errors import AssetError

if TYPE_CHECKING:
    from filmcan.contract.reading import ObjectReader

MAX_UNKNOWN_BYTES = 8 << 30
"""What a file whose size no catalog states may have at most."""

_CHUNK_BYTES = 1 << 20

OnBytes = Callable[[int], None]
"""Takes how many bytes of the file have arrived so far."""


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """What a source has to know to deliver one file.

    Attributes:
        size_bytes: How many bytes are expected, and more are never written; None: not known.
        sha256: The expected digest; the caller checks it, a source only uses it to tell whether
            the parts of a resumed download fit together. None: not known.
        work: A folder for intermediate files, shared by all files of one asset and removed
            afterwards, so that a package holding several of them travels once.
        partial: Where an unfinished download may stay for a later attempt; beside it, names that
            begin with its own are free as well. Only the holder of the file's lock uses it.
        on_bytes: Is told how the file grows, by sources that can tell.
    """

    size_bytes: int | None
    sha256: str | None
    work: Path
    partial: Path
    on_bytes: OnBytes

    @property
    def limit_bytes(self) -> int:
        """How many bytes may be written at most."""
        return MAX_UNKNOWN_BYTES if self.size_bytes is None else self.size_bytes


class Source(Protocol):
    """One place a file can come from; implementations are frozen records."""

    kind: ClassVar[str]
    needs_network: ClassVar[bool]

    @classmethod
    def parse(cls, reader: ObjectReader, folder: Path) -> Self:
        """Read the source from its table; problems go to the reader.

        Args:
            reader: The table, `kind` included.
            folder: The catalog's folder.
        """
        ...

    def describe(self) -> str:
        """Return the place in a few words, for messages."""
        ...

    def fetch_to(self, target: Path, order: FetchOrder) -> None:
        """Write the file's bytes to `target`, which does not exist yet.

        Raises:
            AssetError: The place does not have the file, or not of that size.
            OSError: The disk refused.
        """
        ...


def copy_exactly(
    source: IO[bytes], target: Path, *, size_bytes: int | None, where: str, may_go_on: bool = False
) -> None:
    """Copy a stream that must have exactly `size_bytes` bytes; never writes more.

    Args:
        source: The stream, from where it stands.
        target: The file to make.
        size_bytes: The expected size; None copies what there is, up to `MAX_UNKNOWN_BYTES`.
        where: The place, for messages.
        may_go_on: The stream may be longer; the rest is not read.

    Raises:
        AssetError: The stream is shorter or longer.
        OSError: Reading or writing failed.
    """
    limit = MAX_UNKNOWN_BYTES if size_bytes is None else size_bytes
    probe = 0 if may_go_on else 1
    copied = 0
    with target.open("xb") as file:
        while chunk := source.read(min(_CHUNK_BYTES, limit + probe - copied)):
            copied += len(chunk)
            if copied > limit:
                break
            file.write(chunk)
    if copied > limit or (size_bytes is not None and copied < size_bytes):
        raise build_size_error(limit, f"more than {limit}" if copied > limit else copied, where)


def build_size_error(expected: int, got: int | str, where: str) -> AssetError:
    """Return the error for a file that is not of its size."""
    return AssetError(f"expected {expected} bytes, got {got}", code="asset_size", where=where)


def matcher(pattern: str, expected: str) -> Callable[[str], str | None]:
    """Return a check that a whole text matches a pattern, for `ObjectReader.checked`."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: None if compiled.fullmatch(value) else f"expected {expected}"


def find_path_fault(value: str) -> str | None:
    """Return why a text is not a plain relative path with `/`, or None."""
    parts = PurePosixPath(value).parts
    plain = value == "/".join(parts) and not value.startswith("/")
    if plain and value and not {".", ".."} & set(parts) and "\\" not in value and "\0" not in value:
        return None
    return "expected a plain relative path such as folder/file.bin"
