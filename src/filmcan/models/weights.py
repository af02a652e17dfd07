"""The files of a model on this machine: found by name in the catalog, checked by digest.

Nothing is fetched here: a model whose files are absent is simply not there, and a sentence with
the exact command says how to get it. Networks made for tests are refused to everybody else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filmcan.contract.model_used import ModelUsed
from filmcan.errors import AssetError, NotFoundError
from filmcan.models.catalog import FIXTURE_PREFIX, Asset, load_catalog
from filmcan.models.fetch import build_pull_command, find_cached

FIXTURES_VARIABLE = "FILMCAN_ALLOW_FIXTURES"
"""Set to 1 by tools that make test data. Inside a test pytest's own variable says the same."""

_TEST_VARIABLE = "PYTEST_CURRENT_TEST"


@dataclass(frozen=True, slots=True)
class Weights:
    """A model whose files all lie in the cache.

    Attributes:
        name: Its name in the catalog.
        version: Its version there.
        license: Its licence, as the catalog states it.
        files: Path inside the asset -> where the file lies.
        digests: Path inside the asset -> sha256 in lower-case hex.
    """

    name: str
    version: str
    license: str
    files: Mapping[str, Path]
    digests: Mapping[str, str]

    def describe(
        self, file: str, *, runtime: str, engine: str, precision: str, device: str
    ) -> ModelUsed:
        """Return the row of `models_used` for one of the files."""
        return ModelUsed(
            model_name=self.name,
            model_version=self.version,
            weights_digest=f"sha256:{self.digests[file]}",
            runtime=runtime,
            engine=engine,
            precision=precision,
            device=device,
        )


def find_weights(name: str) -> Weights | None:
    """Return a model's files, None when one of them is not in the cache.

    Raises:
        NotFoundError: The catalog has no such asset.
        AssetError: The catalog is malformed, or it is a network made for tests.
    """
    _refuse_fixture(name)
    asset = load_catalog().get(name)
    found = {file.path: find_cached(file) for file in asset.files}
    files = {path: place for path, place in found.items() if place is not None}
    if len(files) < len(found):
        return None
    digests = {file.path: file.sha256 for file in asset.files if file.sha256 is not None}
    return Weights(asset.name, asset.version, asset.license, files, digests)


def get_weights(name: str) -> Weights:
    """Return a model's files.

    Raises:
        NotFoundError: The catalog has no such asset, or a file is not in the cache.
        AssetError: The catalog is malformed, or it is a network made for tests.
    """
    weights = find_weights(name)
    if weights is None:
        raise NotFoundError(
            f"the weights of {name} are not in the model cache",
            code="weights_missing",
            where=name,
            hint=f"Run: {build_pull_command(name)}",
        )
    return weights


def find_missing_weights(*names: str) -> str | None:
    """Return None when all the models are there, else a sentence that ends with the command.

    Raises:
        NotFoundError: The catalog has no such asset.
        AssetError: The catalog is malformed, or one of them is a network made for tests.
    """
    for name in names:
        _refuse_fixture(name)
    missing = [asset for asset in map(load_catalog().get, names) if not _is_cached(asset)]
    if not missing:
        return None
    told = ", ".join(f"{asset.name} ({asset.size_bytes / 1e6:.0f} MB)" for asset in missing)
    commands = " ".join(asset.name for asset in missing)
    return f"Weights are not in the model cache: {told}. Run: {build_pull_command(commands)}"


def _refuse_fixture(name: str) -> None:
    """Refuse a network that means nothing, so that it never stands in for a real one."""
    is_allowed = os.environ.get(FIXTURES_VARIABLE) == "1" or _TEST_VARIABLE in os.environ
    if name.startswith(FIXTURE_PREFIX) and not is_allowed:
        raise AssetError(
            "it is a network made for tests, and what it computes means nothing",
            code="fixture_model",
            where=name,
            hint="Name a real model in the profile; `filmcan models list` shows them.",
        )


def _is_cached(asset: Asset) -> bool:
    return all(find_cached(file) is not None for file in asset.files)
