"""Decides when a server looks at its store again, so that looking costs a bounded share of time.

A store on a local disk tells by its change marks, in one small read, whether a writer was at work;
then it is looked at by the next request. Without such news it is looked at every few seconds, for
changes by hand; object stores, where a look lists everything, only so. A look that takes long goes
on behind answers as of the last one, and the next is the longer in coming.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from filmcan.errors import StoreUnavailableError

if TYPE_CHECKING:
    from filmcan.store.index.questions import Standing
    from filmcan.store.index.reader import IndexReader

AGAIN_SEC = 5.0
"""How long a store that tells nothing is taken to be unchanged."""
PROMPT_SEC = 1.0
"""The same for one that tells of changes: writers who never rest do not keep a server from work."""

_SHARE = 10
"""A look is followed by so many times its duration without one."""
_PATIENCE_SEC = 0.3
"""How long a request waits for a look before it is answered as of the last one."""
_log = logging.getLogger(__name__)


class IndexWatch:
    """Knows how far the index is up to date, for many threads at once."""

    def __init__(
        self,
        reader: IndexReader,
        *,
        clock: Callable[[], float] = time.monotonic,
        patience_sec: float = _PATIENCE_SEC,
    ) -> None:
        """Look at nothing yet.

        Args:
            reader: Of the index.
            clock: Gives seconds.
            patience_sec: How long a request waits for a look.
        """
        self._reader = reader
        self._clock = clock
        self._patience_sec = patience_sec
        self._lock = threading.Lock()
        self._standing: Standing | None = None
        self._ended = self._took = 0.0
        self._ended_look = threading.Event()
        self._ended_look.set()

    def look(self) -> Standing:
        """Return how far the index is up to date, after a look where one is due.

        Raises:
            StoreUnavailableError: The store refused the first look.
        """
        standing = self._standing
        if standing is None:
            with self._lock:
                standing = self._standing or self._take_look()
        elif self._is_due(standing):
            self._begin_look(standing).wait(self._patience_sec)
            standing = self._standing or standing
        return standing

    def _is_due(self, standing: Standing) -> bool:
        age = self._clock() - self._ended
        if age < max(PROMPT_SEC, _SHARE * self._took):
            return False
        return age >= max(AGAIN_SEC, _SHARE * self._took) or self._reader.has_news(standing)

    def _begin_look(self, standing: Standing) -> threading.Event:
        """Return what is set when the look that is going on, or a new one, has ended."""
        with self._lock:
            if self._ended_look.is_set() and self._standing is standing:
                self._ended_look = threading.Event()
                threading.Thread(target=self._look_behind, name="store look", daemon=True).start()
            return self._ended_look

    def _look_behind(self) -> None:
        try:
            self._take_look()
        except StoreUnavailableError as error:
            _log.warning("the store could not be looked at: %s", error)
            self._ended = self._clock()
        finally:
            self._ended_look.set()

    def _take_look(self) -> Standing:
        begun = self._clock()
        standing = self._reader.refresh()
        self._ended = self._clock()
        self._took = self._ended - begun
        self._standing = standing
        return standing
