"""The tags an uploader chose: how many, how long, how alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from filmcan.components.text.text_processor.tokens import (
    build_tokens,
    clean_text,
    count_graphemes,
    fold_word,
)

TAG_NAMES = (
    "count", "unique_ratio", "mean_chars", "max_chars", "mean_words", "char_count",
    "emoji_count", "cyrillic_ratio", "latin_ratio", "language_confidence",
)  # fmt: skip
"""The last five are those of `measures` over all tags together."""


def measure_tags(tags: Sequence[str]) -> dict[str, float]:
    """Return the features of the tags one by one; an empty list has a count of 0 and no ratios."""
    cleaned = [clean_text(tag) for tag in tags]
    total = len(cleaned)
    chars = [count_graphemes(tag) for tag in cleaned]
    words = [len(build_tokens(tag).words) for tag in cleaned]
    distinct = {fold_word(tag.removeprefix("#")) for tag in cleaned}
    return {
        "count": float(total),
        "unique_ratio": len(distinct) / total if total else math.nan,
        "mean_chars": sum(chars) / total if total else math.nan,
        "max_chars": float(max(chars)) if total else math.nan,
        "mean_words": sum(words) / total if total else math.nan,
        "char_count": float(sum(chars)),
    }
