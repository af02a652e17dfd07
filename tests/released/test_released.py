"""P16, C7.3: what a release wrote stays readable and valid, number by number, for ever."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from filmcan.contract.registry import list_schema_versions
from filmcan.testing.golden_runs import INDEX, STATES, STORE, find_faults, find_unproved
from filmcan.testing.made_schema import COMPONENT

HERE = Path(__file__).resolve().parent
FOLDERS = sorted(path for path in HERE.iterdir() if (path / INDEX).is_file())
TEST_FOLDER = HERE / "probe_npz_v1"


def _read_state(folder: Path) -> str:
    return str(json.loads((folder / INDEX).read_text())["state"])


@pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda folder: f"{_read_state(folder)}-{folder.name}"
)
def test_p16_every_golden_run_reads_and_holds_as_it_was_frozen(folder: Path) -> None:
    assert find_faults(folder) == []


def test_c7_every_released_version_has_its_golden_runs() -> None:
    released = list_schema_versions("released")
    assert find_unproved(released, FOLDERS) == []
    states = [_read_state(folder) for folder in FOLDERS]
    assert states.count("released") == len(released), "a folder claims a release that never was"
    assert TEST_FOLDER in FOLDERS
    assert set(states) <= set(STATES)


def test_every_version_in_force_has_golden_runs() -> None:
    """As candidates until the release; `make golden` makes them anew when a schema changes."""
    assert {folder.name for folder in FOLDERS} >= set(list_schema_versions())


def test_every_folder_here_is_one_of_golden_runs() -> None:
    folders = {path for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(FOLDERS)


# --- the harness itself: it must be able to fail ------------------------------------------------


def test_a_released_version_without_golden_runs_is_found() -> None:
    assert find_unproved(["core_clip_npz_v1"], FOLDERS) == ["core_clip_npz_v1"]
    assert find_unproved(["probe_npz_v1"], [TEST_FOLDER]) == ["probe_npz_v1"], (
        "a test is no release"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the test schema's folder, to be damaged."""
    copied = tmp_path / TEST_FOLDER.name
    shutil.copytree(TEST_FOLDER, copied)
    assert find_faults(copied) == []
    return copied


def edit(path: Path, change: Callable[[Any], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def find_artifact(folder: Path, run_id: str = "r-ok") -> Path:
    (path,) = (folder / STORE / "local" / "v1" / run_id / COMPONENT).glob("*.npz")
    return path


def test_a_changed_byte_is_found(folder: Path) -> None:
    path = find_artifact(folder)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert find_faults(folder)


def test_a_lost_file_is_found(folder: Path) -> None:
    find_artifact(folder).unlink()
    assert any("files differ" in fault for fault in find_faults(folder))


def test_a_lost_run_is_found(folder: Path) -> None:
    shutil.rmtree(find_artifact(folder, "r-empty").parent.parent)
    assert any("files differ" in fault for fault in find_faults(folder))


def test_an_artifact_added_later_is_found(folder: Path) -> None:
    path = find_artifact(folder)
    shutil.copy(path, path.with_name("later.npz"))
    faults = find_faults(folder)
    assert any("artifacts differ" in fault for fault in faults)
    assert any("unlisted_file" in fault for fault in faults)


def test_a_changed_manifest_is_found(folder: Path) -> None:
    manifest = find_artifact(folder).parent.parent / "manifest.json"
    edit(manifest, lambda document: document["components"][0].update(notes="later"))
    assert any("files differ" in fault for fault in find_faults(folder))


def test_a_number_that_reads_differently_is_found(folder: Path) -> None:
    place = find_artifact(folder).relative_to(folder / STORE).as_posix()

    def change(index: Any) -> None:
        index["artifacts"][place]["features"]["ratio"] = 0.25

    edit(folder / INDEX, change)
    assert any("artifacts differ" in fault for fault in find_faults(folder))


def test_a_schema_that_changed_silently_is_found(folder: Path) -> None:
    def narrow(document: Any) -> None:
        document["components"][COMPONENT]["keys"]["counts"]["range"] = [0, 1]

    edit(folder / "probe_npz_v1.json", narrow)
    faults = find_faults(folder)
    assert any("schema_sha256 differ" in fault for fault in faults)
    assert any("out_of_range" in fault for fault in faults)


@pytest.mark.parametrize("status", ["ok", "empty"])
def test_a_component_without_an_artifact_of_each_status_is_found(folder: Path, status: str) -> None:
    shutil.rmtree(find_artifact(folder, f"r-{status}").parent.parent)

    def forget(index: Any) -> None:
        for field in ("files", "artifacts"):
            index[field] = {
                path: item for path, item in index[field].items() if f"/r-{status}/" not in path
            }

    edit(folder / INDEX, forget)
    assert find_faults(folder) == [f"probe_npz_v1: no artifact of {COMPONENT} is {status}"]


def test_a_folder_that_holds_nothing_is_found(folder: Path) -> None:
    shutil.rmtree(folder / STORE)
    edit(folder / INDEX, lambda index: index.update(files={}, artifacts={}))
    assert find_faults(folder)


@pytest.mark.parametrize("state", ["released", "candidate", "stale", None])
def test_a_state_that_is_not_true_is_found(folder: Path, state: str | None) -> None:
    edit(folder / INDEX, lambda index: index.update(state=state))
    assert find_faults(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_damaged_index_is_found(folder: Path, text: str) -> None:
    (folder / INDEX).write_text(text)
    assert find_faults(folder)
