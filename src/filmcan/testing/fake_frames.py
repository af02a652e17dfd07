"""A frame stream held in memory: what a visual component is given, without a file or a decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.media.frames import FrameSample

if TYPE_CHECKING:
    import numpy as np

    Convert = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class FakeFrames:
    """Satisfies `filmcan.media.frames.FrameStream` over ready samples.

    Attributes:
        samples: In time order.
        display_size: (width, height) of the upright frame before scaling.
    """

    samples: tuple[FrameSample, ...]
    display_size: tuple[int, int]

    def __iter__(self) -> Iterator[FrameSample]:
        """Yield the samples."""
        return iter(self.samples)

    def is_empty(self) -> bool:
        """Return True when no sample holds a picture."""
        return all(sample.image is None for sample in self.samples)


def build_fake_frames(
    pictures: Sequence[np.ndarray | None],
    *,
    rate_hz: float = 25.0,
    times_sec: Sequence[float] | None = None,
    sampled: Sequence[int] | None = None,
    display_size: tuple[int, int] | None = None,
    convert: Convert | None = None,
) -> FakeFrames:
    """Play decoded frames to a component as the decoder would.

    Args:
        pictures: All frames of the video, in presentation order, already in the view the component
            asks for unless `convert` makes it; None: the frame did not decode.
        rate_hz: Frame rate, when `times_sec` does not say otherwise.
        times_sec: Presentation time of each frame.
        sampled: Numbers of the sampled frames; None: every frame.
        display_size: Size of the upright frame; None: that of the first picture.
        convert: Makes the requested view of a picture.
    """
    times = [n / rate_hz for n in range(len(pictures))] if times_sec is None else list(times_sec)
    views = [None if picture is None else _view(picture, convert) for picture in pictures]
    samples = tuple(
        _build_sample(index, views, times)
        for index in (range(len(views)) if sampled is None else sampled)
    )
    if display_size is None:
        first = next((picture for picture in pictures if picture is not None), None)
        display_size = (0, 0) if first is None else (first.shape[1], first.shape[0])
    return FakeFrames(samples, display_size)


def _view(picture: np.ndarray, convert: Convert | None) -> np.ndarray:
    view = (picture if convert is None else convert(picture)).copy()
    view.flags.writeable = False  # as the decoder's are: they are shared between components
    return view


def _build_sample(
    index: int, views: Sequence[np.ndarray | None], times: Sequence[float]
) -> FrameSample:
    """Give the frame before only when it decoded."""
    previous = views[index - 1] if index > 0 else None
    return FrameSample(
        index=index,
        time_sec=times[index],
        image=views[index],
        previous_image=previous,
        previous_time_sec=None if previous is None else times[index - 1],
    )
