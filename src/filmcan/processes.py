"""What can be known of processes, and how one belongs to another.

Linux tells all of it through /proc. Elsewhere less is known, and what is not known is said so.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import secrets
import signal
import threading
from multiprocessing import connection
from pathlib import Path

_PROC = Path("/proc")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_START_TIME_FIELD = 19
"""Of /proc/PID/stat, counted from the field behind the name in brackets (proc(5): starttime)."""


def name_process() -> str:
    """Return a name for this process that no other process of this or another machine has."""
    place = _name_place()
    started = _read_start(os.getpid())
    if place is None or started is None:
        return f"unknown {secrets.token_hex(8)}"
    return f"{place} {os.getpid()} {started}"


def has_ended(name: str) -> bool:
    """Tell whether the process of such a name is known to have ended: it ran here and is gone."""
    place, _, rest = name.rpartition(" ")[0].rpartition(" ")
    if place != _name_place() or not rest.isdecimal():
        return False
    return _read_start(int(rest)) != name.rpartition(" ")[2]


def read_rss_bytes(pid: int) -> int | None:
    """Return the resident memory of a process, None where that is not known."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int((_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return None


def read_memory_bytes() -> int | None:
    """Return the memory that this machine, or this container, has; None where that is not known."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with contextlib.suppress(OSError, ValueError):
        found.append(int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    return min(found, default=None)


def prefer_to_be_killed() -> None:
    """Have the kernel end this process before others when memory runs out."""
    with contextlib.suppress(OSError):
        (_PROC / "self" / "oom_score_adj").write_text("800", encoding="ascii")


def belong_to_parent() -> None:
    """Let this process end with the one that started it, however that ends, and by it alone.

    A worker that waits for work would otherwise wait for ever: it holds both ends of its queue.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started us
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _name_place() -> str | None:
    """Return which boot of which machine, and which space of process ids in it, this is."""
    try:
        boot = (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {(_PROC / 'self' / 'ns' / 'pid').stat().st_ino}"
    except OSError:
        return None


def _read_start(pid: int) -> str | None:
    """Return when a process started, None when it has ended or that is not known."""
    try:
        line = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = line.rpartition(")")[2].split()
    return None if state in ("Z", "X") else rest[_START_TIME_FIELD - 1]
