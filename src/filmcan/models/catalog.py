"""The asset catalog: what can be fetched, under which licence, and how each file is recognised.

Parsed strictly from `catalog.toml` beside this file and, when there is one, from the user's own
catalog. Knows nothing of the cache or of how bytes travel.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.issues import Issue
from filmcan.contract.reading import ObjectReader
from filmcan.errors import AssetError, NotFoundError
from filmcan.models.sources import SOURCES
from filmcan.models.sources.base import find_path_fault

if TYPE_CHECKING:
    from filmcan.models.sources.base import Source

CATALOG_VARIABLE = "FILMCAN_CATALOG"
CATALOG_VERSION = 1
KINDS = ("sample", "model")

_BUILT_IN = Path(__file__).with_name("catalog.toml")
_MAX_CATALOG_BYTES = 1 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class AssetFile:
    """One file of an asset.

    Attributes:
        path: Its name inside the asset, relative, `/`-separated.
        size_bytes: Its exact size.
        sha256: Its digest in lower-case hex; of the file itself, not of a package around it.
        sources: Where to get it, tried in order.
    """

    path: str
    size_bytes: int
    sha256: str
    sources: tuple[Source, ...]

    @property
    def identity(self) -> tuple[str, int, str]:
        """What the file is, apart from where it comes from."""
        return (self.path, self.size_bytes, self.sha256)


@dataclass(frozen=True, slots=True)
class Asset:
    """One named thing that can be fetched: weights with their companions, or a sample clip."""

    name: str
    kind: str
    version: str
    license: str
    license_url: str
    description: str
    files: tuple[AssetFile, ...]

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size_bytes for file in self.files)


class Catalog:
    """Assets by name, in the order of the files they were read from."""

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        """Take parsed assets."""
        self._assets = dict(assets)

    def __iter__(self) -> Iterator[Asset]:
        """Iterate over the assets."""
        return iter(self._assets.values())

    def __len__(self) -> int:
        """Count the assets."""
        return len(self._assets)

    def get(self, name: str) -> Asset:
        """Return an asset.

        Raises:
            NotFoundError: No asset has that name; the hint names the nearest ones.
        """
        try:
            return self._assets[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._assets, n=3)
            raise NotFoundError(
                f"no asset is named {name!r}",
                code="unknown_asset",
                where="asset catalog",
                hint=f"There are: {', '.join(near or sorted(self._assets))}.",
            ) from None


def load_catalog(extra: Path | None = None) -> Catalog:
    """Return the built-in catalog together with the user's own.

    An asset of the user's catalog may be new, or repeat a built-in one file for file to add
    sources, which are then tried first. It never changes what a built-in name means.

    Args:
        extra: The user's catalog; None takes the one that `FILMCAN_CATALOG` names, if any.

    Raises:
        AssetError: A catalog cannot be read or is wrong; all problems are named together.
    """
    assets = {asset.name: asset for asset in _read_catalog(_BUILT_IN)}
    named = os.environ.get(CATALOG_VARIABLE)
    path = extra if extra is not None else Path(named).expanduser() if named else None
    if path is not None:
        for asset in _read_catalog(path):
            known = assets.get(asset.name)
            assets[asset.name] = asset if known is None else _merge(known, asset, path)
    return Catalog(assets)


def parse_catalog(text: str, *, folder: Path, where: str) -> tuple[Asset, ...]:
    """Return the assets of a catalog's text.

    Args:
        text: TOML.
        folder: What relative paths of `local` sources are relative to.
        where: The catalog's name for messages.

    Raises:
        AssetError: The text breaks the format; every problem is in the message.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise AssetError(
            f"the catalog is not TOML: {error}", code="asset_catalog", where=where
        ) from error
    problems: list[Issue] = []
    reader = ObjectReader(document, "", problems)
    reader.only(("catalog_version", "asset"))
    version = reader.whole("catalog_version", low=1)
    if version != CATALOG_VERSION and not problems:
        reader.report(
            f"expected {CATALOG_VERSION}, got {version}", "catalog_version", "unknown_version"
        )
    assets = tuple(_parse_asset(item, folder) for item in reader.items("asset"))
    _report_repeats(reader, "asset", [asset.name for asset in assets])
    if problems:
        found = "; ".join(f"{issue.key}: {issue.message}" for issue in problems)
        raise AssetError(
            f"the catalog has {len(problems)} problems: {found}"
            if len(problems) > 1
            else f"the catalog has a problem: {found}",
            code="asset_catalog",
            where=where,
            hint="Correct the file; src/filmcan/models/catalog.toml shows the form.",
        )
    return assets


def _read_catalog(path: Path) -> tuple[Asset, ...]:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_CATALOG_BYTES + 1)
        if len(data) > _MAX_CATALOG_BYTES:
            raise AssetError(
                f"the catalog is larger than {_MAX_CATALOG_BYTES} bytes",
                code="asset_catalog",
                where=path.name,
            )
        text = data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(
            f"the catalog cannot be read: {error}",
            code="asset_catalog",
            where=path.name,
            hint=f"Correct or unset {CATALOG_VARIABLE}.",
        ) from error
    return parse_catalog(text, folder=path.resolve().parent, where=path.name)


def _parse_asset(reader: ObjectReader, folder: Path) -> Asset:
    reader.only(("name", "kind", "version", "license", "license_url", "description", "files"))
    files = tuple(_parse_file(item, folder) for item in reader.items("files"))
    if not files and isinstance(reader.value.get("files"), list):
        reader.report("expected at least one file, got none", "files", "out_of_range")
    _report_repeats(reader, "files", [file.path for file in files])
    return Asset(
        name=reader.checked("name", _find_name_fault),
        kind=reader.choice("kind", KINDS),
        version=reader.text("version"),
        license=reader.text("license"),
        license_url=reader.text("license_url"),
        description=reader.text("description"),
        files=files,
    )


def _parse_file(reader: ObjectReader, folder: Path) -> AssetFile:
    reader.only(("path", "size_bytes", "sha256", "sources"))
    sources = []
    for item in reader.items("sources"):
        before = len(reader.problems)
        kind = item.choice("kind", tuple(sorted(SOURCES)))
        if len(reader.problems) == before:
            sources.append(SOURCES[kind].parse(item, folder))
    if not sources and reader.value.get("sources") == []:
        reader.report("expected at least one source, got none", "sources", "out_of_range")
    return AssetFile(
        path=reader.checked("path", find_path_fault),
        size_bytes=reader.whole("size_bytes", low=1),
        sha256=reader.checked("sha256", _find_digest_fault),
        sources=tuple(sources),
    )


def _merge(known: Asset, given: Asset, path: Path) -> Asset:
    if [file.identity for file in known.files] != [file.identity for file in given.files]:
        raise AssetError(
            f"{given.name} is a built-in asset with other files",
            code="asset_catalog",
            where=path.name,
            hint="Choose another name, or repeat path, size_bytes and sha256 to add sources.",
        )
    files = tuple(
        replace(file, sources=(*new.sources, *file.sources))
        for file, new in zip(known.files, given.files, strict=True)
    )
    return replace(known, files=files)


def _report_repeats(reader: ObjectReader, name: str, values: list[str]) -> None:
    for value in sorted({value for value in values if values.count(value) > 1}):
        reader.report(f"{value!r} stands more than once", name, "repeated")


def _find_name_fault(value: str) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return "expected 1 to 128 of a-z 0-9 _ . -, the first a letter or digit"


def _find_digest_fault(value: str) -> str | None:
    return None if _SHA256.fullmatch(value) else "expected 64 lower-case hex digits"
