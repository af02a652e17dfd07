"""Hold an artifact's samples to the source they were taken from (C6, C8).

Called for artifacts that lie in a run, with the `source` of the run's manifest. What the manifest
does not know is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

import numpy as np

from filmcan.contract.issues import Issue
from filmcan.contract.records import is_source_number

LEAST_TOLERANCE_SEC = 1.0
RELATIVE_TOLERANCE = 0.01

_TIME_AXIS = re.compile(r"(?:^|_)(?:times|start|end)_sec$")
_VISUAL_KINDS = frozenset({"core", "module"})
_TIMED_KINDS = frozenset({*_VISUAL_KINDS, "audio"})


def validate_samples(
    arrays: Mapping[str, np.ndarray], source: Mapping[str, object], *, kind: str
) -> list[Issue]:
    """Check that an artifact's frames and times exist in the source.

    Time zero is the first decoded frame. With L the source's length (`find_length_sec`) and a
    tolerance of 1 s or 1 % of L, whichever is more, because containers round and misstate:
    times of visual components lie in [0, L]; times of audio components in [-L, L], because the
    sound may begin before the first frame, but by no more than the whole source. Times of text
    come from documents and subtitles, which may be longer than the video, and are not judged.

    Args:
        arrays: Key -> array of the artifact.
        source: The manifest's `run.source`.
        kind: The component's kind.
    """
    issues = _check_frames(arrays, source)
    length_sec = find_length_sec(source)
    if length_sec is None or kind not in _TIMED_KINDS:
        return issues
    tolerance = max(LEAST_TOLERANCE_SEC, RELATIVE_TOLERANCE * length_sec)
    low = -tolerance if kind in _VISUAL_KINDS else -length_sec - tolerance
    for name, array in arrays.items():
        if _TIME_AXIS.search(name) and array.dtype.kind == "f" and array.ndim == 1:
            times = array[np.isfinite(array)]
            outside = times[(times < low) | (times > length_sec + tolerance)]
            if outside.size:
                message = (
                    f"{outside.size} times lie outside the source, which has {length_sec:g} s: "
                    f"the first is {outside[0]:g}"
                )
                issues.append(Issue("error", "outside_source", name, message))
    return issues


def find_length_sec(source: Mapping[str, object]) -> float | None:
    """Return how long the source is, None where its duration is not recorded.

    It is what the container declares, or what was decoded of it when that is more: a wrong header
    must not make right times wrong.
    """
    declared = _number(source, "duration_sec")
    if declared is None:
        return None
    decoded = (
        ("decoded_frames", "video_stream", "average_rate_hz"),
        ("frame_count", "video_stream", "average_rate_hz"),
        ("decoded_samples", "audio_stream", "rate_hz"),
    )
    lengths = [declared]
    for count_name, stream_name, rate_name in decoded:
        stream = source.get(stream_name)
        count = _number(source, count_name)
        rate = _number(stream, rate_name) if isinstance(stream, Mapping) else None
        if count is not None and rate:
            lengths.append(count / rate)
    return max(lengths)


def _check_frames(arrays: Mapping[str, np.ndarray], source: Mapping[str, object]) -> list[Issue]:
    """Compare frame numbers with how many frames the source has, failed and skipped ones included.

    A run that passes over what nobody wants says `frame_count`; without it every frame was tried.
    """
    decoded, failed = _number(source, "decoded_frames"), _number(source, "failed_frames")
    indices = arrays.get("frame_indices")
    if indices is None or indices.dtype.kind not in "iu" or not indices.size:
        return []
    if decoded is None or failed is None:
        return []
    issues = []
    count = max(decoded + failed, _number(source, "frame_count") or 0)
    if indices.max() >= count:
        message = f"frame {indices.max()} of a source with {count:g} frames"
        issues.append(Issue("error", "outside_source", "frame_indices", message))
    present = arrays.get("frame_present")
    if present is not None and present.dtype == np.bool_ and present.sum() > decoded:
        message = f"{present.sum()} frames are there, but only {decoded:g} decoded"
        issues.append(Issue("error", "outside_source", "frame_present", message))
    return issues


def _number(fields: Mapping[str, object], name: str) -> float | None:
    """Return a field that is a number as `is_source_number` has it, else None."""
    value = fields.get(name)
    return cast("float", value) if is_source_number(value) else None
