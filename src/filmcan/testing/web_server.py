"""A web server on the loopback whose answers a test writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class QuietHandler(BaseHTTPRequestHandler):
    """Answers nothing yet, and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Stay quiet: the test looks at what the client does."""


@contextmanager
def start_web_server(handler: type[QuietHandler], **fields: object) -> Iterator[str]:
    """Run a server while the block runs and yield its URL.

    Args:
        handler: Answers requests.
        fields: Attributes that it has in this server.
    """
    own = type(handler.__name__, (handler,), fields)
    with ThreadingHTTPServer(("127.0.0.1", 0), own) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
