"""Importing another system's store: what comes, in what form, and what is never invented."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filmcan.contract.issues import Issue
from filmcan.contract.meta import MODEL_KEYS, OPTIONAL_META_KEYS, REQUIRED_META_KEYS
from filmcan.errors import ConflictError, NotFoundError, StoreUnavailableError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.npz.validate import validate_npz
from filmcan.operations.delete_video import delete_video
from filmcan.operations.import_store import RunOutcome, StoreImport, import_store
from filmcan.operations.validation import validate_target
from filmcan.operations.viewing import render_target
from filmcan.store.foreign.run import import_run
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.repair import repair_store
from filmcan.store.run import Run
from filmcan.store.store import Store, open_store
from filmcan.store.tombstones import Deletion, Tombstone, write_tombstone
from filmcan.testing.made_foreign import (
    CONFIG_HASH,
    RUN_PATH,
    UNMEASURED,
    ForeignStore,
    build_foreign_detections,
    build_foreign_flow,
    build_foreign_row,
)
from filmcan.testing.made_stores import CrashError, CrashingBackend, clock, read_all, write_run

FLOW, OBJECTS, CLAP = "core_optical_flow", "core_object_detections", "clap_extractor"


@pytest.fixture
def foreign(tmp_path: Path) -> ForeignStore:
    """Return an empty folder to write a foreign store into."""
    return ForeignStore(tmp_path / "theirs")


@pytest.fixture
def bring(foreign: ForeignStore, tmp_path: Path) -> Callable[..., StoreImport]:
    """Return a function that imports the foreign store into `ours`."""

    def call(**options: Any) -> StoreImport:
        return import_store(str(foreign.root), str(tmp_path / "ours"), **options)

    return call


@pytest.fixture
def ours(tmp_path: Path) -> Callable[[], Run]:
    """Return a function that opens the one imported run."""
    return lambda: open_store(tmp_path / "ours").run(*RUN_PATH.split("/"))


def _codes(run: RunOutcome, level: str = "warning") -> set[str]:
    return {issue.code for issue in run.issues if issue.level == level}


def _only(result: StoreImport) -> RunOutcome:
    (run,) = result.runs
    return run


def _mark(fields: Any) -> Any:
    return fields["imported"]


def test_an_artifact_that_satisfies_its_schema_after_the_upgrade_enters_under_it(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    tmp_path: Path,
) -> None:
    source = foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    before = foreign.read_bytes()
    result = bring()
    assert result.report.ok
    assert _only(result).fate == "imported"
    record = ours().components[OBJECTS]
    assert (record.status, record.schema_version) == ("ok", "core_object_detections_npz_v1")
    assert _mark(record.extra)["form"] == "upgraded"
    with ours()[OBJECTS] as artifact:
        assert np.isnan(artifact["boxes"][~artifact["box_present"]]).all()
        assert artifact["boxes"][0, 0].tolist() == pytest.approx([0.1, 0.2, 0.5, 0.6])
        assert artifact["class_ids"].tolist() == [[0, -1], [-1, -1]]
        assert artifact["times_sec"].tolist() == pytest.approx([0.0, 0.32])
        assert artifact.meta["created_at"] == "2026-02-13T08:15:03.395Z"
        assert _mark(artifact.meta)["meta"]["created_at"] == "2026-02-13T08:15:03.395718"
        assert _mark(artifact.meta)["sha256"] == _only(result).files[1].sha256
        path = artifact.path
    assert path is not None
    assert validate_npz(path).ok
    assert validate_target(str(tmp_path / "ours")).report.ok
    assert source.is_file()
    assert foreign.read_bytes() == before
    assert ours().manifest.run.finished_at == "2026-02-13T08:15:04.000Z"
    assert ours().status == "ok"


def test_what_cannot_satisfy_its_schema_is_carried_and_never_passes_as_valid(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    tmp_path: Path,
) -> None:
    foreign.write_artifact(FLOW, {**build_foreign_flow(), "extra": np.array(None, dtype=object)})
    foreign.write_manifest(build_foreign_row(FLOW))
    run = _only(bring())
    assert {"schema_unsatisfied", "time_zone_assumed", "digest_unrecorded"} <= _codes(run)
    (component,) = run.components
    assert component.form == "carried"
    assert component.changes == (
        "left out, because stored as None: extra",
        "motion_norm_per_sec_mean: written as missing in cells where dt_seconds is NaN: 1",
    )
    with ours()[FLOW] as artifact:
        assert set(artifact.keys()) == set(build_foreign_flow())
        assert np.isnan(artifact["motion_norm_per_sec_mean"]).tolist() == [True, False, False]
        path = artifact.path
    assert path is not None
    assert not validate_npz(path).ok
    verdict = validate_target(str(tmp_path / "ours")).report
    assert verdict.ok
    assert "imported_carried" in {issue.code for issue in verdict.warnings}
    shown = render_target(str(path), str(tmp_path / "ours"), "summary")
    assert {row["description"] for row in shown["keys"]} == {""}  # type: ignore[attr-defined]


def test_arrays_under_a_schema_that_is_not_in_force_are_kept_as_they_are(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    arrays = {**build_foreign_flow(), "none": np.array(None, dtype=object)}
    foreign.write_artifact(FLOW, arrays, schema_version="core_optical_flow_npz_v3")
    foreign.write_manifest(build_foreign_row(FLOW))
    run = _only(bring())
    assert "schema_unknown" in _codes(run)
    with ours()[FLOW] as artifact:
        assert artifact.meta["schema_version"] == "core_optical_flow_npz_v3"
        assert set(artifact.keys()) == set(arrays)
        for key in build_foreign_flow():
            np.testing.assert_array_equal(artifact[key], arrays[key])


def test_an_empty_artifact_without_any_value_becomes_the_empty_one_of_its_schema(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    reason = "audio_missing_or_extract_failed"
    foreign.write_artifact(CLAP, UNMEASURED, status="empty", empty_reason=reason)
    foreign.write_manifest(build_foreign_row(CLAP, status="empty"))
    assert _only(bring()).components[0].form == "upgraded"
    with ours()[CLAP] as artifact:
        assert (artifact.status, artifact.empty_reason) == ("empty", reason)
        assert artifact.path is not None
        assert validate_npz(artifact.path).ok


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(1, np.float32),
        np.zeros(1, np.int32),
        np.ones(1, bool),
        np.array(["x"]),
        np.array([{"a": 1}], dtype=object),
        np.zeros(1, np.complex64),
    ],
    ids=lambda value: value.dtype.kind,
)
def test_an_empty_artifact_that_holds_a_value_is_carried(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    value: np.ndarray,
) -> None:
    arrays = {**UNMEASURED, "kept": value}
    foreign.write_artifact(CLAP, arrays, status="empty", empty_reason="no_sound_track")
    foreign.write_manifest(build_foreign_row(CLAP, status="empty"))
    assert _only(bring()).components[0].form == "carried"
    with ours()[CLAP] as artifact:
        np.testing.assert_array_equal(artifact["kept"], value)
        assert artifact.empty_reason == "no_sound_track"


def test_missing_values_alone_hold_no_measurement(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    arrays = {**UNMEASURED, "ids": np.full(2, -1, np.int32), "words": np.array(["", ""])}
    foreign.write_artifact(CLAP, arrays, status="empty", empty_reason="video_too_long")
    foreign.write_manifest(build_foreign_row(CLAP, status="empty"))
    assert _only(bring()).components[0].form == "upgraded"


def test_c6_an_error_never_becomes_data_and_its_message_is_kept(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(CLAP, UNMEASURED, status="error", error="boom in /data/secret/model.py")
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(
        build_foreign_row(CLAP),
        build_foreign_row(FLOW, artifacts=[], status="error", error="flow failed"),
        build_foreign_row(OBJECTS, status="error"),
    )
    run = _only(bring())
    components = ours().components
    assert [item.status for item in components.values()] == ["error"] * 3
    assert components[CLAP].error == "boom in model.py"
    assert components[FLOW].error == "flow failed"
    assert components[OBJECTS].error == "no message was recorded"
    assert ours().status == "error"
    assert [file.fate for file in run.files] == ["read", "left_out", "left_out"]


def test_an_error_without_any_message_says_so(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(CLAP, UNMEASURED, status="error")
    foreign.write_manifest(build_foreign_row(CLAP))
    bring()
    assert ours().components[CLAP].error == "no message was recorded"


def test_a_running_component_is_an_error_and_its_run_is_not_finished(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    foreign.write_manifest(build_foreign_row(OBJECTS), build_foreign_row(FLOW, status="running"))
    run = _only(bring())
    assert {"interrupted", "run_unfinished"} <= _codes(run)
    assert "interrupted" in str(ours().components[FLOW].error)
    assert ours().manifest.run.finished_at is None
    assert _only(bring()).fate == "unchanged"


def test_rows_that_are_no_components_are_kept_aside(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(
        build_foreign_row(OBJECTS),
        build_foreign_row("TagsExtractor", artifacts=[], duration_ms=44, error_code="x"),
        build_foreign_row("../escape", artifacts=[]),
        build_foreign_row("my_own", path="my_own/out.npz", kind="strange"),
    )
    foreign.write_artifact("my_own", {"a": np.zeros(1)})
    result = bring()
    steps = _mark(ours().manifest.run.extra)["steps"]
    assert set(ours().components) == {OBJECTS}
    assert steps["TagsExtractor"] == {
        "status": "ok",
        "duration_ms": 44,
        "error": None,
        "kept": {"error_code": "x"},
    }
    assert set(steps) == {"TagsExtractor", "../escape", "my_own"}
    assert {issue.key for issue in result.report.errors} == {"my_own"}


def test_a_component_that_no_schema_knows_is_carried_with_the_kind_it_names(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact("cut_points", {"cut_sec": np.array([1.5])}, schema_version=...)
    foreign.write_manifest(build_foreign_row("cut_points", kind="module"))
    run = _only(bring())
    record = ours().components["cut_points"]
    assert (record.kind, record.status, record.schema_version) == ("module", "ok", "unknown")
    assert "schema_unknown" in _codes(run)


PATHS = {
    "absolute": "/data/result_store/tube/v1/r1/core_object_detections/out.npz",
    "relative": "./result_store/tube/v1/r1/core_object_detections/out.npz",
    "windows": r"D:\store\tube\v1\r1\core_object_detections\out.npz",
}


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_b5_a_path_of_another_place_means_the_file_of_this_run(
    foreign: ForeignStore, bring: Callable[..., StoreImport], path: str
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS, path))
    run = _only(bring())
    assert "path_rebased" in _codes(run)
    assert run.components[0].status == "ok"


OUTSIDE = {
    "above": "core_object_detections/../../r2/core_object_detections/out.npz",
    "another component's": "core_clip/out.npz",
    "not there": "core_object_detections/gone.npz",
    "a system file": "/etc/passwd.npz",
}


@pytest.mark.parametrize("path", OUTSIDE.values(), ids=OUTSIDE)
def test_p10_a_path_that_leads_elsewhere_is_refused(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run], path: str
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(OBJECTS, build_foreign_detections(), run_path="tube/v1/r2")
    foreign.write_artifact("core_clip", build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS, path))
    run = bring(video_id="v1").runs[0]
    assert "artifact_missing" in _codes(run, "error")
    assert ours().components[OBJECTS].status == "error"
    assert ours().components[OBJECTS].artifacts == ()


def test_p10_links_are_never_followed(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    secret = tmp_path / "secret.npz"
    (foreign.root / RUN_PATH / FLOW / "out.npz").rename(secret)
    (foreign.root / RUN_PATH / FLOW / "out.npz").symlink_to(secret)
    (foreign.root / "tube" / "v2").symlink_to(tmp_path)
    foreign.write_manifest(build_foreign_row(OBJECTS), build_foreign_row(FLOW))
    result = bring()
    assert {issue.where for issue in result.report.errors if issue.code == "not_regular"} == {
        "tube/v2",
        f"{RUN_PATH}/{FLOW}/out.npz",
    }
    assert [item.status for item in _only(result).components] == ["ok", "error"]


def test_b5_a_file_that_becomes_a_link_after_it_was_listed_is_refused(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    foreign.write_manifest(build_foreign_row(OBJECTS), build_foreign_row(FLOW))
    real = LocalBackend.open

    def swap_then_open(self: LocalBackend, place: str) -> Any:
        if place.endswith(f"{OBJECTS}/out.npz") and not path.is_symlink():
            path.rename(tmp_path / "away.npz")
            path.symlink_to(tmp_path / "away.npz")
        return real(self, place)

    monkeypatch.setattr(LocalBackend, "open", swap_then_open)
    run = _only(bring())
    assert "not_regular" in _codes(run, "error")
    assert [item.status for item in run.components] == ["error", "ok"]


def test_an_artifact_that_differs_from_its_recorded_digest_is_refused(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    path = foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    size = path.stat().st_size
    foreign.write_manifest(
        build_foreign_row(
            OBJECTS,
            artifacts=[{"path": f"{OBJECTS}/out.npz", "size_bytes": size, "sha256": "0" * 64}],
        ),
        build_foreign_row(FLOW, artifacts=[{"path": f"{FLOW}/out.npz", "size_bytes": size}]),
    )
    result = bring()
    assert [issue.code for issue in result.report.errors] == ["not_as_listed"] * 2
    assert {record.status for record in ours().components.values()} == {"error"}
    assert "sha256" in str(ours().components[OBJECTS].error)


REFUSED: dict[str, dict[str, Any]] = {
    "of another video": {"video_id": "v9"},
    "of another component": {"producer": "core_clip"},
    "of another configuration": {"config_hash": "00"},
    "with a status of its own": {"status": "done"},
    "with a model that is no JSON": {
        "seed": {"a": 10**400},
        "models_used": [{"x": b"1"}],
        "status": 1,
    },
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_an_artifact_that_contradicts_its_place_is_refused(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    changes: dict[str, Any],
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections(), **changes)
    foreign.write_manifest(
        build_foreign_row(OBJECTS, status="empty" if "seed" in changes else "ok")
    )
    result = bring()
    (file,) = [item for item in _only(result).files if item.component]
    refused = "status" not in changes or changes["status"] != 1
    assert (file.fate == "refused") is refused
    if refused:
        assert not result.report.ok
        assert "was not imported" in str(ours().components[OBJECTS].error)


@pytest.mark.parametrize("key", sorted({*REQUIRED_META_KEYS, *OPTIONAL_META_KEYS}))
def test_a_meta_that_holds_an_array_where_text_should_be_ends_no_import(
    foreign: ForeignStore, bring: Callable[..., StoreImport], key: str
) -> None:
    changes: dict[str, Any] = {key: np.zeros(3)}
    foreign.write_artifact(OBJECTS, build_foreign_detections(), **changes)
    foreign.write_manifest(build_foreign_row(OBJECTS))
    (file,) = [item for item in _only(bring(dry_run=True)).files if item.component]
    assert file.fate in ("upgraded", "carried", "refused")
    foreign.write_file("manifest.json", b"torn")
    _only(bring())
    if key in ("platform_id", "video_id", "run_id", "producer", "config_hash"):
        assert file.fate == "refused"


def test_a_damaged_artifact_is_refused_and_the_others_come(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    damaged = foreign.write_artifact(FLOW, build_foreign_flow())
    damaged.write_bytes(damaged.read_bytes()[:-7])
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    two = [{"path": f"{CLAP}/{name}"} for name in ("a.npz", "b.npz")]
    for name in ("a.npz", "b.npz"):
        foreign.write_artifact(CLAP, UNMEASURED, name=name)
    foreign.write_manifest(
        build_foreign_row(FLOW), build_foreign_row(OBJECTS), build_foreign_row(CLAP, artifacts=two)
    )
    run = _only(bring())
    assert [item.status for item in run.components] == ["error", "ok", "error"]
    assert "artifact_count" in _codes(run, "error")
    assert ours().status == "ok"


def test_a_hostile_pickle_is_refused_and_never_run(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (Path.touch, (marker,))

    foreign.write_artifact(FLOW, {**build_foreign_flow(), "x": np.array(Bomb(), dtype=object)})
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(FLOW), build_foreign_row(OBJECTS))
    run = _only(bring())
    assert not marker.exists()
    assert [item.status for item in run.components] == ["error", "ok"]
    assert "pickle_refused" in _codes(run, "error")


def test_what_the_meta_does_not_say_is_taken_from_row_and_place_or_unknown(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    gaps = dict.fromkeys(
        ("platform_id", "run_id", "producer", "status", "schema_version", "created_at"), ...
    )
    foreign.write_artifact(
        OBJECTS,
        build_foreign_detections(),
        **gaps,
        models_used=...,
        producer_version=...,
        dataprocessor_version=...,
    )
    foreign.write_artifact(FLOW, build_foreign_flow(), producer_version=..., created_at="soon")
    foreign.write_manifest(
        build_foreign_row(OBJECTS, schema_version=f"{OBJECTS}_npz_v1"),
        build_foreign_row(FLOW, producer_version="7", finished_at=None),
    )
    run = _only(bring())
    assert {"field_unknown", "models_unknown", "time_unknown"} <= _codes(run)
    with ours()[OBJECTS] as artifact:
        meta = artifact.meta
    assert meta["producer_version"] == "unknown"
    assert meta["created_at"] == "2026-02-13T08:15:04.000Z"
    assert (meta["platform_id"], meta["models_used"]) == ("tube", [])
    assert meta["dataprocessor_version"] == "1.4.0"
    with ours()[FLOW] as artifact:
        assert artifact.meta["producer_version"] == "7"
        assert artifact.meta["created_at"] == "2026-02-13T08:15:02.000Z"
    assert ours().components[OBJECTS].schema_version == f"{OBJECTS}_npz_v1"


def test_the_artifact_decides_over_the_row_and_the_difference_is_told(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(CLAP, UNMEASURED, status="empty")
    foreign.write_manifest(build_foreign_row(CLAP, status="ok"))
    run = _only(bring())
    record = ours().components[CLAP]
    assert {"status_disagrees", "field_unknown"} <= _codes(run)
    assert (record.status, record.empty_reason) == ("empty", "unknown")


def test_models_are_completed_with_unknown_and_signed_anew(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    rows = ({"model_name": "yolo", "device": "cuda", "size": np.int64(3)}, "clip", 7)
    foreign.write_artifact(
        OBJECTS, build_foreign_detections(), models_used=rows, model_signature="x"
    )
    foreign.write_artifact(FLOW, build_foreign_flow(), models_used={"model_name": "raft"})
    foreign.write_manifest(build_foreign_row(OBJECTS), build_foreign_row(FLOW))
    run = _only(bring())
    assert {"models_unknown", "signature_theirs"} <= _codes(run)
    first, second, third = ours().components[OBJECTS].models_used
    assert (first["model_name"], first["precision"], first["size"]) == ("yolo", "unknown", 3)
    assert (second["model_name"], third["model_name"]) == ("clip", "unknown")
    assert len(ours().components[FLOW].models_used) == 1


def test_a_model_that_is_described_whole_comes_as_it_was(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    row = {key: f"{key} of theirs" for key in MODEL_KEYS}
    foreign.write_artifact(FLOW, build_foreign_flow(), models_used=[row])
    foreign.write_manifest(build_foreign_row(FLOW))
    assert "models_unknown" not in _codes(_only(bring()))
    assert ours().components[FLOW].models_used == (row,)


def test_b7_no_folder_and_no_secret_comes_in(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    places = {
        "raw_payload_path": "/srv/rumpel/private/payload.bin",
        "url": "https://rumpel:pw@tube.example/watch?v=1&token=hush#t",
        "file": "file:///srv/rumpel/my clip.mp4",
        "told": "read file:///srv/rumpel/x.mp4 and /srv/rumpel/y.mp4 twice",
        "note": np.array(["in D:\\films\\rumpel\\clip.mp4", "/var/lib/x/y"], dtype=object),
    }
    foreign.write_artifact(OBJECTS, build_foreign_detections(), **places)
    foreign.write_manifest(
        build_foreign_row(OBJECTS, notes="see /srv/rumpel/log.txt", warnings=["/srv/rumpel/w"]),
        source_url="https://tube.example/a?key=hush",
    )
    bring()
    for path in (tmp_path / "ours").rglob("*"):
        if path.is_file():
            data = path.read_bytes().replace(b"\0", b"")
            for secret in (b"rumpel", b"hush", b"/srv", b"/var/lib"):
                assert secret not in data, path


def test_values_that_json_cannot_say_are_named_by_their_type(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    odd = {"b": b"raw", "n": float("nan"), "big": np.zeros(2000), "t": (1, np.float32(0.5))}
    foreign.write_artifact(OBJECTS, build_foreign_detections(), odd=odd, seed=np.int64(5))
    foreign.write_manifest(build_foreign_row(OBJECTS))
    bring()
    with ours()[OBJECTS] as artifact:
        assert artifact.meta["seed"] == 5
        kept = _mark(artifact.meta)["meta"]["odd"]
    assert kept == {"b": "<bytes>", "n": None, "big": "<array float64 (2000,)>", "t": [1, 0.5]}


def test_c9_arrays_beside_an_artifact_stay_beside_it(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(FLOW, build_foreign_flow())
    beside = foreign.root / RUN_PATH / FLOW / "_artifacts"
    beside.mkdir()
    np.save(beside / "title_embedding.npy", np.arange(4, dtype=np.float32))
    listed = [{"path": f"{FLOW}/out.npz"}, f"/x/{FLOW}/_artifacts/title_embedding.npy", 5]
    foreign.write_manifest(build_foreign_row(FLOW, artifacts=listed))
    run = _only(bring())
    assert "sub_artifact_named" in _codes(run)
    assert [a.kind for a in ours().components[FLOW].artifacts] == ["npz", "npy"]
    with ours()[FLOW] as artifact:
        assert artifact["title_embedding"].tolist() == [0, 1, 2, 3]


def test_an_array_beside_it_whose_name_cannot_be_a_key_refuses_the_artifact(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    foreign.write_artifact(FLOW, build_foreign_flow())
    np.save(foreign.root / RUN_PATH / FLOW / "Bad-Name.npy", np.zeros(2))
    listed = [{"path": f"{FLOW}/{name}"} for name in ("out.npz", "Bad-Name.npy")]
    foreign.write_manifest(build_foreign_row(FLOW, artifacts=listed))
    assert "sub_artifact_name" in _codes(_only(bring()), "error")


def test_a_run_of_filmcan_itself_comes_with_what_lies_beside_its_artifacts(
    tmp_path: Path,
) -> None:
    foreign = ForeignStore(tmp_path / "one")
    foreign.write_artifact(FLOW, build_foreign_flow())
    np.save(foreign.root / RUN_PATH / FLOW / "map.npy", np.zeros((2, 2), np.float32))
    listed = [{"path": f"{FLOW}/{name}"} for name in ("out.npz", "map.npy")]
    foreign.write_manifest(build_foreign_row(FLOW, artifacts=listed))
    import_store(str(foreign.root), str(tmp_path / "two"))
    result = import_store(str(tmp_path / "two"), str(tmp_path / "three"))
    assert result.report.ok
    with open_store(tmp_path / "three").run(*RUN_PATH.split("/"))[FLOW] as artifact:
        assert set(artifact.sub_artifacts.references) == {"map"}
        assert artifact["map"].shape == (2, 2)


def test_c3_a_run_without_a_readable_manifest_is_rebuilt_from_its_artifacts(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(CLAP, UNMEASURED, status="error", error="no envelope")
    foreign.write_artifact("unheard_of", {"a": np.zeros(1)})
    for name in ("a.npz", "b.npz"):
        foreign.write_artifact("tempo_extractor", UNMEASURED, name=name)
    foreign.write_file(f"{FLOW}/out.npz", b"PK damaged")
    foreign.write_file("_odd/out.npz", b"")
    foreign.write_file("manifest.json", b'{"run": {"platform_id": "tu')
    run = _only(bring())
    assert run.manifest == "damaged"
    assert {"manifest_damaged", "run_rebuilt"} <= _codes(run)
    assert _codes(run, "error") == {"kind_unknown", "artifact_count", "not_a_zip"}
    assert {name: item.status for name, item in ours().components.items()} == {
        OBJECTS: "ok",
        CLAP: "error",
    }
    assert ours().components[CLAP].error == "no envelope"
    record = ours().manifest.run
    assert record.config_hash == CONFIG_HASH
    assert record.created_at == "2026-02-13T08:15:03.395Z"
    assert record.finished_at is None
    assert record.planned_components == (CLAP, OBJECTS)
    refused = {file.path for file in run.files if file.fate == "refused"}
    assert refused == {
        "tempo_extractor/a.npz",
        "tempo_extractor/b.npz",
        f"{FLOW}/out.npz",
        "unheard_of/out.npz",
    }
    assert _only(bring()).fate == "unchanged"


def test_a_missing_manifest_is_told_from_a_damaged_one(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections(), config_hash=...)
    run = _only(bring())
    assert run.manifest == "missing"
    assert "manifest_missing" in _codes(run)


def test_artifacts_that_disagree_are_no_run(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow(), config_hash="ffff")
    run = _only(bring())
    assert (run.fate, _codes(run, "error")) == ("refused", {"artifacts_disagree"})
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("status", ["ok", "done"])
def test_a_run_of_which_nothing_can_come_is_refused(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path, status: str
) -> None:
    if status == "done":
        foreign.write_artifact(OBJECTS, build_foreign_detections(), status=status)
    else:
        foreign.write_artifact(OBJECTS, build_foreign_detections(), created_at=...)
    foreign.write_file("stray.npz", b"")
    run = _only(bring())
    assert run.fate == "refused"
    assert {"no_run", "no_time"} & _codes(run, "error")
    assert not (tmp_path / "ours").exists()


MANIFESTS: dict[str, bytes] = {
    "no object": b"[]",
    "no components": b'{"run": {}}',
    "a component without a name": b'{"run": {}, "components": [{"status": "ok"}]}',
    "a component twice": b'{"run": {}, "components": [{"name": "a"}, {"name": "a"}]}',
    "a key twice": b'{"run": {}, "run": {}, "components": []}',
    "not a row": b'{"run": {}, "components": [1]}',
}


@pytest.mark.parametrize("data", MANIFESTS.values(), ids=MANIFESTS)
def test_b4_a_manifest_that_could_mean_two_things_counts_as_damaged(
    foreign: ForeignStore, bring: Callable[..., StoreImport], data: bytes
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_file("manifest.json", data)
    assert _only(bring()).manifest == "damaged"


def test_b4_a_manifest_of_another_run_refuses_the_run(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS), video_id="v2")
    run = _only(bring())
    assert (run.fate, _codes(run, "error")) == ("refused", {"place"})


def test_what_the_manifest_does_not_say_of_its_run_is_unknown(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(
        build_foreign_row(OBJECTS, started_at="2026-02-13T08:15:02", duration_ms=5.5),
        build_foreign_row(FLOW, artifacts=[], status="error", started_at=None, duration_ms=True),
        video_id=...,
        config_hash=...,
        sampling_policy_version=7,
        created_at="yesterday",
        updated_at=5,
    )
    run = _only(bring())
    assert {"field_unknown", "time_unknown", "time_zone_assumed"} <= _codes(run)
    record = ours().manifest.run
    assert (record.config_hash, record.sampling_policy_version) == ("unknown", "unknown")
    assert record.created_at == "2026-02-13T08:15:02.000Z"
    assert _mark(record.extra)["kept"]["created_at"] == "yesterday"
    component = ours().components[OBJECTS]
    assert component.duration_ms is None
    assert _mark(component.extra)["kept"] == {"duration_ms": 5.5}


def test_a_run_that_nothing_dates_is_refused(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    row = build_foreign_row(OBJECTS, started_at=None, finished_at="9999999-01-01")
    foreign.write_manifest(row, created_at=..., updated_at=...)
    assert _codes(_only(bring()), "error") == {"no_time"}


def test_a_run_whose_end_nothing_dates_stays_unfinished(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS, finished_at=None), updated_at=...)
    assert "run_unfinished" in _codes(_only(bring()))
    assert ours().manifest.run.finished_at is None


def test_ids_that_are_no_ids_are_refused(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    foreign.write_manifest(run_path="tube/v 1/r1")
    run = _only(bring())
    assert (run.fate, _codes(run, "error")) == ("refused", {"bad_id"})
    assert [file.reason for file in run.files] == ["the run was refused"]
    assert not (tmp_path / "ours").exists()


def test_c1_what_is_no_data_is_left_out_by_name(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    render = f"{OBJECTS}/_render/render_context.json"
    rows = [{"path": f"{OBJECTS}/out.npz"}, {"path": render, "type": "render"}]
    foreign.write_manifest(build_foreign_row(OBJECTS, artifacts=rows))
    for name in (
        render,
        "manifest.json.tmp",
        "_tmp_x",
        f"{OBJECTS}/spare.npz",
        "a/b/c/d/e/f/g/h/i/j",
    ):
        foreign.write_file(name, b"{}")
    (foreign.root / "README.txt").write_text("above")
    (foreign.root / "_filmcan").mkdir()
    (foreign.root / f"{TEMPORARY_PREFIX}x").mkdir()
    result = bring()
    left = {file.path: file.reason for file in _only(result).files if file.fate == "left_out"}
    assert set(left) == {render, "manifest.json.tmp", "_tmp_x", f"{OBJECTS}/spare.npz"}
    assert "JSON is presentation" in left[render]
    assert "interrupted write" in left["manifest.json.tmp"]
    assert left[f"{OBJECTS}/spare.npz"] == "no manifest lists it"
    assert [issue.where for issue in result.issues] == ["README.txt"]
    assert {issue.where for issue in result.report.errors} == {f"{RUN_PATH}/a/b/c/d/e/f/g/h/i"}
    assert {path.name for path in (tmp_path / "ours").rglob("*.json")} == {"manifest.json"}


def test_a_dry_run_says_the_same_and_writes_nothing(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    dry = bring(dry_run=True)
    assert not (tmp_path / "ours").exists()
    wet = bring()
    assert _only(dry) == _only(wet)


def test_only_the_wanted_platform_and_video_come(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    for path in ("tube/v1/r1", "tube/v2/r1", "other/v1/r1"):
        foreign.write_artifact(OBJECTS, build_foreign_detections(), run_path=path)
        foreign.write_manifest(build_foreign_row(OBJECTS), run_path=path)
    steps: list[str] = []
    chosen = bring(
        platform_id="tube", video_id="v2", on_progress=lambda _, note: steps.append(note)
    )
    assert [run.path for run in chosen.runs] == ["tube/v2/r1"] == steps
    assert len(bring(platform_id="tube").runs) == 2
    assert [run.fate for run in bring().runs] == ["imported", "unchanged", "unchanged"]


def test_a_second_import_brings_nothing_and_changes_no_byte(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(
        build_foreign_row(OBJECTS), build_foreign_row(FLOW, artifacts=[], status="error", error="x")
    )
    first = bring()
    before = read_all(LocalBackend(tmp_path / "ours"))
    again = bring()
    assert _only(again).fate == "unchanged"
    assert _only(again).components == _only(first).components
    assert read_all(LocalBackend(tmp_path / "ours")) == before


def test_an_import_gives_the_same_artifacts_wherever_it_goes(
    foreign: ForeignStore, tmp_path: Path
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    names = []
    for target in ("a", "b"):
        import_store(str(foreign.root), str(tmp_path / target))
        names.append([path.name for path in (tmp_path / target).rglob("*.npz")])
    assert names[0] == names[1]


def test_a_source_that_changed_since_is_refused_and_nothing_is_replaced(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    bring()
    listed = ours().manifest
    changed = build_foreign_detections()
    changed["scores"][0, 0] = 0.5
    foreign.write_artifact(OBJECTS, changed)
    assert _codes(_only(bring()), "error") == {"source_changed"}
    foreign.write_manifest(build_foreign_row(OBJECTS), dataprocessor_version="2")
    assert _codes(_only(bring()), "error") == {"source_changed"}
    assert ours().manifest == listed


def test_a_run_that_was_made_here_is_never_touched(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    backend = LocalBackend(tmp_path / "ours")
    write_run(backend)
    before = read_all(backend)
    foreign.write_artifact(OBJECTS, build_foreign_detections(), run_path="local/v1/r1")
    foreign.write_manifest(build_foreign_row(OBJECTS), run_path="local/v1/r1")
    assert _codes(_only(bring()), "error") == {"run_exists"}
    assert read_all(backend) == before


def test_p11_an_imported_run_can_be_deleted_and_imported_again(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    tmp_path: Path,
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    bring()
    delete_video(str(tmp_path / "ours"), "tube/v1")
    with pytest.raises(NotFoundError):
        ours()
    refused = _only(bring())
    assert (refused.fate, _codes(refused, "error")) == ("refused", {"deleted"})
    assert _only(bring(dry_run=True, take_back=True)).fate == "imported"
    with pytest.raises(NotFoundError):
        ours()
    assert _only(bring(take_back=True)).fate == "imported"
    assert ours().components[OBJECTS].status == "ok"
    assert _only(bring()).fate == "unchanged"


def test_p11_a_run_of_ours_that_was_deleted_does_not_come_from_a_backup(tmp_path: Path) -> None:
    store, backup, other = tmp_path / "store", tmp_path / "backup", tmp_path / "other"
    write_run(LocalBackend(store))
    shutil.copytree(store, backup)
    delete_video(str(store), "local/v1")
    shutil.copytree(backup / "local", store / "local", dirs_exist_ok=True)
    dead = _only(import_store(str(store), str(other)))
    assert (dead.fate, _codes(dead, "error")) == ("refused", {"deleted"})
    assert not other.exists()
    lying = _only(import_store(str(backup), str(store), take_back=True))
    assert _codes(lying, "error") == {"deleted"}
    shutil.rmtree(store / "local")
    refused = _only(import_store(str(backup), str(store)))
    assert _codes(refused, "error") == {"deleted"}
    assert not (store / "local").exists()


def test_p11_a_run_that_began_after_the_deletion_comes_from_a_store_of_ours(
    tmp_path: Path,
) -> None:
    store, backup = tmp_path / "store", tmp_path / "backup"
    write_run(LocalBackend(store))
    delete_video(str(store), "local/v1")
    write_run(LocalBackend(store))
    shutil.copytree(store, backup)
    assert _only(import_store(str(store), str(tmp_path / "other"))).fate == "imported"
    shutil.rmtree(store / "local")
    assert _only(import_store(str(backup), str(store))).fate == "imported"


def test_p11_what_is_being_deleted_in_our_store_does_not_come(
    foreign: ForeignStore, bring: Callable[..., StoreImport], tmp_path: Path
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    tombstone = Tombstone().with_deletion(None, Deletion("0" * 16))
    write_tombstone(LocalBackend(tmp_path / "ours"), "tube/v1", tombstone)
    assert _codes(_only(bring(dry_run=True)), "error") == {"being_deleted"}


def test_p11_what_is_being_deleted_in_the_source_does_not_come(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    tombstone = Tombstone().with_deletion(None, Deletion("0" * 16))
    write_tombstone(LocalBackend(foreign.root), "tube/v1", tombstone)
    assert _codes(_only(bring()), "error") == {"being_deleted"}


@pytest.mark.parametrize("before", [True, False])
def test_p1_an_import_that_dies_at_any_step_goes_on_where_it_stopped(
    foreign: ForeignStore, before: bool
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    foreign.write_manifest(
        build_foreign_row(OBJECTS),
        build_foreign_row(FLOW),
        build_foreign_row(CLAP, artifacts=[], status="error", error="x"),
    )
    source = LocalBackend(foreign.root)

    def bring_into(backend: Any) -> RunOutcome:
        return import_run(source, RUN_PATH, backend, clock=clock, importer="test", dry_run=False)

    whole = MemoryBackend()
    bring_into(whole)
    expected = Store(whole).run(*RUN_PATH.split("/"))
    for step in range(100):
        backend = MemoryBackend()
        crashing = CrashingBackend(backend, step, before=before)
        try:
            outcome = bring_into(crashing)
        except CrashError:
            assert bring_into(backend).fate in ("imported", "completed", "unchanged")
        else:
            assert outcome.fate == "imported"
            assert step > 5
            break
        found = Store(backend).run(*RUN_PATH.split("/"))
        assert found.components == expected.components
        assert found.manifest.run.finished_at == expected.manifest.run.finished_at
        assert bring_into(backend).fate == "unchanged"


def test_an_artifact_that_cannot_be_written_is_an_error_of_its_run(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    # Read within its limits; with what the upgrade adds, its meta is beyond them.
    long = {"pages": ["x" * 1000] * 4300}
    foreign.write_artifact(OBJECTS, build_foreign_detections(), **long)
    foreign.write_manifest(build_foreign_row(OBJECTS))
    run = _only(bring())
    assert [file.fate for file in run.files if file.component] == ["refused"]
    assert ours().components[OBJECTS].status == "error"
    assert run.components[0].form == "recorded"


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_second_import_tells_again_what_was_refused(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    tmp_path: Path,
    dry_run: bool,
) -> None:
    damaged = foreign.write_artifact(FLOW, build_foreign_flow())
    damaged.write_bytes(damaged.read_bytes()[:-7])
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(CLAP, UNMEASURED)
    foreign.write_manifest(
        build_foreign_row(OBJECTS),
        build_foreign_row(FLOW),
        build_foreign_row(CLAP, status="error", error="failed there"),
    )
    first = _only(bring())
    before = read_all(LocalBackend(tmp_path / "ours"))
    again = _only(bring(dry_run=dry_run))
    assert again.fate == "unchanged"
    assert _codes(again, "error") == _codes(first, "error") != set()
    kept = {(item.component, item.fate, item.reason) for item in again.files if item.fate != "read"}
    told = {(item.component, item.fate, item.reason) for item in first.files if item.fate != "read"}
    assert kept == {*told - {(OBJECTS, "upgraded", "")}, (OBJECTS, "upgraded", "as before")}
    assert {fate for _, fate, _ in kept} == {"upgraded", "refused", "left_out"}
    assert read_all(LocalBackend(tmp_path / "ours")) == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_second_import_tells_again_what_could_not_be_written(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run], dry_run: bool
) -> None:
    long = {"pages": ["x" * 1000] * 4300}
    foreign.write_artifact(OBJECTS, build_foreign_detections(), **long)
    foreign.write_manifest(build_foreign_row(OBJECTS))
    bring()
    listed = ours().manifest
    again = _only(bring(dry_run=dry_run))
    assert (again.fate, _codes(again, "error")) == ("unchanged", {"not_imported"})
    (file,) = [item for item in again.files if item.component]
    assert (file.fate, file.reason) == ("refused", listed.components[0].error)
    assert ours().manifest == listed


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that lets the disk refuse a place of the source, by the path's tail."""

    def refuse(tail: str) -> None:
        def wrap(name: str) -> None:
            real = getattr(LocalBackend, name)

            def call(self: LocalBackend, path: str, *arguments: Any, **options: Any) -> Any:
                if self.url == str(tmp_path / "theirs") and path.endswith(tail):
                    raise StoreUnavailableError(
                        f"the store cannot be used: {os.strerror(errno.EIO)}", where=path
                    )
                return real(self, path, *arguments, **options)

            monkeypatch.setattr(LocalBackend, name, call)

        for name in ("open", "read", "list_folder", "find_versioned"):
            wrap(name)

    return refuse


