"""The text_processor component: all text around a video, and in it, measured source by source.

What is there is measured; what is not there has its mask false, its reason given and NaN in every
feature (C6). Embeddings come on top where an embedder can run; text in the picture and speech are
looked for where the profile says so. No word of the text is kept unless `retain_raw_text` asks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import regex

from filmcan.components.base import Component, Inputs, Parameters, Resources, Result
from filmcan.components.parameters import get_bool, get_float, get_int, get_text
from filmcan.components.text.text_processor.attempts import (
    Attempt,
    OcrRules,
    SpeechRules,
    listen_for_speech,
    look_for_text,
    open_embedder,
)
from filmcan.components.text.text_processor.comments import COMMENT_NAMES, measure_comments
from filmcan.components.text.text_processor.embedder import (
    find_missing_embedder,
    plan_embedder,
)
from filmcan.components.text.text_processor.embeddings import (
    COSINE_NAMES,
    EmbeddingRules,
    embed_sources,
)
from filmcan.components.text.text_processor.language import get_detector_version
from filmcan.components.text.text_processor.measures import BASIC_NAMES, FULL_NAMES, measure_text
from filmcan.components.text.text_processor.ocr import find_missing_ocr, plan_reader
from filmcan.components.text.text_processor.overlap import (
    OVERLAP_NAMES,
    find_stems,
    measure_overlap,
)
from filmcan.components.text.text_processor.seen_text import SeenText
from filmcan.components.text.text_processor.sources import (
    ABSENT_REASONS,
    SOURCES,
    SourceText,
    cut_segments,
    has_text,
    read_sources,
)
from filmcan.components.text.text_processor.speech import (
    REQUEST,
    find_missing_speech,
    plan_speech,
)
from filmcan.components.text.text_processor.tags import TAG_NAMES, measure_tags
from filmcan.components.text.text_processor.tokens import build_tokens, clean_text
from filmcan.components.text.text_processor.transcript import (
    TRANSCRIPT_NAMES,
    measure_transcript,
)
from filmcan.contract.missing import NO_TEXT, build_feature_names
from filmcan.media.document import TextSources
from filmcan.media.frames import FrameRequest, FrameView

if TYPE_CHECKING:
    from filmcan.contract.model_used import ModelUsed
    from filmcan.contract.schema import Kind
    from filmcan.media.sound import SoundRequest
    from filmcan.models.execution import Execution

RULES_VERSION = "1"
"""Changes with any rule of counting; stands in the payload."""

FEATURE_NAMES = (
    *(f"title_{name}" for name in BASIC_NAMES),
    *(f"description_{name}" for name in FULL_NAMES),
    *(f"tags_{name}" for name in TAG_NAMES),
    *(f"comments_{name}" for name in COMMENT_NAMES),
    *(f"comments_{name}" for name in FULL_NAMES),
    *(f"transcript_{name}" for name in TRANSCRIPT_NAMES),
    *(f"transcript_{name}" for name in FULL_NAMES),
    *(f"ocr_{name}" for name in FULL_NAMES),
    *OVERLAP_NAMES,
    *COSINE_NAMES,
)
"""All features, in the order of the schema."""


class TextProcessor(Component):
    """Measures title, description, tags, comments, transcript and text in the picture."""

    name: ClassVar[str] = "text_processor"
    kind: ClassVar[Kind] = "text"
    schema_version: ClassVar[str] = "text_npz_v1"
    producer_version: ClassVar[str] = "1.1.0"
    resources: ClassVar[Resources] = Resources(memory_mib=400)
    needs_media: ClassVar[bool] = False

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is out of range; the message names it.
        """
        super().__init__(parameters)
        self._retain_raw_text = get_bool(parameters, "retain_raw_text")
        self._max_chars = get_int(parameters, "max_source_chars", low=1000, high=100_000_000)
        self._min_confidence = get_float(parameters, "min_language_confidence", low=0.0, high=1.0)
        self._embedding = EmbeddingRules(
            model=get_text(parameters, "embedder"),
            max_tokens=get_int(parameters, "embedder_max_tokens", low=16, high=8192),
            chunk_sec=get_float(parameters, "chunk_sec", low=1.0, high=3600.0),
            max_chunks=get_int(parameters, "max_chunks", low=1, high=100_000),
        )
        self._ocr = OcrRules(
            enabled=get_bool(parameters, "ocr"),
            every=get_int(parameters, "ocr_every", low=1, high=100_000),
            max_width=get_int(parameters, "ocr_max_width", low=32, high=8192),
            min_score=get_float(parameters, "ocr_min_score", low=0.0, high=1.0),
        )
        self._speech = SpeechRules(
            enabled=get_bool(parameters, "asr"), model=get_text(parameters, "asr_model")
        )

    def find_missing_dependency(self) -> None:
        """Return None: what is missing is told source by source, in the artifact.

        Raises:
            NotFoundError: The profile names an asset that the catalog does not have.
            BadProfileError: It names one of another kind.
        """
        self._find_missing()

    def find_missing_option(self) -> str | None:
        """Name what is missing of embedder, OCR and ASR, as far as they are switched on."""
        return next((told for told in self._find_missing() if told is not None), None)

    def _find_missing(self) -> list[str | None]:
        found = []
        if self._embedding.enabled:
            found.append(find_missing_embedder(self._embedding.model))
        if self._ocr.enabled:
            found.append(find_missing_ocr())
        if self._speech.enabled:
            found.append(find_missing_speech(self._speech.model))
        return found

    @cached_property
    def _can_see(self) -> bool:
        """Whether text is looked for in pictures; one answer for the whole run."""
        return self._ocr.enabled and find_missing_ocr() is None

    @cached_property
    def _can_hear(self) -> bool:
        """Whether speech is recognised; one answer for the whole run."""
        return self._speech.enabled and find_missing_speech(self._speech.model) is None

    def plan_models(self, execution: Execution) -> tuple[ModelUsed, ...]:
        """Name the networks of what is switched on and can run."""
        planned: tuple[ModelUsed, ...] = ()
        if self._can_see:
            planned += plan_reader()
        if self._can_hear:
            planned += plan_speech(self._speech.model)
        if self._embedding.enabled and find_missing_embedder(self._embedding.model) is None:
            planned += (plan_embedder(self._embedding.model, execution),)
        return planned

    def frame_request(self) -> FrameRequest | None:
        """Ask for pictures where text is looked for in them, and can be."""
        if not self._can_see:
            return None
        view = FrameView(pixels="rgb", max_width=self._ocr.max_width)
        return FrameRequest(view, every=self._ocr.every)

    def sound_request(self) -> SoundRequest | None:
        """Ask for sound where speech is to be recognised, and can be."""
        return REQUEST if self._can_hear else None

    def run(self, inputs: Inputs) -> Result:
        """Measure the text of one video."""
        seen = look_for_text(inputs, self._ocr)
        heard = listen_for_speech(inputs, self._speech)
        text = replace(inputs.text or TextSources(), transcript=heard.found)
        sources = read_sources(text, _get_lines(seen), self._max_chars, self._min_confidence)
        reasons = {"ocr": seen.reason, "transcript": heard.reason}
        used = (*seen.used, *heard.used)
        notes = (*text.notes, *seen.notes, *heard.notes)
        sights = {} if seen.found is None else seen.found.build()
        if not has_text(sources):
            arrays = _build_empty_arrays(reasons) | sights
            return Result("empty", arrays, NO_TEXT, models_used=used, notes=notes)
        values = dict.fromkeys(FEATURE_NAMES, math.nan)
        comment_languages = self._measure(text, sources, inputs.probe.duration_sec, values)
        origin = "" if text.transcript is None else text.transcript.origin
        arrays = _build_state_arrays(sources, reasons, origin) | sights
        arrays["payload"] = _wrap(self._build_payload(text, sources, comment_languages))
        if self._retain_raw_text:
            arrays["raw_text"] = _wrap(_build_raw_text(text, seen.found))
        embedder = open_embedder(self._embedding, inputs.execution)
        arrays["embeddings_empty_reason"] = np.array(embedder.reason)
        notes = (*notes, *self._tell_cuts(sources), *embedder.notes)
        if embedder.found is not None:
            embedded = embed_sources(text, sources, embedder.found, self._embedding)
            arrays |= embedded.arrays
            values |= embedded.features
            notes = (*notes, *embedded.notes)
        arrays["feature_values"] = np.array([values[name] for name in FEATURE_NAMES], np.float32)
        return Result(
            "ok",
            arrays,
            models_used=(*used, *embedder.used),
            device_used=embedder.used[0].device if embedder.used else "cpu",
            notes=notes,
        )

    def _tell_cuts(self, sources: dict[str, SourceText]) -> list[str]:
        return [
            f"{source}: only the first {self._max_chars} characters were measured."
            for source, found in sources.items()
            if found.is_cut
        ]

    def _measure(
        self,
        text: TextSources,
        sources: dict[str, SourceText],
        duration_sec: float | None,
        values: dict[str, float],
    ) -> Counter[str]:
        """Fill in what is counted of all sources that are there; return the comments' languages."""
        for source, found in sources.items():
            measured = measure_text(
                found.tokens, found.language, newline_ends=source != "transcript"
            )
            _put(values, source, measured)
        tag_stems = None
        if text.tags is not None:
            _put(values, "tags", measure_tags(text.tags))
            tag_stems = [find_stems(build_tokens(clean_text(tag)).words) for tag in text.tags]
        comment_languages: Counter[str] = Counter()
        if text.comments is not None:
            measured, comment_languages = measure_comments(text.comments, self._min_confidence)
            _put(values, "comments", measured)
        if text.transcript is not None:
            found = sources["transcript"]
            segments = cut_segments(text.transcript.segments, found)
            words = len(found.tokens.words)
            _put(values, "transcript", measure_transcript(segments, words, duration_sec))
        tokens = {source: found.tokens for source, found in sources.items()}
        languages = {source: found.language for source, found in sources.items()}
        values.update(measure_overlap(tokens, tag_stems, languages))
        return comment_languages

    def _build_payload(
        self, text: TextSources, sources: dict[str, SourceText], comment_languages: Counter[str]
    ) -> dict[str, object]:
        """Return the trace: versions of rules, counts and languages; no word of the text."""
        transcript = text.transcript
        return {
            "rules_version": RULES_VERSION,
            "language_detector": get_detector_version(),
            "regex_version": regex.__version__,
            "max_source_chars": self._max_chars,
            "min_language_confidence": self._min_confidence,
            "declared_language": text.language,
            "transcript_origin": None if transcript is None else transcript.origin,
            "transcript_language": None if transcript is None else transcript.language,
            "transcript_encoding": None if transcript is None else transcript.encoding,
            "comment_languages": dict(sorted(comment_languages.items())),
            "sources": {
                source: {
                    "code_points": len(found.tokens.text),
                    "words": len(found.tokens.words),
                    "parts": found.used_parts,
                    "is_cut": found.is_cut,
                    "language_candidate": found.candidate.code,
                    "language_confidence": round(found.candidate.confidence, 6),
                }
                for source, found in sources.items()
            },
        }


