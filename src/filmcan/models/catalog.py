"""The asset catalog: what can be fetched, under which licence, and how each file is recognised.

Parsed strictly from `catalog.toml` beside this file and, when there is one, from the user's own
catalog. Knows nothing of the cache or of how bytes travel. Names that begin with `fixture-` are
for networks made by tests: a user's catalog may use them, the built-in one does not.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

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
FIXTURE_PREFIX = "fixture-"
UNKNOWN_DIGEST = "unknown"
"""Stands for a digest that nobody has established; `models pull --accept-digest` finds it."""

_T = TypeVar("_T")
_BUILT_IN = Path(__file__).with_name("catalog.toml")
_MAX_CATALOG_BYTES = 1 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class AssetFile:
    """One file of an asset.

    Attributes:
        path: Its name inside the asset, relative, `/`-separated.
        size_bytes: Its exact size; None only where the digest is not known either.
        sha256: Its digest in lower-case hex; of the file itself, not of a package around it. None:
            not known, so that the file is not fetched unless somebody accepts what comes.
        sources: Where to get it, tried in order.
    """

    path: str
    size_bytes: int | None
    sha256: str | None
    sources: tuple[Source, ...]

    def is_met_by(self, given: AssetFile) -> bool:
        """Tell whether another entry is about the same bytes, as far as this one knows them."""
        return (
            given.path == self.path
            and self.sha256 in (None, given.sha256)
            and self.size_bytes in (None, given.size_bytes)
        )


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
        """Size of all files together, as far as it is known."""
        return sum(file.size_bytes or 0 for file in self.files)

    @property
    def unknown_files(self) -> tuple[AssetFile, ...]:
        """The files whose digest is not known."""
        return tuple(file for file in self.files if file.sha256 is None)


class Catalog:
    """Assets by name, in the order of the files they were read from, and named sets of them."""

    def __init__(
        self, assets: Mapping[str, Asset], sets: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        """Take parsed assets and the sets over them."""
        self._assets = dict(assets)
        self.sets: Mapping[str, tuple[str, ...]] = dict(sets or {})

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
        return _look_up(self._assets, name, "asset")

    def get_set(self, name: str) -> tuple[Asset, ...]:
        """Return the assets of a set.

        Raises:
            NotFoundError: No set has that name; the hint names the nearest ones.
        """
        return tuple(map(self.get, _look_up(self.sets, name, "set")))


def load_catalog(extra: Path | None = None) -> Catalog:
    """Return the built-in catalog together with the user's own.

    An asset of the user's catalog may be new, or repeat a built-in one file for file to add
    sources, which are then tried first, and digests that were not known. It never changes what a
    built-in name means; nor does a set.

    Args:
        extra: The user's catalog; None takes the one that `FILMCAN_CATALOG` names, if any.

    Raises:
        AssetError: A catalog cannot be read or is wrong; all problems are named together.
    """
    built_in = _read_built_in(_BUILT_IN)
    named = os.environ.get(CATALOG_VARIABLE)
    path = extra if extra is not None else Path(named).expanduser() if named else None
    if path is None:
        return built_in
    assets = {asset.name: asset for asset in built_in}
    given = _read_catalog(path, known=assets)
    for asset in given:
        known = assets.get(asset.name)
        assets[asset.name] = asset if known is None else _merge(known, asset, path)
    return Catalog(assets, {**given.sets, **built_in.sets})


def parse_catalog(text: str, *, folder: Path, where: str, known: Iterable[str] = ()) -> Catalog:
    """Return the assets and sets of a catalog's text.

    Args:
        text: TOML.
        folder: What relative paths of `local` sources are relative to.
        where: The catalog's name for messages.
        known: Names of assets that its sets may use besides its own.

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
    reader.only(("catalog_version", "sets", "asset"))
    version = reader.whole("catalog_version", low=1)
    if version != CATALOG_VERSION and not problems:
        reader.report(
            f"expected {CATALOG_VERSION}, got {version}", "catalog_version", "unknown_version"
        )
    assets = tuple(_parse_asset(item, folder) for item in reader.items("asset"))
    _report_repeats(reader, "asset", [asset.name for asset in assets])
    sets = _parse_sets(reader, {*known, *(asset.name for asset in assets)})
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
    return Catalog({asset.name: asset for asset in assets}, sets)


@functools.cache
def _read_built_in(path: Path) -> Catalog:
    """Read a catalog that does not change while we run; every component asks for it."""
    return _read_catalog(path)


def _read_catalog(path: Path, known: Iterable[str] = ()) -> Catalog:
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
    return parse_catalog(text, folder=path.resolve().parent, where=path.name, known=known)


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
    digest = reader.checked("sha256", _find_digest_fault)
    is_known = digest != UNKNOWN_DIGEST
    return AssetFile(
        path=reader.checked("path", find_path_fault),
        # What a size bounds, the digest checks: one without the other is half an entry.
        size_bytes=reader.whole("size_bytes", low=1)
        if is_known or reader.has("size_bytes")
        else None,
        sha256=digest if is_known else None,
        sources=tuple(sources),
    )


def _parse_sets(reader: ObjectReader, names: set[str]) -> dict[str, tuple[str, ...]]:
    if not reader.has("sets"):
        return {}
    table = reader.child("sets")
    sets = {name: table.texts(name) for name in table.value}
    for name, members in sets.items():
        if fault := _find_name_fault(name):
            table.report(fault, name, "bad_value")
        for member in sorted(set(members) - names):
            table.report(f"{member!r} is no asset", name, "bad_value")
    return sets


def _merge(known: Asset, given: Asset, path: Path) -> Asset:
    if len(known.files) != len(given.files) or not all(
        file.is_met_by(new) for file, new in zip(known.files, given.files, strict=True)
    ):
        raise AssetError(
            f"{given.name} is a built-in asset with other files",
            code="asset_catalog",
            where=path.name,
            hint="Choose another name, or repeat path, size_bytes and sha256 to add sources.",
        )
    files = tuple(
        replace(new, sources=(*new.sources, *file.sources))
        for file, new in zip(known.files, given.files, strict=True)
    )
    return replace(known, files=files)


def _look_up(entries: Mapping[str, _T], name: str, kind: str) -> _T:
    try:
        return entries[name]
    except KeyError:
        near = difflib.get_close_matches(name, entries, n=3)
        raise NotFoundError(
            f"no {kind} is named {name!r}",
            code=f"unknown_{kind}",
            where="asset catalog",
            hint=f"There are: {', '.join(near or sorted(entries))}.",
        ) from None


def _report_repeats(reader: ObjectReader, name: str, values: list[str]) -> None:
    for value in sorted({value for value in values if values.count(value) > 1}):
        reader.report(f"{value!r} stands more than once", name, "repeated")


def _find_name_fault(value: str) -> str | None:
    if _NAME.fullmatch(value):
        return None
    return "expected 1 to 128 of a-z 0-9 _ . -, the first a letter or digit"


def _find_digest_fault(value: str) -> str | None:
    if value == UNKNOWN_DIGEST or _SHA256.fullmatch(value):
        return None
    return f"expected 64 lower-case hex digits, or {UNKNOWN_DIGEST!r}"
