"""Metrics of a batch, in Prometheus' text format, for a collector that reads files.

Written while the batch goes on and once at its end; each write replaces the file whole.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, write_to_textfile

from filmcan.errors import StoreUnavailableError

if TYPE_CHECKING:
    from filmcan.operations.batch import BatchObserver
    from filmcan.operations.batch_videos import VideoResult

_WRITE_SEC = 5.0
_BUCKETS = (0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


class MeteredObserver:
    """Counts what a batch tells, and passes it on."""

    def __init__(self, path: Path, inner: BatchObserver) -> None:
        """Count nothing yet."""
        self._path = path
        self._inner = inner
        self._written = 0.0
        self.registry = CollectorRegistry()
        self._expected = self._gauge("filmcan_batch_videos", "Videos of the batch.")
        self._ended = self._gauge("filmcan_batch_videos_ended", "Videos that are through.")
        self._videos = Counter(
            "filmcan_videos", "Videos, by how they ended.", ["how"], registry=self.registry
        )
        self._components = Counter(
            "filmcan_components",
            "Results of components, by how they ended.",
            ["component", "status", "reason"],
            registry=self.registry,
        )
        self._reused = Counter(
            "filmcan_components_reused",
            "Results that were carried or were there before.",
            ["component"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "filmcan_component_seconds",
            "How long components ran, on the clock.",
            ["component"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._bytes = Counter(
            "filmcan_artifact_bytes",
            "Bytes of artifacts that were written.",
            ["component"],
            registry=self.registry,
        )

    def on_video(self, result: VideoResult, done: int, total: int) -> None:
        """Take what came of a video."""
        self._inner.on_video(result, done, total)
        self._expected.set(total)
        self._ended.set(done)
        self._videos.labels(result.how).inc()
        for item in result.components:
            self._components.labels(item.name, item.status, item.reason).inc()
            if result.how == "earlier" or item.seconds is None:
                self._reused.labels(item.name).inc()
            else:
                self._seconds.labels(item.name).observe(item.seconds)
            if result.how == "done":
                self._bytes.labels(item.name).inc(item.size_bytes)
        if time.monotonic() - self._written > _WRITE_SEC:
            self.write()

    def write(self) -> None:
        """Write the file.

        Raises:
            StoreUnavailableError: It cannot be written.
        """
        self._written = time.monotonic()
        try:
            write_to_textfile(str(self._path), self.registry)
        except OSError as error:
            raise StoreUnavailableError(
                f"the metrics cannot be written: {error.strerror}",
                where=self._path.name,
                hint="Name a file in a folder that exists with --metrics-file.",
            ) from error

    def _gauge(self, name: str, told: str) -> Gauge:
        return Gauge(name, told, registry=self.registry)
