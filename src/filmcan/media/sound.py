"""What an audio component asks for and is given: blocks of sound in time order.

Records only; decoding lives in `decode.py`. Blocks are read-only and shared between components.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class SoundRequest:
    """The form of sound a component wants. Equal requests are resampled once and shared.

    Attributes:
        rate_hz: Sample rate; None keeps the stream's own.
        mono: True mixes all channels down to one, by FFmpeg's default matrix scaled so that the
            mix cannot exceed full scale (stereo: the mean of both); False keeps them.
    """

    rate_hz: int | None = None
    mono: bool = False


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """A run of consecutive samples.

    Attributes:
        samples: float32[channels, n], full scale is +-1 (decoders may exceed it).
        start_sec: Time of the first sample, relative to the first decoded video frame.
    """

    samples: np.ndarray
    start_sec: float


class SoundStream(Protocol):
    """The sound of one component: iterate once, in time order."""

    @property
    def rate_hz(self) -> int:
        """Sample rate of the blocks; known once `is_empty` has returned False."""
        ...

    @property
    def channel_layout(self) -> str:
        """FFmpeg's name of the layout, for example `stereo` or `5.1(side)`."""
        ...

    def __iter__(self) -> Iterator[SoundBlock]:
        """Yield the blocks; blocks until the decoder delivers."""
        ...

    def is_empty(self) -> bool:
        """Block until the first samples or the end; True when nothing decoded at all."""
        ...

    def close(self) -> None:
        """Say that no more is wanted, so that nobody waits for this component to take it."""
        ...
