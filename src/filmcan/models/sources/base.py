"""What a source is: one place an asset's file can come from.

A new kind is a file of its own beside this one and a line in `sources/__init__.py`. A source only
delivers bytes: the caller checks the digest, locks and publishes.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, ClassVar, Protocol, Self

from filmcan.errors import AssetError

if TYPE_CHECKING:
    from filmcan.contract.reading import ObjectReader

_CHUNK_BYTES = 1 << 20


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

    def fetch_to(self, target: Path, *, size_bytes: int, work: Path) -> None:
        """Write the file's bytes to `target`, which does not exist yet.

        Args:
            target: Where to write.
            size_bytes: How many bytes are expected; more are never written.
            work: A folder for intermediate files, shared by all files of one asset and removed
                afterwards, so that a package holding several of them travels once.

        Raises:
            AssetError: The place does not have the file, or not of that size.
            OSError: The disk refused.
        """
        ...


def copy_exactly(source: IO[bytes], target: Path, *, size_bytes: int, where: str) -> None:
    """Copy a stream that must have exactly `size_bytes` bytes; never writes more.

    Raises:
        AssetError: The stream is shorter or longer.
        OSError: Reading or writing failed.
    """
    copied = 0
    with target.open("xb") as file:
        while chunk := source.read(min(_CHUNK_BYTES, size_bytes + 1 - copied)):
            copied += len(chunk)
            if copied > size_bytes:
                break
            file.write(chunk)
    if copied != size_bytes:
        got = f"more than {size_bytes}" if copied > size_bytes else str(copied)
        raise AssetError(f"expected {size_bytes} bytes, got {got}", code="asset_size", where=where)


def find_path_fault(value: str) -> str | None:
    """Return why a text is not a plain relative path with `/`, or None."""
    parts = PurePosixPath(value).parts
    plain = value == "/".join(parts) and not value.startswith("/")
    if plain and value and not {".", ".."} & set(parts) and "\\" not in value and "\0" not in value:
        return None
    return "expected a plain relative path such as folder/file.bin"
