"""`filmcan import`: what scripts may rely on and what people read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from filmcan.cli.main import invoke
from filmcan.testing.made_foreign import (
    ForeignStore,
    build_foreign_detections,
    build_foreign_flow,
    build_foreign_row,
)


@pytest.fixture
def foreign(tmp_path: Path) -> ForeignStore:
    """Return a foreign store with one run: an artifact that fits, one that is carried."""
    store = ForeignStore(tmp_path / "theirs")
    store.write_artifact("core_object_detections", build_foreign_detections())
    store.write_artifact("core_optical_flow", build_foreign_flow())
    store.write_file("core_optical_flow/_render/context.json", "{}")
    store.write_manifest(
        build_foreign_row("core_object_detections"), build_foreign_row("core_optical_flow")
    )
    return store


def test_import_prints_one_json_object(
    foreign: ForeignStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours"
    assert invoke(["import", str(foreign.root), "--store", str(ours), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["complete"], said["dry_run"]) == (True, False)
    (run,) = said["runs"]
    assert (run["outcome"], run["manifest"], run["run_path"]) == ("imported", "read", "tube/v1/r1")
    assert [(item["name"], item["form"]) for item in run["components"]] == [
        ("core_object_detections", "upgraded"),
        ("core_optical_flow", "carried"),
    ]
    assert {item["fate"] for item in run["files"]} == {"read", "upgraded", "carried", "left_out"}
    assert invoke(["validate", str(ours)]) == 0


def test_import_tells_people_what_came_and_what_did_not(
    foreign: ForeignStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["import", str(foreign.root), "--store", str(tmp_path / "ours")]
    assert invoke([*arguments, "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "1 would be imported; 0 refusals" in out
    assert "changed: core_optical_flow: motion_norm_per_sec_mean" in out
    assert "core_optical_flow/_render/context.json" in out
    assert "remark: digest_unrecorded: core_object_detections, core_optical_flow:" in out
    assert not (tmp_path / "ours").exists()


def test_import_exits_with_4_when_something_was_refused(
    foreign: ForeignStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign.write_file("core_optical_flow/out.npz", b"damaged")
    assert invoke(["import", str(foreign.root), "--store", str(tmp_path / "ours")]) == 4
    assert "error: " in capsys.readouterr().out


def test_import_of_a_store_into_itself_is_wrong_use(
    foreign: ForeignStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["import", str(foreign.root), "--store", str(foreign.root)]) == 2
    assert "cannot be imported into itself" in capsys.readouterr().err


def test_import_of_runs_that_the_source_does_not_have_is_wrong_use(
    foreign: ForeignStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours"
    arguments = ["import", str(foreign.root), "--store", str(ours)]
    assert invoke([*arguments, "--platform", "tbue"]) == 2
    told = capsys.readouterr().err
    assert "no run of tbue" in told
    assert "Is it tube?" in told
    assert invoke([*arguments, "--platform", "tube", "--video", "v11"]) == 2
    assert "Is it v1?" in capsys.readouterr().err
    assert invoke([*arguments, "--video", "nothing"]) == 2
    assert "Is it" not in capsys.readouterr().err
    assert invoke([*arguments, "--video", "../x"]) == 2
    assert "may hold only" in capsys.readouterr().err
    assert not ours.exists()


def test_a_source_without_any_run_is_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert invoke(["import", str(tmp_path / "empty"), "--store", str(tmp_path / "ours")]) == 0
    assert "no runs found" in capsys.readouterr().out


def test_a_missing_source_and_a_missing_store_have_hints_of_their_own(
    foreign: ForeignStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = str(tmp_path / "nothing")
    assert invoke(["import", nothing, "--store", str(tmp_path / "ours")]) == 5
    told = capsys.readouterr().err
    assert "there is no store to bring in" in told
    assert f"where: {nothing}" in told
    assert "Give the folder of the other system's store" in told
    assert invoke(["import", "ftp://x", "--store", str(tmp_path / "ours")]) == 5
    assert "not supported" in capsys.readouterr().err
    for command in (["fsck", nothing], ["list", nothing], ["show", "a/b/c", "--store", nothing]):
        assert invoke(command) == 5
        assert "Give the path of a store, or set FILMCAN_STORE." in capsys.readouterr().err


def test_import_brings_back_what_was_deleted_only_when_told_to(
    foreign: ForeignStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = str(tmp_path / "ours")
    arguments = ["import", str(foreign.root), "--store", ours]
    assert invoke(arguments) == 0
    assert invoke(["delete", ours, "--video", "tube/v1", "--yes"]) == 0
    capsys.readouterr()
    assert invoke(arguments) == 4
    assert "give --take-back" in capsys.readouterr().out
    assert invoke([*arguments, "--take-back"]) == 0
