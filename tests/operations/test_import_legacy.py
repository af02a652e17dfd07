"""What the index of a store written elsewhere expects of an importer, run by run, file by file."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.npz.artifact import open_artifact
from filmcan.operations.check_store import check_store
from filmcan.operations.import_store import RunOutcome, StoreImport, import_store
from filmcan.operations.querying import find_runs
from filmcan.operations.validation import validate_target
from filmcan.store.run import Run
from filmcan.store.store import open_store


class Imported:
    """The legacy store, imported once."""

    def __init__(self, folder: Path, target: Path) -> None:
        self.folder = folder
        self.target = target
        self.index = json.loads((folder / "index.json").read_bytes())
        self.before = _digest_files(folder)
        self.result: StoreImport = import_store(str(folder / "result_store"), str(target))

    def outcome(self, path: str) -> RunOutcome:
        wanted = path.removeprefix("result_store/")
        return next(run for run in self.result.runs if run.path == wanted)

    def run(self, path: str) -> Run:
        return open_store(self.target).run(*path.removeprefix("result_store/").split("/"))

    def place(self, item: dict[str, Any]) -> tuple[str, str]:
        """Return the run and the file's path in it."""
        parts = item["file"].split("/")
        return "/".join(parts[:4]), "/".join(parts[4:])


