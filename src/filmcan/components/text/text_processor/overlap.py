"""How the texts of one video agree: does it speak of what its title promises?

Words are compared by their first letters, which lets the endings of Russian words differ and
costs nothing. Short words are left out: nearly all of them are grammar.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from filmcan.components.text.text_processor.language import Language
from filmcan.components.text.text_processor.tokens import Tokens, fold_word

OVERLAP_NAMES = (
    "title_description_overlap", "title_tags_overlap", "title_transcript_overlap",
    "title_comments_overlap", "description_transcript_overlap", "tags_title_share",
    "tags_description_share", "tags_transcript_share", "title_transcript_same_language",
    "title_comments_same_language", "text_source_count", "text_word_count", "text_language_count",
)  # fmt: skip

MIN_LETTERS = 4
STEM_LETTERS = 5
"""Source: F. Can et al., "Information retrieval on Turkish texts", JASIST 59 (2008): cutting
words to a fixed prefix (F5) does as well as a morphological stemmer in a language rich in
endings. Used here for Russian and English alike, to compare only."""


def find_stems(words: Iterable[str]) -> frozenset[str]:
    """Return the stems of the words that carry content; ideographs stand for themselves."""
    folded = (fold_word(word) for word in words)
    return frozenset(
        word[:STEM_LETTERS]
        for word in folded
        if len(word) >= MIN_LETTERS or (word and "\u3040" <= word[0] <= "\u9fff")
    )


def measure_overlap(
    tokens: Mapping[str, Tokens],
    tags: Iterable[frozenset[str]] | None,
    languages: Mapping[str, Language | None],
) -> dict[str, float]:
    """Return the features by `OVERLAP_NAMES`; NaN where one of the two texts is absent or mute.

    Args:
        tokens: Source -> its text, taken apart; only sources that are present.
        tags: The stems of each tag, None when there are no tags.
        languages: Source -> language, None where it is not known.
    """
    stems = {source: find_stems(found.forms) for source, found in tokens.items()}
    tag_stems = None if tags is None else [entry for entry in tags if entry]
    features = {
        f"{one}_{other}_overlap": _share_found(stems.get(one), stems.get(other))
        for one, other in (
            ("title", "description"), ("title", "tags"), ("title", "transcript"),
            ("title", "comments"), ("description", "transcript"),
        )
    }  # fmt: skip
    for other in ("title", "description", "transcript"):
        features[f"tags_{other}_share"] = _share_inside(tag_stems, stems.get(other))
    for other in ("transcript", "comments"):
        first, second = languages.get("title"), languages.get(other)
        known = first is not None and second is not None
        features[f"title_{other}_same_language"] = (
            float(first.code == second.code)
            if known and first is not None and second is not None
            else math.nan
        )
    features["text_source_count"] = float(len(tokens))
    features["text_word_count"] = float(sum(len(found.words) for found in tokens.values()))
    codes = {found.code for found in languages.values() if found is not None}
    features["text_language_count"] = float(len(codes))
    return {name: features[name] for name in OVERLAP_NAMES}


def _share_found(one: frozenset[str] | None, other: frozenset[str] | None) -> float:
    """Return the share of the first text's stems that the second has too."""
    return len(one & other) / len(one) if one and other else math.nan


def _share_inside(tags: list[frozenset[str]] | None, other: frozenset[str] | None) -> float:
    """Return the share of tags all of whose stems the text has."""
    if not tags or not other:
        return math.nan
    return sum(tag <= other for tag in tags) / len(tags)
