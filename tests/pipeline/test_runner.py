"""The runner: one thread commits, a failing component disturbs no other, nothing is invented."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from filmcan.components import catalog
from filmcan.components.base import Component, Inputs, Result
from filmcan.contract.manifest import ComponentRecord, Kind
from filmcan.errors import BadMediaError, BadProfileError, ConflictError
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.operations.process import process_video
from filmcan.store.store import Store, open_store

Measure = Callable[[Inputs], Result]


class _Fake(Component):
    """Stands where core_optical_flow stood; measures whatever the test says."""

    name: ClassVar[str] = "core_optical_flow"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_optical_flow_npz_v1"
    producer_version: ClassVar[str] = "test"
    measure: ClassVar[Measure]
    missing: ClassVar[str | None] = None

    def find_missing_dependency(self) -> str | None:
        return self.missing

    def frame_request(self) -> FrameRequest | None:
        return FrameRequest(FrameView("gray", max_width=64))

    def run(self, inputs: Inputs) -> Result:
        return type(self).measure(inputs)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a fake in the place of optical flow."""

    def install(measure: Measure | None = None, missing: str | None = None) -> None:
        kind = type("Fake", (_Fake,), {"measure": staticmethod(measure), "missing": missing})
        original = catalog.get_component_class

        def choose(name: str) -> type[Component]:
            return kind if name == "core_optical_flow" else original(name)

        monkeypatch.setattr("filmcan.pipeline.plan.get_component_class", choose)

    return install


ONLY = ("core_optical_flow", "loudness_extractor")


def run(clip: Path, store: Path | Store, **options: object) -> Mapping[str, ComponentRecord]:
    result = process_video(clip, store=store, **{"only": ONLY, **options})  # type: ignore[arg-type]
    return result.components


def boom(inputs: Inputs) -> Result:
    raise ValueError("the picture bit back")


