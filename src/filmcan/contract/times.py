"""Times as the contract writes them: UTC, RFC 3339, milliseconds, `Z` (C3.6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")


def format_time(moment: datetime) -> str:
    """Return an aware time as text, cut to milliseconds.

    Raises:
        ValueError: The time has no zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone cannot be written")
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def find_time_fault(text: str) -> str | None:
    """Return what is wrong with a time's text, or None."""
    if not _FORM.fullmatch(text):
        return f"expected a UTC time such as 2026-01-31T12:00:00.000Z, got {text[:40]!r}"
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        return f"{text!r} is no time: {error}"
    return None
