from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from filmcan.components.base import Inputs, Result
from filmcan.components.text.text_processor.component import FEATURE_NAMES
from filmcan.components.text.text_processor.sources import SOURCES
from filmcan.errors import BadProfileError
from filmcan.media.document import Segment, TextSources, Transcript, parse_document
from filmcan.testing.component_suite import (
    ComponentSuite,
    assert_same_arrays,
    check_result,
    get_features,
)
from filmcan.testing.fake_media import build_inputs
from filmcan.testing.fixture_sentences import MINILM

MARKER = "Zanzibarquux"
DOCUMENT: dict[str, Any] = {
    "title": f"Рецепт борща дома {MARKER}",
    "description": f"Как приготовить борщ со свёклой. {MARKER}!\n0:00 Начало\nhttps://a.example",
    "tags": ["борщ", "рецепт", MARKER],
    "comments": [
        {"text": f"Спасибо за видео, очень полезно! {MARKER}", "likes": 3},
        {"text": "Почему так мало просмотров?", "published_at": "2024-05-01"},
    ],
    "transcript": [
        {"start_sec": 0.0, "end_sec": 3.0, "text": f"Сегодня готовим борщ, {MARKER}."},
        {"start_sec": 5.0, "end_sec": 8.0, "text": "Нам понадобится капуста и свёкла."},
    ],
    "language": "ru",
}


def give(document: dict[str, Any] | None, duration_sec: float | None = 20.0) -> Inputs:
    inputs = build_inputs(text=None if document is None else parse_document(document))
    return replace(inputs, probe=replace(inputs.probe, duration_sec=duration_sec))