def test_c6_a_crash_is_recorded_and_the_others_go_on(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    fake(boom)
    result = process_video(clip, store=tmp_path, only=ONLY)
    flow, loudness = result.components["core_optical_flow"], result.components["loudness_extractor"]
    assert (flow.status, flow.artifacts) == ("error", ())
    assert flow.error == "ValueError: the picture bit back"
    assert loudness.status == "ok"
    assert result.status == "ok"


def test_c6_a_required_components_error_fails_the_run(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    fake(boom)
    settings = ["components.core_optical_flow.required=true"]
    result = process_video(clip, store=tmp_path, only=ONLY, settings=settings)
    assert result.status == "error"
    assert result.components["core_optical_flow"].required


def test_c6_a_run_in_which_nothing_succeeds_has_failed(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    fake(boom)
    assert process_video(clip, store=tmp_path, only=["core_optical_flow"]).status == "error"


def test_c6_a_missing_dependency_is_empty_with_the_command_or_an_error_when_required(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    fake(boom, missing="weights are absent; run: filmcan models pull x")
    record = run(clip, tmp_path)["core_optical_flow"]
    assert (record.status, record.empty_reason) == ("empty", "dependency_missing")
    assert "filmcan models pull x" in str(record.notes)
    settings = ["components.core_optical_flow.required=true"]
    record = run(clip, tmp_path, settings=settings)["core_optical_flow"]
    assert record.status == "error"
    assert "filmcan models pull x" in str(record.error)


def test_c8_a_result_that_breaks_its_schema_is_an_error_and_writes_nothing(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    fake(lambda inputs: Result("ok", {"frame_indices": np.int32([3, 2])}))
    result = process_video(clip, store=tmp_path, only=ONLY)
    record = result.components["core_optical_flow"]
    assert record.status == "error"
    assert "not_increasing" in str(record.error)
    assert not (tmp_path / result.path / "core_optical_flow").exists()


def test_a_component_that_returns_early_holds_nobody_up(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    fake(lambda inputs: Result("empty", empty_reason="video_too_short"))
    records = run(clip, tmp_path)
    assert records["core_optical_flow"].empty_reason == "video_too_short"
    assert records["loudness_extractor"].status == "ok"


def test_one_thread_commits_and_components_have_their_own(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    threads: dict[str, str] = {}

    def measure(inputs: Inputs) -> Result:
        threads["component"] = threading.current_thread().name
        return Result("empty", empty_reason="video_too_short")

    class _Watch:
        def on_progress(self, fraction: float) -> None:
            assert 0 <= fraction <= 1

        def on_component(self, record: ComponentRecord) -> None:
            threads[record.name] = threading.current_thread().name

    fake(measure)
    run(clip, tmp_path, observer=_Watch())
    assert threads["component"] == "core_optical_flow"
    assert threads["core_optical_flow"] == threads["loudness_extractor"]
    assert threads["loudness_extractor"] == threading.current_thread().name


def test_c6_a_source_that_cannot_be_read_creates_no_run(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("this is no video " * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("text.mp4", "empty.mp4", "absent.mp4"):
        with pytest.raises(BadMediaError):
            process_video(tmp_path / name, store=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_c6_a_source_over_the_limit_is_empty_throughout_and_never_decoded(
    clip: Path, tmp_path: Path
) -> None:
    settings = ["limits.max_duration_sec=0.5"]
    result = process_video(clip, store=tmp_path, settings=settings, document={"title": "A title"})
    assert result.status == "ok"
    reasons = {record.empty_reason for record in result.components.values()}
    assert reasons == {"video_too_long"}
    assert result.manifest.run.source["decoded_frames"] is None


def test_c3_a_second_stage_joins_the_run_and_only_selects(clip: Path, tmp_path: Path) -> None:
    first = process_video(clip, store=tmp_path, run_id="r1", only=["loudness_extractor"])
    assert first.manifest.is_finished
    second = process_video(clip, store=tmp_path, run_id="r1", only=["core_optical_flow"])
    assert second.manifest.run.config_hash == first.manifest.run.config_hash
    assert list(second.components) == ["loudness_extractor", "core_optical_flow"]
    assert second.manifest.is_finished
    assert second.manifest.run.source["decoded_frames"] is not None
    assert second.manifest.run.source["decoded_samples"] is not None


def test_c3_joining_with_other_settings_or_another_source_is_a_conflict(
    clip: Path, tmp_path: Path
) -> None:
    process_video(clip, store=tmp_path, video_id="v", run_id="r1", only=["loudness_extractor"])
    with pytest.raises(ConflictError, match="config_hash"):
        process_video(clip, store=tmp_path, video_id="v", run_id="r1", settings=["seed=1"])
    other = tmp_path / "other.mp4"
    other.write_bytes(clip.read_bytes() + b"\0\0\0\x08free")
    with pytest.raises(ConflictError, match="other bytes"):
        process_video(other, store=tmp_path, video_id="v", run_id="r1")


def test_without_ids_the_video_is_named_by_its_bytes(clip: Path, tmp_path: Path) -> None:
    result = process_video(clip, store=tmp_path, only=["loudness_extractor"])
    digest = str(result.manifest.run.source["sha256"])
    assert (result.platform_id, result.video_id) == ("local", f"sha256-{digest[:16]}")


def test_the_manifest_keeps_no_folder_of_the_source(clip: Path, tmp_path: Path) -> None:
    result = process_video(clip, store=tmp_path / "store", only=["loudness_extractor"])
    text = (tmp_path / "store" / result.path / "manifest.json").read_text()
    assert str(clip.parent) not in text
    assert result.manifest.run.source["name"] == clip.name


def test_an_interrupted_run_stays_readable_and_unfinished(
    clip: Path, tmp_path: Path, fake: Callable[..., None]
) -> None:
    class _Interrupt:
        def on_progress(self, fraction: float) -> None:
            pass

        def on_component(self, record: ComponentRecord) -> None:
            raise KeyboardInterrupt

    fake(lambda inputs: Result("empty", empty_reason="video_too_short"))
    with pytest.raises(KeyboardInterrupt):
        run(clip, tmp_path, observer=_Interrupt(), run_id="r1")
    (left,) = open_store(tmp_path).runs()
    assert not left.manifest.is_finished
    assert len(left.components) == 1
    assert len(left.manifest.pending_components) == 1
    after = process_video(clip, store=tmp_path, only=ONLY)
    assert after.manifest.is_finished


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"only": ["core_clap"]}, "there is no component core_clap"),
        ({"only": []}, "no component is left"),
        ({"settings": ["components.core_clip.enabled=false"], "only": ["core_clip"]}, "disabled"),
        ({"settings": ["sampling.policy=uniform_v9"]}, "uniform_v9"),
        ({"settings": ["sampling.rate_hz=0"]}, "rate_hz"),
        ({"settings": ["sampling.max_samples=0"]}, "max_samples"),
        ({"settings": ["limits.max_pixels=0"]}, "max_pixels|greater than 0"),
        ({"settings": ["execution.decode_threads=0"]}, "1 to 64"),
        ({"settings": ["components.core_optical_flow.max_width=1"]}, "max_width"),
    ],
)
def test_a_wrong_plan_is_refused_before_anything_is_written(
    clip: Path, tmp_path: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(BadProfileError, match=told):
        process_video(clip, store=tmp_path / "store", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


def test_c6_the_same_video_twice_gives_equal_arrays(clip: Path, tmp_path: Path) -> None:
    document = {"title": "Twice", "comments": [{"text": "да"}, {"text": "yes"}]}
    first = process_video(clip, store=tmp_path, document=document)
    second = process_video(clip, store=tmp_path, document=document, force=True)
    assert list(first.components) == list(second.components)
    for name in first.components:
        one, other = first[name], second[name]
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=f"{name}.{key}")


def test_c11_the_reuse_key_names_what_a_result_depends_on(clip: Path, tmp_path: Path) -> None:
    plain = run(clip, tmp_path)["loudness_extractor"].reuse_key
    again = run(clip, tmp_path, force=True)["loudness_extractor"].reuse_key
    assert plain == again
    settings = ["components.core_optical_flow.max_width=128"]
    changed = run(clip, tmp_path, settings=settings)
    assert changed["loudness_extractor"].reuse_key == plain
    settings = ["components.loudness_extractor.silence_threshold_dbfs=-50"]
    assert run(clip, tmp_path, settings=settings)["loudness_extractor"].reuse_key != plain


def test_c4_every_artifact_says_who_made_it_and_how(clip: Path, tmp_path: Path) -> None:
    result = process_video(clip, store=tmp_path, only=ONLY)
    for name in ONLY:
        meta = result[name].meta
        assert meta["producer"] == name
        assert meta["run_id"] == result.run_id
        assert meta["config_hash"] == result.manifest.run.config_hash
        assert meta["sampling_policy_version"] == "uniform_v1"
        assert meta["runtime_env"]["numpy"] == np.__version__  # type: ignore[index]


def test_a_store_in_memory_takes_runs_too(clip: Path) -> None:
    store = open_store("memory://")
    result = process_video(clip, store=store, only=["loudness_extractor"])
    assert store.latest("local", result.video_id).run_id == result.run_id
    assert "integrated_lufs" in result["loudness_extractor"].features


def test_c4_numpy_alone_reads_every_artifact_of_a_run(clip: Path, tmp_path: Path) -> None:
    result = process_video(clip, store=tmp_path, document={"title": "Numpy alone"})
    artifacts = sorted((tmp_path / result.path).glob("*/*.npz"))
    assert len(artifacts) == len(result.components)
    for path in artifacts:
        with np.load(path, allow_pickle=True) as plain:
            meta = plain["meta"]
            assert meta.shape == ()
            assert meta.dtype == object
            assert meta.item()["producer"] == path.parent.name
            ours = result[path.parent.name]
            for key in ours:
                np.testing.assert_array_equal(plain[key], ours[key])
