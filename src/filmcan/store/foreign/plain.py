"""Values of another system as JSON that may be kept: no folders, no URL queries, no secrets.

Threats B7: where a source lay, and what was in the URL it came from, never enters a store.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import numpy as np

from filmcan.contract.times import format_time

_FOLDER = re.compile(r"(?<![\w.:/\\~-])(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\'\"<>|:;,()\[\]{}]+)+[/\\]")
_URL_SECRET = re.compile(
    r"(\b[a-z][a-z0-9+.-]*://)(?:[^\s/@'\"]*@)?([^\s?#'\"]*)(?:[?#][^\s'\"]*)?"
)
_WHOLE_PATH = re.compile(r"(?:file://)?(?:~|/?[A-Za-z]:)?[/\\][^\n]*")
_FILE_URL = re.compile(r"\bfile://")
_MAX_VALUES = 1_000


def build_plain(value: object) -> object:
    """Return a decoded value as JSON.

    Numpy values become plain ones, tuples lists, NaN and infinities null; what has no form in
    JSON becomes a text that names its type. Texts lose folders and URL queries.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        if value.size > _MAX_VALUES:
            return f"<array {value.dtype.name} {value.shape}>"
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): build_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [build_plain(item) for item in value]
    if isinstance(value, str):
        return strip_places(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return f"<{type(value).__name__}>"


def strip_places(text: str) -> str:
    """Return a text in which absolute paths are cut to their last part, URLs to what is public."""
    if _WHOLE_PATH.fullmatch(text):
        return re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    return _FOLDER.sub("", _URL_SECRET.sub(r"\1\2", _FILE_URL.sub("", text)))


def read_time(value: object) -> tuple[str | None, bool]:
    """Return a time as the contract writes it, and whether it named no zone and was taken as UTC.

    None where the value is no time; nothing stands in for it.
    """
    if not isinstance(value, str):
        return None, False
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return format_time(moment.replace(tzinfo=UTC)), True
        return format_time(moment), False
    except (ValueError, OverflowError):
        return None, False
