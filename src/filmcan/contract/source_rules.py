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
from filmcan.contract.pieces import iterate_pieces
from filmcan.contract.records import is_source_number

LEAST_TOLERANCE_SEC = 1.0
RELATIVE_TOLERANCE = 0.01

_TIME_AXIS = re.compile(r"(?:^|_)(?:times|start|end)_sec$")
_FRAMES = "frame_indices"
_FRAME_AXIS = re.compile(rf"(?:^|_){_FRAMES}$")
_VISUAL_KINDS = frozenset({"core", "module"})


def validate_samples(
    arrays: Mapping[str, np.ndarray], source: Mapping[str, object], *, kind: str
) -> list[Issue]:
    """Check that an artifact's frames and times exist in the source.

    Time zero is the first decoded frame. With L the source's length (`find_length_sec`) and a
    tolerance of 1 s or 1 % of L, whichever is more, because containers round and misstate:
    times of visual components lie in [0, L]; times of audio components in [-L, L], because the
    sound may begin before the first frame, but by no more than the whole source. Times of text
    come from documents and subtitles, which may be longer than the video, and are not judged; but
    `<stem>_frame_indices` says that all times of that stem are of frames, as those of `ocr` are.

    Args:
        arrays: Key -> array of the artifact.
        source: The manifest's `run.source`.
        kind: The component's kind.
    """
    issues: list[Issue] = []
    stems = [name.removesuffix(_FRAMES) for name in arrays if _FRAME_AXIS.search(name)]
    for stem in stems:
        issues += _check_frames(stem, arrays, source)
    length_sec = find_length_sec(source)
    if length_sec is None:
        return issues
    tolerance = max(LEAST_TOLERANCE_SEC, RELATIVE_TOLERANCE * length_sec)
    for name, array in arrays.items():
        if not _TIME_AXIS.search(name) or array.dtype.kind != "f" or array.ndim != 1:
            continue
        is_visual = kind in _VISUAL_KINDS or any(stem and name.startswith(stem) for stem in stems)
        if is_visual or kind == "audio":
            low = -tolerance if is_visual else -length_sec - tolerance
            issues += _check_times(name, array, low, length_sec, length_sec + tolerance)
    return issues


def _check_times(
    name: str, array: np.ndarray, low: float, length_sec: float, high: float
) -> list[Issue]:
    count, first = 0, None
    for _, (times,) in iterate_pieces(array):
        outside = times[np.isfinite(times) & ((times < low) | (times > high))]
        if outside.size:
            first = outside[0] if first is None else first
            count += outside.size
    if not count:
        return []
    message = (
        f"{count} times lie outside the source, which has {length_sec:g} s: the first is {first:g}"
    )
    return [Issue("error", "outside_source", name, message)]


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


def _check_frames(
    stem: str, arrays: Mapping[str, np.ndarray], source: Mapping[str, object]
) -> list[Issue]:
    """Compare frame numbers with how many frames the source has, failed and skipped ones included.

    A run that passes over what nobody wants says `frame_count`; without it every frame was tried.
    """
    decoded, failed = _number(source, "decoded_frames"), _number(source, "failed_frames")
    indices = arrays[f"{stem}{_FRAMES}"]
    if indices.dtype.kind not in "iu" or not indices.size or decoded is None or failed is None:
        return []
    issues = []
    count = max(decoded + failed, _number(source, "frame_count") or 0)
    greatest = indices.max()
    if greatest >= count:
        message = f"frame {greatest} of a source with {count:g} frames"
        issues.append(Issue("error", "outside_source", f"{stem}{_FRAMES}", message))
    name = f"{stem}frame_present"
    present = arrays.get(name)
    if present is not None and present.dtype == np.bool_:
        seen = int(np.count_nonzero(present))
        if seen > decoded:
            message = f"{seen} frames are there, but only {decoded:g} decoded"
            issues.append(Issue("error", "outside_source", name, message))
    return issues


def _number(fields: Mapping[str, object], name: str) -> float | None:
    """Return a field that is a number as `is_source_number` has it, else None."""
    value = fields.get(name)
    return cast("float", value) if is_source_number(value) else None
