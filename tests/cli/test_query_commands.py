"""`filmcan list`, `search`, `status` and `index`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from filmcan.cli.main import invoke
from filmcan.store.local import LocalBackend
from filmcan.testing.made_runs import build_made_run, write_manifest

RUNS = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("queried") / "store"
    backend = LocalBackend(folder)
    for number in range(RUNS):
        write_manifest(backend, build_made_run(number))
    return folder


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = invoke([str(item) for item in arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_list_filters_sorts_and_pages(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("list", store, "--platform-id", "youtube", "--component", "core_clip")
    code, out = call(capsys, *asked, "--component-status", "empty", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["total"] == len(found["runs"]) == 2
    assert {run["platform_id"] for run in found["runs"]} == {"youtube"}
    assert all(run["components"]["empty"] >= 1 for run in found["runs"])
    code, out = call(
        capsys, "list", store, "--sort", "created_at", "--reverse", "--limit", 3, "--json"
    )
    found = json.loads(out)
    times = [run["created_at"] for run in found["runs"]]
    assert (found["total"], found["limit"], len(times)) == (RUNS, 3, 3)
    assert times == sorted(times, reverse=True)
    code, out = call(capsys, "list", store, "--limit", 3, "--offset", 9)
    assert "10 to 12 of 12" in out
    code, out = call(capsys, "list", store, "--offset", 50)
    assert "50 to 50 of 12" in out
    code, out = call(capsys, "list", store, "--reason", "nothing_like_it")
    assert "No runs" in out


def test_list_takes_days_and_times_and_both_ends_belong_to_it(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = {build_made_run(number).run.created_at[:10] for number in range(RUNS)}
    day = sorted(days)[3]
    _, out = call(capsys, "list", store, "--since", day, "--until", day, "--json")
    assert {run["created_at"][:10] for run in json.loads(out)["runs"]} == {day}
    moment = json.loads(out)["runs"][0]["created_at"]
    _, out = call(capsys, "list", store, "--since", moment, "--until", moment, "--json")
    assert {run["created_at"] for run in json.loads(out)["runs"]} == {moment}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--since", "yesterday"),
        ("--until", "2026-02-31"),
        ("--limit", "0"),
        ("--offset", "-1"),
        ("--status", "fine"),
        ("--index", "mysql://x/y"),
    ],
)
def test_what_makes_no_sense_is_wrong_use(
    arguments: tuple[str, ...], store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = call(capsys, "list", store, *arguments)
    assert code == 2
    assert "do:" in out


def test_search_finds_errors_and_names(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = call(capsys, "search", "clip_11.MP4", store, "--json")
    assert code == 0
    assert [run["run_id"] for run in json.loads(out)["runs"]] == ["r11"]
    _, out = call(capsys, "search", "broke", store)
    assert "youtube" in out


def test_status_counts_components_of_the_latest_runs(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = call(capsys, "status", store, "--every-run", "--json")
    everything = json.loads(out)
    assert code == 0
    assert everything["total"] == RUNS
    components = sum(len(build_made_run(number).components) for number in range(RUNS))
    assert sum(item["count"] for item in everything["components"]) == components
    _, out = call(capsys, "status", store, "--json")
    latest = json.loads(out)
    assert latest["latest_only"]
    assert 0 < latest["total"] < RUNS
    assert "unfinished" not in latest["runs"]
    _, out = call(capsys, "status", store, "--component", "core_clip")
    assert "dependency_missing" in out
    assert "runs: " in out
    _, out = call(capsys, "status", store, "--platform-id", "nobody")
    assert "No runs" in out


def test_an_index_is_made_brought_up_to_date_surveyed_and_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = LocalBackend(tmp_path / "store")
    path = write_manifest(backend, build_made_run(1))
    (tmp_path / "store" / path / "manifest.json").write_text("{")
    write_manifest(backend, build_made_run(2))
    database = tmp_path / "index.sqlite"
    told = []
    for verb in ("status", "rebuild", "sync", "status", "drop"):
        asked = ("index", verb, tmp_path / "store", "--index", database)
        options = ("--workers", "1") if verb in ("rebuild", "sync") else ()
        code, out = call(capsys, *asked, *options)
        assert code == 0, out
        told.append(out)
    assert "not there" in told[0]
    assert "made anew: 1 runs" in told[1]
    assert "1 manifests give no run" in told[2]
    assert "to read" in told[3]
    assert "dropped" in told[4]
    assert not database.exists()
    code, out = call(capsys, "index", "rebuild", tmp_path / "store", "--json")
    found = json.loads(out)
    assert (found["did"], found["sync"]["runs"], found["sync"]["set_aside"]) == ("rebuild", 1, 1)
    code, out = call(capsys, "index", "sync", tmp_path / "absent")
    assert code == 5
