"""Copies of objects: what they are known by, and what can keep them from being made."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from filmcan.errors import BadMediaError, InternalError, MissingExtraError, StoreUnavailableError
from filmcan.pipeline.remote_source import RemoteFolder, RemoteSource
from filmcan.pipeline.source_copy import SourceCopy, find_known_digest, list_objects, look_at
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.records import Tuning
from filmcan.testing.object_server import BUCKET, fill_bucket
from filmcan.testing.web_server import QuietHandler, start_web_server

PLACE = f"s3://{BUCKET}"
_prefixes = itertools.count()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FILMCAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(object_server: str) -> RemoteSource:
    """Return an object of five bytes."""
    key = f"copies/{next(_prefixes)}/a.mp4"
    Client(PLACE, Tuning()).put(key, BytesIO(b"bytes"), 5, "test")
    return RemoteSource(PLACE, key)


def test_a_copy_is_there_while_it_is_held_and_its_digest_is_remembered(
    source: RemoteSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_known_digest(look_at(source)) is None
    with SourceCopy(source, limit_bytes=5) as copy:
        digest = copy.get_digest()
        path = copy.get_path()
        assert (path.name, path.read_bytes()) == ("a.mp4", b"bytes")
        assert copy.get_source() == source
    assert not path.exists()
    assert find_known_digest(look_at(source)) == digest
    with SourceCopy(look_at(source), limit_bytes=0) as copy:
        assert copy.get_digest() == digest, "nothing has to be fetched to know it"
    seen = look_at(source)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    assert find_known_digest(seen) is None, "another server may have other bytes"


def test_a_file_is_its_own_copy(clip: Path) -> None:
    with SourceCopy(clip, limit_bytes=0) as copy:
        assert copy.get_path() == clip
        assert len(copy.get_digest()) == 64
        with pytest.raises(InternalError):
            copy.get_source()
    assert clip.exists()


def test_an_empty_object_is_no_source(source: RemoteSource) -> None:
    empty = RemoteSource(PLACE, f"{source.key}.empty")
    Client(PLACE, Tuning()).put(empty.key, BytesIO(b""), 0, "test")
    with pytest.raises(BadMediaError, match="empty"), SourceCopy(empty, limit_bytes=5) as copy:
        copy.get_path()


def test_without_room_or_obstore_nothing_is_fetched(
    source: RemoteSource, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_bytes(b"no folder")
    with pytest.raises(StoreUnavailableError) as refusal, SourceCopy(source, limit_bytes=5) as copy:
        copy.get_path()
    assert refusal.value.code == "scratch_unusable"
    monkeypatch.setitem(sys.modules, "filmcan.store.object_store.client", None)
    with pytest.raises(MissingExtraError, match=r"filmcan\[s3\]"):
        look_at(source)


def test_listings_have_many_pages_and_fail_as_what_they_are(
    source: RemoteSource, object_server: str
) -> None:
    folder = f"copies/{next(_prefixes)}"
    keys = [f"{folder}/{number:04}.mp4" for number in range(2_300)]
    fill_bucket([*keys, f"{folder}-beside.mp4"])
    found = list(list_objects(RemoteFolder(PLACE, f"{folder}/")))
    assert [item.key for item in found] == keys
    assert found[0].state == look_at(RemoteSource(PLACE, keys[0])).state
    with pytest.raises(BadMediaError, match="no such bucket") as refusal:
        list(list_objects(RemoteFolder("s3://nowhere", "")))
    assert refusal.value.code == "source_missing"
    fill_bucket([f"{folder}/odd//x.mp4"])
    with pytest.raises(BadMediaError, match="no path") as refusal:
        list(list_objects(RemoteFolder(PLACE, f"{folder}/")))
    assert "one by one" in refusal.value.hint


class _Answers(QuietHandler):
    """Answers a HEAD by the number in the path."""

    def do_HEAD(self) -> None:  # noqa: N802 - http.server's name
        self.send_response(int(self.path.strip("/").partition("?")[0]))
        self.send_header("Content-Length", "5")
        self.send_header("ETag", '"five"')
        self.end_headers()


@pytest.fixture
def web() -> Iterator[str]:
    with start_web_server(_Answers) as url:
        yield url


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_an_address_that_may_only_be_read_is_not_looked_at(web: str, status: int) -> None:
    assert look_at(RemoteSource(f"{web}/{status}")).state is None


def test_an_address_that_can_be_looked_at_says_what_it_has(web: str) -> None:
    state = look_at(RemoteSource(f"{web}/200?x=1")).state
    assert state is not None
    assert (state.size_bytes, state.tag) == (5, '"five"')
    with pytest.raises(BadMediaError) as refusal:
        look_at(RemoteSource(f"{web}/400"))
    assert refusal.value.code == "source_unreachable"
