"""One pass over the media with a thread for each component that takes part.

Called by the runner, which commits what comes out. A component that exceeds its time limit is
given up: its thread cannot be killed, but nobody waits for it, and the pass goes on without it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filmcan.components.base import Inputs, Result
from filmcan.contract.missing import AUDIO_MISSING, VIDEO_MISSING
from filmcan.errors import ComponentFailedError, InternalError
from filmcan.media.decode import MediaPass
from filmcan.pipeline.job import Attempt, Job, Observer, Outcome

if TYPE_CHECKING:
    from filmcan.media.decode import MediaSummary
    from filmcan.media.probe import Probe

_LAST_WAIT_SEC = 3.0
"""How long an interrupted pass waits for its components before it gives up on them."""


class ComponentPass:
    """The components of one pass while they run."""

    def __init__(
        self, job: Job, attempts: Sequence[Attempt], media: MediaPass | None, probe: Probe
    ) -> None:
        """Prepare; nothing runs yet. Without `media` nobody is given frames or sound."""
        self._job = job
        self._probe = probe
        self._media = media
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._open = {attempt.name: attempt for attempt in attempts}
        self._has_given_up = False
        self.threads = [
            threading.Thread(target=self._run, args=(item,), name=item.name, daemon=True)
            for item in attempts
        ]

    def outcomes(self) -> Iterator[Outcome]:
        """Start the components and yield how each of them ended, as they end."""
        started_at = datetime.now(UTC)
        deadline = time.monotonic() + self._job.plan.component_timeout_sec
        while self._open:
            try:
                outcome = self._outcomes.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                yield from self._give_up(started_at)
                return
            self._open.pop(outcome.attempt.name, None)
            yield outcome

    def start(self) -> None:
        """Start the components' threads."""
        for thread in self.threads:
            thread.start()

    def wait_until_decoded(self) -> None:
        """Return as soon as something has decoded.

        Raises:
            BadMediaError: Nothing did.
        """
        if self._media is not None:
            self._media.wait_until_decoded()

    def summarise_ended(self) -> MediaSummary | None:
        """Return what is known of the streams that were read to their end."""
        return None if self._media is None else self._media.summarise_ended()

    def finish(self) -> MediaSummary | None:
        """Wait for the media and say what was decoded.

        Raises:
            BadMediaError: The source was refused part-way.
        """
        if self._media is None:
            return None
        if self._has_given_up:  # the decoder may be what hangs
            summary = self._media.summarise_ended()
            self._media.cancel()
            return summary
        return self._media.finish()

    def _give_up(self, started_at: datetime) -> Iterator[Outcome]:
        """End whoever still runs by the time limit, and release what is kept for them."""
        self._has_given_up = True
        limit = self._job.plan.component_timeout_sec
        for name, attempt in self._open.items():
            if self._media is not None:
                self._media.release(name)
            error = ComponentFailedError(
                f"it was not done after {limit:g} s",
                code="time_limit",
                hint="Raise execution.component_timeout_sec if it may take so long.",
            )
            yield Outcome(attempt, None, error, started_at, datetime.now(UTC))

    def _run(self, attempt: Attempt) -> None:
        started_at = datetime.now(UTC)
        result: Result | None = None
        failure: BaseException | None = None
        try:
            result = self._measure(attempt)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is filed in the manifest
            failure = error
        finally:
            if self._media is not None:
                self._media.release(attempt.name)
            self._outcomes.put(Outcome(attempt, result, failure, started_at, datetime.now(UTC)))

    def _measure(self, attempt: Attempt) -> Result:
        """Give a component its media, or say which part is missing."""
        component = attempt.planned.component
        frames = sound = None
        if component.frame_request() is not None and self._media is not None:
            frames = self._media.frames(component.name)
            if frames is None or frames.is_empty():
                frames = None
                if component.needs_media:
                    return Result("empty", empty_reason=VIDEO_MISSING)
        if component.sound_request() is not None and self._media is not None:
            sound = self._media.sound(component.name)
            if sound is None or sound.is_empty():
                sound = None
                if component.needs_media:
                    return Result("empty", empty_reason=AUDIO_MISSING)
        return component.run(
            Inputs(
                probe=self._probe,
                frames=frames,
                sound=sound,
                text=self._job.text if component.kind == "text" else None,
                seed=self._job.plan.seed,
                execution=attempt.execution,
                needed=attempt.needed,
            )
        )


@contextmanager
def open_pass(
    job: Job, attempts: Sequence[Attempt], observer: Observer, *, must_decode: bool
) -> Iterator[ComponentPass]:
    """Run some components over the media, which are not opened where none of them asks for any.

    Args:
        job: The run.
        attempts: The components.
        observer: Told how far the source was read.
        must_decode: True when it is not known yet whether the source decodes at all.
    """
    if job.probe is None:
        raise InternalError("a component is to be run on a source that was not probed")
    frames = {item.name: item.planned.component.frame_request() for item in attempts}
    sounds = {item.name: item.planned.component.sound_request() for item in attempts}
    media = None
    if must_decode or any(frames.values()) or any(sounds.values()):
        media = MediaPass(
            job.source,
            job.probe,
            sampling=job.plan.sampling,
            limits=job.plan.limits,
            frame_requests={name: request for name, request in frames.items() if request},
            sound_requests={name: request for name, request in sounds.items() if request},
            decode_threads=job.plan.decode_threads,
            queue_size=job.plan.queue_size,
            on_progress=observer.on_progress,
        )
        media.start()
    running = ComponentPass(job, attempts, media, job.probe)
    running.start()
    try:
        yield running
    except BaseException:
        if media is not None:
            media.cancel()
        raise
    finally:
        # On failure for a moment: they stop at their next frame.
        deadline = time.monotonic() + _LAST_WAIT_SEC
        for thread in running.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
