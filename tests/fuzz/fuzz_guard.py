"""What no parser may do while it reads hostile bytes: open, import, execute, start, connect."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

MAX_GROWTH_BYTES = 512 << 20
MAX_SEC = 5.0

_FORBIDDEN = (
    "import",
    "open",
    "exec",
    "compile",
    "subprocess.",
    "os.",
    "socket.",
    "ctypes.",
    "pickle.",
    "marshal.",
    "shutil.",
    "tempfile.",
    "code.",
    "urllib.",
    "winreg.",
)
_state: dict[str, list[str] | None] = {"seen": None}
_installed: list[bool] = []


class Forbidden(BaseException):
    """Hostile bytes made the interpreter do what reading never does; nothing may catch this."""


class OverBar(BaseException):
    """One input took more memory or time than the bar of threats.md."""


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    seen = _state["seen"]
    if seen is not None and event.startswith(_FORBIDDEN):
        seen.append(f"{event}{arguments!r:.200}")
        raise Forbidden(seen[-1])


@contextmanager
def guarded(*, bars: bool = True) -> Iterator[None]:
    """Run a block in which such an event, or more than the bar, is a find.

    The event counts even where the block swallowed what the hook raised.

    Raises:
        Forbidden: The block opened, imported, executed, started or connected something.
        OverBar: It took more than 512 MiB or 5 s.
    """
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    seen: list[str] = []
    peak, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    _state["seen"] = seen
    try:
        yield
    finally:
        _state["seen"] = None
        if seen:
            raise Forbidden("; ".join(seen))
    took = time.process_time() - start
    unit = 1 if sys.platform == "darwin" else 1024
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) * unit
    if bars and (took > MAX_SEC or grown > MAX_GROWTH_BYTES):
        raise OverBar(f"{took:.1f} s and {grown >> 20} MiB for one input")
