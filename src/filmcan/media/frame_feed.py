"""From sampled frames to components: converted once per view, shared, handed over in time order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from av.error import FFmpegError

from filmcan.errors import BadMediaError
from filmcan.media.conversion import PictureConverter
from filmcan.media.frames import FrameRequest, FrameSample, FrameView
from filmcan.media.queues import Channel, Opening, PassState

if TYPE_CHECKING:
    import numpy as np
    from av import VideoFrame


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A sampled frame on its way to the converter.

    Attributes:
        names: The components that want it.
        index: Its number.
        time_sec: Its time.
        frame: As decoded, None when it was lost.
        previous_index: Number of the frame decoded before it, None when there is none.
        previous_time_sec: That frame's time.
        previous: That frame, None when nobody asks for it.
    """

    names: tuple[str, ...]
    index: int
    time_sec: float
    frame: VideoFrame | None
    previous_index: int | None
    previous_time_sec: float | None
    previous: VideoFrame | None


class FrameFeed:
    """The frames of one component: a `FrameStream`."""

    def __init__(
        self,
        request: FrameRequest,
        channel: Channel[FrameSample],
        opening: Opening[PictureConverter],
        declared_size: tuple[int, int],
    ) -> None:
        """Join a component's request to its channel.

        Args:
            request: What it wants.
            channel: Where its samples come.
            opening: Settled when the first frame decodes.
            declared_size: (width, height) of the upright frame as the container declares it.
        """
        self.request = request
        self.channel = channel
        self._opening = opening
        self._declared_size = declared_size

    @property
    def display_size(self) -> tuple[int, int]:
        """(width, height) of the upright frame before any scaling, in pixels.

        Waits for the first decoded frame; as declared when none decodes.
        """
        pictures = self._opening.wait()
        return self._declared_size if pictures is None else pictures.display_size

    def __iter__(self) -> Iterator[FrameSample]:
        """Yield the samples; blocks until the decoder delivers."""
        return iter(self.channel)

    def is_empty(self) -> bool:
        """Block until the first good frame or the end; True when no frame decoded at all."""
        return self._opening.wait() is None


class FrameConverter:
    """The converter thread: takes sampled frames, fills the components' channels."""

    def __init__(
        self,
        feeds: Mapping[str, FrameFeed],
        jobs: Channel[SampledFrame],
        opening: Opening[PictureConverter],
        state: PassState,
    ) -> None:
        """Stand between the decoder and the components.

        Args:
            feeds: Component -> where its samples go.
            jobs: Where sampled frames come from.
            opening: Settled with the stream's converter when the first frame decodes.
            state: Of the pass.
        """
        self._feeds = feeds
        self._jobs = jobs
        self._opening = opening
        self._state = state
        self._last: dict[FrameView, tuple[int, np.ndarray]] = {}

    def run(self) -> None:
        """Convert until the decoder ends: the thread's body."""
        error: BaseException | None = None
        try:
            for job in self._jobs:
                self._serve(job)
        except BadMediaError as refused:
            error = refused  # the pictures cannot be had; sound and counting go on
        except BaseException as failure:  # noqa: BLE001 - raised again where frames are awaited
            self._state.fail(failure)
        finally:
            self._jobs.release()
            self._last.clear()
            for feed in self._feeds.values():
                feed.channel.end(error or self._state.error)

    def _serve(self, job: SampledFrame) -> None:
        made: dict[FrameView, tuple[int, np.ndarray]] = {}
        before: dict[FrameView, np.ndarray] = {}
        for name in job.names:
            feed = self._feeds[name]
            if feed.channel.is_released:
                continue
            view = feed.request.view
            if job.frame is not None and view not in made:
                made[view] = (job.index, self._convert(job.frame, view))
            if feed.request.with_previous and view not in before:
                self._add_previous(job, view, before)
            image = made.get(view, (None, None))[1]
            feed.channel.put(_build_sample(job, image, before.get(view), feed.request))
        if made:
            self._last = made

    def _add_previous(
        self, job: SampledFrame, view: FrameView, before: dict[FrameView, np.ndarray]
    ) -> None:
        if job.previous is None:
            return
        index, picture = self._last.get(view, (None, None))
        if picture is None or index != job.previous_index:
            picture = self._convert(job.previous, view)
        before[view] = picture

    def _convert(self, frame: VideoFrame, view: FrameView) -> np.ndarray:
        pictures = self._opening.wait()
        if pictures is None:
            raise BadMediaError("a frame came before the stream was known")
        try:
            return pictures.convert(frame, view)
        except (FFmpegError, ValueError) as error:
            raise BadMediaError(
                f"a frame in pixel format {frame.format.name} cannot be converted",
                code="unknown_pixel_format",
                hint="Convert the source to a common pixel format, for example yuv420p.",
            ) from error


def _build_sample(
    job: SampledFrame,
    image: np.ndarray | None,
    previous: np.ndarray | None,
    request: FrameRequest,
) -> FrameSample:
    if not request.with_previous or previous is None:
        return FrameSample(job.index, job.time_sec, image)
    return FrameSample(job.index, job.time_sec, image, previous, job.previous_time_sec)
