"""A run in a few sentences, by a template, in English or Russian. No model, no network (C10.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from filmcan.render.context import Missing, RenderContext

Locale = Literal["en", "ru"]
LOCALES: tuple[Locale, ...] = ("en", "ru")
TEMPLATE_VERSION = "template_v1"

_WORDS: Mapping[Locale, Mapping[str, str]] = {
    "en": {
        "length": "{title} lasts {duration} s.",
        "no_length": "{title}: its length is not known.",
        "status": "Run status: {status}.",
        "peak": "{name} is greatest at {at} s: {value}.",
        "missing": "Data unavailable for {name}: {reason}.",
    },
    "ru": {
        "length": "{title}: длительность {duration} с.",
        "no_length": "{title}: длительность неизвестна.",
        "status": "Состояние прогона: {status}.",
        "peak": "Наибольшее значение {name} — на {at} с: {value}.",
        "missing": "Данные недоступны для {name}: {reason}.",
    },
}
_REASONS_RU: Mapping[str, str] = {
    "audio_missing_or_extract_failed": "в видео нет звука или его не удалось извлечь",
    "video_stream_missing": "в файле нет изображения",
    "no_faces_in_video": "в видео нет лиц",
    "no_text_available": "нет текста",
    "ocr_disabled_by_policy": "распознавание текста выключено в профиле",
    "comments_missing_or_disabled": "нет комментариев",
    "video_too_short": "видео слишком короткое",
    "video_too_long": "видео слишком длинное",
    "dependency_missing": "не хватает весов, пакета или другого компонента",
    "silence": "тишина",
    "too_short": "слишком коротко",
    "no_beat": "ритм не найден",
    "error": "ошибка",
    "not measurable on this input": "на этих данных не измеряется",
}


def tell_number(value: float) -> str:
    """Return a number as a text tells it: no exponent, no trailing zeros."""
    text = f"{value:.10f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def render_narrative(context: RenderContext, locale: Locale) -> str:
    """Return the context as a short text; every number of it comes from the context."""
    words = _WORDS[locale]
    lines = []
    if context.duration_sec is None:
        lines.append(words["no_length"].format(title=context.title))
    else:
        told = tell_number(context.duration_sec)
        lines.append(words["length"].format(title=context.title, duration=told))
    lines.append(words["status"].format(status=context.status))
    for component in dict.fromkeys(item.component for item in context.quantities):
        told = "; ".join(
            f"{item.name} {_tell(item.value, item.unit)}"
            for item in context.quantities
            if item.component == component
        )
        lines.append(f"{component}: {told}.")
    lines += [
        words["peak"].format(
            name=peak.name, at=tell_number(peak.at_sec), value=_tell(peak.value, peak.unit)
        )
        for peak in context.peaks
    ]
    groups: dict[tuple[str, str], list[str]] = {}
    for item in context.missing:
        names = groups.setdefault((item.component, _tell_reason(item, locale)), [])
        names += [item.name] if item.name else []
    for (component, reason), names in groups.items():
        name = f"{component} ({', '.join(names)})" if names else component
        lines.append(words["missing"].format(name=name, reason=reason))
    return "\n".join(lines) + "\n"


def _tell(value: float, unit: str) -> str:
    return f"{tell_number(value)} {unit}".rstrip()


def _tell_reason(item: Missing, locale: Locale) -> str:
    if locale == "ru":
        return _REASONS_RU.get(item.reason, item.reason)
    return item.reason.replace("_", " ")
