"""Ids of platform, video, run and component: one safe path segment each (C2.1).

A refused id is an error that names the rule; no id is ever sanitised into another, so two ids
can never become one folder, also not on a disk that ignores case: see `fold_id`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

from filmcan.errors import InvalidIdError

IdKind = Literal["platform_id", "video_id", "run_id", "component"]

MAX_ID_CHARS = 128
RUN_SUFFIX_CHARS = 8
RUN_SUFFIX_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

_ALLOWED = re.compile(r"[A-Za-z0-9._-]+")
SURELY_GOOD = re.compile(
    r"(?!(?i:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|\Z)|(?i:manifest\.json\Z))"
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?"
)
"""Nearly all ids, told in one look; the rules below judge the rest and name what is wrong."""
_WINDOWS_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{device}{digit}" for device in ("com", "lpt") for digit in "0123456789"}
)
_RESERVED = frozenset({"manifest.json"})


def find_id_fault(kind: IdKind, value: object) -> str | None:
    """Return the rule that an id breaks, or None when it is a good one.

    `video_id` alone may start with `_` (real ids do), but not with `_tmp_`.
    """
    if type(value) is str and SURELY_GOOD.fullmatch(value):
        return None
    return _find_broken_rule(kind, value)


def _find_broken_rule(kind: IdKind, value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be a string, got {type(value).__name__}"
    if not 1 <= len(value) <= MAX_ID_CHARS:
        return f"must have 1 to {MAX_ID_CHARS} characters, got {len(value)}"
    if not _ALLOWED.fullmatch(value):
        return "may hold only the characters A-Z a-z 0-9 . _ -"
    if value.startswith("."):
        return "must not start with a dot"
    if value.endswith("."):
        return "must not end with a dot"
    if value.startswith("_tmp_"):
        return "must not start with _tmp_, which marks unfinished files"
    if value.startswith("_") and kind != "video_id":
        return "must not start with _"
    folded = value.lower()
    if folded.split(".")[0] in _WINDOWS_DEVICES:
        return f"must not be the device name {value.split('.')[0]}"
    if folded in _RESERVED:
        return f"must not be {value}"
    return None


def parse_id(kind: IdKind, value: object) -> str:
    """Return a good id unchanged.

    Raises:
        InvalidIdError: It breaks C2.1; the message names the id and the rule.
    """
    fault = find_id_fault(kind, value)
    if fault is not None:
        shown = value if isinstance(value, str) and len(value) <= MAX_ID_CHARS else "it"
        raise InvalidIdError(
            f"{kind} {shown!r} {fault}",
            where=kind,
            hint="Choose another id; ids are never changed for you.",
        )
    return str(value)


def fold_id(value: str) -> str:
    """Return the form under which two ids would share a folder on a disk that ignores case."""
    return value.casefold()


def build_run_id(started_at: datetime, suffix: str) -> str:
    """Return a run id that sorts by start: `YYYYMMDDTHHMMSSZ-` and 8 random characters.

    Args:
        started_at: An aware time.
        suffix: Eight characters of `RUN_SUFFIX_ALPHABET`, chosen at random by the caller.
    """
    return parse_id("run_id", f"{started_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{suffix}")
