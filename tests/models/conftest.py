"""Assets, caches, packages and a server, all made by code."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from filmcan.models.cache import Cache
from filmcan.models.catalog import Asset, AssetFile
from filmcan.models.sources import download
from filmcan.models.sources.base import FetchOrder, Source
from filmcan.models.sources.local import LocalSource

BuildAsset = Callable[..., Asset]
BuildWheel = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache")


@pytest.fixture
def build_asset(tmp_path: Path) -> BuildAsset:
    """Build an asset of one file; by default from a local file that holds its content."""

    def build(content: bytes = b"weights", *sources: Source) -> Asset:
        if not sources:
            path = tmp_path / "own.bin"
            path.write_bytes(content)
            sources = (LocalSource(path),)
        file = AssetFile(
            "weights.bin", len(content), hashlib.sha256(content).hexdigest(), tuple(sources)
        )
        return Asset("thing", "model", "1", "MIT", "", "", (file,))

    return build


@pytest.fixture
def build_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildWheel:
    """Build a wheel in a folder that is the only place pip looks at."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")

    def build(
        members: dict[str, bytes], *, version: str = "1.0", tag: str = "py3-none-any"
    ) -> Path:
        info = f"filmcan_made-{version}.dist-info"
        path = folder / f"filmcan_made-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: filmcan-made\nVersion: {version}\n",
            )
            archive.writestr(
                f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
            )
            archive.writestr(f"{info}/RECORD", "")
        return path

    return build


@pytest.fixture
def build_order(tmp_path: Path) -> Callable[..., FetchOrder]:
    """Build what a source is told about one file."""

    def build(
        size_bytes: int | None,
        sha256: str | None = None,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> FetchOrder:
        return FetchOrder(size_bytes, sha256, tmp_path, tmp_path / "partial", on_bytes)

    return build


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class MadeServer:
    """A server on this machine that holds one file and does as it is told.

    Attributes:
        url: Its address.
        content: What every path holds.
        etag: Names the content.
        script: Answers for the next requests; after them it behaves well.
        requests: Path and headers of each request so far.
    """

    url: str = ""
    content: bytes = b"weights"
    etag: str = '"v1"'
    script: list[Answer] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append((handler.path, dict(handler.headers)))
        (self.script.pop(0) if self.script else self.serve)(handler)

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Send the content, or the rest of it where the client has its beginning."""
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if asked and handler.headers.get("If-Range") == self.etag:
            start = int(asked[1])
            total = len(self.content)
            extra = {"Content-Range": f"bytes {start}-{total - 1}/{total}"}
            send(handler, 206, self.content[start:], {"ETag": self.etag, **extra})
        else:
            send(handler, 200, self.content, {"ETag": self.etag})

    def cut_after(self, count: int) -> Answer:
        """Return an answer whose connection ends after so many bytes of the content."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            headers = {"ETag": self.etag, "Content-Length": str(len(self.content))}
            send(handler, 200, self.content[:count], headers)

        return answer

    def refuse(self, status: int, **headers: str) -> Answer:
        """Return an answer with a status and no content."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return lambda handler: send(handler, status, b"", named)


def send(
    handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]
) -> None:
    """Send one answer and close the connection."""
    handler.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        handler.send_header(name, value)
    handler.end_headers()
    with contextlib.suppress(ConnectionError):  # a client may have had enough
        handler.wfile.write(body)
    handler.close_connection = True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MadeServer]:
    """A server on this machine; no proxy stands before it, and waiting takes no time."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = MadeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        made.url = f"http://127.0.0.1:{running.server_port}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        running.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that downloads would have waited."""
    seconds: list[float] = []
    monkeypatch.setattr(download, "wait", seconds.append)
    return seconds
