"""What a run says of itself: where the numbers came from, on what, with how much memory."""

from __future__ import annotations

import contextlib
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filmcan.media.decode import MediaSummary
    from filmcan.media.probe import Probe

_LIBRARIES = ("numpy", "av", "opencv-python-headless")


def find_version() -> str:
    """Return the version of filmcan, `unknown` when it runs uninstalled (C4.1)."""
    try:
        return metadata.version("filmcan")
    except metadata.PackageNotFoundError:
        return "unknown"


def read_runtime_env() -> dict[str, object]:
    """Return the versions that decide the last bits of a number."""
    found: dict[str, object] = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def build_source_record(probe: Probe) -> dict[str, object]:
    """Return the manifest's `source`: the file by name and digest, and its streams.

    No folder and no metadata text. The counts are null until something was decoded.
    """
    return {
        "name": probe.name,
        "size_bytes": probe.size_bytes,
        "sha256": probe.sha256,
        "container": probe.container,
        "duration_sec": probe.duration_sec,
        "is_still_picture": probe.is_still_picture,
        "video_stream": asdict(probe.video) if probe.video is not None else None,
        "audio_stream": asdict(probe.audio) if probe.audio is not None else None,
        "subtitle_streams": [asdict(stream) for stream in probe.subtitles],
        "decoded_frames": None,
        "failed_frames": None,
        "frame_count": None,
        "decoded_samples": None,
        "notes": [],
    }


def build_counts(summary: MediaSummary | None) -> Mapping[str, object]:
    """Return the part of `source` that decoding tells; nothing when nothing was decoded."""
    if summary is None:
        return {}
    return {
        "decoded_frames": summary.decoded_frames,
        "failed_frames": summary.failed_frames,
        "frame_count": summary.frame_count,
        "decoded_samples": summary.decoded_samples,
        "notes": list(summary.notes),
    }


def find_peak_rss_bytes() -> int | None:
    """Return the greatest resident memory of this process so far, None where it is not known.

    On Linux from VmHWM: what getrusage reports includes a parent's memory at the fork.
    """
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource  # noqa: PLC0415 - absent on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
