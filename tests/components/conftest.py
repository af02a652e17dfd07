"""Networks that components can be run on where their weights are not at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from filmcan.models.cache import CACHE_VARIABLE
from filmcan.models.catalog import CATALOG_VARIABLE
from filmcan.models.weights import Weights, get_weights
from filmcan.testing.fixture_networks import (
    CLAP,
    CLIP,
    MIDAS,
    pull,
    write_catalog,
    write_fixture_models,
)
from filmcan.testing.fixture_sentences import MINILM, MINILM_ONNX, build_sentence_assets

MakeModel = Callable[[Mapping[str, bytes]], Weights]


@pytest.fixture(scope="session")
def _fixture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of fixture networks and a cache that holds them."""
    folder = tmp_path_factory.mktemp("fixture-models")
    catalog = write_fixture_models(folder, build_sentence_assets())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CATALOG_VARIABLE, str(catalog))
        patch.setenv(CACHE_VARIABLE, str(folder / "cache"))
        pull((CLIP, MIDAS, CLAP, MINILM, MINILM_ONNX))
    return folder


@pytest.fixture
def fixture_models(_fixture_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the assets `fixture-...` be found, and no weights beside them."""
    monkeypatch.setenv(CATALOG_VARIABLE, str(_fixture_folder / "catalog.toml"))
    monkeypatch.setenv(CACHE_VARIABLE, str(_fixture_folder / "cache"))


@pytest.fixture
def make_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeModel:
    """Build the asset `fixture-own` from its files; it can then be found by that name."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))

    def make(files: Mapping[str, bytes]) -> Weights:
        catalog = write_catalog(tmp_path, {"fixture-own": files})
        monkeypatch.setenv(CATALOG_VARIABLE, str(catalog))
        pull(["fixture-own"])
        return get_weights("fixture-own")

    return make