def _put(values: dict[str, float], source: str, measured: dict[str, float]) -> None:
    """Fill in a source's features, those that the schema has for it."""
    for name, value in measured.items():
        key = f"{source}_{name}"
        if key in values:
            values[key] = value


def _get_lines(seen: Attempt[SeenText]) -> list[str] | None:
    """Return the lines seen in the picture, None when there are none."""
    if seen.found is None or not seen.found.lines:
        return None
    return [line.best.text for line in seen.found.lines]


def _build_state_arrays(
    sources: Mapping[str, SourceText], reasons: Mapping[str, str], origin: str = ""
) -> dict[str, np.ndarray]:
    """Return masks, reasons and languages of all sources, and the embedding that is not there.

    Args:
        sources: Those that are there.
        reasons: Why sources that were looked for are not there, where that is known.
        origin: Where the transcript came from.
    """
    arrays: dict[str, np.ndarray] = {}
    for source in SOURCES:
        found = sources.get(source)
        language = None if found is None else found.language
        arrays[f"{source}_present"] = np.array(found is not None)
        reason = reasons.get(source) or ABSENT_REASONS[source]
        arrays[f"{source}_empty_reason"] = np.array("" if found else reason)
        arrays[f"{source}_language"] = np.array("" if language is None else language.code)
        arrays[f"{source}_language_present"] = np.array(language is not None)
    arrays["transcript_origin"] = np.array(origin)
    arrays["primary_embedding"] = np.empty(0, np.float32)
    arrays["primary_embedding_present"] = np.array(False)  # noqa: FBT003 - a 0-d array
    arrays["primary_embedding_source"] = np.array("")
    arrays["feature_names"] = build_feature_names(list(FEATURE_NAMES))
    return arrays


