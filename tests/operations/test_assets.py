"""`filmcan models`: list, pull, verify and path, over a catalog of local files."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from filmcan.cli.fetch_progress import FetchBar
from filmcan.cli.main import invoke
from filmcan.errors import AssetError, NotFoundError
from filmcan.operations.assets import (
    FetchProgress,
    accept_assets,
    find_asset_paths,
    list_assets,
    list_sets,
    pull_assets,
    verify_assets,
)


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a local file that a catalog of the user's own names `fixture-own`."""
    weights = tmp_path / "own.bin"
    weights.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    extra = tmp_path / "catalog.toml"
    extra.write_text(
        "catalog_version = 1\n[sets]\nfixture-set = ['fixture-own']\n[[asset]]\n"
        "name = 'fixture-own'\nkind = 'model'\nversion = '1'\n"
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


def test_an_unknown_asset_or_set_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        pull_assets(["nothing"])
    with pytest.raises(NotFoundError):
        pull_assets([], sets=["nothing"])


def test_a_set_is_pulled_and_an_asset_named_twice_is_fetched_once() -> None:
    assert list_sets()["fixture-set"] == ("fixture-own",)
    steps: list[FetchProgress] = []
    paths = pull_assets(["fixture-own"], sets=["fixture-set"], on_progress=steps.append)
    assert list(paths) == ["fixture-own"]
    assert [step.step for step in steps] == ["fetching", "fetched"]


def test_what_cannot_be_fetched_does_not_keep_the_rest_from_being_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FILMCAN_OFFLINE", "1")
    with pytest.raises(AssetError, match=r"asset yolox_tiny, .*asset yolox_nano, ") as caught:
        pull_assets(["yolox_tiny", "yolox_nano", "fixture-own"])
    assert (caught.value.code, caught.value.where) == ("asset_offline", "2 assets")
    assert find_asset_paths("fixture-own")["own.bin"].is_file()


def test_a_summary_says_what_a_person_wants_to_know_before_fetching() -> None:
    found = {asset.name: asset for asset in list_assets()}
    assert found["mediapipe_face"].sources == ("https", "wheel")
    assert found["mediapipe_face"].license == "Apache-2.0"
    assert all(asset.has_digests for asset in found.values())


@pytest.fixture
def unknown(catalog: Path) -> Path:
    """Make the digest of `fixture-own` unknown; return the catalog."""
    extra = catalog.with_name("catalog.toml")
    digest = hashlib.sha256(b"weights").hexdigest()
    text = extra.read_text().replace(f"'{digest}'", "'unknown'").replace("size_bytes = 7\n", "")
    extra.write_text(text)
    return extra


def test_an_unknown_digest_is_refused_until_its_entry_is_committed(unknown: Path) -> None:
    assert {asset.name: asset.has_digests for asset in list_assets()}["fixture-own"] is False
    with pytest.raises(AssetError, match="--accept-digest"):
        pull_assets(["fixture-own"])
    accepted = accept_assets(["fixture-own"])["fixture-own"]
    assert accepted.paths["own.bin"].read_bytes() == b"weights"
    with pytest.raises(AssetError, match="not fetched yet"):
        find_asset_paths("fixture-own")
    unknown.write_text(f"catalog_version = 1\n{accepted.entry}")
    assert find_asset_paths("fixture-own") == accepted.paths


def test_the_command_prints_the_entry_to_commit(
    unknown: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["models", "pull", "fixture-own"]) == 2
    assert "--accept-digest" in capsys.readouterr().err
    assert invoke(["models", "pull", "fixture-own", "--accept-digest", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert printed["assets"]["fixture-own"]["own.bin"].endswith(digest)
    assert invoke(["models", "pull", "fixture-own", "--accept-digest"]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip() == printed["entries"]["fixture-own"].strip()
    assert "FILMCAN_CATALOG" in shown.err
    assert f'sha256 = "{digest}"' in shown.out


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--set", "fixture-set", "--accept-digest"]])
def test_pull_without_a_name_or_with_contradicting_options_is_a_usage_error(
    arguments: list[str],
) -> None:
    assert invoke(["models", "pull", *arguments]) == 2


def _show(*steps: FetchProgress, terminal: bool) -> str:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=120, color_system=None)
    with FetchBar(console) as bar:
        for step in steps:
            bar.on_progress(step)
            bar.refresh()
    return shown.getvalue()


STEPS = (
    FetchProgress("thing", "a.bin", "cached", 7),
    FetchProgress("thing", "b[x].bin", "fetching", 2_000_000, "hf o/n@0, b"),
    FetchProgress("thing", "b[x].bin", "receiving", 2_000_000, "hf o/n@0, b", 500_000),
    FetchProgress("thing", "b[x].bin", "receiving", 2_000_000, "hf o/n@0, b", 1_500_000),
    FetchProgress("thing", "b[x].bin", "fetched", 2_000_000, "hf o/n@0, b", 2_000_000),
)


def test_on_a_terminal_bytes_are_shown_as_they_arrive_and_a_line_for_each_file() -> None:
    shown = _show(*STEPS, terminal=True)
    assert "0.5/2.0 MB" in shown
    assert "1.5/2.0 MB" in shown
    assert "thing/b[x].bin: 2.0 MB from hf o/n@0, b\n" in shown
    assert "a.bin" not in shown


def test_elsewhere_a_fetch_says_nothing() -> None:
    assert _show(*STEPS, terminal=False) == ""


def test_the_commands_print_paths_and_exit_codes(
    catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["models", "path", "fixture-own"]) == 2
    assert invoke(["models", "pull", "fixture-own", "--json"]) == 0
    path = json.loads(capsys.readouterr().out)["fixture-own"]["own.bin"]
    assert invoke(["models", "path", "fixture-own"]) == 0
    assert capsys.readouterr().out.strip() == path
    assert invoke(["models", "list"]) == 0
    assert "set fixture-set (filmcan models pull --set fixture-set)" in capsys.readouterr().out
    assert invoke(["models", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["sets"]["fixture-set"] == ["fixture-own"]
    assert "fixture-own" in [asset["name"] for asset in listed["assets"]]
    assert invoke(["models", "verify", "--json"]) == 0
    Path(path).chmod(0o644)
    Path(path).write_bytes(b"Weights")
    assert invoke(["models", "verify"]) == 3
