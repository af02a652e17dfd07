"""The FFmpeg inside the PyAV wheel: which one it is, and how quiet it must be."""

from __future__ import annotations

import av


def describe_ffmpeg() -> str:
    """Return the versions of FFmpeg's libraries in one line, for example `libavcodec 62.11.100`."""
    versions = {name: ".".join(map(str, parts)) for name, parts in av.library_versions.items()}
    return ", ".join(f"{name} {versions[name]}" for name in sorted(versions))
