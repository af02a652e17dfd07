"""A second FFmpeg, the program of the imageio-ffmpeg wheel, as referee for decoded pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np


def read_reference_frames(
    path: Path, size: tuple[int, int], pixel_format: str, scaling: str = "", count: int = 1000
) -> np.ndarray:
    """Return what FFmpeg's program makes of the first video stream, turned upright by it.

    Args:
        path: The source.
        size: (width, height) of the upright frames.
        pixel_format: `rgb24` gives uint8[frames, h, w, 3]; `yuv420p` gives the luma alone,
            uint8[frames, h, w].
        scaling: Arguments of its `scale` filter.
        count: At most so many frames, from the first one on.
    """
    filters = ["-vf", f"scale={scaling}"] if scaling else []
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-map", "0:V:0",
        "-fps_mode", "passthrough", "-frames:v", str(count), *filters, "-f", "rawvideo",
        "-pix_fmt", pixel_format, "-",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own arguments
    width, height = size
    values = np.frombuffer(done.stdout, np.uint8)
    if pixel_format == "rgb24":
        return values.reshape(-1, height, width, 3)
    chroma = -(-width // 2) * -(-height // 2) * 2
    return values.reshape(-1, height * width + chroma)[:, : height * width].reshape(
        -1, height, width
    )


def read_reference_times(path: Path) -> list[float]:
    """Return the presentation times of all frames in seconds, as FFmpeg's program shows them."""
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "info", "-nostats", "-i", str(path), "-map",
        "0:V:0", "-fps_mode", "passthrough", "-copyts", "-vf", "showinfo", "-f", "null", "-",
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, capture_output=True, check=True, text=True, errors="replace"
    )
    marks = [line.split("pts_time:")[1].split()[0] for line in done.stderr.splitlines()
             if "pts_time:" in line and "Parsed_showinfo" in line]  # fmt: skip
    return [float(mark) for mark in marks]
