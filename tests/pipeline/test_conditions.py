"""C6.6: what each condition of a source gives, on media made by code and on real files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from filmcan.contract.manifest import ComponentRecord
from filmcan.errors import BadMediaError
from filmcan.operations.process import process_video
from filmcan.operations.validation import validate_target
from filmcan.store.run import Run
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    cut_file,
    damage_packets,
    make_clip,
    make_media,
    make_picture,
    make_sound,
)

NO_SOUND = "audio_missing_or_extract_failed"
NO_WEIGHTS = (
    "clap_extractor",
    "core_clip",
    "core_depth_midas",
    "core_object_detections",
    "core_face_landmarks",
)


def process(source: Path, folder: Path, **options: object) -> Run:
    """Run everything on a source; whatever comes of it must be a valid run."""
    run = process_video(source, store=folder / "store", **options)  # type: ignore[arg-type]
    verdict = validate_target(str(folder / "store" / run.path))
    assert verdict.report.ok, list(verdict.report.errors)
    assert verdict.artifacts == len(run.components)
    return run


def reasons(records: Mapping[str, ComponentRecord]) -> dict[str, str | None]:
    return {name: record.empty_reason for name, record in records.items()}


def test_c6_a_plain_clip_is_measured_and_what_has_no_weights_says_so(
    clip: Path, tmp_path: Path
) -> None:
    run = process(clip, tmp_path, document={"title": "A clip"})
    found = reasons(run.components)
    for name in NO_WEIGHTS:
        assert found[name] == "dependency_missing"
        assert run.components[name].notes
    for name in ("loudness_extractor", "tempo_extractor", "core_optical_flow", "text_processor"):
        assert run.components[name].status == "ok"
    assert run.status == "ok"


def test_c6_without_sound_the_audio_components_are_empty(tmp_path: Path) -> None:
    run = process(make_clip(tmp_path / "mute.mp4"), tmp_path)
    found = reasons(run.components)
    assert found["loudness_extractor"] == found["tempo_extractor"] == NO_SOUND
    assert found["core_optical_flow"] is None
    assert found["text_processor"] == "no_text_available"


def test_c6_without_a_picture_the_core_components_are_empty(tmp_path: Path) -> None:
    source = make_sound(tmp_path / "tone.flac", build_tone(1.0), codec="flac")
    run = process(source, tmp_path)
    assert reasons(run.components)["core_optical_flow"] == "video_stream_missing"
    assert run.components["loudness_extractor"].status == "ok"


def test_c6_an_attached_picture_is_no_video(tmp_path: Path) -> None:
    cover = ClipVideo(frames=1, codec="mjpeg", pixel_format="yuvj420p", is_cover=True)
    source = make_media(tmp_path / "song.m4a", ClipSound(build_tone(1.0)), cover, container="mp4")
    run = process(source, tmp_path)
    assert reasons(run.components)["core_optical_flow"] == "video_stream_missing"
    assert run.manifest.run.source["video_stream"] is None


def test_c6_a_still_picture_is_one_frame_and_too_short_for_flow(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    run = process(make_picture(tmp_path / "still.png", picture), tmp_path)
    assert reasons(run.components)["core_optical_flow"] == "video_too_short"
    assert run.manifest.run.source["is_still_picture"] is True
    assert run["core_optical_flow"]["frame_indices"].tolist() == [0]


def test_c6_a_single_frame_is_too_short_for_flow(tmp_path: Path) -> None:
    run = process(make_clip(tmp_path / "one.mp4", frames=1), tmp_path)
    assert reasons(run.components)["core_optical_flow"] == "video_too_short"
    run = process(make_clip(tmp_path / "two.mp4", frames=2), tmp_path)
    assert run.components["core_optical_flow"].status == "ok"


def test_c6_damage_part_way_is_counted_noted_and_masked(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "whole.mp4", frames=50, options={"g": "10", "bf": "0"})
    damaged = damage_packets(source, tmp_path / "damaged.mp4", range(20, 30))
    run = process(damaged, tmp_path, settings=["sampling.rate_hz=25"])
    record = run.components["core_optical_flow"]
    assert record.status == "ok"
    assert run.manifest.run.source["failed_frames"] > 0  # type: ignore[operator]
    assert "did not decode" in str(record.notes)
    flow = run["core_optical_flow"]
    lost = ~flow["frame_present"]
    assert lost.any()
    assert not lost.all()
    assert np.isnan(flow["motion_mean_per_sec"][lost]).all()
    assert not flow["flow_present"][lost].any()


def test_c6_a_file_that_was_cut_short_is_measured_as_far_as_it_goes(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "whole.mkv", frames=100, options={"g": "10"})
    run = process(cut_file(source, tmp_path / "cut.mkv", 0.6), tmp_path)
    assert run.components["core_optical_flow"].status == "ok"
    assert 0 < run.manifest.run.source["decoded_frames"] < 100  # type: ignore[operator]


def test_c6_digital_silence_has_no_loudness_and_no_beat(tmp_path: Path) -> None:
    samples = np.zeros((1, 48000 * 6), np.float32)
    run = process(make_sound(tmp_path / "silence.flac", samples, codec="flac"), tmp_path)
    loudness = run["loudness_extractor"]
    assert loudness.status == "ok"
    assert not loudness["lufs_present"]
    assert np.isnan(loudness.features["integrated_lufs"])
    assert loudness.features["silence_ratio"] == 1
    tempo = run["tempo_extractor"]
    assert tempo.status == "ok"
    assert not tempo["tempo_present"]
    assert np.isnan(tempo.features["tempo_bpm"])
    assert "silence" in tempo["warnings"].tolist()


def test_c6_each_absent_source_of_text_says_why(clip: Path, tmp_path: Path) -> None:
    run = process(clip, tmp_path, document={"title": "A title"})
    text = run["text_processor"]
    assert text["title_present"]
    assert text["title_empty_reason"].item() == ""
    for source in ("description", "tags", "comments", "transcript", "ocr"):
        assert not text[f"{source}_present"]
        assert text[f"{source}_empty_reason"].item()
    assert text["ocr_empty_reason"].item() == "ocr_disabled_by_policy"
    assert not text["primary_embedding_present"]
    assert text["embeddings_empty_reason"].item() == "dependency_missing"


def test_c6_a_truth_of_the_clip_survives_the_whole_way(clip: Path, tmp_path: Path) -> None:
    run = process(clip, tmp_path, settings=["sampling.rate_hz=25"])
    flow = run["core_optical_flow"]
    assert flow["frame_indices"].tolist() == list(range(50))
    np.testing.assert_allclose(flow["times_sec"], np.arange(50) / 25, atol=1e-3)
    assert run.manifest.run.source["decoded_frames"] == 50
    assert flow["flow_present"].tolist() == [False] + [True] * 49


BROKEN = ("broken/empty.mp4", "broken/text_named.mp4", "broken/truncated_cockatoo.mp4")
NOT_MEDIA = ("depth/motorcycle_disp.npz", "flow/RubberWhale_flow10.flo")


def _index(corpus: Path) -> list[dict[str, object]]:
    files: list[dict[str, object]] = json.loads((corpus / "index.json").read_text())["files"]
    return files


def test_c6_the_table_holds_over_every_real_file(media_corpus: Path, tmp_path: Path) -> None:
    judged = 0
    for entry in _index(media_corpus):
        name = str(entry["file"])
        if name in BROKEN + NOT_MEDIA:
            with pytest.raises(BadMediaError):
                process_video(media_corpus / name, store=tmp_path / "none")
            continue
        run = process(media_corpus / name, tmp_path)
        _judge(run, name, entry)
        judged += 1
    assert judged >= 30
    assert not (tmp_path / "none").exists()


def _judge(run: Run, name: str, entry: dict[str, object]) -> None:
    truth: dict[str, object] = entry["truth"]  # type: ignore[assignment]
    probe: dict[str, object] = entry["probe"]  # type: ignore[assignment]
    found = reasons(run.components)
    is_picture = name.partition("/")[0] in ("image", "depth", "flow")
    has_sound = bool(truth.get("has_audio", False))
    assert run.status == "ok", name
    if has_sound:
        assert found["loudness_extractor"] is None, name
        assert found["tempo_extractor"] is None, name
    else:
        assert found["loudness_extractor"] == found["tempo_extractor"] == NO_SOUND, name
    if is_picture:
        assert found["core_optical_flow"] == "video_too_short", name
    elif name.startswith("audio/"):
        assert found["core_optical_flow"] == "video_stream_missing", name
    else:
        assert found["core_optical_flow"] is None, name
        if "video_decode_error" not in probe and not name.endswith("nasa_13013.mp4"):
            assert run.manifest.run.source["frame_count"] == probe["decoded_frames"], name
            assert run.manifest.run.source["failed_frames"] == 0, name
    has_text = truth.get("has_subtitles") or name.endswith("nasa_13013.mp4")
    assert found["text_processor"] == (None if has_text else "no_text_available"), name
    _judge_numbers(run, name, truth)


def _judge_numbers(run: Run, name: str, truth: dict[str, object]) -> None:
    if "integrated_lufs" in truth:
        loudness = run["loudness_extractor"]
        if isinstance(truth["integrated_lufs"], float):
            error = abs(loudness.features["integrated_lufs"] - truth["integrated_lufs"])
            assert error <= 0.1, (name, error)
        else:
            assert not loudness["lufs_present"], name
    if "true_peak_dbtp" in truth:
        low, high = truth["tolerance_db"]  # type: ignore[misc]
        peak = run["loudness_extractor"].features["true_peak_dbtp"]
        assert low <= peak - truth["true_peak_dbtp"] <= high, (name, peak)  # type: ignore[operator]
    if truth.get("audio_silent"):
        assert not run["loudness_extractor"]["lufs_present"], name
    duration = run.manifest.run.source["duration_sec"]
    if "bpm" in truth and isinstance(duration, float) and duration >= 5:
        tempo = run["tempo_extractor"].features["tempo_bpm"]
        assert abs(tempo / truth["bpm"] - 1) <= 0.01, (name, tempo)  # type: ignore[operator]