def _build_empty_arrays(reasons: Mapping[str, str]) -> dict[str, np.ndarray]:
    arrays = _build_state_arrays({}, reasons)
    arrays["embeddings_empty_reason"] = np.array(NO_TEXT)
    arrays["payload"] = _wrap({"rules_version": RULES_VERSION, "sources": {}})
    arrays["feature_values"] = np.full(len(FEATURE_NAMES), np.nan, np.float32)
    return arrays


def _build_raw_text(text: TextSources, seen: SeenText | None) -> dict[str, object]:
    """Return the text itself, as the schema's `raw_text` describes it."""
    return {
        "title": text.title,
        "description": text.description,
        "tags": None if text.tags is None else list(text.tags),
        "comments": None
        if text.comments is None
        else [
            {"text": item.text, "likes": item.likes, "published_at": item.published_at}
            for item in text.comments
        ],
        "transcript": None
        if text.transcript is None
        else [
            {"start_sec": item.start_sec, "end_sec": item.end_sec, "text": item.text}
            for item in text.transcript.segments
        ],
        "ocr": None
        if seen is None
        else [
            {"start_sec": line.start_sec, "end_sec": line.end_sec, "text": line.best.text}
            for line in seen.lines
        ],
    }


def _wrap(value: dict[str, object]) -> np.ndarray:
    array = np.empty((), dtype=object)
    array[()] = value
    return array
