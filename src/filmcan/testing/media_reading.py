"""Read a source to its end as the pipeline would: a pass, and one thread per component."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.media.decode import MediaPass, MediaSummary
from filmcan.media.frames import FrameRequest, FrameSample, FrameView
from filmcan.media.limits import Limits
from filmcan.media.probe import probe_source
from filmcan.media.sound import SoundBlock, SoundRequest
from filmcan.media.timeline import UNIFORM_V1, Sampling
from filmcan.testing.made_media import read_number

if TYPE_CHECKING:
    import numpy as np

TEST_LIMITS = Limits(
    max_duration_sec=14400.0,
    max_pixels=67108864,
    max_streams=64,
    max_metadata_chars=1048576,
    max_frames_per_mib=100000,
)
EVERY_FRAME = Sampling(UNIFORM_V1, rate_hz=1000.0, max_samples=1_000_000)
"""More instants than any test clip has frames."""

ALL_FRAMES = {"eyes": FrameRequest(FrameView("rgb"))}


@dataclass(frozen=True, slots=True)
class MediaReading:
    """What components were given.

    Attributes:
        frames: Component -> its samples; None when the source has no video stream.
        sounds: Component -> its blocks; None when the source has no audio stream.
        summary: What the pass says it decoded.
    """

    frames: Mapping[str, list[FrameSample] | None]
    sounds: Mapping[str, list[SoundBlock] | None]
    summary: MediaSummary


def read_samples(
    path: Path, *, sampling: Sampling = EVERY_FRAME, decode_threads: int = 2
) -> list[FrameSample]:
    """Return all sampled frames of a source with a video stream, in RGB at full size."""
    reading = read_media(path, ALL_FRAMES, sampling=sampling, decode_threads=decode_threads)
    samples = reading.frames["eyes"]
    if samples is None:
        raise ValueError(f"{path.name} has no video stream")
    return samples


def read_numbers(samples: Sequence[FrameSample]) -> list[int | None]:
    """Return the number that each picture of a made clip shows, None for a lost frame."""
    return [None if item.image is None else read_number(item.image) for item in samples]


def find_lost(samples: Sequence[FrameSample]) -> list[int]:
    """Return the numbers of the frames that did not decode."""
    return [item.index for item in samples if item.image is None]


def get_picture(sample: FrameSample) -> np.ndarray:
    """Return a sample's picture.

    Raises:
        ValueError: The frame did not decode.
    """
    if sample.image is None:
        raise ValueError(f"frame {sample.index} did not decode")
    return sample.image


def open_pass(
    path: Path,
    frames: Mapping[str, FrameRequest] | None = None,
    sounds: Mapping[str, SoundRequest] | None = None,
    *,
    sampling: Sampling = EVERY_FRAME,
    limits: Limits = TEST_LIMITS,
    decode_threads: int = 2,
    queue_size: int = 6,
    on_progress: Callable[[float], None] | None = None,
) -> MediaPass:
    """Return a pass over a source, not started yet."""
    return MediaPass(
        path,
        probe_source(path, limits),
        sampling=sampling,
        limits=limits,
        frame_requests=frames or {},
        sound_requests=sounds or {},
        decode_threads=decode_threads,
        queue_size=queue_size,
        on_progress=on_progress,
    )


def read_media(
    path: Path,
    frames: Mapping[str, FrameRequest] | None = None,
    sounds: Mapping[str, SoundRequest] | None = None,
    *,
    sampling: Sampling = EVERY_FRAME,
    limits: Limits = TEST_LIMITS,
    decode_threads: int = 2,
    queue_size: int = 6,
    on_progress: Callable[[float], None] | None = None,
) -> MediaReading:
    """Consume everything and return it.

    Raises:
        FilmcanError: Whatever a component met first, else what `finish` raises.
    """
    media = open_pass(
        path, frames, sounds, sampling=sampling, limits=limits, decode_threads=decode_threads,
        queue_size=queue_size, on_progress=on_progress,
    )  # fmt: skip
    seen: dict[str, list[FrameSample] | None] = {}
    heard: dict[str, list[SoundBlock] | None] = {}
    failures: list[Exception] = []

    def look(name: str) -> None:
        stream = media.frames(name)
        seen[name] = None if stream is None else list(stream)

    def listen(name: str) -> None:
        stream = media.sound(name)
        heard[name] = None if stream is None else list(stream)

    def consume(name: str, body: Callable[[str], None]) -> None:
        try:
            body(name)
        except Exception as error:  # noqa: BLE001 - raised again by the caller
            failures.append(error)
        finally:
            media.release(name)

    bodies = [(name, look) for name in frames or ()] + [(name, listen) for name in sounds or ()]
    threads = [threading.Thread(target=consume, args=pair, daemon=True) for pair in bodies]
    media.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        media.cancel()
        raise failures[0]
    return MediaReading(seen, heard, media.finish())
