"""An object store on the loopback: moto's in a thread of this process, with writes made atomic."""

from __future__ import annotations

import http.client
import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

BUCKET = "videos"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "NO_PROXY": "127.0.0.1",
}
"""What a client needs besides the endpoint."""


@contextmanager
def start_object_server() -> Iterator[str]:
    """Run a server with one bucket, `BUCKET`, while the block runs; yield its URL."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = _Atomic(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        ask(url, "PUT", f"/{BUCKET}")
        yield url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Atomic:
    """Writes one after another: moto looks at a condition, then writes, and others come between."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._app(environ, start_response)
        with self._lock:
            return self._app(environ, start_response)


def ask(server: str, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Make one request of the server at `host:port` and return status and body."""
    connection = http.client.HTTPConnection(server.removeprefix("http://"))
    try:
        connection.request(method, quote(path, safe="/?=&"), body=body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def fill_bucket(keys: Iterable[str]) -> None:
    """Put empty objects into the bucket without a request for each."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends

    for key in keys:
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, key, b"")
