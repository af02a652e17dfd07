"""`batch`, `retry`, `status`, `explain`, `du`: parsing, exit codes, reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from filmcan.cli.batch_reports import print_batch, tell_failures
from filmcan.cli.main import invoke
from filmcan.operations.batch import BatchReport
from filmcan.operations.batch_videos import ComponentEnd, VideoResult
from filmcan.operations.process import process_video

ONLY = ["loudness_extractor", "text_processor"]


@pytest.fixture(scope="module")
def store(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with two runs of one video; the second has another silence threshold."""
    folder = tmp_path_factory.mktemp("cli") / "store"
    settings = ["components.loudness_extractor.silence_threshold_dbfs=-50"]
    process_video(clip, store=folder, video_id="v", only=ONLY)
    process_video(clip, store=folder, video_id="v", only=ONLY, settings=settings)
    return folder


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = invoke(list(arguments))
    return code, capsys.readouterr().out


def test_explain_names_the_part_that_changed(
    store: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = call(capsys, "explain", "local/v", "--store", str(store))
    assert code == 0
    assert "parameters.silence_threshold_dbfs changed from -60.0 to -50.0" in out
    assert "Carried: run " in out
    assert "Stale: parameters.silence_threshold_dbfs changed from -50.0 to -60.0." in out
    code, out = call(
        capsys,
        *("explain", "local/v", "--store", str(store), "--component", "text_processor"),
        *("--source", str(clip), "--json"),
    )
    (story,) = json.loads(out)["components"]
    assert (code, story["stale"]) == (0, [])


def test_explain_says_what_it_cannot_find(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "explain", "local/x", "--store", str(store))[0] == 2
    options = ("--store", str(store), "--component", "core_clip")
    assert call(capsys, "explain", "local/v", *options)[0] == 2
    options = ("--store", str(store), "--document", str(tmp_path / "doc.json"))
    assert call(capsys, "explain", "local/v", *options)[0] == 2


def test_status_lists_what_is_stale(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = call(capsys, "status", str(store))
    assert code == 0
    assert "stale" not in out
    code, out = call(capsys, "status", str(store), "--stale")
    assert "stale: local/v loudness_extractor: parameters.silence_threshold_dbfs" in out
    assert "missing: core_clip in 1 videos" in out
    code, out = call(capsys, "status", str(store), "--stale", "--json")
    found = json.loads(out)["stale"]["results"]
    assert [item["component"] for item in found] == ["loudness_extractor"]


def test_du_adds_up(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = call(capsys, "du", str(store))
    assert code == 0
    assert "local/v" in out
    assert "1 videos" in out
    code, out = call(capsys, "du", str(store), "--json")
    found = json.loads(out)
    assert found["size_bytes"] == sum(found["components"].values()) > 0


def test_a_run_that_changes_nothing_says_so(
    store: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = [word for name in ONLY for word in ("--only", name)]
    setting = "components.loudness_extractor.silence_threshold_dbfs=-50"
    words = ["run", str(clip), "--store", str(store), "--video-id", "v", *only, "--set", setting]
    code, out = call(capsys, *words)
    assert code == 0
    assert "Nothing has changed" in out
    code, out = call(capsys, *words, "--json")
    assert json.loads(out)["unchanged"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ("batch", "nowhere/*.mp4"),
        ("batch", "x.mp4", "--workers", "0"),
        ("batch", "x.mp4", "--engine", "spark"),
        ("batch", "x.mp4", "--set", "nothing=1"),
        ("retry", "x.mp4", "--status", "ok"),
        ("batch",),
    ],
)
def test_wrong_use_is_exit_code_2(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ("--store", str(tmp_path / "store"))
    assert call(capsys, *arguments, *store)[0] == 2
    assert not (tmp_path / "store").exists()


def test_a_batch_cannot_go_into_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "batch", "x.mp4", "--store", "memory://")[0] == 5


def test_a_batch_of_sources_that_cannot_be_read_tells_each_and_ends_with_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = invoke(["batch", str(tmp_path / "absent.mp4"), "--store", str(tmp_path / "store")])
    said = capsys.readouterr()
    assert code == 4
    assert "failed: absent.mp4 (absent.mp4): source_unreadable" in said.err.replace("\n", " ")
    assert "(source)" in said.out
    assert "1 videos" in said.out
    assert str(tmp_path) not in said.err


def test_the_closing_table_counts_by_component_status_and_reason(
    capsys: pytest.CaptureFixture[str],
) -> None:
    crashed = ComponentEnd("core_clip", "error", "worker_crashed", "worker_crashed: gone", None, 0)
    fine = ComponentEnd("core_clip", "ok", "", None, 2.5, 3_000_000)
    results = [
        VideoResult("a.mp4", "local", "a", "r", "done", "ok", (fine,), None, 3.0),
        VideoResult("b.mp4", "local", "b", "r", "done", "error", (crashed,), None, 3.0),
        VideoResult("c.mp4", "local", "c", None, "failed", None, (), "bad_media: no", 0.1),
    ]
    report = BatchReport(tuple(results), 6.0)
    print_batch(report)
    out = capsys.readouterr().out
    assert "worker_crashed" in out
    assert "bad_media" in out
    assert "3 videos in 6.0 s: 2 done, 0 done earlier, 1 without a run; 2 with a failure." in out
    assert [tell_failures(result) for result in results] == [
        [],
        ["failed: local/b (b.mp4) core_clip: worker_crashed: gone"],
        ["failed: local/c (c.mp4): bad_media: no"],
    ]
