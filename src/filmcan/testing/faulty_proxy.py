"""An HTTP proxy on the loopback that does to requests what networks and servers do.

It stands between a client and a real server, forwards, notes every request, and where its plan says
so delays, cuts the connection before or after the write reached the server, sends a request twice,
answers by itself, or takes the conditions off. The client never learns which.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote, urlsplit

CONDITIONS = frozenset({"if-match", "if-none-match"})
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
_DELAY_SEC = 0.01

FaultKind = Literal[
    "delay", "cut_before", "cut_after", "cut_body", "repeat", "answer", "answer_after", "strip"
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request.

    Attributes:
        kind: `delay` waits, then forwards. `cut_before` closes the connection and forwards nothing.
            `cut_after` forwards, then closes it without a reply; `cut_body` in the middle of the
            reply. `repeat` forwards twice and replies with the second answer. `answer` replies
            `status` and forwards nothing. `answer_after` forwards and replies `status` all the
            same. `strip` forwards without conditions.
        status: For the two that answer.
        body: What they answer; an error of S3 for that status when empty.
    """

    kind: FaultKind
    status: int = 0
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the proxy saw it; `path` is decoded and starts with the bucket."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    fault: Fault | None = None

    @property
    def is_conditional(self) -> bool:
        """True for a write that names a condition."""
        return self.method == "PUT" and not CONDITIONS.isdisjoint(self.headers)


Plan = Callable[[Request], "Fault | None"]


def never(request: Request) -> None:
    """Let everything pass."""


class Once:
    """A plan that strikes the first requests that match, and then lets everything pass."""

    def __init__(
        self, fault: Fault, matches: Callable[[Request], bool], *, times: int = 1, skip: int = 0
    ) -> None:
        """Strike `times` matching requests after letting `skip` of them pass."""
        self._fault = fault
        self._matches = matches
        self._range = range(skip, skip + times)
        self._lock = threading.Lock()
        self._seen = 0

    def __call__(self, request: Request) -> Fault | None:
        """Return the fault for this request."""
        if not self._matches(request):
            return None
        with self._lock:
            number, self._seen = self._seen, self._seen + 1
        return self._fault if number in self._range else None

    @property
    def has_struck(self) -> bool:
        """True once all strikes were made."""
        return self._seen >= self._range.stop


class RandomFaults:
    """A plan that strikes a share of all requests, the same in each run of a single thread.

    Only what may happen to a sound server happens: conditions are never stripped, and an answer
    of 409 or 412 that is not the server's own is given to conditional writes alone.
    """

    def __init__(self, seed: int, share: float) -> None:
        """Strike `share` of the requests."""
        self._random = random.Random(seed)  # noqa: S311 - a test's faults are no secret
        self._share = share
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Fault | None:
        """Return the fault for this request."""
        faults = [
            Fault("delay"),
            Fault("cut_before"),
            Fault("cut_after"),
            Fault("cut_body"),
            Fault("answer", 503),
            Fault("answer_after", 500),
        ]
        if request.method != "POST":  # ending an upload twice is no repetition but an error
            faults.append(Fault("repeat"))
        if request.is_conditional:
            faults += [Fault("answer", 409), Fault("answer", 412), Fault("answer_after", 412)]
        with self._lock:
            if self._random.random() >= self._share:
                return None
            return self._random.choice(faults)


@dataclass
class FaultyProxy:
    """A running proxy.

    Attributes:
        url: Where clients find it.
        plan: Decides what happens to each request; may be replaced at any time.
        requests: Every request so far, in order of arrival.
    """

    url: str
    plan: Plan = never
    requests: list[Request] = field(default_factory=list)

    def count(self) -> Counter[str]:
        """Return how many requests of each method came."""
        return Counter(request.method for request in self.requests)


@contextlib.contextmanager
def start_proxy(upstream: str, plan: Plan = never) -> Iterator[FaultyProxy]:
    """Run a proxy in front of the server at `upstream` while the block runs."""
    host = urlsplit(upstream)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.upstream = (str(host.hostname), int(host.port or 80))
    server.proxy = FaultyProxy(f"http://127.0.0.1:{server.server_port}", plan)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    upstream: tuple[str, int]
    proxy: FaultyProxy


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = self._note()
        fault = request.fault
        kind = fault.kind if fault is not None else None
        if kind == "cut_before":
            self._cut()
            return
        if fault is not None and kind == "answer":
            self._reply(_build_answer(fault))
            return
        if kind == "delay":
            time.sleep(_DELAY_SEC)
        answer = self._forward(body, without=CONDITIONS if kind == "strip" else frozenset())
        if kind == "repeat":
            answer = self._forward(body)
        if kind == "cut_after":
            self._cut()
        elif fault is not None and kind == "answer_after":
            self._reply(_build_answer(fault))
        else:
            self._reply(answer, is_cut=kind == "cut_body")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - http.server's names

    def _note(self) -> Request:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, unquote(parts.path), parts.query, headers)
        fault = self.server.proxy.plan(request)
        request = Request(request.method, request.path, request.query, headers, fault)
        self.server.proxy.requests.append(request)
        return request

    def _forward(self, body: bytes, without: frozenset[str] = frozenset()) -> _Answer:
        upstream = http.client.HTTPConnection(*self.server.upstream)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP | without:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            answer = upstream.getresponse()
            return _Answer(answer.status, answer.getheaders(), answer.read())
        finally:
            upstream.close()

    def _reply(self, answer: _Answer, *, is_cut: bool = False) -> None:
        self.send_response_only(answer.status)
        has_length = False
        for name, value in answer.headers:
            has_length = has_length or name.lower() == "content-length"
            if name.lower() not in _HOP_BY_HOP or name.lower() == "content-length":
                self.send_header(name, value)
        if not has_length:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            body = answer.body[: len(answer.body) // 2] if is_cut else answer.body
            with contextlib.suppress(ConnectionError):  # a client that has given up
                self.wfile.write(body)
        if is_cut:
            self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Stay quiet: the test looks at `requests`."""


def _build_answer(fault: Fault) -> _Answer:
    names = {
        409: "ConditionalRequestConflict",
        412: "PreconditionFailed",
        503: "SlowDown",
    }
    name = names.get(fault.status, "InternalError")
    text = f'<?xml version="1.0"?><Error><Code>{name}</Code><Message>made</Message></Error>'
    body = fault.body or text.encode()
    return _Answer(fault.status, [("Content-Type", "application/xml")], body)
