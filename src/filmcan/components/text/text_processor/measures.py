"""The features that every running text has: how long, how varied, how loud, how readable.

A feature that cannot be measured on a text (a ratio of nothing, a score of too few words) is
NaN; a count of nothing is 0. The order of the names is part of the schema.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import regex

from filmcan.components.text.text_processor.language import Language
from filmcan.components.text.text_processor.readability import (
    count_syllables,
    score_ease,
    score_grade,
)
from filmcan.components.text.text_processor.tokens import (
    Tokens,
    count_graphemes,
    count_numbers,
    count_sentences,
    find_emoji,
    fold_word,
)

BASIC_NAMES = (
    "char_count", "word_count", "sentence_count", "mean_word_letters", "type_token_ratio",
    "punctuation_ratio", "exclamation_count", "question_count", "uppercase_ratio",
    "all_caps_word_ratio", "emoji_count", "emoji_unique_count", "emoji_ratio", "url_count",
    "hashtag_count", "mention_count", "number_count", "cyrillic_ratio", "latin_ratio",
    "language_confidence",
)  # fmt: skip
FULL_NAMES = (
    *BASIC_NAMES, "line_count", "mean_sentence_words", "hapax_ratio", "mattr", "email_count",
    "timestamp_count", "reading_ease", "reading_grade",
)  # fmt: skip

MATTR_WINDOW = 50
"""Words per window of the moving-average type-token ratio."""

_PUNCTUATION = regex.compile(r"\p{P}+")
_BLANKS = regex.compile(r"\s+")
_LETTER_RUNS = regex.compile(r"\p{L}+")
_LETTERS_AND_DIGITS = regex.compile(r"[\p{L}\p{N}]+")
_CYRILLIC = regex.compile(r"\p{Cyrillic}+")
_LATIN = regex.compile(r"\p{Latin}+")
_UPPER = regex.compile(r"\p{Lu}+")
_LOWER = regex.compile(r"\p{Ll}+")
_EXCLAMATIONS = ("!", "\uff01", "\u203c")
_QUESTIONS = ("?", "\uff1f", "\u061f", "\u2047")
_BOTH = ("\u2048", "\u2049")


def measure_text(
    tokens: Tokens, language: Language | None, *, newline_ends: bool = True
) -> dict[str, float]:
    """Return the features of one text by the names of `FULL_NAMES`.

    Args:
        tokens: The text, taken apart.
        language: Its language, None when that is not known well enough.
        newline_ends: Whether a line's end is a sentence's end; False for subtitles.
    """
    running = tokens.running
    words = len(tokens.words)
    chars = count_graphemes(tokens.text)
    sentences = count_sentences(running, newline_ends=newline_ends)
    folded = _fold_forms(tokens.forms)
    emoji = Counter(find_emoji(tokens.text))
    letters = _count_letters(tokens.forms)
    ease, grade = _score_reading(tokens.forms, language, sentences)
    return {
        "char_count": float(chars),
        "word_count": float(words),
        "sentence_count": float(sentences),
        "mean_word_letters": _ratio(letters["all"], words),
        "type_token_ratio": _ratio(len(folded), words),
        "punctuation_ratio": _ratio(
            _total(_PUNCTUATION, running), len(running) - _total(_BLANKS, running)
        ),
        "exclamation_count": float(_count_marks(running, _EXCLAMATIONS)),
        "question_count": float(_count_marks(running, _QUESTIONS)),
        "uppercase_ratio": _ratio(letters["upper"], letters["upper"] + letters["lower"]),
        "all_caps_word_ratio": _ratio(letters["caps_words"], letters["cased_words"]),
        "emoji_count": float(emoji.total()),
        "emoji_unique_count": float(len(emoji)),
        "emoji_ratio": _ratio(emoji.total(), chars),
        "url_count": float(tokens.marks["url"]),
        "hashtag_count": float(tokens.marks["hashtag"]),
        "mention_count": float(tokens.marks["mention"]),
        "number_count": float(count_numbers(running)),
        "cyrillic_ratio": _ratio(letters["cyrillic"], letters["script"]),
        "latin_ratio": _ratio(letters["latin"], letters["script"]),
        "language_confidence": math.nan if language is None else language.confidence,
        "line_count": float(sum(1 for line in tokens.text.split("\n") if line.strip())),
        "mean_sentence_words": _ratio(words, sentences),
        "hapax_ratio": _ratio(sum(1 for count in folded.values() if count == 1), len(folded)),
        "mattr": measure_mattr(tokens.words),
        "email_count": float(tokens.marks["email"]),
        "timestamp_count": float(tokens.marks["timestamp"]),
        "reading_ease": ease,
        "reading_grade": grade,
    }


def measure_mattr(words: tuple[str, ...], window: int = MATTR_WINDOW) -> float:
    """Return the mean type-token ratio over all windows of consecutive words; NaN for fewer words.

    Unlike the plain ratio it does not fall with the length of the text.

    Source: M. A. Covington and J. D. McFall, "Cutting the Gordian knot: the moving-average
    type-token ratio", J. Quantitative Linguistics 17 (2010). Summed in one pass: a word is new in
    exactly those windows that start after the same word's last place.
    """
    total = len(words)
    if total < window:
        return math.nan
    folded: dict[str, str] = {}
    places: dict[str, int] = {}
    previous = np.empty(total, dtype=np.int64)
    for place, word in enumerate(words):
        form = folded.get(word)
        if form is None:
            form = folded[word] = fold_word(word)
        previous[place] = places.get(form, -1)
        places[form] = place
    here = np.arange(total)
    first = np.maximum(np.maximum(here - window + 1, previous + 1), 0)
    last = np.minimum(here, total - window)
    new = np.maximum(last - first + 1, 0).sum()
    return float(new / (window * (total - window + 1)))


def contains_question(text: str) -> bool:
    """Tell whether a text asks something."""
    return any(mark in text for mark in (*_QUESTIONS, *_BOTH))


def _fold_forms(forms: Counter[str]) -> Counter[str]:
    folded: Counter[str] = Counter()
    for word, count in forms.items():
        folded[fold_word(word)] += count
    return folded


def _count_letters(forms: Counter[str]) -> Counter[str]:
    """Count letters over all words, each distinct word looked at once."""
    counts: Counter[str] = Counter()
    for word, times in forms.items():
        upper, lower = _total(_UPPER, word), _total(_LOWER, word)
        counts["all"] += times * _total(_LETTERS_AND_DIGITS, word)
        counts["script"] += times * _total(_LETTER_RUNS, word)
        counts["upper"] += times * upper
        counts["lower"] += times * lower
        counts["cyrillic"] += times * _total(_CYRILLIC, word)
        counts["latin"] += times * _total(_LATIN, word)
        if upper + lower > 1:
            counts["cased_words"] += times
            counts["caps_words"] += times * (lower == 0)
    return counts


def _score_reading(
    forms: Counter[str], language: Language | None, sentences: int
) -> tuple[float, float]:
    if language is None:
        return math.nan, math.nan
    words = forms.total()
    syllables = sum(count_syllables(word) * times for word, times in forms.items())
    return (
        score_ease(language.code, words, sentences, syllables),
        score_grade(language.code, words, sentences, syllables),
    )


def _count_marks(text: str, marks: tuple[str, ...]) -> int:
    return sum(text.count(mark) for mark in (*marks, *_BOTH))


def _total(pattern: regex.Pattern[str], text: str) -> int:
    return sum(len(run) for run in pattern.findall(text))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
