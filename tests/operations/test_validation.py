"""`filmcan validate`: everything that is wrong with a run or a store is found and placed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from filmcan.errors import NotFoundError, StoreUnavailableError
from filmcan.npz.writer import write_npz
from filmcan.operations.targets import open_run_folder
from filmcan.operations.validation import merge_verdicts, validate_target
from filmcan.store.base import FORMAT_MARKER, Listing
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.tombstones import (
    Deletion,
    build_tombstone_path,
    find_tombstone,
    write_tombstone,
)
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import COMPONENT, NOW, build_product, build_run_record


def write_run(store: Path, run_id: str) -> Path:
    run = build_run_record(run_id=run_id)
    transaction = RunTransaction.create(LocalBackend(store), run, lambda: NOW)
    transaction.commit(build_product(run))
    transaction.finish(source={}, peak_rss_bytes=None)
    return store / "local" / "v1" / run_id


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return write_run(tmp_path / "store", "r1")


def found(target: Path) -> list[tuple[str, str]]:
    return [(issue.level, issue.code) for issue in validate_target(str(target)).report]


def artifact_of(run_folder: Path) -> Path:
    (artifact,) = (run_folder / COMPONENT).glob("*.npz")
    return artifact


def edit_manifest(run_folder: Path, edit: Callable[[dict[str, object]], object]) -> None:
    path = run_folder / "manifest.json"
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))


def test_a_good_run_is_valid_from_every_side(run_folder: Path) -> None:
    store = run_folder.parents[2]
    for target in (store, run_folder, run_folder / COMPONENT, artifact_of(run_folder)):
        assert found(target) == []
    verdict = validate_target(str(store))
    assert (verdict.runs, verdict.artifacts) == (1, 1)


def test_nothing_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        validate_target(str(tmp_path / "none"))


def test_c8_p9_a_changed_byte_is_a_hash_mismatch(run_folder: Path) -> None:
    artifact = artifact_of(run_folder)
    data = bytearray(artifact.read_bytes())
    data[len(data) // 2] ^= 1
    artifact.write_bytes(data)
    assert ("error", "hash_mismatch") in found(run_folder)


def test_c8_a_shorter_file_is_a_size_mismatch(run_folder: Path) -> None:
    artifact = artifact_of(run_folder)
    artifact.write_bytes(artifact.read_bytes()[:-1])
    assert ("error", "size_mismatch") in found(run_folder)


def test_p1_a_listed_file_that_is_gone_is_an_error(run_folder: Path) -> None:
    artifact_of(run_folder).unlink()
    assert found(run_folder) == [("error", "artifact_missing")]


def test_c4_an_unlisted_file_is_a_warning_and_never_data(run_folder: Path) -> None:
    shutil.copy(artifact_of(run_folder), run_folder / COMPONENT / "stray.npz")
    assert found(run_folder) == [("warning", "unlisted_file")]


@pytest.mark.parametrize("place", ["context.json", f"{COMPONENT}/deep/render.JSON"])
def test_c1_a_json_beside_the_manifest_is_an_error(run_folder: Path, place: str) -> None:
    (run_folder / place).parent.mkdir(exist_ok=True)
    (run_folder / place).write_text("{}")
    assert found(run_folder) == [("error", "forbidden_json")]


def test_c1_a_json_above_the_runs_is_an_error_too(run_folder: Path) -> None:
    (run_folder.parent / "index.json").write_text("{}")
    assert found(run_folder.parents[2]) == [("error", "forbidden_json")]


def test_c1_a_temporary_is_tolerated_and_told(run_folder: Path) -> None:
    (run_folder / "_tmp_debug.json").write_text("{}")
    assert found(run_folder) == [("warning", "leftover_temporary")]


def test_a_link_is_an_error_and_never_followed(run_folder: Path) -> None:
    link = run_folder / COMPONENT / "link.npz"
    link.symlink_to("/etc/hostname")
    assert found(run_folder) == [("error", "not_regular")]
    link.unlink()
    artifact = artifact_of(run_folder)
    target = run_folder.parent / "elsewhere.npz"
    artifact.rename(target)
    artifact.symlink_to(target)
    assert ("error", "not_regular") in found(run_folder)


def test_p7_a_damaged_manifest_is_an_error_never_an_absent_run(run_folder: Path) -> None:
    manifest = run_folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    for target in (run_folder, run_folder.parents[2]):
        assert found(target) == [("error", "invalid_manifest")]


def test_b4_a_manifest_that_is_nested_too_deeply_is_reported(run_folder: Path) -> None:
    nested: object = {}
    for _ in range(62):
        nested = {"a": nested}
    path = run_folder / "manifest.json"
    document = json.loads(path.read_text())
    document["run"]["source"] = nested
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    assert found(run_folder) == [("error", "invalid_manifest")]


def test_b4_a_run_that_was_renamed_is_found(run_folder: Path) -> None:
    moved = run_folder.rename(run_folder.with_name("r2"))
    assert found(moved) == [("error", "place")]
    assert found(moved.parents[2]) == [("error", "place")]


def test_a_folder_without_a_manifest_is_an_error_in_a_store(run_folder: Path) -> None:
    (run_folder / "manifest.json").unlink()
    assert found(run_folder.parents[2]) == [("error", "manifest_missing")]


def test_a_run_that_was_killed_as_it_began_is_a_warning(run_folder: Path) -> None:
    begun = run_folder.with_name("20260131T120000Z-killed00")
    (begun / COMPONENT).mkdir(parents=True)
    assert found(run_folder.parents[2]) == [("warning", "manifest_missing")]
    (begun / COMPONENT / f"{COMPONENT}.0123456789ab.npz").write_bytes(b"")
    assert found(run_folder.parents[2]) == [("error", "manifest_missing")]


def test_an_unfinished_run_is_named_as_such(run_folder: Path) -> None:
    def reopen(document: dict[str, object]) -> None:
        document["run"].update(finished_at=None, status=None)  # type: ignore[attr-defined]
        document["run"]["planned_components"].append("core_clip")  # type: ignore[index]

    edit_manifest(run_folder, reopen)
    (issue,) = validate_target(str(run_folder)).report
    assert (issue.level, issue.code) == ("warning", "run_unfinished")
    assert "core_clip" in issue.message


def test_a_finished_run_that_lacks_a_planned_component_is_an_error(run_folder: Path) -> None:
    edit_manifest(
        run_folder,
        lambda document: document["run"]["planned_components"].append("core_clip"),  # type: ignore[index]
    )
    assert found(run_folder) == [("error", "component_missing")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("producer_version", "9"),
        ("schema_version", "other_npz_v1"),
        ("empty_reason", "video_stream_missing"),
    ],
)
def test_c8_meta_must_agree_with_the_manifest(run_folder: Path, key: str, value: str) -> None:
    edit_manifest(run_folder, lambda document: document["components"][0].update({key: value}))  # type: ignore[index]
    assert found(run_folder) == [("error", "manifest_disagrees")]


def test_c8_a_manifest_whose_signature_signs_nothing_disagrees_twice(run_folder: Path) -> None:
    edit_manifest(
        run_folder,
        lambda document: document["components"][0].update(model_signature="x"),  # type: ignore[index]
    )
    assert found(run_folder) == [("error", "model_signature"), ("error", "manifest_disagrees")]


def test_c3_contradictions_of_a_manifest_are_found_in_their_place(run_folder: Path) -> None:
    edit_manifest(run_folder, lambda document: document["run"].update(status="error"))  # type: ignore[attr-defined]
    (issue,) = validate_target(str(run_folder)).report
    assert (issue.code, issue.key) == ("run_status", "run.status")
    assert issue.where == "local/v1/r1/manifest.json"


def test_c3_a_field_that_is_always_written_is_missed(run_folder: Path) -> None:
    edit_manifest(run_folder, lambda document: document["components"][0].pop("notes"))  # type: ignore[index]
    assert found(run_folder) == [("warning", "field_absent")]


def test_c4_an_artifact_that_is_not_named_by_its_content_is_a_warning(run_folder: Path) -> None:
    artifact = artifact_of(run_folder)
    artifact.rename(artifact.with_name("artifact.npz"))
    edit_manifest(
        run_folder,
        lambda document: document["components"][0]["artifacts"][0].update(  # type: ignore[index]
            path=f"{COMPONENT}/artifact.npz"
        ),
    )
    assert found(run_folder) == [("warning", "artifact_name")]


def test_c8_samples_outside_the_source_of_the_run_are_found(tmp_path: Path) -> None:
    run = build_run_record()
    backend = LocalBackend(tmp_path)
    transaction = RunTransaction.create(backend, run, lambda: NOW)
    given = {"frame_indices": np.int32([0, 30]), "times_sec": np.float32([0, 9])}
    transaction.commit(build_product(run, arrays=given))
    transaction.finish(
        source={"duration_sec": 2.0, "decoded_frames": 20, "failed_frames": 0},
        peak_rss_bytes=None,
    )
    artifact = next((tmp_path / "local/v1/r1" / COMPONENT).glob("*.npz"))
    expected = [("error", "outside_source"), ("error", "outside_source")]
    assert found(tmp_path) == expected
    assert found(artifact) == expected


def test_c9_files_beside_an_artifact_are_named_in_it_and_in_the_manifest(tmp_path: Path) -> None:
    run = build_run_record()
    backend = LocalBackend(tmp_path)
    transaction = RunTransaction.create(backend, run, lambda: NOW, sub_artifact_bytes=8)
    given = {"frame_indices": np.int32([0, 30]), "times_sec": np.float32([0, 1])}
    transaction.commit(build_product(run, arrays=given))
    transaction.finish(source={}, peak_rss_bytes=None)
    folder = tmp_path / "local/v1/r1"
    assert found(folder) == []

    def edit(document: dict[str, object]) -> None:
        artifacts = document["components"][0]["artifacts"]  # type: ignore[index]
        place = next(index for index, row in enumerate(artifacts) if row["kind"] == "npy")
        (folder / artifacts[place]["path"]).with_name("stray.npy").write_bytes(
            (folder / artifacts[place]["path"]).read_bytes()
        )
        artifacts.append({**artifacts[place], "path": f"{COMPONENT}/stray.npy"})
        del artifacts[place]

    edit_manifest(folder, edit)
    assert sorted(found(folder)) == [
        ("error", "sub_artifact_unlisted"),
        ("error", "sub_artifact_unnamed"),
        ("warning", "unlisted_file"),
    ]


def test_c1_json_is_found_in_a_run_whose_manifest_is_damaged(run_folder: Path) -> None:
    (run_folder / "manifest.json").write_text("{")
    (run_folder / COMPONENT / "render.json").write_text("{}")
    assert found(run_folder) == [("error", "invalid_manifest"), ("error", "forbidden_json")]
    (run_folder / "manifest.json").unlink()
    store = run_folder.parents[2]
    assert found(store) == [("error", "manifest_missing"), ("error", "forbidden_json")]


def test_c2_no_json_lies_in_the_housekeeping_of_a_store(run_folder: Path) -> None:
    store = run_folder.parents[2]
    (store / "_filmcan" / "deep").mkdir()
    (store / "_filmcan" / "deep" / "index.json").write_text("{}")
    assert found(store) == [("error", "forbidden_json")]


def test_b5_a_link_above_the_runs_is_an_error(run_folder: Path) -> None:
    store = run_folder.parents[2]
    (store / "elsewhere").symlink_to(run_folder)
    assert found(store) == [("error", "not_regular")]


def test_b5_folders_that_some_disks_cannot_keep_apart_are_told(run_folder: Path) -> None:
    backend = LocalBackend(run_folder.parents[2])
    run = build_run_record(video_id="V1")
    transaction = RunTransaction.create(backend, run, lambda: NOW)
    transaction.commit(build_product(run))
    transaction.finish(source={}, peak_rss_bytes=None)
    assert found(run_folder.parents[2]) == [("warning", "ids_collide")]


def test_c8_a_file_is_held_to_the_manifest_of_its_run(run_folder: Path) -> None:
    artifact = artifact_of(run_folder)
    (run_folder / COMPONENT / "other.npz").write_bytes(artifact.read_bytes())
    assert found(artifact) == []
    assert found(run_folder / COMPONENT / "other.npz") == [("warning", "unlisted_file")]
    edit_manifest(
        run_folder,
        lambda document: document["components"][0]["artifacts"][0].update(sha256="0" * 64),  # type: ignore[index]
    )
    assert found(artifact) == [("error", "hash_mismatch"), ("warning", "artifact_name")]


def test_c8_a_file_in_a_run_with_a_damaged_manifest_is_judged_by_itself(run_folder: Path) -> None:
    (run_folder / "manifest.json").write_text("{")
    verdict = validate_target(str(artifact_of(run_folder)))
    assert [issue.code for issue in verdict.report] == ["invalid_manifest"]
    assert verdict.artifacts == 1


def test_verdicts_add_up(run_folder: Path) -> None:
    verdict = validate_target(str(run_folder))
    merged = merge_verdicts([verdict, verdict])
    assert (merged.runs, merged.artifacts, len(merged.report)) == (2, 2, 0)


def test_c8_an_artifact_moved_to_another_run_does_not_fit_its_place(run_folder: Path) -> None:
    other = build_run_record(run_id="r2")
    backend = LocalBackend(run_folder.parents[2])
    RunTransaction.create(backend, other, lambda: NOW).commit(build_product(other))
    foreign = run_folder.with_name("r2") / COMPONENT
    shutil.copy(next(foreign.glob("*.npz")), run_folder / COMPONENT / "foreign.npz")
    assert ("error", "meta_place") in found(run_folder / COMPONENT / "foreign.npz")


def test_an_artifact_outside_a_store_is_judged_by_itself(tmp_path: Path) -> None:
    product = build_product(build_run_record())
    path = tmp_path / "alone.npz"
    with path.open("x+b") as file:
        write_npz(file, {**product.arrays, "dt_sec": np.float64([1])}, product.meta)
    assert found(path) == [("error", "dtype")]


def test_findings_say_where_they_lie(run_folder: Path) -> None:
    artifact_of(run_folder).unlink()
    (issue,) = validate_target(str(run_folder.parents[2])).report
    assert issue.where.startswith(f"local/v1/r1/{COMPONENT}/{COMPONENT}.")


# --- what cannot be read -------------------------------------------------------------------------


def refuse(monkeypatch: pytest.MonkeyPatch, method: str, *ends: str) -> None:
    """Let a method of the disk's backend fail wherever its path ends so."""
    whole = getattr(LocalBackend, method)

    def fail(self: LocalBackend, path: str, **options: object) -> object:
        if path.endswith(ends):
            raise StoreUnavailableError("Permission denied", where=path)
        return whole(self, path, **options)

    monkeypatch.setattr(LocalBackend, method, fail)


