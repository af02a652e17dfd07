"""Counts and times of requests, as Prometheus reads them. No ids: routes, not addresses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UNKNOWN = "none"


class Metrics:
    """The registry of one server."""

    def __init__(self) -> None:
        """Make the metrics."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "filmcan_http_requests_total",
            "Answers by route, method and status.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "filmcan_http_request_seconds",
            "Time until an answer was sent whole, by route.",
            ("route",),
            registry=self._registry,
        )

    def record(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answer."""
        known = method if method in ("GET", "HEAD", "OPTIONS") else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def write_text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class Meter:
    """Measures each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap the application."""
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and take its time."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def send_measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = time.perf_counter()
        try:
            await self._app(scope, receive, send_measured)
        finally:
            route = getattr(scope.get("route"), "path", _UNKNOWN)
            self._metrics.record(route, scope["method"], status, time.perf_counter() - begun)
