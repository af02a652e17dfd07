"""C11: what an earlier run measured is carried, what changed is computed, and nothing else is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filmcan.errors import BadMediaError
from filmcan.media.decode import MediaPass
from filmcan.media.source_file import SourceFile
from filmcan.operations.explain import explain_run
from filmcan.operations.process import Order, plan_settings, process_order, process_video
from filmcan.operations.stale import find_stale_results
from filmcan.operations.validation import validate_target
from filmcan.pipeline import digest_cache
from filmcan.store.run import Run
from filmcan.store.store import open_store

TWO = ("loudness_extractor", "core_optical_flow")
FLOW_CHANGED = ["components.core_optical_flow.preview_count=2"]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Record who takes part in each pass over the media."""
    seen: list[list[str]] = []
    original = MediaPass.start

    def start(self: MediaPass) -> None:
        tracks = (self._video, self._sound)
        seen.append(sorted(name for track in tracks if track for name in track.feeds))
        original(self)

    monkeypatch.setattr(MediaPass, "start", start)
    return seen


def run(clip: Path, store: Path, **options: object) -> Run:
    return process_video(clip, store=store, **{"only": TWO, **options})  # type: ignore[arg-type]


def read_all(run: Run, name: str) -> dict[str, np.ndarray]:
    with run[name] as artifact:
        return {key: artifact[key] for key in artifact}


def assert_same(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> None:
    assert list(first) == list(second)
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key], err_msg=key)


def assert_valid(run: Run, store: Path) -> None:
    report = validate_target(str(store / run.path)).report
    assert report.ok, list(report.errors)
    assert not report.warnings, list(report.warnings)


def list_files(store: Path) -> dict[str, int]:
    return {
        str(path.relative_to(store)): path.stat().st_mtime_ns
        for path in store.rglob("*")
        if path.is_file()
    }