@pytest.mark.parametrize("method", ["open", "read_at"])
def test_a_file_that_cannot_be_read_is_reported_and_the_rest_is_judged(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    (run_folder / COMPONENT / "stray.npz").write_bytes(b"")
    if method == "open":
        refuse(monkeypatch, "open", ".npz")
    else:

        def fail(*_: object) -> bytes:
            raise StoreUnavailableError("Input/output error")

        monkeypatch.setattr("filmcan.npz.source.FileSource.read_at", fail)
    for target in (run_folder, run_folder.parents[2]):
        assert found(target) == [("error", "unreadable"), ("warning", "unlisted_file")]
    assert found(run_folder / COMPONENT)[0] == ("error", "unreadable")
    (issue, _) = validate_target(str(run_folder)).report
    assert issue.where.startswith(f"local/v1/r1/{COMPONENT}/{COMPONENT}.")


def test_a_manifest_that_cannot_be_read_is_reported_and_other_runs_are_judged(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (write_run(run_folder.parents[2], "r2") / "context.json").write_text("{}")
    refuse(monkeypatch, "read", "r1/manifest.json")
    verdict = validate_target(str(run_folder.parents[2]))
    told = [(issue.code, issue.where) for issue in verdict.report]
    assert ("unreadable", "local/v1/r1/manifest.json") in told
    assert ("forbidden_json", "local/v1/r2/context.json") in told


@pytest.mark.parametrize("folder", ["local", "local/v1", "local/v1/r1", f"local/v1/r1/{COMPONENT}"])
def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_is_judged(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    store = run_folder.parents[2]
    shutil.copytree(run_folder.parents[1], store / "other")
    refuse(monkeypatch, "list_folder", folder)
    if folder.endswith("r1"):
        refuse(monkeypatch, "read", f"{folder}/manifest.json")
    told = [(issue.code, issue.where) for issue in validate_target(str(store)).report]
    assert ("unreadable", folder) in told
    assert ("place", "other/v1/r1") in told or folder != "local"


@pytest.mark.parametrize("refusing", [[0], [1, 2], [0, 1, 2, 3]], ids=str)
def test_a_store_that_cannot_be_read_at_all_is_an_error_of_the_store(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, refusing: list[int]
) -> None:
    """It may refuse from the first look on, at that one, or when it was half judged."""
    whole, looks = LocalBackend.list_folder, iter(range(99))

    def fail(self: LocalBackend, folder: str) -> Listing:
        if folder in ("", "local") and next(looks) in refusing:
            raise StoreUnavailableError("Stale file handle")
        return whole(self, folder)

    monkeypatch.setattr(LocalBackend, "list_folder", fail)
    with pytest.raises(StoreUnavailableError, match="Stale"):
        validate_target(str(run_folder.parents[2]))


def test_a_run_that_cannot_be_read_at_all_is_an_error_when_it_was_asked_for(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "list_folder", "local/v1/r1")
    refuse(monkeypatch, "read", "manifest.json")
    with pytest.raises(StoreUnavailableError, match="Permission"):
        validate_target(str(run_folder))


def test_housekeeping_that_cannot_be_read_is_reported(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "list_folder", "_filmcan/locks", "_filmcan")
    assert found(run_folder.parents[2]) == [("error", "unreadable")]


def test_a_tombstone_that_cannot_be_read_is_reported_and_the_runs_are_judged(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = run_folder.parents[2]
    bury(store, "r9", is_done=True)

    def fail(*_: object, **__: object) -> object:
        raise StoreUnavailableError("Input/output error")

    monkeypatch.setattr(LocalBackend, "find_versioned", fail)
    for target in (store, run_folder.parent):
        assert validated(target) == [("error", "unreadable", "local/v1")]
        assert validate_target(str(target)).artifacts == 1


# --- what fsck says too --------------------------------------------------------------------------


def inspected(store: Path) -> list[tuple[str, str, str]]:
    findings = inspect_store(LocalBackend(store), with_data=False).findings
    issues = [finding.issue for finding in findings]
    return sorted((issue.level, issue.code, issue.where) for issue in issues)


def validated(target: Path) -> list[tuple[str, str, str]]:
    issues = validate_target(str(target)).report
    return sorted((issue.level, issue.code, issue.where) for issue in issues)


def bury(store: Path, run_id: str | None, *, is_done: bool) -> None:
    """Write that a video, or a run of it, was deleted, and leave its bytes."""
    backend = LocalBackend(store)
    deletion = Deletion("a" * 16, is_done=is_done)
    tombstone = find_tombstone(backend, "local/v1").with_deletion(run_id, deletion)
    write_tombstone(backend, "local/v1", tombstone)


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("run_id", [None, "r1"])
@pytest.mark.parametrize("has_manifest", [True, False])
def test_p11_what_a_deletion_left_is_a_warning_as_fsck_has_it(
    run_folder: Path, run_id: str | None, has_manifest: bool, is_done: bool
) -> None:
    store = run_folder.parents[2]
    bury(store, run_id, is_done=is_done)
    if not has_manifest:
        (run_folder / "manifest.json").unlink()
    assert validated(store) == inspected(store)
    expected = "deletion_unfinished" if has_manifest else "manifest_missing"
    assert ("warning", expected, "local/v1/r1") in validated(store)
    assert validate_target(str(run_folder)).report.ok
    for target in (store, run_folder.parent):
        verdict = validate_target(str(target))
        assert verdict.report.ok
        assert (verdict.runs, verdict.artifacts) == (0 if has_manifest else 1, 0)


def test_p11_a_dead_run_is_not_shown_by_its_folder_either(run_folder: Path) -> None:
    assert open_run_folder(run_folder).run_id == "r1"
    bury(run_folder.parents[2], "r1", is_done=True)
    with pytest.raises(NotFoundError, match="was deleted") as refusal:
        open_run_folder(run_folder)
    assert refusal.value.where == "local/v1/r1"
    elsewhere = run_folder.parents[3] / "copied"
    run_folder.rename(elsewhere)
    assert open_run_folder(elsewhere).run_id == "r1"


def test_progress_names_each_run_with_the_share_that_is_done(run_folder: Path) -> None:
    store = run_folder.parents[2]
    write_run(store, "r2")
    told: list[tuple[float, str]] = []
    for target, expected in (
        (store, [(0.0, "local/v1/r1"), (0.5, "local/v1/r2")]),
        (run_folder.parent, [(0.0, "local/v1/r1"), (0.5, "local/v1/r2")]),
    ):
        told.clear()
        validate_target(str(target), on_progress=lambda share, place: told.append((share, place)))
        assert told == expected


def test_p11_a_run_that_began_after_the_deletion_lives(run_folder: Path) -> None:
    store = run_folder.parents[2]
    bury(store, "r1", is_done=True)
    write_run(store, "r2")
    assert validated(store) == [("warning", "deletion_unfinished", "local/v1/r1")]
    assert validate_target(str(store)).runs == 1


def test_p11_a_damaged_tombstone_is_told_and_the_runs_are_judged(run_folder: Path) -> None:
    store = run_folder.parents[2]
    bury(store, None, is_done=True)
    (tombstone,) = (store / "_filmcan" / "tombstones").iterdir()
    tombstone.write_text("nonsense")
    assert validated(store) == inspected(store)
    for target in (store, run_folder.parent, run_folder):
        assert validated(target) == [
            ("error", "tombstone_damaged", build_tombstone_path("local/v1"))
        ]
        assert validate_target(str(target)).artifacts == 1


def test_c4_files_above_the_runs_are_told(run_folder: Path) -> None:
    store = run_folder.parents[2]
    for place in ("x.npz", "local/x.npz", "local/v1/note.txt", "local/_tmp_x"):
        (store / place).write_bytes(b"")
    assert validated(store) == [
        ("warning", "leftover_temporary", "local/_tmp_x"),
        ("warning", "unlisted_file", "local/v1/note.txt"),
        ("warning", "unlisted_file", "local/x.npz"),
        ("warning", "unlisted_file", "x.npz"),
    ]


def test_c2_a_folder_that_no_id_names_is_told_as_fsck_has_it(run_folder: Path) -> None:
    store = run_folder.parents[2]
    for place in ("_tmp_x/a", "local/_tmp_x", "local/v1/_tmp_x", ".git/a/b/c", "local/v1/.r"):
        (store / place).mkdir(parents=True)
    (store / "local" / "_tmp_x" / "a.json").write_text("{}")
    assert validated(store) == inspected(store)
    assert {code for _, code, _ in validated(store)} == {"strange_folder"}
    assert validate_target(str(store)).runs == 1
    (store / ".git" / "a" / "x.json").write_text("{}")
    assert ("error", "forbidden_json", ".git/a/x.json") in validated(store)


# --- which folder is what ------------------------------------------------------------------------


@pytest.mark.parametrize("has_marker", [True, False])
def test_a_platform_and_a_video_are_judged_by_their_runs(
    run_folder: Path, has_marker: bool
) -> None:
    store = run_folder.parents[2]
    write_run(store, "r2")
    if not has_marker:
        shutil.rmtree(store / "_filmcan")
    for target in (store, store / "local", store / "local" / "v1"):
        verdict = validate_target(str(target))
        assert (verdict.runs, verdict.artifacts) == (2, 2)
        assert [issue.code for issue in verdict.report] == []
    (run_folder.parent / "note.json").write_text("{}")
    for target in (store, store / "local", store / "local" / "v1"):
        assert validated(target) == [("error", "forbidden_json", "local/v1/note.json")]
    assert found(run_folder) == []


@pytest.mark.parametrize("has_marker", [True, False])
def test_runs_that_all_lost_their_manifests_are_found_from_above(
    run_folder: Path, has_marker: bool
) -> None:
    store = run_folder.parents[2]
    (run_folder / "manifest.json").unlink()
    if not has_marker:
        shutil.rmtree(store / "_filmcan")
    targets = [store, store / "local", store / "local" / "v1"]
    if has_marker:
        targets += [run_folder, run_folder / COMPONENT]
    for target in targets:
        assert validated(target) == [("error", "manifest_missing", "local/v1/r1")]


@pytest.mark.parametrize(
    "place", ["", "else", "else/where/deep", "store/_filmcan", "store/.git", "store/local/_tmp_x"]
)
def test_a_folder_that_is_nothing_of_a_store_is_refused(run_folder: Path, place: str) -> None:
    top = run_folder.parents[3]
    folder = top / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.txt").write_text("text")
    if not place:
        shutil.rmtree(run_folder.parents[2])
    with pytest.raises(NotFoundError, match="no store, and no platform, video") as caught:
        validate_target(str(folder))
    assert caught.value.code == "no_target"


def test_a_store_without_runs_is_valid(run_folder: Path) -> None:
    store = run_folder.parents[2]
    shutil.rmtree(store / "local")
    assert (store / FORMAT_MARKER).is_file()
    verdict = validate_target(str(store))
    assert (verdict.runs, list(verdict.report)) == (0, [])
