"""Downloads against a server on this machine: `https` and `hf` sources share this code."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from filmcan.errors import AssetError
from filmcan.models.cache import Cache
from filmcan.models.catalog import Asset
from filmcan.models.fetch import OFFLINE_VARIABLE, FetchProgress, fetch
from filmcan.models.sources import download
from filmcan.models.sources.address import find_redirect_fault, find_url_fault
from filmcan.models.sources.base import FetchOrder
from filmcan.models.sources.https import HttpsSource
from filmcan.models.sources.local import LocalSource

BuildAsset = Callable[..., Asset]
BuildOrder = Callable[..., FetchOrder]

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several chunks
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _online(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    monkeypatch.delenv(OFFLINE_VARIABLE, raising=False)


@pytest.fixture
def order(build_order: BuildOrder, server: Any) -> FetchOrder:
    """Return an order for the content, which the server holds."""
    server.content = CONTENT
    return build_order(len(CONTENT), DIGEST)


def _fetch(server: Any, order: FetchOrder, path: str = "/weights.bin") -> bytes:
    target = order.work / "target"
    HttpsSource(server.url + path).fetch_to(target, order)
    return target.read_bytes()


def test_a_file_arrives_whole_and_its_bytes_are_counted(
    server: Any, build_order: BuildOrder
) -> None:
    server.content = CONTENT
    counted: list[int] = []
    order = build_order(len(CONTENT), DIGEST, counted.append)
    assert _fetch(server, order) == CONTENT
    assert counted == sorted(counted)
    assert counted[-1] == len(CONTENT)
    assert len(counted) > 1
    ((path, headers),) = server.requests
    assert path == "/weights.bin"
    assert headers["Accept-Encoding"] == "identity"
    assert "Range" not in headers
    assert [found.name for found in order.work.iterdir()] == ["target"]


def test_a_cut_connection_is_gone_on_with_where_it_ended(
    server: Any, order: FetchOrder, waits: list[float]
) -> None:
    server.script = [server.cut_after(300_000)]
    assert _fetch(server, order) == CONTENT
    second = server.requests[1][1]
    assert (second["Range"], second["If-Range"]) == ("bytes=300000-", '"v1"')
    assert waits == [1.0]


def test_a_later_process_goes_on_where_an_earlier_one_was_stopped(
    server: Any, order: FetchOrder
) -> None:
    def stop(received: int) -> None:
        raise KeyboardInterrupt

    stopped = FetchOrder(order.size_bytes, order.sha256, order.work, order.partial, stop)
    with pytest.raises(KeyboardInterrupt):
        _fetch(server, stopped)
    there = order.partial.stat().st_size
    assert 0 < there < len(CONTENT)
    assert _fetch(server, order) == CONTENT
    assert server.requests[1][1]["Range"] == f"bytes={there}-"
    assert not order.partial.exists()


def test_a_file_that_has_changed_meanwhile_is_fetched_anew(server: Any, order: FetchOrder) -> None:
    server.script = [server.cut_after(1000)] * 5
    server.content, server.etag = b"y" * len(CONTENT), '"v0"'
    with pytest.raises(AssetError, match="the connection ended after 1000 of"):
        _fetch(server, order)
    server.content, server.etag = CONTENT, '"v1"'
    assert _fetch(server, order) == CONTENT
    assert server.requests[-1][1]["If-Range"] == '"v0"'


def test_a_damaged_beginning_is_noticed_and_the_file_fetched_anew_once(
    server: Any, order: FetchOrder
) -> None:
    order.partial.write_bytes(b"\0" * 1000)
    state = {"url": server.url + "/weights.bin", "validator": '"v1"'}
    order.partial.with_name("partial.json").write_text(json.dumps(state))
    assert _fetch(server, order) == CONTENT
    assert ["Range" in headers for _, headers in server.requests] == [True, False]


def test_a_download_that_was_complete_before_its_process_died_does_not_travel_again(
    server: Any, order: FetchOrder
) -> None:
    order.partial.write_bytes(CONTENT)
    state = {"url": server.url + "/weights.bin", "validator": '"v1"'}
    order.partial.with_name("partial.json").write_text(json.dumps(state))
    assert _fetch(server, order) == CONTENT
    assert server.requests == []


@pytest.mark.parametrize(
    "state",
    [
        "",
        "[]",
        "{}",
        '{"url": "https://elsewhere.example/weights.bin", "validator": "\\"v1\\""}',
        '{"url": "URL", "validator": "x\\r\\nHost: y"}',
    ],
)
def test_what_another_source_or_a_broken_note_left_is_not_gone_on_with(
    server: Any, order: FetchOrder, state: str
) -> None:
    order.partial.write_bytes(b"\0" * 1000)
    url = server.url + "/weights.bin"
    order.partial.with_name("partial.json").write_text(state.replace("URL", url))
    assert _fetch(server, order) == CONTENT
    assert "Range" not in server.requests[0][1]


def test_without_a_name_for_its_bytes_a_download_starts_again(
    server: Any, order: FetchOrder
) -> None:
    server.etag = 'W/"weak"'
    server.script = [server.cut_after(1000)]
    assert _fetch(server, order) == CONTENT
    assert "Range" not in server.requests[1][1]


def test_another_range_than_was_asked_for_is_not_appended(server: Any, order: FetchOrder) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes 0-9/{len(CONTENT)}")
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(CONTENT[:10])

    server.script = [server.cut_after(1000), answer]
    assert _fetch(server, order) == CONTENT
    assert "Range" not in server.requests[2][1]


def test_a_range_that_cannot_be_had_makes_it_start_again(server: Any, order: FetchOrder) -> None:
    server.script = [server.cut_after(1000), server.refuse(416)]
    assert _fetch(server, order) == CONTENT
    assert "Range" not in server.requests[2][1]


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_file_of_another_declared_size_is_refused_before_it_travels(
    server: Any, build_order: BuildOrder, size: int
) -> None:
    server.content = CONTENT
    counted: list[int] = []
    order = build_order(size, DIGEST, counted.append)
    with pytest.raises(AssetError, match=f"expected {size} bytes, got {len(CONTENT)}") as caught:
        _fetch(server, order)
    assert caught.value.code == "asset_size"
    assert counted == []
    assert list(order.work.iterdir()) == []


def test_a_file_longer_than_declared_is_cut_off(server: Any, order: FetchOrder) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)  # no Content-Length: it ends with the connection
        handler.end_headers()
        handler.wfile.write(CONTENT + b"more")

    server.script = [answer]
    with pytest.raises(AssetError, match=f"got more than {len(CONTENT)}"):
        _fetch(server, order)
    assert list(order.work.iterdir()) == []


def test_a_wrong_digest_is_an_error_and_nothing_is_kept(
    server: Any, cache: Cache, build_asset: BuildAsset
) -> None:
    server.content = b"w3ights"
    asset = build_asset(b"weights", HttpsSource(server.url + "/weights.bin"))
    with pytest.raises(AssetError, match="wrong digest: expected sha256") as caught:
        fetch(asset, cache=cache)
    assert caught.value.code == "asset_digest"
    assert [path for path in cache.root.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_a_fetch_tells_of_the_bytes_as_they_arrive(
    server: Any, cache: Cache, build_asset: BuildAsset
) -> None:
    server.content = CONTENT
    steps: list[FetchProgress] = []
    asset = build_asset(CONTENT, HttpsSource(server.url + "/weights.bin"))
    path = fetch(asset, cache=cache, on_progress=steps.append)["weights.bin"]
    assert path.read_bytes() == CONTENT
    told = [step.step for step in steps]
    assert told == ["fetching", *["receiving"] * (len(steps) - 2), "fetched"]
    assert steps[-2].received_bytes == steps[-1].received_bytes == len(CONTENT)


def test_when_one_source_gives_up_half_way_the_next_one_leaves_no_half_behind(
    server: Any, cache: Cache, build_asset: BuildAsset, tmp_path: Path
) -> None:
    server.content = CONTENT
    server.script = [server.cut_after(1000), server.refuse(404)]
    own = tmp_path / "copy.bin"
    own.write_bytes(CONTENT)
    asset = build_asset(CONTENT, HttpsSource(server.url + "/a"), LocalSource(own))
    assert fetch(asset, cache=cache)["weights.bin"].read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/a", "/a"]
    assert list((cache.root / "partial").iterdir()) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(server: Any, order: FetchOrder, status: int) -> None:
    server.script = [server.refuse(status, Location="/there?signature=x")]
    assert _fetch(server, order) == CONTENT
    assert [path for path, _ in server.requests] == ["/weights.bin", "/there?signature=x"]


@pytest.mark.parametrize(
    "location",
    [
        "http://elsewhere.example/weights.bin?signature=secret",
        "ftp://elsewhere.example/weights.bin",
        "file:///etc/passwd",
        "https://user:secret@elsewhere.example/weights.bin",
        "https://[elsewhere.example/secret",
        "//[elsewhere.example/secret",
        "https://elsewhere.example:secret/",
    ],
)
def test_a_redirect_away_from_https_is_refused(
    server: Any, order: FetchOrder, location: str
) -> None:
    server.script = [server.refuse(302, Location=location)]
    with pytest.raises(AssetError, match="was not followed: expected an address") as caught:
        _fetch(server, order)
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 1


def test_redirects_come_to_an_end(server: Any, order: FetchOrder) -> None:
    server.script = [server.refuse(302, Location="/again")] * 99
    with pytest.raises(AssetError, match="more than 5 redirects"):
        _fetch(server, order)
    assert len(server.requests) == 6


def test_https_never_leads_to_http_not_even_on_this_machine() -> None:
    assert find_redirect_fault("https://a.example/x", "http://127.0.0.1/x") is not None
    assert find_redirect_fault("https://a.example/x", "https://b.example/x") is None
    assert find_redirect_fault("http://127.0.0.1/x", "http://localhost:8080/x") is None


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://a.example/x?generation=1", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080/", True),
        ("http://a.example/x", False),
        ("http://127.0.0.1.a.example/x", False),
        ("http://localhost@a.example/x", False),
        ("https://user:word@a.example/x", False),
        ("https://a.example/x#part", False),
        ("https://a.example/x y", False),
        ("https://a.example/x\r\nHost: b", False),
        ("https://a.example:x/", False),
        ("https://[a.example/", False),
        ("https:///x", False),
        ("file:///etc/passwd", False),
        ("weights.bin", False),
        ("", False),
    ],
)
def test_only_https_is_taken_and_http_on_this_machine(url: str, good: bool) -> None:
    assert (find_url_fault(url) is None) is good


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_a_refusal_is_not_tried_again(
    server: Any, order: FetchOrder, waits: list[float], status: int
) -> None:
    server.script = [server.refuse(status)] * 3
    with pytest.raises(AssetError, match=f"HTTP {status}") as caught:
        _fetch(server, order)
    assert caught.value.code == "asset_unreachable"
    assert ("HF_TOKEN" in caught.value.hint) is (status in (401, 403))
    assert len(server.requests) == 1
    assert waits == []


def test_a_busy_server_is_asked_again_as_late_as_it_wishes(
    server: Any, order: FetchOrder, waits: list[float]
) -> None:
    server.script = [
        server.refuse(429, Retry_After="7"),
        server.refuse(503),
        server.refuse(503, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
    ]
    assert _fetch(server, order) == CONTENT
    assert waits == [7.0, 2.0, 4.0]


def test_a_server_that_stays_busy_is_given_up(
    server: Any, order: FetchOrder, waits: list[float]
) -> None:
    server.script = [server.refuse(503)] * 99
    with pytest.raises(AssetError, match="HTTP 503 Service Unavailable, 5 times in a row"):
        _fetch(server, order)
    assert len(server.requests) == 5
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_server_that_wants_an_hour_is_given_up_at_once(server: Any, order: FetchOrder) -> None:
    server.script = [server.refuse(429, Retry_After="3600")]
    with pytest.raises(AssetError, match="it asks to wait 3600 s"):
        _fetch(server, order)


def test_progress_earns_new_patience(server: Any, order: FetchOrder, waits: list[float]) -> None:
    def go_on(handler: BaseHTTPRequestHandler) -> None:
        start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        handler.send_header("Content-Length", str(len(CONTENT) - start))
        handler.end_headers()
        handler.wfile.write(CONTENT[start : start + 1000])

    server.script = [server.cut_after(1000), *[go_on] * 9]
    assert _fetch(server, order) == CONTENT
    assert waits == [1.0] * 10


def test_an_answer_that_is_encoded_is_refused(server: Any, order: FetchOrder) -> None:
    server.script = [server.refuse(200, Content_Encoding="gzip")]
    with pytest.raises(AssetError, match="encoded as gzip"):
        _fetch(server, order)


def test_a_server_out_of_reach_is_tried_once_for_all_files_of_an_asset(
    order: FetchOrder, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        source = HttpsSource(f"http://127.0.0.1:{taken.getsockname()[1]}/weights.bin")
        with pytest.raises(AssetError, match="no connection: Connection refused") as caught:
            source.fetch_to(order.work / "target", order)
        assert "HTTPS_PROXY" in caught.value.hint
        with pytest.raises(AssetError, match="out of reach a moment ago"):
            source.fetch_to(order.work / "target", order)
    assert waits == []


def test_a_server_that_never_answers_is_given_up(
    order: FetchOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT_SEC", 0.02)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        source = HttpsSource(f"http://127.0.0.1:{silent.getsockname()[1]}/weights.bin")
        with pytest.raises(AssetError, match="no answer: timed out, 5 times in a row"):
            source.fetch_to(order.work / "target", order)


def test_the_proxy_variables_are_honoured(
    server: Any, order: FetchOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    HttpsSource("http://localhost:1/weights.bin").fetch_to(order.work / "target", order)
    assert server.requests[0][0] == "http://localhost:1/weights.bin"
    monkeypatch.setenv("no_proxy", "localhost")
    with pytest.raises(AssetError, match="no connection"):
        HttpsSource("http://localhost:1/weights.bin").fetch_to(order.work / "again", order)


def test_offline_no_connection_is_made(
    server: Any, cache: Cache, build_asset: BuildAsset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OFFLINE_VARIABLE, "1")
    with pytest.raises(AssetError, match=OFFLINE_VARIABLE):
        fetch(build_asset(b"weights", HttpsSource(server.url + "/x")), cache=cache)
    assert server.requests == []