def test_c11_when_nothing_changed_the_latest_run_is_returned_and_nothing_is_written(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    store = tmp_path / "store"
    first = run(clip, store)
    before = list_files(store)
    plan = plan_settings(None, None, TWO)
    done = process_order(Order(clip), plan, open_store(store))
    assert (done.run.run_id, done.is_unchanged) == (first.run_id, True)
    assert list_files(store) == before
    assert len(passes) == 1


def test_c11_a_changed_parameter_recomputes_its_component_and_carries_the_rest(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    store = tmp_path / "store"
    first = run(clip, store)
    second = run(clip, store, settings=FLOW_CHANGED)
    assert passes == [sorted(TWO), ["core_optical_flow"]]
    assert second.run_id != first.run_id
    carried, computed = (second.components[name] for name in TWO)
    assert carried.reused_from_run_id == first.run_id
    assert computed.reused_from_run_id is None
    assert_same(read_all(first, "loudness_extractor"), read_all(second, "loudness_extractor"))
    meta = second["loudness_extractor"].meta
    assert meta["run_id"] == second.run_id
    assert meta["reused_from_run_id"] == first.run_id
    assert meta["config_hash"] == second.manifest.run.config_hash
    assert_valid(second, store)
    for name in ("decoded_frames", "decoded_samples"):
        assert second.manifest.run.source[name] == first.manifest.run.source[name]
    story = explain_run(
        f"local/{second.video_id}", str(store), plan_settings(None, None, None)
    ).components[1]
    assert [(item.part, item.former, item.latest) for item in story.changed] == [
        ("parameters.preview_count", 4, 2)
    ]
    assert [item.part for item in story.stale or ()] == ["parameters.preview_count"]


def test_c11_a_result_carried_twice_still_names_the_run_that_computed_it(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    store = tmp_path / "store"
    first = run(clip, store)
    run(clip, store, settings=FLOW_CHANGED)
    third = run(clip, store)
    assert {item.reused_from_run_id for item in third.components.values()} == {first.run_id}
    assert len(passes) == 2
    assert third.manifest.run.source == first.manifest.run.source
    assert_valid(third, store)


def test_c11_new_comments_recompute_the_text_alone_and_decode_nothing(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    store = tmp_path / "store"
    only = [*TWO, "text_processor"]
    run(clip, store, only=only, document={"title": "A", "comments": [{"text": "one"}]})
    document = {"title": "A", "comments": [{"text": "one"}, {"text": "two"}]}
    second = run(clip, store, only=only, document=document)
    assert len(passes) == 1
    computed = [name for name, item in second.components.items() if item.reused_from_run_id is None]
    assert computed == ["text_processor"]
    assert second["text_processor"].features["comments_count"] == 2
    (story,) = explain_run(
        f"local/{second.video_id}",
        str(store),
        plan_settings(None, None, None),
        component="text_processor",
    ).components
    assert [item.part for item in story.changed] == ["inputs.document_sha256"]
    assert_valid(second, store)


def test_c11_a_new_sidecar_recomputes_the_text_alone(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    source = Path(shutil.copy(clip, tmp_path / "film.mp4"))
    only = ["loudness_extractor", "text_processor"]
    run(source, tmp_path / "store", only=only)
    (tmp_path / "film.en.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello there\n")
    second = run(source, tmp_path / "store", only=only)
    assert second.components["loudness_extractor"].reused_from_run_id is not None
    assert second.components["text_processor"].status == "ok"
    assert len(passes) == 1


def test_c11_force_computes_everything_anew(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    first = run(clip, tmp_path)
    second = run(clip, tmp_path, force=True)
    assert second.run_id != first.run_id
    assert all(item.reused_from_run_id is None for item in second.components.values())
    assert len(passes) == 2


def test_c11_a_renamed_file_is_the_same_video_and_changed_bytes_are_not(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    store = tmp_path / "store"
    first = run(clip, store)
    moved = Path(shutil.copy(clip, tmp_path / "elsewhere.mp4"))
    assert run(moved, store).run_id == first.run_id
    moved.write_bytes(clip.read_bytes() + b"\0\0\0\x08free")
    other = run(moved, store)
    assert other.video_id != first.video_id
    assert len(passes) == 2
    named = run(clip, store, video_id="v")
    changed = run(moved, store, video_id="v")
    assert named.run_id != changed.run_id
    assert all(item.reused_from_run_id is None for item in changed.components.values())


def test_c11_a_damaged_result_is_never_carried(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    first = run(clip, tmp_path)
    listed = first.components["loudness_extractor"].artifacts[0]
    path = tmp_path / first.path / listed.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    second = run(clip, tmp_path, settings=FLOW_CHANGED)
    assert second.components["loudness_extractor"].reused_from_run_id is None
    path.unlink()
    third = run(clip, tmp_path, settings=["components.core_optical_flow.preview_count=3"])
    assert third.components["loudness_extractor"].reused_from_run_id == second.run_id
    assert len(passes) == 3


def test_c11_a_run_whose_file_is_gone_is_not_called_unchanged(clip: Path, tmp_path: Path) -> None:
    first = run(clip, tmp_path)
    (tmp_path / first.path / first.components["loudness_extractor"].artifacts[0].path).unlink()
    second = run(clip, tmp_path)
    assert second.run_id != first.run_id
    assert second.components["loudness_extractor"].reused_from_run_id is None
    assert second.components["core_optical_flow"].reused_from_run_id == first.run_id


def test_c11_arrays_beside_the_npz_are_carried_too(clip: Path, tmp_path: Path) -> None:

    def process(*more: str) -> Run:
        plan = plan_settings(None, more, ["core_optical_flow"])
        return process_order(
            Order(clip), replace(plan, sub_artifact_bytes=64), open_store(tmp_path)
        ).run

    first = process()
    assert len(first.components["core_optical_flow"].artifacts) > 1
    second = process("components.tempo_extractor.min_bpm=31")
    record = second.components["core_optical_flow"]
    assert record.reused_from_run_id == first.run_id
    former = first.components["core_optical_flow"].artifacts
    beside = {item.path: item.sha256 for item in former if item.kind == "npy"}
    assert {item.path: item.sha256 for item in record.artifacts if item.kind == "npy"} == beside
    assert_same(read_all(first, "core_optical_flow"), read_all(second, "core_optical_flow"))
    assert_valid(second, tmp_path)


def test_c11_a_missing_dependency_is_never_carried_and_changes_nothing_while_it_is_missing(
    clip: Path, tmp_path: Path
) -> None:
    only = ["loudness_extractor", "clap_extractor"]
    first = run(clip, tmp_path, only=only)
    assert first.components["clap_extractor"].empty_reason == "dependency_missing"
    assert run(clip, tmp_path, only=only).run_id == first.run_id
    changed = ["components.core_clip.model=clip_vit_b32", "seed=1"]
    second = run(clip, tmp_path, only=only, settings=changed)
    assert second.components["clap_extractor"].reused_from_run_id is None


def test_c11_a_join_leaves_its_own_results_alone_and_takes_those_of_others(
    clip: Path, tmp_path: Path, passes: list[list[str]]
) -> None:
    first = run(clip, tmp_path, run_id="r1", only=["loudness_extractor"])
    listed = first.components["loudness_extractor"].artifacts
    joined = run(clip, tmp_path, run_id="r1")
    assert joined.components["loudness_extractor"].artifacts == listed
    assert joined.components["loudness_extractor"].reused_from_run_id is None
    other = run(clip, tmp_path, run_id="r2")
    assert {item.reused_from_run_id for item in other.components.values()} == {"r1"}
    assert passes == [["loudness_extractor"], ["core_optical_flow"]]


def test_c11_a_source_that_was_never_decoded_is_still_tried(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video " * 100)
    with pytest.raises(BadMediaError):
        run(path, tmp_path / "store", only=["text_processor"])


def test_what_is_stale_is_said_part_by_part(clip: Path, tmp_path: Path) -> None:
    first = run(clip, tmp_path)
    fresh = find_stale_results(str(tmp_path), plan_settings(None, None, TWO))
    assert (fresh.results, fresh.videos, fresh.missing) == ((), 1, {})
    settings = ["sampling.rate_hz=4", "components.loudness_extractor.silence_threshold_dbfs=-50"]
    found = find_stale_results(str(tmp_path), plan_settings(None, settings, None))
    told = {item.component: [part.part for part in item.differences] for item in found.results}
    assert told == {
        "loudness_extractor": ["parameters.silence_threshold_dbfs"],
        "core_optical_flow": ["sampling.rate_hz"],
    }
    assert {item.run_id for item in found.results} == {first.run_id}
    assert found.missing["core_clip"] == 1


def test_a_source_is_hashed_once_and_again_when_it_changed(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMCAN_CACHE", str(tmp_path / "cache"))
    hashed: list[str] = []
    original = SourceFile.sha256

    def sha256(self: SourceFile) -> str:
        hashed.append(self.name)
        return original(self)

    monkeypatch.setattr(SourceFile, "sha256", sha256)
    source = tmp_path / "a.mp4"
    source.write_bytes(clip.read_bytes())
    first = digest_cache.hash_source(source)
    assert digest_cache.hash_source(source) == first
    assert len(hashed) == 2, "a file that changed just now must not be remembered"
    _age(source, 1)
    assert digest_cache.hash_source(source) == first
    moved = source.rename(tmp_path / "b.mp4")
    assert digest_cache.hash_source(moved) == first
    assert len(hashed) == 3
    moved.write_bytes(clip.read_bytes()[:-1] + b"!")
    _age(moved, 2)
    assert digest_cache.hash_source(moved) != first
    (tmp_path / "cache" / "digests.sqlite").write_bytes(b"no database at all" * 1000)
    assert digest_cache.hash_source(moved) != first
    assert len(hashed) == 5


def _age(path: Path, step: int) -> None:
    moment = 1_600_000_000_000_000_000 + step
    os.utime(path, ns=(moment, moment))
