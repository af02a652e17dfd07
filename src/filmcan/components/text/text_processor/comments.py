"""What viewers wrote, seen as many small texts: how many, how long, how liked, how alike."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from filmcan.components.text.text_processor.language import find_language
from filmcan.components.text.text_processor.measures import contains_question
from filmcan.components.text.text_processor.tokens import (
    build_tokens,
    clean_text,
    count_graphemes,
    cut_text,
    find_emoji,
)
from filmcan.media.document import Comment, parse_time

COMMENT_NAMES = (
    "count", "unique_ratio", "mean_chars", "median_chars", "p95_chars", "mean_words",
    "question_share", "exclamation_share", "emoji_share", "url_share", "timestamp_share",
    "mention_share", "likes_known_ratio", "likes_sum", "likes_mean", "likes_median", "likes_max",
    "language_known_share", "dominant_language_share", "language_count", "published_known_ratio",
    "span_days",
)  # fmt: skip

MAX_COMMENT_CHARS = 20_000
"""A single comment is measured up to this length; platforms allow 10 000."""

LANGUAGE_SAMPLE = 1000
"""Languages are looked for in at most this many comments, evenly spread over the list."""

_SECONDS_PER_DAY = 86_400.0


def measure_comments(
    comments: Sequence[Comment], min_confidence: float
) -> tuple[dict[str, float], Counter[str]]:
    """Return the aggregates by `COMMENT_NAMES`, and the languages of the sampled comments.

    An empty list is a measurement (nobody wrote): its count is 0, everything else NaN.
    """
    total = len(comments)
    chars = np.empty(total, dtype=np.float64)
    words = np.empty(total, dtype=np.float64)
    shares: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    distinct: set[str] = set()
    sample = _pick_sample(total)
    for place, comment in enumerate(comments):
        text = clean_text(cut_text(comment.text, MAX_COMMENT_CHARS))
        tokens = build_tokens(text)
        chars[place] = count_graphemes(text)
        words[place] = len(tokens.words)
        distinct.add(" ".join(text.casefold().split()))
        shares["question"] += contains_question(tokens.running)
        shares["exclamation"] += "!" in tokens.running
        shares["emoji"] += bool(find_emoji(text))
        for kind in ("url", "timestamp", "mention"):
            shares[kind] += tokens.marks[kind] > 0
        if place in sample:
            language = find_language(tokens.running)
            if language.confidence >= min_confidence:
                languages[language.code] += 1
    known = languages.total()
    features = {
        "count": float(total),
        "unique_ratio": _ratio(len(distinct), total),
        "mean_chars": float(chars.mean()) if total else math.nan,
        "median_chars": float(np.median(chars)) if total else math.nan,
        "p95_chars": float(np.percentile(chars, 95)) if total else math.nan,
        "mean_words": float(words.mean()) if total else math.nan,
        "question_share": _ratio(shares["question"], total),
        "exclamation_share": _ratio(shares["exclamation"], total),
        "emoji_share": _ratio(shares["emoji"], total),
        "url_share": _ratio(shares["url"], total),
        "timestamp_share": _ratio(shares["timestamp"], total),
        "mention_share": _ratio(shares["mention"], total),
        **_measure_likes([item.likes for item in comments if item.likes is not None], total),
        "language_known_share": _ratio(known, len(sample)),
        "dominant_language_share": _ratio(max(languages.values(), default=0), known),
        "language_count": float(len(languages)) if total else math.nan,
        **_measure_times(comments),
    }
    return {name: features[name] for name in COMMENT_NAMES}, languages


def _pick_sample(total: int) -> frozenset[int]:
    if total <= LANGUAGE_SAMPLE:
        return frozenset(range(total))
    return frozenset(place * total // LANGUAGE_SAMPLE for place in range(LANGUAGE_SAMPLE))


def _measure_likes(likes: Sequence[int], total: int) -> dict[str, float]:
    values = np.array(likes, dtype=np.float64)
    return {
        "likes_known_ratio": _ratio(len(likes), total),
        "likes_sum": float(values.sum()) if likes else math.nan,
        "likes_mean": float(values.mean()) if likes else math.nan,
        "likes_median": float(np.median(values)) if likes else math.nan,
        "likes_max": float(values.max()) if likes else math.nan,
    }


def _measure_times(comments: Sequence[Comment]) -> dict[str, float]:
    times = [
        time.timestamp()
        for time in (parse_time(item.published_at) for item in comments if item.published_at)
        if time is not None
    ]
    spread = (max(times) - min(times)) / _SECONDS_PER_DAY if len(times) > 1 else math.nan
    return {"published_known_ratio": _ratio(len(times), len(comments)), "span_days": spread}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
