"""Source `https`: a file at a pinned address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from filmcan.models.sources.address import find_url_fault
from filmcan.models.sources.download import download

if TYPE_CHECKING:
    from filmcan.contract.reading import ObjectReader
    from filmcan.models.sources.base import FetchOrder


@dataclass(frozen=True, slots=True)
class HttpsSource:
    """A file at an address.

    Attributes:
        url: Names a revision, release or generation, so that what it holds does not change.
    """

    kind: ClassVar[str] = "https"
    needs_network: ClassVar[bool] = True

    url: str

    @classmethod
    def parse(cls, reader: ObjectReader, folder: Path) -> Self:  # noqa: ARG003 - names no local path
        """Read `url`."""
        reader.only(("kind", "url"))
        return cls(reader.checked("url", find_url_fault))

    def describe(self) -> str:
        """Return the address."""
        return self.url

    def fetch_to(self, target: Path, order: FetchOrder) -> None:
        """Download the file; an interrupted download is gone on with.

        Raises:
            AssetError: The server is out of reach, refuses, or has not the file of that size.
        """
        download(self.url, target, order, where=self.describe())
