"""Listens: the one place that knows of a port."""

from __future__ import annotations

import sys

import uvicorn

from filmcan.server.app import build_app
from filmcan.server.state import Settings, State

__all__ = ["Settings", "serve"]

_SWITCH_SEC = 0.0005
"""SQLite lets other threads run at each row; so long at most they keep the one that reads waiting.

At Python's five milliseconds a page of fifty runs waits for as many turns of seven other callers.
"""


def serve(settings: Settings, *, host: str, port: int, log_level: str = "warning") -> None:
    """Answer requests until interrupted.

    Args:
        settings: What to serve.
        host: Address to listen on.
        port: Port to listen on.
        log_level: Of uvicorn's own log; it never holds a token.

    Raises:
        StoreUnavailableError: There is no such store.
        NotFoundError: There is no such media folder.
    """
    sys.setswitchinterval(_SWITCH_SEC)
    uvicorn.run(
        build_app(State(settings)),
        host=host,
        port=port,
        log_level=log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
