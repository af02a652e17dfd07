"""OpenCV kept to one thread while components run side by side.

More threads only burn CPU there: every component has a thread of its own already. The setting is
the whole process's, so the last component to leave puts it back, whatever order they leave in.
The numbers do not depend on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_inside = 0
_before = 0


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread as long as anybody is in here."""
    global _inside, _before  # noqa: PLW0603 - OpenCV's own setting is the process's too
    with _lock:
        if _inside == 0:
            _before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                cv2.setNumThreads(_before)
