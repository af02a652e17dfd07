"""A store and its runs as readers see them: found by id, latest first, damage passed over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import (
    ConflictError,
    InvalidContentError,
    InvalidManifestError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.store.base import Backend
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.repair import repair_store
from filmcan.store.store import Store, open_store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import COMPONENT, build_product, build_run_record
from filmcan.testing.made_stores import COMPONENTS, begin_run, clock, commit, write_run
from filmcan.testing.store_suite import publish


@pytest.fixture(params=["local", "memory", "s3"])
def backend(request: pytest.FixtureRequest, open_backend: Callable[[str], Backend]) -> Backend:
    return open_backend(request.param)


def test_a_run_knows_its_place_and_its_components(backend: Backend) -> None:
    write_run(backend)
    run = Store(backend).run("local", "v1", "r1")
    assert (run.platform_id, run.video_id, run.run_id) == ("local", "v1", "r1")
    assert list(run.components) == list(COMPONENTS)
    assert repr(run) == "<Run local/v1/r1 status=ok>"
    assert run[COMPONENT].empty_reason == "video_too_short"
    assert (run[COMPONENT].path is None) == (not isinstance(backend, LocalBackend))
    assert repr(Store(backend)) == f"<Store {backend.url}>"


def test_a_component_without_an_artifact_is_a_lookup_error_that_says_why(
    backend: Backend,
) -> None:
    record = build_run_record()
    writer = RunTransaction.create(backend, record, clock)
    assert repr(Store(backend).runs()[0]) == "<Run local/v1/r1 status=unfinished>"
    product = build_product(record)
    writer.record_error(replace(product.record, status="error", error="boom", artifacts=()))
    run = Store(backend).run("local", "v1", "r1")
    with pytest.raises(LookupError, match="boom"):
        run[COMPONENT]
    with pytest.raises(LookupError, match=f"Components of this run: {COMPONENT}"):
        run["core_clip"]


def test_an_artifact_beside_others_is_found_by_its_kind(backend: Backend) -> None:
    record = build_run_record()
    writer = RunTransaction.create(backend, record, clock, 1)
    (npz, *beside) = writer.commit(build_product(record)).artifacts
    path = f"local/v1/r1/{MANIFEST_NAME}"
    manifest = writer.read()
    assert beside
    turned = replace(manifest.components[0], artifacts=(*beside, npz))
    publish(backend, path, replace(manifest, components=(turned,)).to_bytes())
    run = Store(backend).run("local", "v1", "r1")
    assert run[COMPONENT].component == COMPONENT


def test_c2_latest_is_the_greatest_of_the_finished_runs(backend: Backend) -> None:
    store = Store(backend)
    with pytest.raises(NotFoundError, match="no finished run"):
        store.latest("local", "v1")
    for run_id in ("r1", "r3", "r2"):
        write_run(backend, "v1", run_id)
    begin_run(backend, "v1", "r9")
    assert store.latest("local", "v1").run_id == "r3"


def test_damaged_runs_are_passed_over_in_a_listing_and_named_when_asked_for(
    backend: Backend,
) -> None:
    write_run(backend)
    publish(backend, f"local/v1/r2/{MANIFEST_NAME}", b"torn")
    publish(backend, "local/v1/r3/core_clip/x.npz", b"x")
    backend.move(write_run(backend, "v2"), "local/v2/r7")
    publish(backend, "_tmp_x/v/r/manifest.json", b"x")
    store = Store(backend)
    assert [run.path for run in store.runs()] == ["local/v1/r1"]
    assert [run.path for run in store.runs("local", "v1")] == ["local/v1/r1"]
    for video, run_id in (("v1", "r2"), ("v2", "r7")):
        with pytest.raises(InvalidManifestError):
            store.run("local", video, run_id)
    with pytest.raises(NotFoundError):
        store.run("local", "v1", "r3")


def test_p11_a_listing_passes_over_deleted_runs_only(backend: Backend) -> None:
    from filmcan.store.deletion import delete_video

    write_run(backend)
    write_run(backend, "v2")
    delete_video(backend, "local", "v2")
    write_run(backend, "v2", "r2")
    assert [run.path for run in Store(backend).runs()] == ["local/v1/r1", "local/v2/r2"]


def test_a_store_is_opened_by_path_or_url(tmp_path: Path) -> None:
    assert open_store("memory://").url == "memory://"
    assert open_store(tmp_path / "none").runs() == []
    assert open_store(str(tmp_path), must_exist=True).url == str(tmp_path.resolve())
    with pytest.raises(StoreUnavailableError) as refusal:
        open_store(tmp_path / "none", must_exist=True)
    assert refusal.value.code == "no_store"
    with pytest.raises(StoreUnavailableError) as refusal:
        open_store("gopher://host/path")
    assert refusal.value.code == "unknown_scheme"


def test_a_staged_file_is_published_only_where_it_was_staged_for(backend: Backend) -> None:
    with backend.stage("a") as staged, pytest.raises(ValueError, match="staged for a"):
        staged.publish("b/file")
    assert backend.list_folder("a").files == backend.list_folder("b").files == {}


def test_a_swapped_file_over_the_limit_is_refused(backend: Backend) -> None:
    backend.swap("a/file", b"x" * 10, expected=None)
    with pytest.raises(InvalidContentError) as refusal:
        backend.find_versioned("a/file", limit=9)
    assert refusal.value.code == "too_large"
    assert backend.find_local_path("a/file") in (None, f"{backend.url}/a/file")


def test_a_disk_error_while_a_file_is_written_is_typed(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    for number, code in ((28, "store_full"), (5, "store_unavailable")):
        with pytest.raises(StoreUnavailableError) as refusal, backend.stage("a"):
            raise OSError(number, "refused")
        assert refusal.value.code == code
    assert backend.list_folder("a").files == {}


def test_p4_a_flush_that_failed_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LocalBackend(tmp_path)
    calls: list[int] = []

    def refuse(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(5, "Input/output error")

    publish(backend, "a/other", b"x")
    with backend.stage("a") as staged:
        staged.file.write(b"x")
        monkeypatch.setattr("os.fsync", refuse)
        with pytest.raises(StoreUnavailableError):
            staged.publish("a/file")
        monkeypatch.undo()
        with pytest.raises(StoreUnavailableError):
            staged.publish("a/file")
    assert len(calls) == 1
    assert list(backend.list_folder("a").files) == ["other"]


def test_p6_a_swap_that_always_loses_ends_in_a_conflict(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = begin_run(backend)
    real, losses = type(backend).swap, []

    def lose(self: Backend, path: str, data: bytes, *, expected: str | None) -> str:
        if len(losses) < limit:
            losses.append(path)
            raise ConflictError("the file changed since it was read")
        return real(self, path, data, expected=expected)

    monkeypatch.setattr(type(backend), "swap", lose)
    limit = 3
    commit(writer)
    assert len(losses) == 3
    limit = 1000
    with pytest.raises(ConflictError, match="every one of 100 tries"):
        commit(writer, "tempo_extractor")


def test_c3_a_component_that_was_not_planned_is_planned_when_it_is_listed(
    backend: Backend,
) -> None:
    writer = RunTransaction.create(backend, build_run_record(planned=()), clock)
    commit(writer)
    assert writer.read().run.planned_components == (COMPONENT,)


def test_a_run_that_never_holds_still_is_judged_all_the_same(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fsck looks again at a run that seems wrong; five looks must do."""
    write_run(backend)
    (artifact,) = Store(backend).run("local", "v1", "r1").components[COMPONENT].artifacts
    backend.remove(f"local/v1/r1/{artifact.path}")
    writer = RunTransaction.join(backend, build_run_record(), clock)
    real = type(backend).read

    def write_meanwhile(self: Backend, path: str, *, limit: int) -> bytes:
        if path.endswith(MANIFEST_NAME):
            with monkeypatch.context() as calm:
                calm.setattr(type(backend), "read", real)
                commit(writer, "tempo_extractor")
        return real(self, path, limit=limit)

    monkeypatch.setattr(type(backend), "read", write_meanwhile)
    found = inspect_store(backend, with_data=False).findings
    monkeypatch.undo()
    assert "artifact_missing" in {finding.issue.code for finding in found}


def test_a_file_of_another_size_is_unlisted_by_repair(backend: Backend) -> None:
    write_run(backend)
    (artifact,) = Store(backend).run("local", "v1", "r1").components[COMPONENT].artifacts
    publish(backend, f"local/v1/r1/{artifact.path}", b"short")
    (done,) = repair_store(backend, inspect_store(backend, with_data=False).findings, clock)
    assert done.is_done
    assert inspect_store(backend, with_data=True).findings == []


def test_an_exclusive_block_may_run_in_many_threads_one_after_another(backend: Backend) -> None:
    done: list[int] = []

    def work(number: int) -> None:
        with backend.exclusive("local/v1"):
            done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(8))
