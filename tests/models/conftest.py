"""Assets, caches and wheels made by code."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from filmcan.models.cache import Cache
from filmcan.models.catalog import Asset, AssetFile
from filmcan.models.sources.base import Source
from filmcan.models.sources.local import LocalSource

BuildAsset = Callable[..., Asset]
BuildWheel = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache")


@pytest.fixture
def build_asset(tmp_path: Path) -> BuildAsset:
    """Build an asset of one file; by default from a local file that holds its content."""

    def build(content: bytes = b"weights", *sources: Source) -> Asset:
        if not sources:
            path = tmp_path / "own.bin"
            path.write_bytes(content)
            sources = (LocalSource(path),)
        file = AssetFile(
            "weights.bin", len(content), hashlib.sha256(content).hexdigest(), tuple(sources)
        )
        return Asset("thing", "model", "1", "MIT", "", "", (file,))

    return build


@pytest.fixture
def build_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildWheel:
    """Build a wheel in a folder that is the only place pip looks at."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")

    def build(
        members: dict[str, bytes], *, version: str = "1.0", tag: str = "py3-none-any"
    ) -> Path:
        info = f"filmcan_made-{version}.dist-info"
        path = folder / f"filmcan_made-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: filmcan-made\nVersion: {version}\n",
            )
            archive.writestr(
                f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path

    return build
