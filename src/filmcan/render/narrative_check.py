"""Refuses a text that says more than its context: other numbers, or data that are missing (C10.2).

A number passes only if the context has it, sign included, and with the same unit where the text
names one the context knows. Names of the context (`core_clip`, a file's name) are no numbers.
Every missing component must be said to be missing, and a sentence about it must say just that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from filmcan.contract.issues import Issue

if TYPE_CHECKING:
    from filmcan.render.context import RenderContext

_NUMBER = re.compile(
    r"(?P<sign>(?<![\w.,])[-+\N{MINUS SIGN}])?"
    r"(?P<digits>\d+(?:[ \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}]\d{3}(?!\d))*)"
    r"(?:[.,](?P<fraction>\d+))?(?P<exponent>[eE][-+]?\d+)?"
)
_SPACES = re.compile(r"\s+")
_SENTENCE = re.compile(r"(?<=[.!?;\n])\s+|\n")
_WORD = re.compile(r"[^\W\d_]+")

_UNAVAILABLE = (
    "unavailable", "not available", "missing", "no data", "not measured", "unknown", "could not",
    "недоступн", "отсутств", "нет данных", "не измер", "неизвестн", "не удалось",
)  # fmt: skip

_TOPICS: Mapping[str, tuple[str, ...]] = {
    "loudness_extractor": ("loud", "lufs", "quiet", "громк", "тихи"),
    "tempo_extractor": ("tempo", "bpm", "beat", "rhythm", "темп", "ритм", "удар"),
    "clap_extractor": ("sounds like", "clap"),
    "text_processor": ("title", "description", "comment", "transcript", "заголов", "коммент"),
    "core_clip": ("clip embedding", "prompt", "coheren"),
    "core_depth_midas": ("depth", "foreground", "глубин", "передн"),
    "core_object_detections": ("object", "person", "people", "объект", "предмет", "люд"),
    "core_optical_flow": ("motion", "camera", "movement", "движени", "камер"),
    "core_face_landmarks": ("face", "лиц"),
}
"""How people speak of what a component measures; others are known by their name alone."""

_NUMBER_WORDS: Mapping[str, int] = {
    **{word: value for value, words in enumerate((
        "zero ноль нуль", "", "two два две двое", "three три трое", "four четыре четверо",
        "five пять", "six шесть", "seven семь", "eight восемь", "nine девять", "ten десять",
        "eleven одиннадцать", "twelve двенадцать", "thirteen тринадцать", "fourteen четырнадцать",
        "fifteen пятнадцать", "sixteen шестнадцать", "seventeen семнадцать",
        "eighteen восемнадцать", "nineteen девятнадцать", "twenty двадцать",
    )) for word in words.split()},
    "thirty": 30, "тридцать": 30, "forty": 40, "сорок": 40, "fifty": 50, "пятьдесят": 50,
    "sixty": 60, "шестьдесят": 60, "seventy": 70, "семьдесят": 70, "eighty": 80,
    "восемьдесят": 80, "ninety": 90, "девяносто": 90, "hundred": 100, "сто": 100,
    "thousand": 1000, "тысяча": 1000, "million": 1_000_000, "миллион": 1_000_000,
    "dozen": 12, "дюжина": 12, "twice": 2, "дважды": 2, "half": 0, "половина": 0,
}  # fmt: skip
"""Words that are numbers. `one` and its kin are not: they are articles and pronouns as well."""


def check_narrative(text: str, context: RenderContext) -> tuple[Issue, ...]:
    """Return everything a text says that its context does not; nothing when it may be shown."""
    return (*_check_numbers(text, context), *_check_missing(text, context))


def _check_numbers(text: str, context: RenderContext) -> Iterator[Issue]:
    known = list(_list_numbers(context))
    values = {value for value, _ in known}
    units = sorted({unit for _, unit in known if unit}, key=len, reverse=True)
    rest = _blank_names(text, context)
    for match in _NUMBER.finditer(rest):
        value = _parse(match)
        told = match.group().strip()
        if value not in values:
            yield Issue("error", "number_not_in_context", told, "the context has no such number")
            continue
        unit = _find_unit(rest[match.end() :], units)
        if unit is not None and (value, unit) not in known:
            message = f"the context has {told}, but not in {unit}"
            yield Issue("error", "unit_not_in_context", told, message)
    for match in _WORD.finditer(rest):
        number = _NUMBER_WORDS.get(match.group().lower())
        if number is not None and Decimal(number) not in values:
            message = "the context has no such number"
            yield Issue("error", "number_not_in_context", match.group(), message)


def _check_missing(text: str, context: RenderContext) -> Iterator[Issue]:
    sentences = [item.strip().lower() for item in _SENTENCE.split(text) if item.strip()]
    for component in dict.fromkeys(item.component for item in context.missing if not item.name):
        words = (component.lower(), *_TOPICS.get(component, ()))
        about = [item for item in sentences if any(word in item for word in words)]
        if not any(_says_unavailable(item) for item in about):
            message = "it is missing, and the text does not say so"
            yield Issue("error", "missing_not_said", component, message)
        for item in about:
            if not _says_unavailable(item) and not _is_about_another(item, context):
                yield Issue("error", "missing_claimed", component, f"it is missing: {item[:120]}")
    for missing in context.missing:
        if missing.name:
            name = missing.name.lower()
            for item in sentences:
                if _holds_name(item, name) and not _says_unavailable(item):
                    yield Issue("error", "missing_claimed", name, f"it is missing: {item[:120]}")


def _says_unavailable(sentence: str) -> bool:
    return any(word in sentence for word in _UNAVAILABLE)


def _holds_name(sentence: str, name: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", sentence) is not None


def _is_about_another(sentence: str, context: RenderContext) -> bool:
    """Tell whether a sentence names something that was measured: its words may overlap."""
    names = {item.name for item in context.quantities} | {item.name for item in context.peaks}
    names |= {item.component for item in context.quantities}
    return any(_holds_name(sentence, name.lower()) for name in names)


def _list_numbers(context: RenderContext) -> Iterator[tuple[Decimal, str]]:
    if context.duration_sec is not None:
        yield Decimal(str(context.duration_sec)).normalize(), "s"
    for item in context.quantities:
        yield Decimal(str(item.value)).normalize(), item.unit
    for peak in context.peaks:
        yield Decimal(str(peak.value)).normalize(), peak.unit
        yield Decimal(str(peak.at_sec)).normalize(), "s"


def _blank_names(text: str, context: RenderContext) -> str:
    names = {context.title, *(item.component for item in context.missing)}
    names |= {item.name for item in context.quantities} | {item.name for item in context.peaks}
    names |= {item.name for item in context.missing}
    names |= {item.component for item in context.quantities}
    names |= {item.unit for item in context.quantities if re.search(r"\d", item.unit)}
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(rf"(?<![\w]){re.escape(name)}(?![\w])", " name ", text)
    return text


def _parse(match: re.Match[str]) -> Decimal:
    sign = "-" if match["sign"] in ("-", "\N{MINUS SIGN}") else ""
    digits = _SPACES.sub("", match["digits"])
    fraction = f".{match['fraction']}" if match["fraction"] else ""
    return Decimal(f"{sign}{digits}{fraction}{match['exponent'] or ''}").normalize()


def _find_unit(rest: str, units: list[str]) -> str | None:
    told = rest.lstrip(" \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}")
    for unit in units:
        if told.startswith(unit) and not told[len(unit) : len(unit) + 1].isalnum():
            return unit
    return None
