"""Clips, sounds and pictures made by code, for tests that must know what is in them.

Every frame of a made clip shows its own number in coarse blocks, so that a test can read from a
decoded picture which frame it is, after any codec and any turn. Not imported by any other package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import VideoReformatter

if TYPE_CHECKING:
    from av.container import OutputContainer

Paint = Callable[[int], np.ndarray]
"""Frame number -> uint8[h, w, 3], RGB."""

Planes = Callable[[int], Sequence[np.ndarray]]
"""Frame number -> the planes of a frame in the clip's own pixel format."""

_GRID = 4
_CODED_BITS = _GRID * _GRID - 4
"""One block of the grid for each bit of the number; the four corners tell which side is up."""

_MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class ClipVideo:
    """A video stream to make.

    Attributes:
        frames: How many.
        size: (width, height) as stored.
        rate_hz: Frame rate, when `times_ms` does not say otherwise.
        times_ms: Presentation time of each frame, for an uneven rate.
        codec: FFmpeg's encoder.
        pixel_format: FFmpeg's name.
        options: Of the encoder.
        rotation_deg: Display matrix: counter-clockwise turn, None for no matrix at all.
        mirrored: Display matrix: then exchange left and right.
        flipped: Display matrix: then exchange top and bottom.
        paint: What the frames show; None: their number.
        planes: What the frames hold, in the pixel format itself; goes before `paint`.
        colour_space: AVCOL_SPC_* to state, None for none.
        colour_range: AVCOL_RANGE_* to state, None for none.
        is_cover: True for an attached picture.
    """

    frames: int = 40
    size: tuple[int, int] = (96, 64)
    rate_hz: int = 25
    times_ms: Sequence[int] | None = None
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)
    rotation_deg: float | None = None
    mirrored: bool = False
    flipped: bool = False
    paint: Paint | None = None
    planes: Planes | None = None
    colour_space: int | None = None
    colour_range: int | None = None
    is_cover: bool = False


@dataclass(frozen=True, slots=True)
class ClipSound:
    """An audio stream to make.

    Attributes:
        samples: float32[channels, n], full scale is +-1.
        rate_hz: Sample rate.
        layout: FFmpeg's name of the channel layout.
        codec: FFmpeg's encoder.
        start_sec: Presentation time of the first sample.
    """

    samples: np.ndarray
    rate_hz: int = 48000
    layout: str = "mono"
    codec: str = "aac"
    start_sec: float = 0.0


