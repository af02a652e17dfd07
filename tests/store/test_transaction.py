"""C3, P1-P7: a run is written artifact first, manifest last, and no update is ever lost."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filmcan.contract.manifest import parse_manifest
from filmcan.errors import (
    ConflictError,
    InvalidArtifactError,
    InvalidManifestError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.store.base import Backend
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import check_joinable, merge_sources, read_manifest
from filmcan.store.memory import MemoryBackend
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import COMPONENT, NOW, build_product, build_run_record

OTHER = ("loudness_extractor", "audio_npz_v1")


def clock() -> str:
    return NOW


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return LocalBackend(tmp_path) if request.param == "local" else MemoryBackend()


def test_c3_a_committed_component_is_listed_with_size_and_hash(backend: Backend) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    record = transaction.commit(build_product(run))
    manifest = read_manifest(backend, "local/v1/r1")
    assert manifest.components == (record,)
    (artifact,) = record.artifacts
    data = backend.read(f"local/v1/r1/{artifact.path}", limit=1 << 20)
    assert artifact.size_bytes == len(data)
    assert artifact.sha256 == hashlib.sha256(data).hexdigest()
    assert artifact.path == f"{COMPONENT}/{COMPONENT}.{artifact.sha256[:12]}.npz"


def test_c3_status_and_reason_come_from_the_artifact(backend: Backend) -> None:
    run = build_run_record()
    record = RunTransaction.create(backend, run, clock).commit(build_product(run))
    assert (record.status, record.empty_reason) == ("empty", "video_too_short")


def test_c8_an_artifact_that_breaks_its_schema_never_enters_the_store(backend: Backend) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    good = build_product(run)
    broken = {**good.arrays, "dt_sec": np.float64([1.0])}
    product = type(good)(good.record, broken, good.meta)
    with pytest.raises(InvalidArtifactError, match="dt_sec"):
        transaction.commit(product)
    assert backend.list_folder(f"local/v1/r1/{COMPONENT}").files == {}
    assert read_manifest(backend, "local/v1/r1").components == ()


def test_c8_an_artifact_of_another_place_never_enters_the_store(backend: Backend) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    with pytest.raises(InvalidArtifactError, match="video_id"):
        transaction.commit(build_product(run, video_id="other"))


def test_c6_an_error_writes_no_artifact(backend: Backend) -> None:
    run = build_run_record()
    with pytest.raises(InvalidArtifactError, match="error writes no artifact"):
        RunTransaction.create(backend, run, clock).commit(
            build_product(run, status="error", empty_reason=None)
        )


def test_a_run_is_created_once(backend: Backend) -> None:
    RunTransaction.create(backend, build_run_record(), clock)
    with pytest.raises(ConflictError, match="exists already"):
        RunTransaction.create(backend, build_run_record(), clock)


def test_c3_a_stage_joins_a_run_and_widens_its_plan(backend: Backend) -> None:
    first = build_run_record(planned=(OTHER[0],))
    transaction = RunTransaction.create(backend, first, clock)
    transaction.commit(build_product(first, *OTHER, reason="audio_missing_or_extract_failed"))
    assert transaction.finish(source={}, peak_rss_bytes=1).is_finished
    second = build_run_record()
    joined = RunTransaction.create_or_join(backend, second, clock)
    manifest = read_manifest(backend, "local/v1/r1")
    assert not manifest.is_finished
    assert manifest.pending_components == (COMPONENT,)
    joined.commit(build_product(second))
    finished = joined.finish(source={}, peak_rss_bytes=None)
    assert finished.is_finished
    assert finished.run.planned_components == (OTHER[0], COMPONENT)
    assert [item.name for item in finished.components] == [OTHER[0], COMPONENT]


@pytest.mark.parametrize("changes", [{"config_hash": "1" * 64}, {"source_sha256": "1" * 64}])
def test_c3_joining_with_another_configuration_or_source_is_a_conflict(
    backend: Backend, changes: dict[str, str]
) -> None:
    RunTransaction.create(backend, build_run_record(), clock)
    other = build_run_record(**changes)  # type: ignore[arg-type]
    with pytest.raises(ConflictError):
        RunTransaction.join(backend, other, clock)
    with pytest.raises(ConflictError):
        check_joinable(backend, other)
    assert read_manifest(backend, "local/v1/r1").run.revision == 1


def test_a_run_that_does_not_exist_cannot_be_joined_but_may_be_created(backend: Backend) -> None:
    with pytest.raises(NotFoundError):
        RunTransaction.join(backend, build_run_record(), clock)
    check_joinable(backend, build_run_record())


def test_c6_the_run_fails_when_a_required_component_does_or_none_succeeds(
    backend: Backend,
) -> None:
    run = build_run_record(planned=(COMPONENT, OTHER[0]))
    transaction = RunTransaction.create(backend, run, clock)
    product = build_product(run)
    failed = replace(product.record, status="error", error="boom", artifacts=())
    transaction.record_error(failed)
    assert transaction.finish(source={}, peak_rss_bytes=None).run.status is None
    transaction.commit(build_product(run, *OTHER, reason="audio_missing_or_extract_failed"))
    assert transaction.finish(source={}, peak_rss_bytes=None).run.status == "ok"
    transaction.record_error(replace(failed, required=True))
    assert transaction.finish(source={}, peak_rss_bytes=None).run.status == "error"
    only_errors = build_run_record(run_id="r2")
    second = RunTransaction.create(backend, only_errors, clock)
    second.record_error(failed)
    assert second.finish(source={}, peak_rss_bytes=None).run.status == "error"


def test_c4_a_rewrite_is_a_new_file_and_the_old_one_goes_last(backend: Backend) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    first = transaction.commit(build_product(run))
    reader = backend.open(f"local/v1/r1/{first.artifacts[0].path}")
    second = transaction.commit(build_product(run, reason="video_stream_missing"))
    assert first.artifacts[0].path != second.artifacts[0].path
    files = backend.list_folder(f"local/v1/r1/{COMPONENT}").files
    assert [f"{COMPONENT}/{name}" for name in files] == [second.artifacts[0].path]
    data = bytes(reader.read_at(0, reader.size))
    assert hashlib.sha256(data).hexdigest() == first.artifacts[0].sha256


def test_committing_the_same_bytes_again_keeps_the_file(backend: Backend) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    assert transaction.commit(build_product(run)) == transaction.commit(build_product(run))
    assert len(backend.list_folder(f"local/v1/r1/{COMPONENT}").files) == 1


def test_p7_a_damaged_manifest_is_kept_and_never_overwritten(backend: Backend) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    found = backend.find_versioned("local/v1/r1/manifest.json", limit=1 << 20)
    assert found is not None
    torn = found.data[: len(found.data) // 2]
    backend.swap("local/v1/r1/manifest.json", torn, expected=found.version)
    with pytest.raises(InvalidManifestError):
        transaction.commit(build_product(run))
    with pytest.raises(InvalidManifestError):
        RunTransaction.create_or_join(backend, run, clock)
    assert backend.read("local/v1/r1/manifest.json", limit=1 << 20) == torn


def test_p7_unknown_fields_survive_a_commit(backend: Backend) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    found = backend.find_versioned("local/v1/r1/manifest.json", limit=1 << 20)
    assert found is not None
    document = json.loads(found.data)
    document["run"]["from_the_future"] = {"x": [1]}
    backend.swap("local/v1/r1/manifest.json", json.dumps(document).encode(), expected=found.version)
    transaction.commit(build_product(run))
    assert read_manifest(backend, "local/v1/r1").run.extra == {"from_the_future": {"x": [1]}}


def test_p6_stages_that_commit_at_once_lose_nothing(backend: Backend) -> None:
    names = [
        (COMPONENT, "core_optical_flow_npz_v1", "video_too_short"),
        ("loudness_extractor", "audio_npz_v1", "audio_missing_or_extract_failed"),
        ("tempo_extractor", "audio_npz_v1", "audio_missing_or_extract_failed"),
        ("clap_extractor", "audio_npz_v1", "audio_missing_or_extract_failed"),
    ]
    run = build_run_record(planned=tuple(name for name, _, _ in names))
    failures: list[BaseException] = []

    def work(name: str, schema_version: str, reason: str) -> None:
        try:
            transaction = RunTransaction.create_or_join(backend, run, clock)
            for _ in range(5):
                transaction.commit(build_product(run, name, schema_version, reason=reason))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=row) for row in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    manifest = read_manifest(backend, "local/v1/r1")
    assert [item.name for item in manifest.components] == [name for name, _, _ in names]
    # one creation, three joins, twenty commits: each counted exactly once
    assert manifest.run.revision == 1 + 3 + 20


def test_p5_a_store_that_fills_up_lists_nothing_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LocalBackend(tmp_path)
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, clock)
    before = backend.read("local/v1/r1/manifest.json", limit=1 << 20)

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StoreUnavailableError) as refusal:
        transaction.commit(build_product(run))
    monkeypatch.undo()
    assert refusal.value.code == "store_full"
    assert backend.read("local/v1/r1/manifest.json", limit=1 << 20) == before
    assert backend.list_folder(f"local/v1/r1/{COMPONENT}").files == {}
    transaction.commit(build_product(run))


def test_p2_the_manifest_on_disk_is_whole_after_every_update(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    run = build_run_record()
    RunTransaction.create(backend, run, clock).commit(build_product(run))
    manifest = parse_manifest((tmp_path / "local/v1/r1/manifest.json").read_bytes())
    assert manifest.run.revision == 2
    assert sorted(path.name for path in (tmp_path / "local/v1/r1").iterdir()) == [
        COMPONENT,
        "manifest.json",
    ]


def test_c3_what_is_known_of_a_source_is_never_known_less() -> None:
    former = {"name": "clip.mp4", "decoded_frames": 50, "failed_frames": 1, "notes": ["seen"]}
    latest = {"name": "clip.mp4", "decoded_frames": 7, "failed_frames": 0, "decoded_samples": 9}
    assert merge_sources(former, latest) == {
        "name": "clip.mp4",
        "decoded_frames": 50,
        "failed_frames": 1,
        "decoded_samples": 9,
        "notes": ["seen"],
    }
    unknown = {"name": "clip.mp4", "decoded_frames": None, "notes": []}
    assert merge_sources(former, unknown)["decoded_frames"] == 50
    assert merge_sources(unknown, latest)["decoded_frames"] == 7


def test_c3_what_is_known_of_the_source_is_kept_with_the_component_that_told_it(
    backend: Backend,
) -> None:
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, lambda: NOW)
    transaction.commit(build_product(run), source={"decoded_frames": 7, "notes": ["a", "b"]})
    transaction.finish(source={"decoded_frames": 5, "notes": ["b", "c"]}, peak_rss_bytes=None)
    source = transaction.read().run.source
    assert (source["decoded_frames"], source["notes"]) == (7, ["a", "b", "c"])
