"""Source `local`: the user's own file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from filmcan.errors import AssetError
from filmcan.files import open_regular
from filmcan.models.sources.base import copy_exactly

if TYPE_CHECKING:
    from filmcan.contract.reading import ObjectReader
    from filmcan.models.sources.base import FetchOrder


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A file on this machine, named in the user's catalog.

    Attributes:
        path: Absolute; `~` is the home folder, a relative path starts at the catalog's folder.
    """

    kind: ClassVar[str] = "local"
    needs_network: ClassVar[bool] = False

    path: Path

    @classmethod
    def parse(cls, reader: ObjectReader, folder: Path) -> Self:
        """Read `path`."""
        reader.only(("kind", "path"))
        return cls(folder / Path(reader.text("path")).expanduser())

    def describe(self) -> str:
        """Return the file's path."""
        return f"file {self.path}"

    def fetch_to(self, target: Path, order: FetchOrder) -> None:
        """Copy the file; later changes to it then leave the cache alone.

        Raises:
            AssetError: It is absent, no regular file, or of another size.
        """
        try:
            # Model hubs lay files out as links: they are followed once, here.
            descriptor = open_regular(self.path.resolve(strict=True))
        except OSError as error:
            raise AssetError(
                f"the file cannot be read: {error.strerror or error}",
                code="asset_unreachable",
                where=self.describe(),
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            copy_exactly(file, target, size_bytes=order.size_bytes, where=self.describe())
