"""Fetch and check the files of the asset catalog. The verbs behind `filmcan models`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from filmcan.contract.issues import Report
from filmcan.errors import AssetError
from filmcan.models.catalog import Asset, Catalog, load_catalog
from filmcan.models.catalog_entry import build_entry
from filmcan.models.fetch import (
    FetchProgress,
    accept_digests,
    fetch,
    find_cached,
    get_cached,
    verify,
)

__all__ = [
    "AcceptedAsset",
    "AssetSummary",
    "FetchProgress",
    "accept_assets",
    "find_asset_paths",
    "ignore",
    "list_assets",
    "list_sets",
    "pull_assets",
    "verify_assets",
]

OnProgress = Callable[[FetchProgress], None]


@dataclass(frozen=True, slots=True)
class AssetSummary:
    """One line of the catalog.

    Attributes:
        name: What `models pull` takes.
        kind: `model` or `sample`.
        version: The upstream version or revision.
        license: As the upstream project states it.
        license_url: Where it states it.
        size_bytes: All files together, as far as known.
        is_cached: Every file lies in the cache.
        has_digests: The digest of every file is known; else only `--accept-digest` fetches it.
        sources: The kinds of sources, in the order in which they are tried.
        description: What it is.
    """

    name: str
    kind: str
    version: str
    license: str
    license_url: str
    size_bytes: int
    is_cached: bool
    has_digests: bool
    sources: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class AcceptedAsset:
    """An asset some of whose digests nobody knew before.

    Attributes:
        paths: Where its files lie now.
        entry: Its catalog entry with the digests they turned out to have, as TOML.
    """

    paths: dict[str, Path]
    entry: str


def ignore(sentence: str) -> None:
    """Drop a sentence on the progress of a fetch."""


def list_assets() -> list[AssetSummary]:
    """Return every asset of the catalog, and whether it lies in the cache.

    Raises:
        AssetError: The catalog is malformed.
    """
    return [_summarise(asset) for asset in load_catalog()]


def list_sets() -> dict[str, tuple[str, ...]]:
    """Return the named sets of the catalog and the assets in each.

    Raises:
        AssetError: The catalog is malformed.
    """
    return dict(load_catalog().sets)


def pull_assets(
    names: Iterable[str],
    *,
    sets: Iterable[str] = (),
    on_step: Callable[[str], None] = ignore,
    on_progress: OnProgress | None = None,
) -> dict[str, dict[str, Path]]:
    """Fetch assets that are not cached; return where each one's files lie.

    One that cannot be fetched does not keep the others from being fetched.

    Args:
        names: Assets of the catalog.
        sets: Sets of the catalog, whose assets are fetched as well.
        on_step: Takes a sentence on each step.
        on_progress: Takes each step, and the bytes as they arrive.

    Raises:
        NotFoundError: There is no such asset or set.
        AssetError: A file cannot be fetched, its bytes are not those of the catalog, or its
            digest is not known.
    """

    def report(step: FetchProgress) -> None:
        if on_progress is not None:
            on_progress(step)
        if step.step != "receiving":
            on_step(_describe(step))

    paths: dict[str, dict[str, Path]] = {}
    failures: list[AssetError] = []
    for asset in _select(load_catalog(), names, sets):
        try:
            paths[asset.name] = fetch(asset, on_progress=report)
        except AssetError as error:
            failures.append(error)
    if failures:
        raise failures[0] if len(failures) == 1 else _join(failures)
    return paths


def accept_assets(
    names: Iterable[str], *, on_progress: OnProgress | None = None
) -> dict[str, AcceptedAsset]:
    """Fetch assets and take those digests that no catalog states from what arrives.

    A digest that a catalog states is held to as ever.

    Raises:
        NotFoundError: There is no such asset.
        AssetError: A file cannot be fetched, or its bytes are not those of the catalog.
    """
    catalog = load_catalog()
    accepted = [
        accept_digests(asset, on_progress=on_progress) for asset in _select(catalog, names, ())
    ]
    return {
        asset.name: AcceptedAsset(fetch(asset, on_progress=on_progress), build_entry(asset))
        for asset in accepted
    }


def verify_assets(names: Iterable[str]) -> Report:
    """Read every file of the named assets, or of all cached ones, and compare the digests.

    Raises:
        NotFoundError: There is no such asset.
    """
    catalog = load_catalog()
    wanted = [catalog.get(name) for name in names]
    if not wanted:
        wanted = [asset for asset in catalog if _is_cached(asset)]
    return Report(
        tuple(replace(issue, where=asset.name) for asset in wanted for issue in verify(asset))
    )


def find_asset_paths(name: str) -> dict[str, Path]:
    """Return where an asset's files lie.

    Raises:
        NotFoundError: There is no such asset.
        AssetError: It is not cached; the hint is the command that fetches it.
    """
    return get_cached(load_catalog().get(name))


def _select(catalog: Catalog, names: Iterable[str], sets: Iterable[str]) -> list[Asset]:
    wanted = [catalog.get(name) for name in names]
    wanted += [asset for name in sets for asset in catalog.get_set(name)]
    return list({asset.name: asset for asset in wanted}.values())


def _join(failures: list[AssetError]) -> AssetError:
    """Return one error for several; each keeps its place in the message."""
    codes = {failure.code for failure in failures}
    return AssetError(
        "; ".join(f"{failure.where}: {failure.message}" for failure in failures),
        code=codes.pop() if len(codes) == 1 else None,
        where=f"{len(failures)} assets",
        hint=failures[0].hint,
    )


def _summarise(asset: Asset) -> AssetSummary:
    kinds = (source.kind for file in asset.files for source in file.sources)
    return AssetSummary(
        name=asset.name,
        kind=asset.kind,
        version=asset.version,
        license=asset.license,
        license_url=asset.license_url,
        size_bytes=asset.size_bytes,
        is_cached=_is_cached(asset),
        has_digests=not asset.unknown_files,
        sources=tuple(dict.fromkeys(kinds)),
        description=asset.description,
    )


def _is_cached(asset: Asset) -> bool:
    return all(find_cached(file) is not None for file in asset.files)


def _describe(step: FetchProgress) -> str:
    source = f" from {step.source}" if step.source else ""
    size = "" if step.size_bytes is None else f" ({step.size_bytes / 1e6:.1f} MB)"
    return f"{step.file}: {step.step}{source}{size}"
