"""Sound given from memory, and a component's inputs, for testing components without a decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from filmcan.components.base import Inputs
from filmcan.media.probe import AudioStream, Probe
from filmcan.media.sound import SoundBlock
from filmcan.models.execution import Execution

if TYPE_CHECKING:
    from filmcan.media.document import TextSources
    from filmcan.media.frames import FrameStream
    from filmcan.media.sound import SoundStream

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


class FakeSound:
    """A `SoundStream` over an array.

    Args:
        samples: float32[channels, n] or float32[n], full scale +-1.
        rate_hz: Sample rate.
        channel_layout: FFmpeg's name; None takes the usual one for the number of channels.
        block_sizes: Samples per block, repeated in turn until the array is used up.
        start_sec: Time of the first sample.
    """

    def __init__(
        self,
        samples: np.ndarray,
        rate_hz: int,
        *,
        channel_layout: str | None = None,
        block_sizes: Sequence[int] = (1024,),
        start_sec: float = 0.0,
    ) -> None:
        """Keep the array; blocks are read-only views of it."""
        self._samples = np.atleast_2d(np.asarray(samples, np.float32))
        self._samples.flags.writeable = False
        self._block_sizes = tuple(block_sizes)
        self._start_sec = start_sec
        self._rate_hz = rate_hz
        count = len(self._samples)
        self._channel_layout = channel_layout or _LAYOUTS.get(count, f"{count} channels")

    @property
    def rate_hz(self) -> int:
        """Sample rate of the blocks."""
        return self._rate_hz

    @property
    def channel_layout(self) -> str:
        """FFmpeg's name of the layout."""
        return self._channel_layout

    def __iter__(self) -> Iterator[SoundBlock]:
        """Yield the array in blocks."""
        start, turn = 0, 0
        while start < self._samples.shape[1]:
            stop = start + self._block_sizes[turn % len(self._block_sizes)]
            time_sec = self._start_sec + start / self._rate_hz
            yield SoundBlock(self._samples[:, start:stop], time_sec)
            start, turn = stop, turn + 1

    def is_empty(self) -> bool:
        """Say whether the array has no sample."""
        return self._samples.size == 0

    def close(self) -> None:
        """Take note of nothing: the array stays."""


def read_sound(file: Path, *, rate_hz: int | None = None, mono: bool = False) -> FakeSound:
    """Return the best audio stream of a file, decoded by PyAV alone: all of it, from time 0 on."""
    with av.open(file) as container:
        stream = container.streams.best("audio")
        assert stream is not None
        resampler = av.AudioResampler(format="fltp", layout="mono" if mono else None, rate=rate_hz)
        decoded = (frame for frame in container.decode(stream) if isinstance(frame, av.AudioFrame))
        frames = [part for frame in decoded for part in resampler.resample(frame)]
        frames += resampler.resample(None)
    samples = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    layout = frames[0].layout.name
    is_counted = layout.endswith(("channel", "channels"))
    return FakeSound(samples, frames[0].sample_rate, channel_layout=None if is_counted else layout)


def build_inputs(
    *,
    frames: FrameStream | None = None,
    sound: SoundStream | None = None,
    text: TextSources | None = None,
    seed: int = 0,
    execution: Execution | None = None,
) -> Inputs:
    """Return a component's inputs over fakes, with a probe that tells of the sound alone."""
    audio = None
    if sound is not None:
        channels = {layout: count for count, layout in _LAYOUTS.items()}.get(
            sound.channel_layout, 0
        )
        audio = AudioStream(0, "pcm_f32le", sound.rate_hz, channels, sound.channel_layout)
    probe = Probe(
        name="made.wav",
        size_bytes=0,
        sha256="0" * 64,
        container="wav",
        duration_sec=None,
        video=None,
        audio=audio,
        subtitles=(),
        is_still_picture=False,
    )
    return Inputs(
        probe=probe,
        frames=frames,
        sound=sound,
        text=text,
        seed=seed,
        execution=execution or Execution(),
    )