def test_p5_a_file_that_cannot_be_read_is_refused_and_comes_with_a_later_import(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    unreadable: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    foreign.write_manifest(build_foreign_row(OBJECTS), build_foreign_row(FLOW))
    foreign.write_artifact(OBJECTS, build_foreign_detections(), run_path="tube/v2/r1")
    foreign.write_manifest(build_foreign_row(OBJECTS), run_path="tube/v2/r1")
    unreadable(f"v1/r1/{FLOW}/out.npz")
    for fate in ("imported", "unchanged"):
        first, second = bring().runs
        assert (first.fate, _codes(first, "error")) == (fate, {"unreadable"})
        assert second.fate in ("imported", "unchanged")
        (issue,) = [item for item in first.issues if item.level == "error"]
        assert issue.where == f"{RUN_PATH}/{FLOW}/out.npz"
        assert "Input/output error" in issue.message
        assert ("refused", issue.message) in {(item.fate, item.reason) for item in first.files}
        assert set(ours().components) == {OBJECTS}
        assert ours().manifest.run.finished_at is None
        assert ours().manifest.pending_components == (FLOW,)
    monkeypatch.undo()
    assert bring().runs[0].fate == "completed"
    assert ours().components[FLOW].status == "ok"
    assert ours().manifest.run.finished_at is not None


def test_p5_what_cannot_be_read_later_does_not_unmake_what_came(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    unreadable: Callable[[str], None],
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    foreign.write_manifest(build_foreign_row(OBJECTS), build_foreign_row(FLOW))
    bring()
    listed = ours().manifest
    unreadable(f"{FLOW}/out.npz")
    run = _only(bring())
    assert (run.fate, _codes(run, "error")) == ("unchanged", {"unreadable"})
    assert ours().manifest == listed


def test_p5_an_artifact_that_fails_while_its_arrays_are_read_is_refused(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    foreign.write_manifest(build_foreign_row(OBJECTS), build_foreign_row(FLOW))
    real, seen = LocalBackend.open, set()

    def open_once(self: LocalBackend, path: str) -> Any:
        if path.endswith(f"{FLOW}/out.npz") and path in seen:
            raise StoreUnavailableError("the disk failed", where=path)
        seen.add(path)
        return real(self, path)

    monkeypatch.setattr(LocalBackend, "open", open_once)
    run = _only(bring())
    assert (run.fate, _codes(run, "error")) == ("imported", {"unreadable"})
    assert [item.fate for item in run.files if item.component == FLOW] == ["refused"]
    assert set(ours().components) == {OBJECTS}
    assert ours().manifest.run.finished_at is None


@pytest.mark.parametrize("place", ["manifest.json", RUN_PATH, FLOW])
def test_p5_a_run_that_cannot_be_read_is_refused_and_never_taken_for_a_damaged_one(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    unreadable: Callable[[str], None],
    place: str,
    tmp_path: Path,
) -> None:
    foreign.write_artifact(FLOW, build_foreign_flow())
    foreign.write_manifest(build_foreign_row(FLOW))
    unreadable(place)
    run = _only(bring())
    assert (run.fate, run.manifest) == ("refused", "read")
    (issue,) = [item for item in run.issues if item.level == "error"]
    assert issue.code == "unreadable"
    assert issue.where.endswith(place)
    assert not (tmp_path / "ours").exists()


def test_p5_an_artifact_that_cannot_be_read_is_left_out_of_a_run_that_is_rebuilt(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    unreadable: Callable[[str], None],
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_artifact(FLOW, build_foreign_flow())
    unreadable(f"{FLOW}/out.npz")
    run = _only(bring())
    assert (run.fate, _codes(run, "error")) == ("imported", {"unreadable"})
    assert [item.fate for item in run.files if item.component == FLOW] == ["refused"]
    assert set(ours().components) == {OBJECTS}


def test_p5_a_folder_above_the_runs_that_cannot_be_read_is_told_and_the_others_come(
    foreign: ForeignStore, bring: Callable[..., StoreImport], unreadable: Callable[[str], None]
) -> None:
    for path in (RUN_PATH, "other/v1/r1"):
        foreign.write_artifact(OBJECTS, build_foreign_detections(), run_path=path)
        foreign.write_manifest(build_foreign_row(OBJECTS), run_path=path)
    unreadable("other")
    result = bring()
    assert [(issue.code, issue.where) for issue in result.issues] == [("unreadable", "other")]
    assert _only(result).fate == "imported"
    assert [issue.code for issue in bring(platform_id="other").issues] == ["unreadable"]


def test_p5_a_source_whose_root_cannot_be_read_and_a_store_that_fails_end_the_import(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))

    def fail_for(root: str, name: str) -> None:
        real = getattr(LocalBackend, name)

        def call(self: LocalBackend, path: str, *arguments: Any, **options: Any) -> Any:
            if self.url == str(tmp_path / root):
                raise StoreUnavailableError("the disk failed", where=path)
            return real(self, path, *arguments, **options)

        monkeypatch.setattr(LocalBackend, name, call)

    for root, name in (("theirs", "list_folder"), ("ours", "find_versioned"), ("ours", "swap")):
        fail_for(root, name)
        with pytest.raises(StoreUnavailableError):
            bring()
        monkeypatch.undo()


def test_fsck_rebuilds_the_manifest_of_an_imported_run(
    foreign: ForeignStore,
    bring: Callable[..., StoreImport],
    ours: Callable[[], Run],
    tmp_path: Path,
) -> None:
    foreign.write_artifact(FLOW, build_foreign_flow(), schema_version="core_optical_flow_npz_v3")
    foreign.write_manifest(build_foreign_row(FLOW))
    bring()
    backend = LocalBackend(tmp_path / "ours")
    (tmp_path / "ours" / RUN_PATH / "manifest.json").write_bytes(b"{")
    repair_store(backend, inspect_store(backend, with_data=False).findings, clock)
    record = ours().components[FLOW]
    assert (record.kind, record.status) == ("core", "ok")


@pytest.mark.parametrize("place", ["theirs", "theirs/inside", "."])
def test_a_store_is_never_imported_into_itself(
    foreign: ForeignStore, tmp_path: Path, place: str
) -> None:
    foreign.write_manifest()
    with pytest.raises(ConflictError) as caught:
        import_store(str(foreign.root), str(tmp_path / place))
    assert caught.value.code == "same_store"


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError):
        import_store(str(tmp_path / "nothing"), "memory://")


def test_issues_name_their_place(foreign: ForeignStore, bring: Callable[..., StoreImport]) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    issues: list[Issue] = list(bring().report)
    assert issues
    assert all(issue.where.startswith(RUN_PATH) for issue in issues)
    assert json.dumps([issue.message for issue in issues])


def test_a_run_without_manifest_and_artifact_is_refused(
    foreign: ForeignStore, bring: Callable[..., StoreImport]
) -> None:
    foreign.write_file(f"{FLOW}/notes.txt", b"")
    assert _codes(_only(bring()), "error") == {"no_run"}


def test_a_mask_of_another_shape_changes_nothing(
    foreign: ForeignStore, bring: Callable[..., StoreImport], ours: Callable[[], Run]
) -> None:
    arrays = {**build_foreign_detections(), "box_present": np.zeros((3, 1), bool)}
    foreign.write_artifact(OBJECTS, arrays)
    foreign.write_manifest(build_foreign_row(OBJECTS))
    assert _only(bring()).components[0].form == "carried"
    with ours()[OBJECTS] as artifact:
        np.testing.assert_array_equal(artifact["scores"], arrays["scores"])


def test_p14_a_source_may_be_any_backend(foreign: ForeignStore) -> None:
    foreign.write_artifact(OBJECTS, build_foreign_detections())
    foreign.write_manifest(build_foreign_row(OBJECTS))
    source = MemoryBackend()
    for path, data in foreign.read_bytes().items():
        with source.stage(path.rpartition("/")[0]) as staged:
            staged.file.write(data)
            staged.publish(path)
    backends = [source, LocalBackend(foreign.root)]
    targets = [MemoryBackend(), MemoryBackend()]
    outcomes = [
        import_run(one, RUN_PATH, two, clock=clock, importer="test", dry_run=False)
        for one, two in zip(backends, targets, strict=True)
    ]
    assert outcomes[0] == outcomes[1]
    records = [Store(target).run(*RUN_PATH.split("/")).components for target in targets]
    assert records[0] == records[1]
