"""The demo: a clip of the catalog from end to end, without touching the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmcan.cli.main import invoke
from filmcan.operations.demo import SAMPLE_ASSET, SAMPLE_FILE, run_demo


@pytest.fixture
def fetched(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the catalog give the made clip for the sample."""

    def pull(names: list[str], **options: object) -> dict[str, dict[str, Path]]:
        assert names == [SAMPLE_ASSET]
        return {SAMPLE_ASSET: {SAMPLE_FILE: clip}}

    monkeypatch.setattr("filmcan.operations.demo.pull_assets", pull)


@pytest.mark.usefixtures("fetched")
def test_the_demo_ends_with_a_run_that_validate_accepts(tmp_path: Path) -> None:
    result = run_demo(tmp_path)
    assert result.verdict.report.ok
    assert (result.verdict.runs, result.verdict.artifacts) == (1, 9)
    assert result.run.status == "ok"
    assert result.run.manifest.run.source["name"] == SAMPLE_FILE
    text = result.run["text_processor"]
    assert text["title_present"]
    assert text["comments_present"]


@pytest.mark.usefixtures("fetched")
def test_the_demo_says_what_to_try_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["demo", "--store", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "valid: 1 runs, 9 artifacts, 0 errors" in out
    assert "filmcan show" in out


def test_without_network_or_cache_the_demo_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FILMCAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FILMCAN_OFFLINE", "1")
    assert invoke(["demo", "--store", str(tmp_path / "store")]) == 2
    assert "FILMCAN_OFFLINE" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
