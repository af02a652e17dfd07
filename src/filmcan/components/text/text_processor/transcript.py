"""When something is said: pace, pauses and coverage, from the times of a transcript."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from filmcan.components.text.text_processor.tokens import build_tokens, clean_text
from filmcan.media.document import Segment

TRANSCRIPT_NAMES = (
    "segment_count", "is_timed", "segment_mean_sec", "speech_sec", "coverage_ratio",
    "words_per_minute", "words_per_video_minute", "first_segment_sec", "words_first_10_sec",
    "pause_count", "pause_mean_sec", "pause_max_sec",
)  # fmt: skip

MIN_PAUSE_SEC = 1.0
"""A gap between segments counts as a pause from this length on."""

OPENING_SEC = 10.0
"""What is said in this first stretch decides whether people stay: it has a feature of its own."""

_SECONDS_PER_MINUTE = 60.0


def measure_transcript(
    segments: Sequence[Segment], words: int, duration_sec: float | None
) -> dict[str, float]:
    """Return the features by `TRANSCRIPT_NAMES`; those of time are NaN without times.

    A segment's words are taken as spread evenly over its time. Segments without a word do not
    count as speech.

    Args:
        segments: In time order.
        words: Words in all of them.
        duration_sec: Duration of the video, None when the container does not say.
    """
    features = dict.fromkeys(TRANSCRIPT_NAMES, math.nan)
    timed = _find_timed(segments)
    is_timed = bool(timed)
    features["segment_count"] = float(len(segments))
    features["is_timed"] = float(is_timed)
    has_duration = duration_sec is not None and duration_sec > 0
    if has_duration and duration_sec is not None:
        features["words_per_video_minute"] = words / (duration_sec / _SECONDS_PER_MINUTE)
    if not is_timed:
        return features
    stretches = _merge(timed)
    speech_sec = sum(end - start for start, end in stretches)
    pauses = [
        after[0] - before[1]
        for before, after in pairwise(stretches)
        if after[0] - before[1] >= MIN_PAUSE_SEC
    ]
    features["segment_mean_sec"] = sum(end - start for start, end, _ in timed) / len(timed)
    features["speech_sec"] = speech_sec
    features["first_segment_sec"] = stretches[0][0]
    features["words_first_10_sec"] = sum(_count_opening(*entry) for entry in timed)
    features["pause_count"] = float(len(pauses))
    if speech_sec > 0:
        features["words_per_minute"] = words / (speech_sec / _SECONDS_PER_MINUTE)
    if pauses:
        features["pause_mean_sec"] = sum(pauses) / len(pauses)
        features["pause_max_sec"] = max(pauses)
    if has_duration and duration_sec is not None:
        inside = sum(max(0.0, min(end, duration_sec) - start) for start, end in stretches)
        features["coverage_ratio"] = min(inside / duration_sec, 1.0)
    return features


def _find_timed(segments: Sequence[Segment]) -> list[tuple[float, float, int]]:
    """Return (start, end, words) of each spoken segment; none when one of them has no times."""
    timed = []
    for segment in segments:
        if segment.start_sec is None or segment.end_sec is None:
            return []
        count = len(build_tokens(clean_text(segment.text)).words)
        if count:
            timed.append((segment.start_sec, segment.end_sec, count))
    return timed


def _merge(timed: Sequence[tuple[float, float, int]]) -> list[tuple[float, float]]:
    """Return the stretches of time with speech: overlapping segments become one."""
    merged: list[tuple[float, float]] = []
    for start, end, _ in sorted(timed):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _count_opening(start_sec: float, end_sec: float, words: int) -> float:
    if end_sec <= start_sec:
        return float(words if start_sec < OPENING_SEC else 0)
    inside = max(0.0, min(end_sec, OPENING_SEC) - start_sec)
    return words * inside / (end_sec - start_sec)
