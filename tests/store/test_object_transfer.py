"""Downloads: bounded, gone on with where they broke, and never put together from two objects."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from io import BytesIO
from multiprocessing.connection import Connection

import pytest
import tenacity

from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.pipeline.provenance import find_peak_rss_bytes
from filmcan.store.object_store import client as client_module
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.records import Entry, Tuning
from filmcan.store.object_store.transfer import STUCK_TRIES, Transfer
from filmcan.testing.faulty_proxy import Fault, FaultyProxy, Once, Request
from filmcan.testing.object_server import BUCKET
from filmcan.testing.web_server import QuietHandler, start_web_server

SIZE = 3 << 20
LARGE = 64 << 20
ONE, OTHER = os.urandom(SIZE), os.urandom(SIZE)
_prefixes = itertools.count()


@pytest.fixture
def client(faulty_proxy: FaultyProxy) -> Client:
    """Return a client of an empty folder, behind the proxy."""
    return Client(f"s3://{BUCKET}/transfer/{next(_prefixes)}", build_tuning())


def build_tuning() -> Tuning:
    return Tuning(first_pause_sec=0.001, longest_pause_sec=0.01)


def put(client: Client, data: bytes) -> None:
    client.put("a.mp4", BytesIO(data), len(data), "test")


def fetch(client: Client, path: str = "a.mp4", limit: int = SIZE) -> tuple[bytes, Entry, int]:
    """Return the bytes that came, of what object, and how many were told."""
    file = BytesIO()
    told: list[int] = []
    entry = client.download(path, file, limit=limit, on_bytes=told.append)
    return file.getvalue(), entry, sum(told)


def is_body(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("a.mp4")


def test_an_object_comes_whole_by_one_request(faulty_proxy: FaultyProxy, client: Client) -> None:
    put(client, ONE)
    faulty_proxy.requests.clear()
    data, entry, told = fetch(client)
    assert (data, entry.size, told) == (ONE, SIZE, SIZE)
    assert entry == client.get_entry("a.mp4")
    assert entry.tag == client.list_below("")[0].tag
    assert faulty_proxy.count() == {"GET": 2, "HEAD": 1}, "the body, and a listing"


def test_what_broke_goes_on_where_it_broke(faulty_proxy: FaultyProxy, client: Client) -> None:
    put(client, ONE)
    faulty_proxy.plan = Once(Fault("cut_body"), is_body, times=3)
    data, _, told = fetch(client)
    assert data == ONE
    assert told < 1.5 * SIZE, "what had come was not fetched again"


def test_what_the_library_gives_up_goes_on_where_it_broke(
    faulty_proxy: FaultyProxy, client: Client
) -> None:
    """It asks for the rest once by itself; then it is asked to, and may be refused for good."""
    put(client, ONE)
    impatient = Client(client.url, Tuning(tries=2, first_pause_sec=0.001, longest_pause_sec=0.01))
    faulty_proxy.plan = Once(Fault("cut_body"), is_body, times=3)
    data, _, told = fetch(impatient)
    assert data == ONE
    assert told < 1.5 * SIZE
    cut, refused = Once(Fault("cut_body"), is_body, times=2), Once(Fault("answer", 400), is_body)
    faulty_proxy.plan = lambda request: cut(request) or refused(request)
    with pytest.raises(StoreUnavailableError, match="400"):
        fetch(impatient)
    assert refused.has_struck


def test_an_object_that_is_replaced_meanwhile_comes_anew(
    faulty_proxy: FaultyProxy, client: Client
) -> None:
    put(client, ONE)
    first = client.get_entry("a.mp4")
    bodies = itertools.count()

    def plan(request: Request) -> Fault | None:
        if not is_body(request):
            return None
        number = next(bodies)
        if number == 1:
            put(client, OTHER)
        return Fault("cut_body") if number == 0 else None

    faulty_proxy.plan = plan
    data, entry, _ = fetch(client)
    assert data == OTHER
    assert entry.tag != first.tag


def test_what_is_too_long_or_absent_is_an_error(faulty_proxy: FaultyProxy, client: Client) -> None:
    put(client, ONE)
    file = BytesIO()
    with pytest.raises(InvalidContentError, match=f"{SIZE} bytes, more than 1000"):
        client.download("a.mp4", file, limit=1000, on_bytes=lambda _: None)
    assert not file.getvalue()
    with pytest.raises(NotFoundError):
        fetch(client, "b.mp4")
    with pytest.raises(NotFoundError):
        client.get_entry("b.mp4")


# --- plain web servers ---------------------------------------------------------------------------


class _Web(QuietHandler):
    """Cuts the first answers; whether it knows ranges and tags is in the path."""

    protocol_version = "HTTP/1.1"
    asked: list[str | None]

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        number, wanted = len(self.asked), self.headers.get("Range")
        self.asked.append(wanted)
        is_replaced = "replaced" in self.path and number > 0
        data = OTHER if is_replaced else ONE
        start = 0
        if wanted is not None and "plain" not in self.path:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{SIZE - 1}/{SIZE}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(SIZE - start))
        if "untagged" not in self.path:
            self.send_header("ETag", '"other"' if is_replaced else '"one"')
        self.end_headers()
        is_cut = number < 1 or "broken" in self.path
        self.wfile.write(data[start : start + (SIZE - start) // 2] if is_cut else data[start:])
        self.close_connection = is_cut


@pytest.fixture
def ask_web() -> Iterator[Callable[[str], tuple[Client, list[str | None]]]]:
    """Return what gives a client of a path of a server, and the ranges it is asked for."""
    asked: list[str | None] = []
    with start_web_server(_Web, asked=asked) as server:

        def build(path: str) -> tuple[Client, list[str | None]]:
            client = Client(f"{server}/{path}?key=hidden", build_tuning(), shown="http://shown/")
            return client, asked

        yield build


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("ranges", ONE), ("untagged", ONE), ("plain", ONE), ("replaced", OTHER)],
)
def test_a_web_server_gives_a_whole_object_whatever_it_knows(
    ask_web: Callable[[str], tuple[Client, list[str | None]]], path: str, wanted: bytes
) -> None:
    client, asked = ask_web(path)
    data, entry, _ = fetch(client, "")
    assert data == wanted
    assert entry.size == SIZE
    assert any(asked) == (path != "untagged"), "ranges are asked for where bytes have a name"


def test_a_transfer_that_never_gets_on_ends_and_shows_no_secret(
    ask_web: Callable[[str], tuple[Client, list[str | None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = client_module._repeat.copy(wait=tenacity.wait_none())
    monkeypatch.setattr(client_module, "_repeat", at_once)
    client, asked = ask_web("broken/untagged")
    with pytest.raises(StoreUnavailableError) as refusal:
        fetch(client, "")
    assert len(asked) > STUCK_TRIES
    assert "http://shown/" in str(refusal.value)
    assert "hidden" not in str(refusal.value)


def test_tries_are_counted_anew_whenever_bytes_have_come() -> None:
    entry = Entry("a", 100, 0.0, "tag")

    def ask(start: int, known: Entry | None) -> tuple[Entry, int, list[bytes]]:
        assert known in (None, entry)
        return entry, start, [b"x"]

    transfer = Transfer(ask, BytesIO(), limit=100, on_bytes=lambda _: None)
    idle = [False] * (STUCK_TRIES - 1)
    for _ in range(3):
        assert [transfer.is_stuck(None) for _ in idle] == idle
        transfer.go_on()
        assert not transfer.is_stuck(None)
    assert [transfer.is_stuck(None) for _ in idle] == idle
    assert transfer.is_stuck(None)


def _measure_growth(url: str, sender: Connection) -> None:
    client = Client(url, build_tuning())
    with tempfile.TemporaryFile() as file:
        client.download("small", file, limit=1, on_bytes=lambda _: None)
        before = find_peak_rss_bytes()
        client.download("large", file, limit=LARGE, on_bytes=lambda _: None)
        after = find_peak_rss_bytes()
    assert before is not None
    assert after is not None
    sender.send(after - before)


def test_memory_does_not_grow_with_what_is_fetched(client: Client) -> None:
    """Measured: 3 MiB more at the peak for 300 MiB."""
    client.put("small", BytesIO(b"x"), 1, "test")
    client.put("large", BytesIO(bytes(LARGE)), LARGE, "test")
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe()
    child = context.Process(target=_measure_growth, args=(client.url, sender))
    child.start()
    grown = receiver.recv()
    child.join()
    assert grown < LARGE // 2
