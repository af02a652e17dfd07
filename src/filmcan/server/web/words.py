"""Codes in words that people read, and numbers as they read them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

_REASONS: Mapping[str, str] = {
    "audio_missing_or_extract_failed": "The video has no sound, or none of it could be decoded.",
    "video_stream_missing": "The file has no picture, only sound.",
    "no_faces_in_video": "No face was found in any sampled frame.",
    "no_text_available": "There was no title, description, transcript or other text.",
    "ocr_disabled_by_policy": "Text in the picture was not looked for: the profile says so.",
    "comments_missing_or_disabled": "There were no comments.",
    "video_too_short": "The video is too short to measure this.",
    "video_too_long": "The video is longer than the profile allows; nothing was decoded.",
    "dependency_missing": "Weights, a package or another component's result were missing.",
    "silence": "There was only silence.",
    "too_short": "It is too short to measure this.",
    "below_absolute_gate": "It is quieter than -70 LUFS throughout.",
    "no_beat": "No beat was found.",
}
_STATUS: Mapping[str, str] = {
    "ok": "ok",
    "empty": "empty",
    "error": "error",
    "unfinished": "unfinished",
}
_KIB = 1024.0


def tell_reason(reason: str | None) -> str:
    """Return a reason as a sentence, the code itself where it is not known."""
    if not reason:
        return ""
    return _REASONS.get(reason, reason.replace("_", " "))


def tell_status(status: str | None) -> str:
    """Return a status; a run that has none is unfinished."""
    return _STATUS.get(status or "unfinished", "unfinished")


def tell_bytes(size: float | None) -> str:
    """Return a size with three digits at most."""
    if size is None:
        return ""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _KIB:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"  # noqa: PLR2004
        size /= _KIB
    return f"{size:.1f} TiB"


def tell_seconds(seconds: object) -> str:
    """Return a duration: 3.2 s, 4:07 or 1:02:30."""
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return ""
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def tell_number(value: object) -> str:
    """Return a number with up to five digits; what is no number as text."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "" if value is None else str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e9):  # noqa: PLR2004
        return f"{int(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.5g}"


def tell_time(time: str | None) -> str:
    """Return an RFC 3339 time without its milliseconds."""
    return "" if time is None else time[:19].replace("T", " ")


def tell_value(value: object) -> str:
    """Return a setting as one line of JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def tell_json(value: object) -> str:
    """Return indented JSON to read."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


FILTERS = {
    "reason": tell_reason,
    "status": tell_status,
    "size": tell_bytes,
    "seconds": tell_seconds,
    "number": tell_number,
    "time": tell_time,
    "value": tell_value,
    "pretty": tell_json,
}
