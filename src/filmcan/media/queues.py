"""What threads of one media pass share: bounded channels and the state of the pass.

A channel never blocks for ever: the consumer's release, the end of the pass, an error and a
cancellation each wake whoever waits.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from filmcan.errors import BadMediaError, ComponentFailedError, FilmcanError, InternalError

T = TypeVar("T")


class Channel(Generic[T]):
    """A bounded queue from one producing thread to one consuming thread."""

    def __init__(self, size: int) -> None:
        """Open it for at most `size` items in flight."""
        self._size = size
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._released = False
        self._error: BaseException | None = None

    @property
    def is_released(self) -> bool:
        """True when nobody will take another item."""
        return self._released

    def put(self, item: T) -> None:
        """Hand over an item; waits for room, drops the item when nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._released or self._ended or len(self._items) < self._size
            )
            if not self._released and not self._ended:
                self._items.append(item)
                self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """Say that no item follows.

        Args:
            error: Why; raised at the consumer in place of what still lies in the channel.
        """
        with self._changed:
            if not self._ended:
                self._ended = True
                self._error = error
                if error is not None:
                    self._items.clear()
                self._changed.notify_all()

    def release(self) -> None:
        """Say that nobody will take another item; drops what lies in the channel."""
        with self._changed:
            self._released = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Yield items until the end.

        Raises:
            FilmcanError: The producer failed, or the pass was cancelled.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._ended or self._released)
                if not self._items:
                    break
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise copy_error(self._error)


class Opening(Generic[T]):
    """What a track turns out to be, waited for until its first frame or block decodes."""

    def __init__(self) -> None:
        """Begin unsettled."""
        self._settled = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None

    def settle(self, value: T | None, error: BaseException | None = None) -> None:
        """Say what it is; None when nothing decodes. Only the first call counts."""
        if not self._settled.is_set():
            self._value, self._error = value, error
            self._settled.set()

    def wait(self) -> T | None:
        """Return what it is, once that is known.

        Raises:
            FilmcanError: The pass ended by an error before that.
        """
        self._settled.wait()
        if self._error is not None:
            raise copy_error(self._error)
        return self._value


class PassState:
    """Whether a pass goes on, whether anything has decoded, and what went wrong first."""

    def __init__(self, tracks: int) -> None:
        """Begin with nothing decoded.

        Args:
            tracks: How many threads will each say `track_ended` once.
        """
        self._changed = threading.Condition()
        self._open_tracks = tracks
        self._decoded = False
        self._stopped = False
        self._error: BaseException | None = None
        self._channels: list[Channel[object]] = []

    @property
    def error(self) -> BaseException | None:
        """The first error of any thread, None when there was none."""
        return self._error

    @property
    def has_decoded(self) -> bool:
        """True once a frame or a block of sound has decoded."""
        return self._decoded

    def is_stopped(self) -> bool:
        """Return True when threads should end soon."""
        return self._stopped

    def add_channel(self, channel: Channel[T]) -> None:
        """Have a channel ended when the pass fails or is cancelled."""
        self._channels.append(channel)  # type: ignore[arg-type] # only ended, never filled here

    def fail(self, error: BaseException) -> None:
        """Stop the pass for an error; the first one counts."""
        with self._changed:
            if self._error is None:
                self._error = error
            self._stopped = True
            self._changed.notify_all()
        for channel in self._channels:
            channel.end(self._error)

    def cancel(self) -> None:
        """Stop the pass because the caller wants so."""
        self.fail(ComponentFailedError("the run was interrupted", code="interrupted"))

    def mark_decoded(self) -> None:
        """Say that a frame or a block of sound has decoded."""
        with self._changed:
            self._decoded = True
            self._changed.notify_all()

    def mark_track_ended(self) -> None:
        """Say that one of the tracks will decode nothing more."""
        with self._changed:
            self._open_tracks -= 1
            self._changed.notify_all()

    def wait_until_decoded(self, name: str) -> None:
        """Wait for the first thing decoded.

        Raises:
            BadMediaError: All tracks ended and nothing of the source `name` decoded.
            FilmcanError: A thread failed before anything decoded.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._decoded or self._error is not None or self._open_tracks == 0
            )
            if self._decoded:
                return
        if self._error is not None:
            raise copy_error(self._error)
        raise BadMediaError(
            "no frame and no sound of it can be decoded",
            code="nothing_decodes",
            where=name,
            hint="Check whether another player opens it; fetch or convert it again.",
        )


def copy_error(error: BaseException) -> FilmcanError:
    """Return an error to raise in another thread than the one it arose in."""
    if isinstance(error, FilmcanError):
        copied = copy.copy(error)
    else:
        copied = InternalError(f"decoding failed unexpectedly: {type(error).__name__}: {error}")
    copied.__cause__ = error
    return copied
