"""What a visual component asks for and is given: sampled frames in time order.

Records only; decoding lives in `decode.py`. Pictures are read-only and shared between components.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

Pixels = Literal["rgb", "gray"]


@dataclass(frozen=True, slots=True)
class FrameView:
    """The form of a picture. Views that are equal are made once and shared.

    Attributes:
        pixels: `rgb` (uint8[h, w, 3]) or `gray` (uint8[h, w], luma in full range).
        size: Exact (width, height) of the upright picture, the frame squashed to it; None: kept.
        max_width: Shrink to this width when wider, keeping the aspect; never enlarges.
    """

    pixels: Pixels = "rgb"
    size: tuple[int, int] | None = None
    max_width: int | None = None


@dataclass(frozen=True, slots=True)
class FrameRequest:
    """What frames a component wants.

    Attributes:
        view: The form of each picture.
        every: Take every k-th instant of the timeline, counted from its first.
        with_previous: Also give the frame decoded before each sampled frame, in the same form.
    """

    view: FrameView
    every: int = 1
    with_previous: bool = False


@dataclass(frozen=True, slots=True)
class FrameSample:
    """One sampled frame.

    Attributes:
        index: Number of the frame in presentation order, decoded and failed ones counted, from 0.
        time_sec: Presentation time relative to the first decoded frame.
        image: The upright picture in the requested view, None when the frame did not decode.
        previous_image: The frame decoded before, None when there is none or it was not asked for.
        previous_time_sec: Its presentation time, None together with `previous_image`.
    """

    index: int
    time_sec: float
    image: np.ndarray | None
    previous_image: np.ndarray | None = None
    previous_time_sec: float | None = None


class FrameStream(Protocol):
    """The frames of one component: iterate once, in time order."""

    @property
    def display_size(self) -> tuple[int, int]:
        """(width, height) of the upright frame before any scaling, in pixels."""
        ...

    def __iter__(self) -> Iterator[FrameSample]:
        """Yield the samples; blocks until the decoder delivers."""
        ...

    def is_empty(self) -> bool:
        """Block until the first good frame or the end; True when no frame decoded at all."""
        ...
