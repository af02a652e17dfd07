"""`filmcan models`: list, pull, verify and path, over a catalog of local files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from filmcan.cli.main import invoke
from filmcan.errors import AssetError, NotFoundError
from filmcan.operations.assets import find_asset_paths, list_assets, pull_assets, verify_assets


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a local file that a catalog of the user's own names `fixture-own`."""
    weights = tmp_path / "own.bin"
    weights.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    extra = tmp_path / "catalog.toml"
    extra.write_text(
        "catalog_version = 1\n[[asset]]\nname = 'fixture-own'\nkind = 'model'\nversion = '1'\n"
        "license = 'CC0-1.0'\nlicense_url = 'https://creativecommons.org/publicdomain/zero/1.0/'\n"
        "description = 'A file of my own.'\n[[asset.files]]\npath = 'own.bin'\nsize_bytes = 7\n"
        f"sha256 = '{digest}'\n[[asset.files.sources]]\nkind = 'local'\npath = 'own.bin'\n"
    )
    monkeypatch.setenv("FILMCAN_CATALOG", str(extra))
    monkeypatch.setenv("FILMCAN_CACHE", str(tmp_path / "cache"))
    return weights


def test_an_asset_is_listed_pulled_found_and_verified(catalog: Path) -> None:
    assert {asset.name: asset.is_cached for asset in list_assets()}["fixture-own"] is False
    with pytest.raises(AssetError, match="filmcan models pull fixture-own"):
        find_asset_paths("fixture-own")
    steps: list[str] = []
    paths = pull_assets(["fixture-own"], on_step=steps.append)
    assert paths["fixture-own"]["own.bin"].read_bytes() == b"weights"
    assert "own.bin" in steps[0]
    assert find_asset_paths("fixture-own") == paths["fixture-own"]
    assert verify_assets(["fixture-own"]).ok
    assert {asset.name: asset.is_cached for asset in list_assets()}["fixture-own"] is True


def test_a_damaged_copy_is_found_by_verify(catalog: Path) -> None:
    path = pull_assets(["fixture-own"])["fixture-own"]["own.bin"]
    path.chmod(0o644)
    path.write_bytes(b"Weights")
    report = verify_assets([])
    assert not report.ok
    assert report.issues[0].where == "fixture-own"


def test_an_unknown_asset_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        pull_assets(["nothing"])


def test_the_commands_print_paths_and_exit_codes(
    catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["models", "path", "fixture-own"]) == 2
    assert invoke(["models", "pull", "fixture-own", "--json"]) == 0
    path = json.loads(capsys.readouterr().out)["fixture-own"]["own.bin"]
    assert invoke(["models", "path", "fixture-own"]) == 0
    assert capsys.readouterr().out.strip() == path
    assert invoke(["models", "list"]) == 0
    assert "fixture-own" in capsys.readouterr().out
    assert invoke(["models", "verify", "--json"]) == 0
    Path(path).chmod(0o644)
    Path(path).write_bytes(b"Weights")
    assert invoke(["models", "verify"]) == 3
