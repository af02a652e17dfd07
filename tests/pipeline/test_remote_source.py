"""What a URL of a source means, and what of it may be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmcan.errors import BadMediaError
from filmcan.pipeline.remote_source import (
    ObjectState,
    RemoteFolder,
    RemoteSource,
    parse_place,
    parse_source,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("clip.mp4", Path("clip.mp4")),
        ("folder/s3:/x", Path("folder/s3:/x")),
        ("s3://b/a/clip.mp4", RemoteSource("s3://b", "a/clip.mp4")),
        ("S3://b/a b%20c+ü.mp4", RemoteSource("s3://b", "a b%20c+ü.mp4")),
        ("gs://b/x", RemoteSource("gs://b", "x")),
        ("az://b/x", RemoteSource("az://b", "x")),
        ("s3://b", RemoteFolder("s3://b", "")),
        ("s3://b/", RemoteFolder("s3://b", "")),
        ("s3://b/a/", RemoteFolder("s3://b", "a/")),
        ("https://h/a.mp4?x=1", RemoteSource("https://h/a.mp4?x=1")),
        ("http://127.0.0.1:80/a", RemoteSource("http://127.0.0.1:80/a")),
        ("http://localhost/a", RemoteSource("http://localhost/a")),
    ],
)
def test_a_place_is_a_file_an_object_or_a_folder_of_a_bucket(text: str, wanted: object) -> None:
    assert parse_place(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "ftp://h/secret.mp4",
        "file:///secret",
        "s3:///secret.mp4",
        "s3://user:secret@b/a.mp4",
        "s3://b/a.mp4?secret",
        "s3://b/a.mp4#secret",
        "s3://b/../secret.mp4",
        "s3://b/a//secret.mp4",
        "s3://b//secret.mp4",
        "s3://b/./secret/",
        "s3://b/secret\0",
        "s3://b/secret\udcff",
        "https://user:secret@h/a.mp4",
        "https://h/a.mp4#secret",
        "https://h/secret a.mp4",
        "https://h:secret/a.mp4",
        "https:///secret",
        "https://h/secret\u00fc.mp4",
        "http://h/secret.mp4",
        "http://10.0.0.1/secret.mp4",
    ],
)
def test_b7_a_url_that_is_not_taken_is_not_shown(text: str) -> None:
    with pytest.raises(BadMediaError) as refusal:
        parse_place(text)
    assert refusal.value.code == "bad_source_url"
    assert "secret" not in str(refusal.value)


def test_a_folder_of_a_bucket_is_no_video() -> None:
    with pytest.raises(BadMediaError, match="names a folder"):
        parse_source("s3://b/a/")


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("s3://b/a/clip.mp4", "s3://b/a/clip.mp4", "clip.mp4"),
        ("https://h:81/a/c%20d.mp4?sig=1", "https://h:81/a/c%20d.mp4", "c d.mp4"),
        ("https://[::1]/a%2Fb.mp4", "https://[::1]/a%2Fb.mp4", "a%2Fb.mp4"),
        ("https://h/%00.mp4", "https://h/%00.mp4", "%00.mp4"),
        ("https://h/", "https://h/", "source"),
        ("https://h/a/%2E%2E", "https://h/a/%2E%2E", "source"),
        (f"s3://b/{'ü' * 300}.mp4", f"s3://b/{'ü' * 300}.mp4", f"{'ü' * 98}.mp4"),
    ],
)
def test_b7_what_is_shown_of_an_object_holds_no_query(text: str, url: str, name: str) -> None:
    source = parse_source(text)
    assert isinstance(source, RemoteSource)
    assert (source.url, source.name) == (url, name)
    assert "sig" not in repr(source)


def test_bytes_are_known_by_all_that_a_server_says_of_them() -> None:
    state = ObjectState(1, "tag", 2)
    source = RemoteSource("s3://b", "a.mp4", state)
    others = [
        (source, "https://other"),
        (RemoteSource("s3://c", "a.mp4", state), ""),
        (RemoteSource("s3://b", "b.mp4", state), ""),
        (source.with_state(ObjectState(2, "tag", 2)), ""),
        (source.with_state(ObjectState(1, "tug", 2)), ""),
        (source.with_state(ObjectState(1, "tag", 3)), ""),
    ]
    names = {source.identify(""), *(other.identify(server) for other, server in others)}
    assert len(names) == 1 + len(others)
    assert RemoteSource("s3://b", "a.mp4").identify("") is None
    assert source.with_state(ObjectState(1, "", 2)).identify("") is None, "no ETag, no name"
    assert source == RemoteSource("s3://b", "a.mp4"), "what is known of it does not tell it apart"
    assert source.is_same_as(source.with_state(ObjectState(1, "tag", 9)))
    assert not source.is_same_as(source.with_state(ObjectState(1, "tug", 2)))
    assert not source.is_same_as(RemoteSource("s3://b", "a.mp4"))
