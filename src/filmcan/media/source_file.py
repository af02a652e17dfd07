"""Open a source safely: one local regular file, and nothing it could point to (threats B7).

FFmpeg is never given a path. It is given a descriptor through its `fd` protocol, which is the
only protocol it may use, and only demuxers of the list below may read it: a playlist, a concat
script or an image sequence that calls itself `.mp4` has no means to open another file or address.
Still pictures come through the `*_pipe` demuxers, never through `image2`.

A source is what the user named, so a symbolic link is followed, once, as any program would; what
counts is the file behind it, checked on the open descriptor: it must be a regular file (a FIFO or
a device neither blocks nor is read) and the same file each time it is opened during a run.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError

from filmcan.errors import BadMediaError
from filmcan.files import tell_name
from filmcan.media.limits import Limits, check_metadata, check_streams

if TYPE_CHECKING:
    from av.container import InputContainer

_SOUND_AND_PICTURE = (
    "3gp", "apng", "asf", "avi", "dv", "flv", "gif", "gxf", "ivf", "m4v", "matroska", "mjpeg",
    "mov", "mp4", "mpeg", "mpegts", "mpegvideo", "mxf", "nut", "obu", "ogg", "webm", "wtv",
    "yuv4mpegpipe",
)  # fmt: skip
_ELEMENTARY_VIDEO = ("av1", "h263", "h264", "hevc", "vc1", "vvc")
_SOUND = (
    "aac", "ac3", "aiff", "amr", "ape", "au", "caf", "dts", "eac3", "flac", "mp3", "tta", "w64",
    "wav", "wv",
)  # fmt: skip
STILL_PICTURE_FORMATS = (
    "bmp_pipe", "jpeg_pipe", "jpegxl_pipe", "pam_pipe", "pbm_pipe", "pgm_pipe", "png_pipe",
    "ppm_pipe", "qoi_pipe", "tiff_pipe", "webp_pipe",
)  # fmt: skip
"""FFmpeg's demuxers of single pictures that filmcan opens."""

ALLOWED_FORMATS = (
    *_SOUND_AND_PICTURE, *_ELEMENTARY_VIDEO, *_SOUND, *STILL_PICTURE_FORMATS,
)  # fmt: skip
"""FFmpeg's demuxers that filmcan opens; none of them opens a second file."""

_READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_MEDIA_HINT = "Check that it is a complete video, sound or picture file."


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A source that was found to be a regular file.

    Attributes:
        name: Base name, the only part of the path that messages and records show.
        size_bytes: Its size.
        path: Where it lies; never written anywhere.
        identity: What tells this file from another one put in its place meanwhile.
    """

    name: str
    size_bytes: int
    path: Path = field(repr=False)
    identity: tuple[int, ...]
    """Device, inode, size, time of the last change in nanoseconds."""

    def sha256(self) -> str:
        """Return the digest of all bytes, lower-case hex.

        Raises:
            BadMediaError: The file cannot be read, or changed since it was found.
        """
        descriptor = self._open_descriptor()
        with os.fdopen(descriptor, "rb") as stream:
            try:
                return hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise _unreadable(self.name, error) from error

    @contextmanager
    def open_container(self, limits: Limits) -> Iterator[InputContainer]:
        """Open the container for demultiplexing, with a file position of its own.

        Nothing obtained from the container may be used after the block but decoded frames.

        Raises:
            BadMediaError: It is no media file, of a kind filmcan does not open, beyond a limit,
                or changed since it was found.
        """
        descriptor = self._open_descriptor()
        try:
            container = self._open_descriptor_as_container(descriptor, limits)
        finally:
            os.close(descriptor)  # FFmpeg has duplicated it
        with container:
            check_streams(len(container.streams), limits, self.name)
            check_metadata(_count_metadata_chars(container), limits, self.name)
            yield container

    def _open_descriptor(self) -> int:
        descriptor, status = _open_regular(self.path, self.name)
        if _identify(status) != self.identity:
            os.close(descriptor)
            raise BadMediaError(
                "the file changed while it was being read",
                code="source_changed",
                where=self.name,
                hint="Run again once nothing writes to it.",
            )
        return descriptor

    def _open_descriptor_as_container(self, descriptor: int, limits: Limits) -> InputContainer:
        options = {
            "fd": str(descriptor),
            "protocol_whitelist": "fd",
            "format_whitelist": ",".join(ALLOWED_FORMATS),
            "max_streams": str(limits.max_streams + 1),
            "max_pixels": str(limits.max_pixels),
        }
        try:
            return av.open("fd:", options=options, metadata_errors="replace")
        except (FFmpegError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise BadMediaError(
                f"it cannot be opened as media: {reason}",
                code="unreadable_container",
                where=self.name,
                hint=_MEDIA_HINT,
            ) from error


def find_source(path: Path) -> SourceFile:
    """Return a source after checking that it is a regular file with content.

    Raises:
        BadMediaError: It is missing, unreadable, empty or no regular file.
    """
    name = tell_name(path.name)
    descriptor, status = _open_regular(path, name)
    os.close(descriptor)
    if not status.st_size:
        raise BadMediaError("the file is empty", where=name, hint="Fetch it again.")
    return SourceFile(name, status.st_size, path, _identify(status))


def _open_regular(path: Path, name: str) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, _READ_FLAGS)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise BadMediaError(
            "it is no regular file", where=name, hint="Give a file, no folder, pipe or device."
        )
    return descriptor, status


def _identify(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _unreadable(name: str, error: OSError | ValueError) -> BadMediaError:
    reason = getattr(error, "strerror", None) or "the path is malformed"
    return BadMediaError(
        f"it cannot be read: {reason}", code="source_unreadable", where=name,
        hint="Check the path and the rights.",
    )  # fmt: skip


def _count_metadata_chars(container: InputContainer) -> int:
    parts = [container.metadata, *(stream.metadata for stream in container.streams)]
    parts += [chapter["metadata"] for chapter in container.chapters()]
    return sum(len(key) + len(value) for part in parts for key, value in part.items())
