"""From the text sources of a video to one cleaned text per source, within a limit of length.

Says for each source whether it is there, and if not, why (C6.1, C6.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from filmcan.components.text.text_processor.language import Language, find_language
from filmcan.components.text.text_processor.tokens import (
    Tokens,
    build_tokens,
    clean_text,
    cut_text,
)
from filmcan.contract.missing import NO_TEXT
from filmcan.media.document import Segment, TextSources

SOURCES = ("title", "description", "tags", "comments", "transcript", "ocr")
"""All sources of text, in the order of the schema."""

COMMENTS_MISSING = "comments_missing_or_disabled"
OCR_DISABLED = "ocr_disabled_by_policy"

SPEECH_MISSING = "transcript_missing_for_source_whisper"
"""Speech was to be recognised, and the package or its weights are not there."""

EMBEDDER_DISABLED = "embedder_disabled_by_policy"

ABSENT_REASONS = dict.fromkeys(SOURCES, NO_TEXT) | {
    "comments": COMMENTS_MISSING,
    "ocr": OCR_DISABLED,
}
"""Why a source is not there, unless it was looked for and something kept it from being found."""


@dataclass(frozen=True, slots=True)
class SourceText:
    """One source that is there.

    Attributes:
        tokens: Its text, taken apart; parts (tags, comments, segments) are joined by newlines.
        language: Its language where known well enough, else None.
        candidate: The most likely language, known well enough or not.
        used_parts: How many parts went into the text.
        is_cut: True when the text was longer than the limit, so that its end was left out.
    """

    tokens: Tokens
    language: Language | None
    candidate: Language
    used_parts: int
    is_cut: bool


def read_sources(
    text: TextSources, seen: Sequence[str] | None, max_chars: int, min_confidence: float
) -> dict[str, SourceText]:
    """Return the sources that are there, in the order of `SOURCES`.

    Args:
        text: What comes with the video.
        seen: Lines seen in the picture; None: none were looked for, or none found.
        max_chars: Of each source, this much is read.
        min_confidence: Below this a language is not known.
    """
    parts: dict[str, Iterable[str] | None] = {
        "title": None if text.title is None else (text.title,),
        "description": None if text.description is None else (text.description,),
        "tags": text.tags,
        "comments": None if text.comments is None else (item.text for item in text.comments),
        "transcript": None
        if text.transcript is None
        else (item.text for item in text.transcript.segments),
        "ocr": seen,
    }
    return {
        source: _read_source(found, max_chars, min_confidence)
        for source, found in parts.items()
        if found is not None
    }


def has_text(sources: dict[str, SourceText]) -> bool:
    """Tell whether any source says anything at all."""
    return any(found.tokens.text for found in sources.values())


def cut_segments(segments: tuple[Segment, ...], found: SourceText) -> tuple[Segment, ...]:
    """Return the segments that went into the source's text."""
    return segments[: found.used_parts]


def _read_source(parts: Iterable[str], max_chars: int, min_confidence: float) -> SourceText:
    kept: list[str] = []
    left = max_chars
    is_cut = False
    for part in parts:
        if left <= 0:
            is_cut = True
            break
        cut = cut_text(part, left)
        is_cut = is_cut or len(cut) < len(part)
        left -= len(cut) + 1
        kept.append(clean_text(cut))
    tokens = build_tokens("\n".join(kept).strip())
    candidate = find_language(tokens.running)
    is_known = bool(candidate.code) and candidate.confidence >= min_confidence
    return SourceText(tokens, candidate if is_known else None, candidate, len(kept), is_cut)
