"""Whole runs of text_processor: weights there and absent, pictures, sound, and neither."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from filmcan.errors import FilmcanError
from filmcan.models.weights import Weights
from filmcan.operations.demo import SAMPLE_DOCUMENT
from filmcan.operations.process import process_video
from filmcan.operations.validation import validate_target
from filmcan.store.run import Run
from filmcan.testing.fixture_sentences import MINILM, MINILM_ONNX
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    make_media,
    make_picture,
    make_sound,
)

ModelCache = Callable[[str], Weights]

DOCUMENT = {
    "title": "A rabbit in the meadow",
    "comments": [{"text": "first"}, {"text": "the rabbit sleeps"}],
    "transcript": [
        {"start_sec": 0.0, "end_sec": 2.0, "text": "The rabbit sleeps. It wakes"},
        {"start_sec": 2.0, "end_sec": 4.0, "text": "up and yawns."},
    ],
}


def process(source: Path, folder: Path, *settings: str, **options: object) -> Run:
    prefix = "components.text_processor."
    run = process_video(
        source,
        store=folder / "store",
        settings=[entry if "." in entry.split("=")[0] else prefix + entry for entry in settings],
        **{"only": ["text_processor"], "document": DOCUMENT, **options},  # type: ignore[arg-type]
    )
    verdict = validate_target(str(folder / "store" / run.path))
    assert verdict.report.ok, list(verdict.report.errors)
    return run


SIZE = (256, 256)


def paint_words(number: int) -> np.ndarray:
    """A title card for two seconds, then another one."""
    picture = np.full((*SIZE, 3), 30, np.uint8)
    words = "THE RABBIT" if number < 20 else "MEADOW 2008"
    cv2.putText(picture, words, (14, 140), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (255, 255, 255), 2)
    return picture


@pytest.fixture(scope="module")
def titled_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "titled.mp4"
    video = ClipVideo(frames=41, rate_hz=10, size=SIZE, paint=paint_words)
    return make_media(path, video, ClipSound(build_tone(4.0)))


@pytest.mark.usefixtures("fixture_models")
@pytest.mark.parametrize("model", [MINILM, MINILM_ONNX])
def test_c8_with_an_embedder_every_source_has_its_vector(
    model: str, clip: Path, tmp_path: Path
) -> None:
    run = process(clip, tmp_path, f"embedder={model}", "chunk_sec=3")
    record, text = run.components["text_processor"], run["text_processor"]
    assert [row["model_name"] for row in record.models_used] == [model]
    assert text["embeddings_empty_reason"] == ""
    assert text["primary_embedding_source"] == "title"
    np.testing.assert_array_equal(text["primary_embedding"], text["title_embedding"])
    for source in ("title", "comments", "transcript"):
        assert text[f"{source}_embedding_present"]
        assert np.linalg.norm(text[f"{source}_embedding"]) == pytest.approx(1.0, abs=1e-5)
    for source in ("description", "tags", "ocr"):
        assert not text[f"{source}_embedding_present"]
        assert np.isnan(text[f"{source}_embedding"]).all()
    assert text["transcript_chunk_embeddings"].shape == (2, 24)
    assert text["transcript_chunk_start_sec"].tolist() == pytest.approx([0.0, 4 / 3], abs=0.1)
    assert text["transcript_chunk_end_sec"].tolist() == pytest.approx([4 / 3, 4.0], abs=0.1)
    features = text.features
    expected = float(text["title_embedding"] @ text["transcript_embedding"])
    assert features["title_transcript_cosine"] == pytest.approx(expected, abs=1e-6)
    assert np.isnan(features["title_description_cosine"])
    assert features["transcript_chunk_count"] == 2.0


def test_c6_without_weights_text_is_ok_and_names_the_command(clip: Path, tmp_path: Path) -> None:
    run = process(clip, tmp_path)
    record, text = run.components["text_processor"], run["text_processor"]
    assert (run.status, record.status) == ("ok", "ok")
    assert text["embeddings_empty_reason"] == "dependency_missing"
    assert str(record.notes).endswith("Run: filmcan models pull all_minilm_l6_v2")
    assert text["primary_embedding"].shape == (0,)
    assert not text["primary_embedding_present"]
    assert "title_embedding" not in text.keys()  # noqa: SIM118 - an artifact is no mapping
    assert text.features["title_word_count"] == 5.0


def test_c6_a_required_component_without_its_embedder_is_an_error(
    clip: Path, tmp_path: Path
) -> None:
    run = process(clip, tmp_path, "required=true")
    record = run.components["text_processor"]
    assert (run.status, record.status) == ("error", "error")
    assert str(record.error).startswith("dependency_missing: ")
    assert str(record.error).endswith("Run: filmcan models pull all_minilm_l6_v2")


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        (["embedder=none"], None),
        (["embedder=none", "asr=true"], "filmcan models pull faster_whisper_base"),
    ],
)
def test_c6_required_asks_only_for_what_is_switched_on(
    clip: Path, tmp_path: Path, settings: list[str], command: str | None
) -> None:
    run = process(clip, tmp_path, "required=true", *settings)
    assert run.status == ("ok" if command is None else "error")
    if command is None:
        reason = run["text_processor"]["embeddings_empty_reason"]
        assert reason == "embedder_disabled_by_policy"
    else:
        assert str(run.components["text_processor"].error).endswith(f"Run: {command}")


@pytest.mark.parametrize(
    "settings",
    [["embedder=no_such"], ["embedder=midas_v21_small"], ["asr=true", "asr_model=yolox_tiny"]],
)
def test_an_asset_of_another_kind_is_refused_before_anything_runs(
    clip: Path, tmp_path: Path, settings: list[str]
) -> None:
    with pytest.raises(FilmcanError, match=settings[-1].partition("=")[2]):
        process(clip, tmp_path, *settings)
    assert not list((tmp_path / "store").rglob("manifest.json"))


@pytest.mark.registry
def test_the_demos_document_has_real_text_in_all_its_sources(
    clip: Path, tmp_path: Path, model_cache: ModelCache
) -> None:
    model_cache("all_minilm_l6_v2")
    run = process(clip, tmp_path, document=SAMPLE_DOCUMENT)
    text = run["text_processor"]
    for source in ("title", "description", "tags", "comments", "transcript"):
        assert text[f"{source}_embedding_present"], source
    assert text["primary_embedding"].shape == (384,)
    assert text["transcript_chunk_start_sec"][0] >= 0
    assert text.features["title_transcript_cosine"] > 0.2
    assert "knows English only" in str(run.components["text_processor"].notes)


@pytest.mark.usefixtures("fixture_models")
def test_ocr_reads_a_sparse_subset_of_the_timeline(titled_clip: Path, tmp_path: Path) -> None:
    run = process(
        titled_clip,
        tmp_path,
        *("ocr=true", "ocr_every=4", f"embedder={MINILM}", "retain_raw_text=true"),
        only=["text_processor", "core_optical_flow", "loudness_extractor"],
    )
    assert {name: record.status for name, record in run.components.items()} == {
        "text_processor": "ok",
        "core_optical_flow": "ok",
        "loudness_extractor": "ok",
    }
    text, flow = run["text_processor"], run["core_optical_flow"]
    assert text["ocr_frame_indices"].tolist() == flow["frame_indices"].tolist()[::4] == [0, 20, 40]
    assert text["ocr_frame_line_count"].tolist() == [1, 1, 1]
    assert text["ocr_line_start_sec"].tolist() == [0.0, 2.0]
    assert text["ocr_line_end_sec"].tolist() == [0.0, 4.0]
    assert text["ocr_present"]
    assert text["ocr_empty_reason"] == ""
    raw = text["raw_text"].item()["ocr"]
    assert [line["text"] for line in raw] == ["THE RABBIT", "MEADOW 2008"]
    assert text.features["ocr_word_count"] == 3.0
    assert text["ocr_embedding_present"]
    expected = float(text["title_embedding"] @ text["ocr_embedding"])
    assert text.features["title_ocr_cosine"] == pytest.approx(expected, abs=1e-6)


def test_c6_ocr_alone_makes_an_artifact_and_finding_nothing_an_empty_one(
    tmp_path: Path, titled_clip: Path, clip: Path
) -> None:
    found = process(titled_clip, tmp_path, "ocr=true", "ocr_every=8", document=None)
    assert found.components["text_processor"].status == "ok"
    nothing = process(clip, tmp_path, "ocr=true", "ocr_every=8", document=None)
    record, text = nothing.components["text_processor"], nothing["text_processor"]
    assert (record.status, record.empty_reason) == ("empty", "no_text_available")
    assert text["ocr_empty_reason"] == "no_text_available"
    assert text["ocr_frame_line_count"].tolist() == [0]
    assert {row["model_name"] for row in record.models_used} == {"rapidocr_ppocr"}


def test_c6_a_still_picture_is_read(tmp_path: Path) -> None:
    picture = make_picture(tmp_path / "still.png", paint_words(0))
    run = process(picture, tmp_path, "ocr=true", document=None)
    assert run["text_processor"]["ocr_times_sec"].tolist() == [0.0]
    assert run["text_processor"]["ocr_present"]


def test_c6_without_a_picture_the_other_sources_are_measured(tmp_path: Path) -> None:
    sound = make_sound(tmp_path / "tone.wav", build_tone(1.0), codec="pcm_s16le")
    run = process(sound, tmp_path, "ocr=true")
    text = run["text_processor"]
    assert run.components["text_processor"].status == "ok"
    assert text["ocr_empty_reason"] == "video_stream_missing"
    assert text["title_present"]


def test_c6_ocr_without_its_package_is_told_and_the_rest_goes_on(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = 'rapidocr is not installed. Run: pip install "filmcan[ocr]"'
    for module in ("attempts", "component"):
        place = f"filmcan.components.text.text_processor.{module}.find_missing_ocr"
        monkeypatch.setattr(place, lambda: told)
    run = process(clip, tmp_path, "ocr=true")
    assert run["text_processor"]["ocr_empty_reason"] == "dependency_missing"
    assert told in str(run.components["text_processor"].notes)
    assert "ocr_times_sec" not in run["text_processor"].keys()  # noqa: SIM118


# --- speech -----------------------------------------------------------------------------------


def test_c6_asr_without_weights_has_its_own_declared_reason(
    titled_clip: Path, tmp_path: Path
) -> None:
    document = {"title": "A rabbit"}
    run = process(titled_clip, tmp_path, "asr=true", document=document)
    record, text = run.components["text_processor"], run["text_processor"]
    assert record.status == "ok"
    assert text["transcript_empty_reason"] == "transcript_missing_for_source_whisper"
    assert "Run: filmcan models pull faster_whisper_base" in str(record.notes)


@pytest.fixture
def speaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """Let `fixture-whisper` hear two sentences in any sound; return the calls."""
    pytest.importorskip("faster_whisper")
    from filmcan.testing.fake_whisper import put_in_place

    whisper = put_in_place(monkeypatch, tmp_path, lambda window: [window.size])
    whisper.say = staticmethod(
        lambda window: [(0.5, 1.0, "The rabbit sleeps."), (1.5, 2.0, "It wakes up.")]
    )
    return whisper.calls


ASR = ("asr=true", "asr_model=fixture-whisper")


def test_asr_gives_the_transcript_where_none_comes_with_the_video(
    speaking: list[dict], titled_clip: Path, tmp_path: Path
) -> None:
    run = process(
        titled_clip, tmp_path, *ASR, document=None, only=["text_processor", "loudness_extractor"]
    )
    record, text = run.components["text_processor"], run["text_processor"]
    assert record.status == "ok"
    assert text["transcript_origin"] == "asr"
    assert text.features["transcript_word_count"] == 6.0
    assert text.features["transcript_speech_sec"] == pytest.approx(1.0)
    assert "fixture-whisper" in {row["model_name"] for row in record.models_used}
    assert speaking[0]["audio"].size == pytest.approx(4.0 * 16_000, rel=0.02)
    assert run.components["loudness_extractor"].status == "ok"


def test_a_transcript_that_comes_with_the_video_wins_and_nothing_is_heard(
    speaking: list[dict], titled_clip: Path, tmp_path: Path
) -> None:
    run = process(titled_clip, tmp_path, *ASR, only=["text_processor", "loudness_extractor"])
    assert run["text_processor"]["transcript_origin"] == "document"
    assert speaking == []
    assert run.components["loudness_extractor"].status == "ok"


def test_c6_asr_of_a_source_without_sound_says_so(
    speaking: list[dict], tmp_path: Path, clip: Path
) -> None:
    silent = make_media(tmp_path / "silent.mp4", ClipVideo(frames=5))
    run = process(silent, tmp_path, *ASR, document={"title": "t"})
    reason = run["text_processor"]["transcript_empty_reason"]
    assert reason == "audio_missing_or_extract_failed"
    assert speaking == []


@pytest.mark.usefixtures("speaking")
def test_ocr_and_asr_share_one_run_with_components_of_both_kinds(
    titled_clip: Path, tmp_path: Path
) -> None:
    """One component takes pictures first, then sound: nobody may wait for it for ever."""
    run = process(
        titled_clip,
        tmp_path,
        *(*ASR, "ocr=true", "ocr_every=8", "execution.queue_size=1"),
        document=None,
        only=["text_processor", "loudness_extractor", "core_optical_flow"],
    )
    assert {record.status for record in run.components.values()} == {"ok"}
    text = run["text_processor"]
    assert text["ocr_present"]
    assert text["transcript_present"]