class TestTextProcessor(ComponentSuite):
    component_name: ClassVar[str] = "text_processor"

    def make_cases(self) -> dict[str, Callable[[], Inputs]]:
        documents: dict[str, dict[str, Any]] = {
            "typical": DOCUMENT,
            "title alone": {"title": "x"},
            "blank title beside a tag": {"title": "", "tags": ["a"]},
            "empty lists": {"title": "t", "tags": [], "comments": [], "transcript": []},
            "nothing but marks": {"description": "https://a.example 1:23 @b #1 😀"},
            "controls": {"title": "a\0b\x1b[0m\u202e", "comments": [{"text": "\0"}]},
            "emoji": {"title": "👨‍👩‍👧‍👦🇷🇺👍🏽", "comments": [{"text": "😀" * 100}] * 20},
            "other scripts": {"title": "我爱你", "description": "שלום عالم नमस्ते ไทย"},
            "long": {"description": "Мама мыла раму. " * 500, "transcript": "word. " * 3000},
            "huge likes": {"comments": [{"text": "a", "likes": 10**12}] * 3},
            "late cue": {"transcript": [{"start_sec": 1e9, "end_sec": 1e9, "text": "a"}]},
        }
        cases: dict[str, Callable[[], Inputs]] = {
            name: lambda document=document: give(document)  # type: ignore[misc]
            for name, document in documents.items()
        }
        cases["no duration"] = lambda: give(DOCUMENT, None)
        cases["all blank"] = lambda: give({"title": " ", "comments": [{"text": "\0"}]})
        cases["broken surrogates"] = lambda: build_inputs(text=TextSources(title="\ud83d a"))
        return cases

    def run(self, document: dict[str, Any] | None, **changes: object) -> Result:
        return self.build_component(**changes).run(give(document))

    def test_c9_feature_names_are_those_of_the_schema_in_its_order(self) -> None:
        assert [feature.name for feature in self.schema.features] == list(FEATURE_NAMES)
        assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)

    def test_c6_every_feature_of_an_absent_source_is_nan(self) -> None:
        for source in SOURCES[:-1]:
            rest = {key: value for key, value in DOCUMENT.items() if key != source}
            result = self.run(rest)
            features = get_features(result)
            own = [name for name in FEATURE_NAMES if name.startswith(f"{source}_")]
            assert not result.arrays[f"{source}_present"].item()
            assert own
            for name in own:
                assert math.isnan(features[name]), name

    def test_c6_no_feature_is_zero_because_something_is_missing(self) -> None:
        features = get_features(self.run({"title": "Привет, мир"}))
        others = [name for name in FEATURE_NAMES if not name.startswith(("title_", "text_"))]
        assert [name for name in others if not math.isnan(features[name])] == []

    def test_c6_each_absent_source_says_why(self) -> None:
        arrays = self.run({"title": "t"}).arrays
        reasons = {source: arrays[f"{source}_empty_reason"].item() for source in SOURCES}
        assert reasons == {
            "title": "",
            "description": "no_text_available",
            "tags": "no_text_available",
            "comments": "comments_missing_or_disabled",
            "transcript": "no_text_available",
            "ocr": "ocr_disabled_by_policy",
        }

    @pytest.mark.parametrize(
        "document",
        [
            None,
            {},
            {"title": ""},
            {"comments": []},
            {"tags": [" "], "transcript": ""},
            {"language": "ru"},
        ],
    )
    def test_c6_without_a_word_anywhere_the_artifact_is_empty(
        self, document: dict[str, Any] | None
    ) -> None:
        result = self.run(document)
        assert (result.status, result.empty_reason) == ("empty", "no_text_available")
        assert np.isnan(result.arrays["feature_values"]).all()
        for source in SOURCES:
            assert not result.arrays[f"{source}_present"].item()
        assert result.arrays["embeddings_empty_reason"].item() == "no_text_available"

    def test_c6_a_source_that_is_there_and_blank_is_measured_as_zero(self) -> None:
        features = get_features(self.run({"title": "", "comments": [], "description": "text"}))
        assert features["title_char_count"] == 0.0
        assert features["comments_count"] == 0.0
        assert math.isnan(features["title_type_token_ratio"])
        assert math.isnan(features["comments_mean_chars"])

    def test_c6_embeddings_are_absent_with_the_reason_and_what_to_do(self) -> None:
        result = self.run(DOCUMENT)
        assert result.arrays["embeddings_empty_reason"].item() == "dependency_missing"
        assert result.arrays["primary_embedding"].shape == (0,)
        assert not result.arrays["primary_embedding_present"].item()
        assert "title_embedding" not in result.arrays
        told = next(note for note in result.notes if note.startswith("Text embeddings: "))
        assert told.endswith("Run: filmcan models pull all_minilm_l6_v2")

    @pytest.mark.usefixtures("fixture_models")
    def test_c8_every_case_satisfies_the_schema_with_an_embedder_too(self) -> None:
        for name, make in self.make_cases().items():
            component = self.build_component(embedder=MINILM)
            result = component.run(make())
            check_result(result, self.schema, name)
            assert_same_arrays(result.arrays, component.run(make()).arrays, name)
            if result.status == "ok":
                assert result.arrays["primary_embedding"].shape == (24,), name

    @pytest.mark.usefixtures("fixture_models")
    def test_a_long_transcript_is_embedded_as_far_as_the_profile_says(self) -> None:
        changes = {"embedder": MINILM, "embedder_max_tokens": 16, "max_chunks": 3}
        document = {"title": "film", "transcript": "the rabbit sleeps. " * 50}
        result = self.run(document, **changes)
        assert result.arrays["transcript_chunk_embeddings"].shape == (3, 24)
        assert np.isnan(result.arrays["transcript_chunk_start_sec"]).all()
        told = "transcript: only 3 chunks were embedded, the profile's max_chunks."
        assert told in result.notes

    @pytest.mark.usefixtures("fixture_models")
    def test_comments_count_alike_however_long_and_are_thinned_out_evenly(self) -> None:
        texts = ["rabbit", "meadow " * 40, "yawns", "film"]
        changes = {"embedder": MINILM, "embedder_max_tokens": 64}
        alone = [self.run({"title": text}, **changes).arrays["title_embedding"] for text in texts]
        comments = {"comments": [{"text": text} for text in texts]}
        result = self.run(comments, **changes)
        mean = np.mean(alone, axis=0)
        expected = mean / np.linalg.norm(mean)
        np.testing.assert_allclose(result.arrays["comments_embedding"], expected, atol=1e-5)
        assert get_features(result)["comments_coherence"] == pytest.approx(
            float(np.linalg.norm(mean)), abs=1e-5
        )
        thinned = self.run(comments, **changes, max_chunks=2).arrays["comments_embedding"]
        mean = (alone[0] + alone[2]) / 2
        np.testing.assert_allclose(thinned, mean / np.linalg.norm(mean), atol=1e-5)

    def test_no_word_of_the_text_is_kept_unless_asked(self) -> None:
        arrays = self.run(DOCUMENT).arrays
        assert "raw_text" not in arrays
        for key, array in arrays.items():
            shown = json.dumps(array.tolist(), ensure_ascii=False, default=str).casefold()
            for word in (MARKER, "борщ", "спасибо", "понадобится", "просмотров"):
                assert word.casefold() not in shown, key

    def test_the_text_is_kept_in_raw_text_when_asked(self) -> None:
        raw = self.run(DOCUMENT, retain_raw_text=True).arrays["raw_text"].item()
        assert raw["ocr"] is None
        assert raw["title"] == DOCUMENT["title"]
        assert raw["tags"] == DOCUMENT["tags"]
        assert raw["transcript"] == DOCUMENT["transcript"]
        assert raw["comments"][0] == {
            "text": DOCUMENT["comments"][0]["text"],
            "likes": 3,
            "published_at": None,
        }

    def test_the_trace_tells_rules_counts_and_languages(self) -> None:
        payload = self.run(DOCUMENT).arrays["payload"].item()
        assert payload["declared_language"] == "ru"
        assert payload["transcript_origin"] == "document"
        assert payload["comment_languages"] == {"ru": 2}
        assert payload["language_detector"].startswith("py3langid ")
        assert payload["sources"]["transcript"]["parts"] == 2
        assert list(payload["sources"]) == list(SOURCES[:-1])

    def test_languages_are_told_by_source(self) -> None:
        arrays = self.run(
            {
                "title": "Как приготовить вкусный борщ дома",
                "description": "Today we are going to bake an apple pie with cinnamon.",
                "transcript": "12345",
            }
        ).arrays
        found = {
            source: (
                arrays[f"{source}_language"].item(),
                arrays[f"{source}_language_present"].item(),
            )
            for source in ("title", "description", "transcript", "ocr")
        }
        assert found == {
            "title": ("ru", True),
            "description": ("en", True),
            "transcript": ("", False),
            "ocr": ("", False),
        }

    def test_a_confidence_nobody_reaches_leaves_all_languages_unknown(self) -> None:
        result = self.run({"title": "Привет, мир"}, min_language_confidence=1.0)
        assert not result.arrays["title_language_present"].item()
        assert math.isnan(get_features(result)["title_language_confidence"])

    def test_a_text_beyond_the_limit_is_cut_and_the_notes_say_so(self) -> None:
        result = self.run({"description": "слово " * 1000, "title": "t"}, max_source_chars=1000)
        features = get_features(result)
        assert features["description_word_count"] == 166.0
        assert "description: only the first 1000 characters were measured." in result.notes
        assert result.arrays["payload"].item()["sources"]["description"]["is_cut"] is True
        assert result.arrays["payload"].item()["sources"]["title"]["is_cut"] is False

    def test_many_parts_beyond_the_limit_are_cut_as_well(self) -> None:
        comments = [{"text": "слово " * 10}] * 100
        segments = [
            {"start_sec": float(at), "end_sec": at + 1.0, "text": "слово " * 10}
            for at in range(100)
        ]
        result = self.run({"comments": comments, "transcript": segments}, max_source_chars=1000)
        features = get_features(result)
        assert features["comments_count"] == 100.0
        assert features["comments_word_count"] < 170
        assert features["transcript_words_per_minute"] == pytest.approx(600, rel=0.1)

    def test_the_transcript_is_joined_so_that_lines_end_no_sentence(self) -> None:
        features = get_features(self.run(DOCUMENT))
        assert features["transcript_sentence_count"] == 2.0
        assert features["transcript_line_count"] == 2.0
        assert features["transcript_coverage_ratio"] == pytest.approx(6 / 20)

    def test_a_transcript_of_subtitles_is_measured_like_one_of_the_document(self) -> None:
        text = parse_document(DOCUMENT)
        assert text.transcript is not None
        other = replace(
            text, transcript=Transcript(text.transcript.segments, "sidecar", "ru", "cp1251")
        )
        first = self.build_component().run(build_inputs(text=text))
        second = self.build_component().run(build_inputs(text=other))
        np.testing.assert_array_equal(
            first.arrays["feature_values"], second.arrays["feature_values"]
        )
        assert second.arrays["payload"].item()["transcript_encoding"] == "cp1251"

    def test_the_order_of_keys_in_the_document_changes_no_byte(self) -> None:
        turned = dict(reversed(list(DOCUMENT.items())))
        assert_same_arrays(self.run(DOCUMENT).arrays, self.run(turned).arrays, "turned")

    def test_notes_of_the_reading_are_passed_on(self) -> None:
        text = TextSources(title="t", notes=("clip.srt was read as cp1251.",))
        result = self.build_component().run(build_inputs(text=text))
        assert "clip.srt was read as cp1251." in result.notes

    def test_segments_without_order_do_no_harm(self) -> None:
        segments = (Segment("b", 5.0, 6.0), Segment("a", 0.0, 1.0))
        text = TextSources(transcript=Transcript(segments, "document"))
        features = get_features(self.build_component().run(build_inputs(text=text)))
        assert features["transcript_first_segment_sec"] == 0.0
        assert features["transcript_pause_max_sec"] == 4.0

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("retain_raw_text", "yes"),
            ("max_source_chars", 10),
            ("max_source_chars", 1.5),
            ("min_language_confidence", 1.5),
            ("embedder", ""),
            ("embedder_max_tokens", 8),
            ("chunk_sec", 0),
            ("max_chunks", 0),
            ("ocr", 1),
            ("ocr_every", 0),
            ("ocr_max_width", 16),
            ("ocr_min_score", 1.1),
            ("asr", "on"),
            ("asr_model", " "),
        ],
    )
    def test_a_wrong_parameter_is_refused_by_name(self, name: str, value: object) -> None:
        with pytest.raises(BadProfileError, match=name):
            self.build_component(**{name: value})
