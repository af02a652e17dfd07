"""Spellings of one unit, so that tidying a schema's words is not taken for a change of numbers.

Only spellings that nobody can read differently; anything else counts as another unit. Case
matters: mW is no MW.
"""

from __future__ import annotations

_SPELLINGS: tuple[tuple[str, ...], ...] = (
    ("s", "sec", "second", "seconds"),
    ("ms", "millisecond", "milliseconds"),
    ("Hz", "hertz"),
    ("1/s", "per second", "/s"),
    ("pixel", "pixels", "px"),
    ("frame", "frames"),
    ("sample", "samples"),
    ("byte", "bytes", "B"),
    ("character", "characters"),
    ("word", "words"),
    ("beats per minute", "beats/min", "bpm", "BPM"),
    ("words/min", "words per minute"),
    ("degree", "degrees", "deg"),
    ("rad", "radian", "radians"),
    ("%", "percent", "per cent"),
    ("dB", "decibel", "decibels"),
)
_CANONICAL = {spelling: row[0] for row in _SPELLINGS for spelling in row}


def is_same_unit(first: str, second: str) -> bool:
    """Tell whether two texts name one unit; spaces around and between words do not matter."""
    return _find_canonical(first) == _find_canonical(second)


def _find_canonical(unit: str) -> str:
    text = " ".join(unit.split())
    return _CANONICAL.get(text, text)
