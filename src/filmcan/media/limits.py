"""How much a source may ask of us before it is refused (threats B7).

Every refusal is a `BadMediaError` with the code `limit_exceeded` that names the value found, the
value allowed and the setting that allows it. Duration alone is no refusal: the pipeline records
such a video as `video_too_long`. Pure; knows no decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.errors import BadMediaError

if TYPE_CHECKING:
    from filmcan.media.probe import Probe

BYTES_PER_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """The profile's section `limits`.

    Attributes:
        max_duration_sec: Declared duration beyond which nothing is decoded.
        max_pixels: Width times height of a frame, declared or decoded.
        max_streams: Streams of any kind in the container.
        max_metadata_chars: Characters of all metadata of container, streams and chapters.
        max_frames_per_mib: Frames per MiB of source; a smaller source counts as one MiB.
    """

    max_duration_sec: float
    max_pixels: int
    max_streams: int
    max_metadata_chars: int
    max_frames_per_mib: int

    def max_frames(self, size_bytes: int) -> int:
        """Return how many frames a source of that size may hold."""
        return self.max_frames_per_mib * max(1, -(-size_bytes // BYTES_PER_MIB))


def exceeds_duration(probe: Probe, limits: Limits) -> bool:
    """Return True when a duration is declared and is longer than allowed."""
    return probe.duration_sec is not None and probe.duration_sec > limits.max_duration_sec


def check_pixels(width: int, height: int, limits: Limits, name: str) -> None:
    """Refuse a frame that is too large.

    Raises:
        BadMediaError: It has more than `max_pixels`.
    """
    if width * height > limits.max_pixels:
        raise _refuse(
            f"a frame of {width} x {height} has {width * height} pixels", "max_pixels",
            limits.max_pixels, name,
        )  # fmt: skip


def refuse_unknown_size(limits: Limits, name: str) -> BadMediaError:
    """Return the error for a stream whose frame size FFmpeg does not give.

    It was told the limit, and gives no size for a picture beyond it.
    """
    return _refuse(
        "the size of its frames cannot be read, or is too large", "max_pixels",
        limits.max_pixels, name,
    )  # fmt: skip


def check_streams(count: int, limits: Limits, name: str) -> None:
    """Refuse a container with too many streams.

    Raises:
        BadMediaError: There are more than `max_streams`.
    """
    if count > limits.max_streams:
        # The demuxer is told to stop at one more than allowed, so the true count is not known.
        raise _refuse(f"it holds {count} streams or more", "max_streams", limits.max_streams, name)


def check_metadata(chars: int, limits: Limits, name: str) -> None:
    """Refuse a container with too much metadata text.

    Raises:
        BadMediaError: It is longer than `max_metadata_chars`.
    """
    if chars > limits.max_metadata_chars:
        raise _refuse(
            f"its metadata has {chars} characters", "max_metadata_chars",
            limits.max_metadata_chars, name,
        )  # fmt: skip


def check_frame_count(count: int, size_bytes: int, limits: Limits, name: str) -> None:
    """Refuse a source that unpacks into too many frames for its size.

    Raises:
        BadMediaError: There are more than `max_frames_per_mib` per MiB.
    """
    if count > limits.max_frames(size_bytes):
        raise _refuse(
            f"{size_bytes} bytes hold {count} frames or more", "max_frames_per_mib",
            limits.max_frames_per_mib, name,
        )  # fmt: skip


def _refuse(found: str, setting: str, allowed: float, name: str) -> BadMediaError:
    return BadMediaError(
        f"{found}, limits.{setting} allows {allowed}",
        code="limit_exceeded",
        where=name,
        hint=f"Raise limits.{setting} in the profile if you trust this file.",
    )
