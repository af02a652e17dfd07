"""One pass over the media of a source, feeding all components of a run.

    source -> packets scanned -> decoder thread -> converter thread -> one channel per component
           -> audio thread (its own container) ------------------------^

Everything is decoded once, whatever the number of components; equal requests are converted once
and shared. Called by the pipeline, which runs each component in a thread of its own; must not
know components. Every component that asked for something must consume it or be released, at the
same time as the others: a component that waits for another one's result holds the pass up.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.errors import BadMediaError, InternalError
from filmcan.media.probe import Probe
from filmcan.media.queues import Opening, PassState, copy_error
from filmcan.media.sound_pass import SoundPass, SoundTask
from filmcan.media.source_file import find_source
from filmcan.media.timeline import Sampling
from filmcan.media.video_pass import VideoPass, VideoTask

if TYPE_CHECKING:
    from filmcan.media.frames import FrameRequest, FrameStream
    from filmcan.media.limits import Limits
    from filmcan.media.sound import SoundRequest, SoundStream

_CANCEL_WAIT_SEC = 5.0
"""How long a cancellation waits for threads; decoding one packet takes far less."""


@dataclass(frozen=True, slots=True)
class MediaSummary:
    """What a pass decoded.

    Attributes:
        decoded_frames: Frames decoded; None when there is no video stream or nobody asked for
            its frames.
        failed_frames: Frames that were expected and did not decode; None likewise.
        frame_count: Frames of the stream, as far as it was read: decoded, failed, and passed over
            because nobody wanted them; None likewise.
        decoded_samples: Samples decoded per channel at the stream's own rate; None when there is
            no audio stream or nobody asked for its sound.
        failed_sound_packets: Packets of sound that did not decode; None likewise.
        zero_sec: Time zero of the run in the container's clock; None when nothing decoded.
        last_frame_sec: Time of the last decoded frame, None when there is none.
        last_sound_sec: End of the last decoded sample, None when there is none.
        is_complete: True when everything asked for was decoded to its end.
        notes: What was unusual, for people.
    """

    decoded_frames: int | None
    failed_frames: int | None
    frame_count: int | None
    decoded_samples: int | None
    failed_sound_packets: int | None
    zero_sec: float | None
    last_frame_sec: float | None
    last_sound_sec: float | None
    is_complete: bool
    notes: tuple[str, ...]


class MediaPass:
    """One pass: start it, let components consume, release each, finish."""

    def __init__(
        self,
        path: Path,
        probe: Probe,
        *,
        sampling: Sampling,
        limits: Limits,
        frame_requests: Mapping[str, FrameRequest],
        sound_requests: Mapping[str, SoundRequest],
        decode_threads: int = 2,
        queue_size: int = 6,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            path: The source.
            probe: What it is.
            sampling: Which moments are looked at.
            limits: What is refused.
            frame_requests: Component -> what frames it wants.
            sound_requests: Component -> what sound it wants.
            decode_threads: FFmpeg's threads for the video; changes speed only.
            queue_size: Pictures or blocks in flight per component.
            on_progress: Told the share decoded, 0 to 1, from a thread of the pass.

        Raises:
            BadMediaError: The source is not the file that was probed.
        """
        self._name = probe.name
        source = find_source(path)
        if source.size_bytes != probe.size_bytes:
            raise BadMediaError(
                f"the file has {source.size_bytes} bytes, {probe.size_bytes} when it was probed",
                code="source_changed",
                where=probe.name,
                hint="Run again once nothing writes to it.",
            )
        self._state = PassState(tracks=(probe.video is not None) + (probe.audio is not None))
        zero: Opening[Fraction] = Opening()
        self._zero = zero
        self._video: VideoPass | None = None
        self._sound: SoundPass | None = None
        if probe.video is not None:
            video_task = VideoTask(
                source=source,
                stream=probe.video,
                is_still_picture=probe.is_still_picture,
                requests=frame_requests,
                sampling=sampling,
                limits=limits,
                decode_threads=decode_threads,
                queue_size=queue_size,
            )
            self._video = VideoPass(video_task, self._state, zero, on_progress)
        if probe.audio is not None:
            sound_task = SoundTask(
                source=source,
                stream=probe.audio,
                requests=sound_requests,
                limits=limits,
                queue_size=queue_size,
                duration_sec=probe.duration_sec,
            )
            leads = self._video is None or not frame_requests
            self._sound = SoundPass(
                sound_task,
                self._state,
                None if self._video is None else zero,
                on_progress if leads else None,
            )
        self._threads = self._prepare_threads()

    def start(self) -> None:
        """Start decoding; returns at once."""
        for thread in self._threads:
            thread.start()

    def frames(self, name: str) -> FrameStream | None:
        """Return a component's frames, None when the source has no video stream."""
        return None if self._video is None else self._video.feeds[name]

    def sound(self, name: str) -> SoundStream | None:
        """Return a component's sound, None when the source has no audio stream."""
        return None if self._sound is None else self._sound.feeds[name]

    def wait_until_decoded(self) -> None:
        """Return as soon as a first frame or block of sound has decoded.

        Raises:
            BadMediaError: Everything ended and nothing decoded, or the source was refused.
        """
        self._state.wait_until_decoded(self._name)

    def release(self, name: str) -> None:
        """Take note that a component wants no more; what lies in its channels is dropped."""
        for track in (self._video, self._sound):
            if track is not None and name in track.feeds:
                track.feeds[name].channel.release()

    def summarise_ended(self) -> MediaSummary:
        """Return what is known so far: the counts of the streams that were decoded to their end."""
        return self._summarise(
            video=self._video if self._video is not None and self._video.is_complete else None,
            sound=self._sound if self._sound is not None and self._sound.is_complete else None,
        )

    def cancel(self) -> None:
        """Stop all threads soon; components still consuming get an error."""
        self._state.cancel()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_CANCEL_WAIT_SEC)

    def finish(self) -> MediaSummary:
        """Release what is left, wait for the threads and say what was decoded.

        Raises:
            BadMediaError: The source was refused part-way.
            InternalError: A thread failed for a reason of our own.
        """
        if any(thread.ident is None for thread in self._threads):
            raise InternalError("a media pass was finished before it was started")
        for track in (self._video, self._sound):
            for name in track.feeds if track is not None else ():
                self.release(name)
        for thread in self._threads:
            thread.join()
        if self._state.error is not None:
            raise copy_error(self._state.error)
        return self._summarise(self._video, self._sound)

    def _prepare_threads(self) -> list[threading.Thread]:
        bodies: list[tuple[str, Callable[[], None]]] = []
        if self._video is not None:
            bodies.append(("video decoder", self._video.run_decoder))
            if self._video.feeds:
                bodies.append(("video converter", self._video.run_converter))
        if self._sound is not None:
            bodies.append(("sound decoder", self._sound.run))
        return [threading.Thread(target=body, name=name, daemon=True) for name, body in bodies]

    def _summarise(self, video: VideoPass | None, sound: SoundPass | None) -> MediaSummary:
        video = video if video is not None and video.feeds else None
        sound = sound if sound is not None and sound.feeds else None
        zero_sec = self._zero.wait() if self._video is not None else None
        if zero_sec is None and sound is not None:
            zero_sec = sound.zero_sec
        tracks = [track for track in (video, sound) if track is not None]
        return MediaSummary(
            decoded_frames=None if video is None else video.decoded,
            failed_frames=None if video is None else video.failed,
            frame_count=None if video is None else video.decoded + video.failed + video.skipped,
            decoded_samples=None if sound is None else sound.decoded_samples,
            failed_sound_packets=None if sound is None else sound.failed_packets,
            zero_sec=None if zero_sec is None else float(zero_sec),
            last_frame_sec=None if video is None else video.last_sec,
            last_sound_sec=None if sound is None else sound.last_sec,
            is_complete=all(track.is_complete for track in tracks),
            notes=tuple(note for track in tracks for note in track.notes),
        )
