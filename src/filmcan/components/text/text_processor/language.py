"""Which language a text is in, or honestly none.

The detector is py3langid (BSD-3-Clause, its model inside the wheel, no network), chosen on 250
short sentences: it starts in 0.8 s and takes 90 MB, where lingua, about as accurate, took 10 s
and 1.2 GB for all its languages. Its softmax is made useful for titles by two rules of ours,
measured in `tests/components/text/test_language.py`: only languages that matter on video
platforms compete, and the two that this project serves first weigh three times the others. Below
the confidence that the profile asks for, the answer is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

LANGUAGES = (
    "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu",
    "fa", "fi", "fr", "gu", "he", "hi", "hr", "hu", "hy", "id", "it", "ja", "ka", "kk", "kn",
    "ko", "ky", "lt", "lv", "mk", "ml", "mn", "mr", "ms", "nl", "no", "pa", "pl", "pt", "ro",
    "ru", "sk", "sl", "sq", "sr", "sv", "ta", "te", "tg", "th", "tr", "tt", "uk", "ur", "uz",
    "vi", "zh",
)  # fmt: skip
"""ISO 639-1 codes that can be answered."""

FAVOURED = ("en", "ru")
FAVOUR = 3.0
"""Prior odds of the favoured languages against any other."""

WINDOW_CHARS = 600
MAX_WINDOWS = 8
"""Longer texts are judged by this many windows, evenly spread: more changes nothing but time."""

_LETTERS = regex.compile(r"[\p{L}\p{M}]+(?:['’\-][\p{L}\p{M}]+)*+")


@dataclass(frozen=True, slots=True)
class Language:
    """The most likely language.

    Attributes:
        code: ISO 639-1, `""` when the text has no letters.
        confidence: Mean posterior over the windows, 0 to 1.
    """

    code: str
    confidence: float


UNKNOWN = Language("", 0.0)


def find_language(running: str) -> Language:
    """Return the most likely language of a text without links and mentions.

    In a text of several languages the confidence is about the share of the first one.
    """
    totals: dict[str, float] = {}
    weight = 0
    for window in _take_windows(running):
        letters = " ".join(_LETTERS.findall(window))
        if not letters:
            continue
        weight += len(letters)
        for code, probability in _rank(letters).items():
            totals[code] = totals.get(code, 0.0) + probability * len(letters)
    if not weight:
        return UNKNOWN
    code = min(totals, key=lambda code: (-totals[code], code))
    return Language(code, min(totals[code] / weight, 1.0))


def get_detector_version() -> str:
    """Return the detector's name and version, for the trace."""
    import py3langid

    return f"py3langid {py3langid.__version__}"


def _take_windows(text: str) -> list[str]:
    if len(text) <= WINDOW_CHARS * MAX_WINDOWS:
        return [text[at : at + WINDOW_CHARS] for at in range(0, len(text), WINDOW_CHARS)]
    step = (len(text) - WINDOW_CHARS) / (MAX_WINDOWS - 1)
    starts = (round(place * step) for place in range(MAX_WINDOWS))
    return [text[at : at + WINDOW_CHARS] for at in starts]


def _rank(letters: str) -> dict[str, float]:
    odds = {
        code: probability * (FAVOUR if code in FAVOURED else 1.0)
        for code, probability in _get_detector().rank(letters)
    }
    total = sum(odds.values())
    return {code: value / total for code, value in odds.items()}


@cache
def _get_detector() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    detector = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    detector.set_languages(list(LANGUAGES))
    return detector
