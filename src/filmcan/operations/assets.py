"""Fetch and check the files of the asset catalog. The verbs behind `filmcan models`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from filmcan.contract.issues import Report
from filmcan.models.catalog import Asset, load_catalog
from filmcan.models.fetch import FetchProgress, fetch, find_cached, get_cached, verify


@dataclass(frozen=True, slots=True)
class AssetSummary:
    """One line of the catalog."""

    name: str
    kind: str
    version: str
    license: str
    size_bytes: int
    is_cached: bool
    description: str


def ignore(sentence: str) -> None:
    """Drop a sentence on the progress of a fetch."""


def list_assets() -> list[AssetSummary]:
    """Return every asset of the catalog, and whether it lies in the cache.

    Raises:
        AssetError: The catalog is malformed.
    """
    return [_summarise(asset) for asset in load_catalog()]


def pull_assets(
    names: Iterable[str], *, on_step: Callable[[str], None] = ignore
) -> dict[str, dict[str, Path]]:
    """Fetch assets that are not cached; return where each one's files lie.

    Args:
        names: Assets of the catalog.
        on_step: Takes a sentence on each step.

    Raises:
        NotFoundError: There is no such asset.
        AssetError: A file cannot be fetched, or its bytes are not those of the catalog.
    """
    catalog = load_catalog()
    assets = [catalog.get(name) for name in names]
    return {
        asset.name: fetch(asset, on_progress=lambda step: on_step(_describe(step)))
        for asset in assets
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


def _summarise(asset: Asset) -> AssetSummary:
    return AssetSummary(
        asset.name,
        asset.kind,
        asset.version,
        asset.license,
        asset.size_bytes,
        _is_cached(asset),
        asset.description,
    )


def _is_cached(asset: Asset) -> bool:
    return all(find_cached(file) is not None for file in asset.files)


def _describe(step: FetchProgress) -> str:
    source = f" from {step.source}" if step.source else ""
    return f"{step.file}: {step.step}{source} ({step.size_bytes / 1e6:.1f} MB)"
