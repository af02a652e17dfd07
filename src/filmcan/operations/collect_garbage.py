"""Remove garbage and runs that need not be kept. The verb behind `filmcan gc`."""

from __future__ import annotations

import re
from collections.abc import Callable

from filmcan.errors import BadProfileError
from filmcan.store.store import open_store
from filmcan.store.sweep import Removal, Sweep, SweepRules, sweep_store

__all__ = ["Removal", "Sweep", "collect_garbage", "parse_duration"]

DEFAULT_GRACE = "24h"

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhdw])")
_UNIT_SEC = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def collect_garbage(
    url: str,
    *,
    dry_run: bool = False,
    keep_last: int | None = None,
    max_age: str | None = None,
    grace: str = DEFAULT_GRACE,
    on_progress: Callable[[float, str], None] | None = None,
) -> Sweep:
    """Sweep a store; with `dry_run` only say what would go.

    Args:
        url: Path or URL of the store.
        dry_run: Remove nothing.
        keep_last: Finished runs to keep for each video, at least 1; None keeps all.
        max_age: Runs unchanged for longer go, but for a video's latest finished one.
        grace: Nothing that changed more recently goes.
        on_progress: Told the share of videos done and the present one.

    Raises:
        BadProfileError: A duration or `keep_last` makes no sense.
        InvalidContentError: A manifest or tombstone cannot be read, so nothing was removed.
        StoreUnavailableError: There is no such store, its root has no format marker, a listing
            cannot be believed, or it refused.
    """
    if keep_last is not None and keep_last < 1:
        raise BadProfileError(
            f"keep_last must be at least 1, got {keep_last}",
            hint="The latest finished run of a video is always kept; delete removes it.",
        )
    rules = SweepRules(
        keep_last=keep_last,
        max_age_sec=None if max_age is None else parse_duration(max_age),
        grace_sec=parse_duration(grace),
    )
    backend = open_store(url, must_exist=True).backend
    if on_progress is None:
        return sweep_store(backend, rules, dry_run=dry_run)
    return sweep_store(backend, rules, dry_run=dry_run, on_progress=on_progress)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as `90s`, `15m`, `24h`, `30d` or `2w`.

    Raises:
        BadProfileError: It is none.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise BadProfileError(
            f"{text[:40]!r} is no duration", hint="Write for example 90s, 15m, 24h, 30d or 2w."
        )
    return float(match.group(1)) * _UNIT_SEC[match.group(2)]