@pytest.fixture(scope="module")
def imported(legacy_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return Imported(legacy_store, tmp_path_factory.mktemp("imported") / "store")


def _digest_files(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_component_ends_as_expected(imported: Imported) -> None:
    for item in imported.index["runs"]:
        components = imported.run(item["run"]).components
        steps = {
            name for name, said in item["expected_import"].items() if said == "not a component"
        }
        assert set(components) == set(item["expected_import"]) - steps
        for name, said in item["expected_import"].items():
            if name in steps:
                continue
            record = components[name]
            expected = said.removesuffix(" (schema or component not in force)")
            if expected == "ok":
                assert record.status == "ok"
            elif expected.startswith("empty:"):
                reason = expected.partition(":")[2]
                assert (record.status, record.empty_reason) == ("empty", reason)
            else:
                assert expected.startswith("error"), said
                assert (record.status, record.artifacts) == ("error", ())
                assert record.error
            in_force = "not in force" not in said
            if record.artifacts:
                assert record.schema_version == item["npz"][name]["schema_version"]
                told = {i.code for i in imported.outcome(item["run"]).issues if i.key == name}
                assert ("schema_unknown" in told) is not in_force


def test_every_artifact_is_carried_with_its_arrays(imported: Imported) -> None:
    for item in imported.index["files"]:
        if item["kind"] != "npz":
            continue
        path, name = imported.place(item)
        outcome = next(file for file in imported.outcome(path).files if file.path == name)
        assert outcome.sha256 == item["sha256"]
        expected = item["expect"]["importer"]
        if not expected.startswith("carried"):
            assert expected.startswith("not carried as data"), expected
            assert outcome.fate == "left_out"
            record = imported.run(path).components[item["component"]]
            with open_artifact(imported.folder / item["file"]) as artifact:
                assert record.error == artifact.meta["error"]
            continue
        assert outcome.fate in ("carried", "upgraded")
        with (
            open_artifact(imported.folder / item["file"]) as theirs,
            imported.run(path)[item["component"]] as ours,
        ):
            assert ours.status == item["status"]
            assert ours.empty_reason == item["empty_reason"]
            assert ours.npz.read_meta_object() == ours.npz.read_meta_json()
            if "kept verbatim" in expected:
                assert set(ours.keys()) == set(theirs.keys())
                for key in theirs:
                    np.testing.assert_array_equal(ours[key], theirs[key])
            elif outcome.fate == "carried":
                dropped = set(item["facts"]["none_members"])
                assert set(ours.keys()) - {"title_embedding"} == set(theirs.keys()) - dropped
                for key in set(theirs.keys()) - dropped:
                    assert ours[key].dtype == theirs[key].dtype
                    assert ours[key].shape == theirs[key].shape


def test_c6_zero_padding_and_interpolated_values_are_missing_now(imported: Imported) -> None:
    run = imported.run("youtube/kQ7vT2mPz0s/r20260213a")
    with run["core_object_detections"] as artifact:
        valid = artifact["valid_mask"]
        assert np.isnan(artifact["boxes"][~valid]).all()
        assert not np.isnan(artifact["boxes"][valid]).any()
        assert (artifact["class_ids"][~valid] == -1).all()
    with run["core_face_landmarks"] as artifact:
        present = artifact["face_present"]
        assert np.isnan(artifact["face_landmarks"][~present]).all()
        assert not np.isnan(artifact["face_landmarks"][present]).any()
    with run["core_optical_flow"] as artifact:
        assert np.isnan(artifact["motion_norm_per_sec_mean"]).tolist() == [True] + [False] * 7


def test_what_is_no_data_is_left_out_and_named(imported: Imported) -> None:
    for item in imported.index["files"]:
        if item["kind"] in ("npz", "manifest", "npy"):
            continue
        path, name = imported.place(item)
        (outcome,) = [file for file in imported.outcome(path).files if file.path == name]
        assert outcome.fate == "left_out"
        assert outcome.reason
    names = {path.name for path in imported.target.rglob("*.json")}
    assert names == {"manifest.json"}


def test_manifests_are_upgraded_and_nothing_is_invented(imported: Imported) -> None:
    for item in imported.index["files"]:
        if item["kind"] != "manifest" or item["deliberately_wrong"]:
            continue
        path, _ = imported.place(item)
        theirs = json.loads((imported.folder / item["file"]).read_bytes())
        manifest = imported.run(path).manifest
        assert manifest.run.config_hash == theirs["run"]["config_hash"]
        assert manifest.run.created_at == theirs["run"]["created_at"].replace("Z", ".000Z")
        kept = manifest.run.extra["imported"]["kept"]  # type: ignore[index]
        assert kept["analysis_fps"] == theirs["run"]["analysis_fps"]
        assert kept["frames_dir"] == theirs["run"]["video_id"]
        assert manifest.run.profile == {}
        assert manifest.run.source == {}
        text = manifest.to_bytes().decode()
        assert "/data/" not in text
        for row in theirs["components"]:
            record = manifest.find_component(row["name"])
            if record is None:
                steps = manifest.run.extra["imported"]["steps"]  # type: ignore[index]
                assert steps[row["name"]]["duration_ms"] == row["duration_ms"]
                continue
            assert record.kind == row["kind"]
            assert record.duration_ms == row["duration_ms"]
            assert record.device_used == row["device_used"]
            for artifact in record.artifacts:
                data = imported.target / path.removeprefix("result_store/") / artifact.path
                assert hashlib.sha256(data.read_bytes()).hexdigest() == artifact.sha256
                assert data.stat().st_size == artifact.size_bytes


def test_the_interrupted_component_is_an_error_and_its_run_unfinished(imported: Imported) -> None:
    run = imported.run("youtube/kQ7vT2mPz0s/r20260725b")
    assert "interrupted" in str(run.components["clap_extractor"].error)
    assert run.manifest.run.finished_at is None
    assert run.status is None


def test_c9_the_array_beside_the_artifact_still_lies_beside_it(imported: Imported) -> None:
    run = imported.run("youtube/kQ7vT2mPz0s/r20260725b")
    (npy,) = [a for a in run.components["text_processor"].artifacts if a.kind == "npy"]
    assert npy.path.startswith("text_processor/title_embedding.")
    place = "result_store/youtube/kQ7vT2mPz0s/r20260725b/text_processor/_artifacts"
    expected = np.load(imported.folder / place / "title_embedding.npy", allow_pickle=False)
    with run["text_processor"] as artifact:
        np.testing.assert_array_equal(artifact["title_embedding"], expected)


def test_c3_a_damaged_manifest_is_reported_and_its_run_rebuilt(imported: Imported) -> None:
    outcome = imported.outcome("tiktok/7331902245518290182/r20260726d")
    assert outcome.manifest == "damaged"
    told = {issue.code: issue for issue in outcome.issues}
    assert told["manifest_damaged"].where.endswith("r20260726d/manifest.json")
    assert "run_rebuilt" in told
    record = imported.run(outcome.path).manifest.run
    assert record.extra["imported"]["manifest"] == "damaged"  # type: ignore[index]


def test_the_imported_store_is_sound_and_says_what_is_not_held_to_a_schema(
    imported: Imported,
) -> None:
    check = check_store(str(imported.target), with_data=True)
    assert check.report.ok
    verdict = validate_target(str(imported.target))
    assert verdict.report.ok
    carried = [issue for issue in verdict.report if issue.code == "imported_carried"]
    fates = [file.fate for run in imported.result.runs for file in run.files]
    sub_artifacts = 1
    assert len(carried) == fates.count("carried") - sub_artifacts
    assert fates.count("upgraded") == 3
    assert fates.count("refused") == 0


def test_the_source_is_not_changed_and_a_second_import_brings_nothing(imported: Imported) -> None:
    ours = _digest_files(imported.target)
    again = import_store(str(imported.folder / "result_store"), str(imported.target))
    assert {run.fate for run in again.runs} == {"unchanged"}
    first = [(run.path, run.components) for run in imported.result.runs]
    assert [(run.path, run.components) for run in again.runs] == first
    assert _digest_files(imported.target) == ours
    assert _digest_files(imported.folder) == imported.before


def test_p7_beside_a_damaged_manifest_every_other_run_still_lists(
    imported: Imported, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(imported.target, store)
    damaged = imported.folder / "result_store/tiktok/7331902245518290182/r20260726d/manifest.json"
    shutil.copyfile(damaged, store / "tiktok/7331902245518290182/r20260726d/manifest.json")
    assert find_runs(str(store)).total == 3
    errors = check_store(str(store)).report.errors
    assert [issue.where for issue in errors] == [
        "tiktok/7331902245518290182/r20260726d/manifest.json"
    ]


def test_a_half_written_manifest_beside_a_whole_one_is_a_leftover(
    imported: Imported, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(imported.target, store)
    place = "youtube/kQ7vT2mPz0s/r20260725b/manifest.json.tmp"
    shutil.copyfile(imported.folder / "result_store" / place, store / place)
    assert find_runs(str(store)).total == 4
    assert [issue.where for issue in check_store(str(store)).report.warnings] == [place]


def test_c1_the_json_of_the_source_is_an_error_of_the_source(imported: Imported) -> None:
    verdict = validate_target(str(imported.folder / "result_store"))
    found = {issue.where for issue in verdict.report if issue.code == "forbidden_json"}
    expected = {
        item["file"].removeprefix("result_store/")
        for item in imported.index["files"]
        if any(row[1] == "C1.2" for row in item["expect"].get("validator", []))
    }
    assert expected
    assert expected <= found