def make_media(
    path: Path,
    *streams: ClipVideo | ClipSound,
    container: str | None = None,
    options: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write a file with the given streams, in that order, and return its path.

    Args:
        path: Where to; an existing file is replaced.
        streams: What it holds.
        container: FFmpeg's name of the format; None: by the path's suffix.
        options: Of the container, for example `{"movflags": "+faststart"}`.
        metadata: Of the container.
    """
    with av.open(str(path), "w", format=container, options=dict(options or {})) as output:
        output.metadata.update(metadata or {})
        prepared = [_add_stream(output, spec) for spec in streams]
        for stream, spec in zip(prepared, streams, strict=True):
            if isinstance(spec, ClipVideo):
                _write_video(output, stream, spec)
            else:
                _write_sound(output, stream, spec)
    return path


def make_clip(path: Path, **settings: Any) -> Path:  # noqa: ANN401 - the fields of ClipVideo
    """Write a clip with one video stream; settings are the fields of `ClipVideo`."""
    return make_media(path, ClipVideo(**settings))


def make_sound(path: Path, samples: np.ndarray, **settings: Any) -> Path:  # noqa: ANN401 - likewise
    """Write a file with one audio stream; settings are the fields of `ClipSound`."""
    return make_media(path, ClipSound(samples, **settings))


def make_picture(path: Path, picture: np.ndarray) -> Path:
    """Write a PNG or JPEG (by the path's suffix) of uint8[h, w, 3]."""
    av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24").save(path)
    return path


def paint_number(number: int, size: tuple[int, int]) -> np.ndarray:
    """Return a picture that says its number: uint8[h, w, 3].

    A grid of 4 x 4 blocks: the corners are white (top left), red, green and blue (clockwise from
    it), the others hold the bits of the number, lowest first, in light and dark gray.
    """
    width, height = size
    blocks = np.full((_GRID, _GRID, 3), 60, np.uint8)
    blocks[0, 0], blocks[0, -1] = (235, 235, 235), (200, 40, 40)
    blocks[-1, -1], blocks[-1, 0] = (40, 180, 40), (40, 40, 220)
    for bit, (row, column) in enumerate(_coded_cells()):
        if number >> bit & 1:
            blocks[row, column] = 180
    rows = np.arange(height) * _GRID // height
    columns = np.arange(width) * _GRID // width
    return blocks[rows][:, columns]


def read_number(picture: np.ndarray) -> int:
    """Return the number that an upright picture shows, gray or RGB, of any size."""
    luma = picture if picture.ndim == 2 else picture.mean(axis=2)
    height, width = luma.shape
    number = 0
    for bit, (row, column) in enumerate(_coded_cells()):
        middle = luma[
            (2 * row + 1) * height // (2 * _GRID), (2 * column + 1) * width // (2 * _GRID)
        ]
        number |= int(middle > 120) << bit  # between the two grays
    return number


def build_tone(
    seconds: float, *, hz: float = 440.0, rate_hz: int = 48000, channels: int = 1, peak: float = 0.5
) -> np.ndarray:
    """Return a sine: float32[channels, n]."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = (peak * np.sin(2 * np.pi * hz * times)).astype(np.float32)
    return np.tile(wave, (channels, 1))


def build_impulse(seconds: float, at_sec: float, *, rate_hz: int = 48000) -> np.ndarray:
    """Return silence with one loud millisecond: float32[1, n]."""
    wave = np.zeros((1, round(seconds * rate_hz)), np.float32)
    start = round(at_sec * rate_hz)
    wave[:, start : start + rate_hz // 1000] = 0.9
    return wave


def cut_file(source: Path, target: Path, share: float) -> Path:
    """Write the first part of a file, as an upload that broke off."""
    data = source.read_bytes()
    target.write_bytes(data[: round(len(data) * share)])
    return target


def damage_packets(
    source: Path, target: Path, numbers: Sequence[int], *, kind: str = "video"
) -> Path:
    """Write a copy of a file in which some packets hold noise, as bit rot leaves them.

    Args:
        source: A container with known packet positions (MP4, Matroska).
        target: Where to.
        numbers: Which packets of the first stream of that kind, in coding order; negative
            ones count from the end.
        kind: `video` or `audio`.
    """
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        stream = next(item for item in container.streams if item.type == kind)
        places = [(packet.pos, packet.size) for packet in container.demux(stream) if packet.size]
    noise = np.random.default_rng(0)
    for number in numbers:
        start, size = places[number]
        if start is None:
            raise ValueError("the container does not say where its packets lie")
        # The first bytes hold the length of a coded unit: kept, so that the noise is decoded.
        data[start + 4 : start + size] = noise.bytes(size - 4)
    target.write_bytes(data)
    return target


def _coded_cells() -> list[tuple[int, int]]:
    corners = {(0, 0), (0, _GRID - 1), (_GRID - 1, 0), (_GRID - 1, _GRID - 1)}
    cells = [(row, column) for row in range(_GRID) for column in range(_GRID)]
    return [cell for cell in cells if cell not in corners]


def _add_stream(output: OutputContainer, spec: ClipVideo | ClipSound) -> Any:  # noqa: ANN401 - either kind
    if isinstance(spec, ClipSound):
        return output.add_stream(spec.codec, rate=spec.rate_hz, layout=spec.layout)
    stream: Any = output.add_stream(spec.codec, rate=spec.rate_hz, options=dict(spec.options))
    stream.width, stream.height = spec.size
    stream.pix_fmt = spec.pixel_format
    context = stream.codec_context
    context.thread_count = 1  # one slice per frame, as real encoders write, and the same bytes
    if spec.times_ms is not None:
        context.time_base = stream.time_base = _MILLISECOND
    if spec.rotation_deg is not None:
        stream.set_display_rotation(spec.rotation_deg, spec.mirrored, spec.flipped)
    if spec.colour_space is not None:
        context.colorspace = spec.colour_space
    if spec.colour_range is not None:
        context.color_range = spec.colour_range
    if spec.is_cover:
        stream.disposition = Disposition.attached_pic
    return stream


def _write_video(output: OutputContainer, stream: Any, spec: ClipVideo) -> None:  # noqa: ANN401
    time_base = Fraction(1, spec.rate_hz) if spec.times_ms is None else _MILLISECOND
    reformatter = VideoReformatter()
    for number in range(spec.frames):
        frame = _build_frame(spec, number, reformatter)
        frame.pts = number if spec.times_ms is None else spec.times_ms[number]
        frame.time_base = time_base
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))


def _build_frame(spec: ClipVideo, number: int, reformatter: VideoReformatter) -> av.VideoFrame:
    if spec.planes is None:
        paint = spec.paint or (lambda shown: paint_number(shown, spec.size))
        picture = np.ascontiguousarray(paint(number))
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        if spec.pixel_format != "rgb24":
            frame = reformatter.reformat(
                frame, format=spec.pixel_format, dst_colorspace=spec.colour_space,
                dst_color_range=spec.colour_range, threads=1,
            )  # fmt: skip
    else:
        frame = av.VideoFrame(*spec.size, spec.pixel_format)
        for plane, values in zip(frame.planes, spec.planes(number), strict=True):
            stored = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            given = np.ascontiguousarray(values).view(np.uint8).reshape(values.shape[0], -1)
            stored[: given.shape[0], : given.shape[1]] = given
    if spec.colour_space is not None:
        frame.colorspace = spec.colour_space
    if spec.colour_range is not None:
        frame.color_range = spec.colour_range
    return frame


def _write_sound(output: OutputContainer, stream: Any, spec: ClipSound) -> None:  # noqa: ANN401
    chunk = spec.rate_hz // 10
    first = round(spec.start_sec * spec.rate_hz)
    for start in range(0, spec.samples.shape[1], chunk):
        # Interleaved: of eight and more planes PyAV reads one too many.
        samples = spec.samples[:, start : start + chunk].T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, dtype=np.float32), "flt", spec.layout
        )
        frame.sample_rate = spec.rate_hz
        frame.pts = first + start
        frame.time_base = Fraction(1, spec.rate_hz)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
