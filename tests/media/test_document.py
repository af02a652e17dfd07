from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from filmcan.errors import BadDocumentError
from filmcan.media import document as document_module
from filmcan.media.document import (
    Comment,
    Segment,
    TextSources,
    Transcript,
    parse_document,
    parse_document_bytes,
    parse_time,
    read_document,
)

FULL: dict[str, Any] = {
    "title": "Ёжик в тумане",
    "description": "",
    "tags": ["ёжик", "fog"],
    "comments": [
        {"text": "Супер", "likes": 3, "published_at": "2024-05-01T12:00:00Z"},
        {"text": "ok", "likes": None},
    ],
    "transcript": [
        {"start_sec": 2, "end_sec": 3.5, "text": "second"},
        {"start_sec": 0, "end_sec": 1, "text": "first"},
    ],
    "language": "ru-RU",
    "channel_id": "UC1",
    "published_at": "2024-05-01",
}


def refuse(value: object) -> BadDocumentError:
    with pytest.raises(BadDocumentError) as caught:
        parse_document(value)
    return caught.value


def test_a_full_document_becomes_records_in_time_order() -> None:
    assert parse_document(FULL) == TextSources(
        title="Ёжик в тумане",
        description="",
        tags=("ёжик", "fog"),
        comments=(Comment("Супер", 3, "2024-05-01T12:00:00Z"), Comment("ok")),
        transcript=Transcript(
            (Segment("first", 0.0, 1.0), Segment("second", 2.0, 3.5)), "document"
        ),
        language="ru-RU",
        channel_id="UC1",
        published_at="2024-05-01",
    )


def test_the_order_of_keys_changes_nothing() -> None:
    turned = dict(reversed(list(FULL.items())))
    turned["comments"] = [dict(reversed(list(item.items()))) for item in FULL["comments"]]
    assert parse_document(turned) == parse_document(FULL)


def test_c6_absent_and_null_mean_not_there_while_blank_means_there_and_mute() -> None:
    assert parse_document({"title": None, "tags": None}) == TextSources()
    found = parse_document({"title": "", "tags": [], "comments": [], "transcript": []})
    assert (found.title, found.tags, found.comments) == ("", (), ())
    assert found.transcript == Transcript((), "document")
    assert found.description is None


def test_a_plain_transcript_is_one_segment_without_times() -> None:
    found = parse_document({"transcript": "all of it"}).transcript
    assert found == Transcript((Segment("all of it"),), "document")


@pytest.mark.parametrize(
    ("key", "near"),
    [("discription", "description"), ("Title", "title"), ("tag", "tags"), ("lang", "language")],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key: str, near: str) -> None:
    error = refuse({key: "x"})
    assert f"{key}: unknown key, did you mean {near}?" in error.message
    assert error.code == "bad_document"
    assert '"published_at"' in error.hint


def test_a_key_like_none_is_refused_with_the_list_of_all() -> None:
    assert "known are title, description, tags" in refuse({"zzz": 1}).message


def test_an_unknown_key_of_a_comment_is_named_with_its_place() -> None:
    error = refuse({"comments": [{"text": "a"}, {"text": "b", "like": 1}]})
    assert error.message == "comments[1].like: unknown key, did you mean likes?"


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([], "expected an object"),
        ({"title": 5}, "title: expected a string"),
        ({"tags": "a,b"}, "tags: expected a list of strings"),
        ({"tags": ["a", 1]}, "tags[1]: expected a string"),
        ({"comments": ["text"]}, "comments[0]: expected an object"),
        ({"comments": {"text": "a"}}, "comments: expected a list"),
        ({"comments": [{"likes": 1}]}, "comments[0].text: missing"),
        ({"comments": [{"text": "a", "likes": -1}]}, "comments[0].likes: expected at least 0"),
        ({"comments": [{"text": "a", "likes": True}]}, "comments[0].likes"),
        ({"comments": [{"text": "a", "likes": 1.5}]}, "comments[0].likes"),
        ({"comments": [{"text": "a", "likes": 10**30}]}, "comments[0].likes: expected at most"),
        ({"comments": [{"text": "a", "published_at": "2 days ago"}]}, "comments[0].published_at"),
        ({"transcript": 5}, "transcript: expected a text or a list"),
        ({"transcript": [{"start_sec": 0, "text": "a"}]}, "transcript[0].end_sec"),
        (
            {"transcript": [{"start_sec": 2, "end_sec": 1, "text": "a"}]},
            "transcript[0].end_sec: ends at 1.0, before its start 2.0",
        ),
        ({"transcript": [{"start_sec": -1, "end_sec": 1, "text": ""}]}, "transcript[0].start_sec"),
        (
            {"transcript": [{"start_sec": float("nan"), "end_sec": 1, "text": ""}]},
            "transcript[0].start_sec",
        ),
        ({"transcript": [{"start_sec": 0, "end_sec": 1e300, "text": ""}]}, "end_sec: expected"),
        ({"language": "русский"}, "language: expected a language tag"),
        ({"published_at": "yesterday"}, "published_at: expected an ISO 8601"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(value: object, place: str) -> None:
    assert place in refuse(value).message


def test_all_faults_come_together_and_the_message_stays_short() -> None:
    error = refuse({"title": 1, "tags": 2, "comments": [{"text": "a", "x": 1}] * 1000})
    assert error.message.startswith("comments[0].x: unknown key") or "title" in error.message
    assert "title: expected a string" in error.message
    assert error.message.endswith("; and 997 more")
    assert len(error.message) < 1000


def test_bytes_may_open_with_a_byte_order_mark() -> None:
    assert parse_document_bytes(b'\xef\xbb\xbf{"title": "a"}').title == "a"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b'{"title": "\xcf\xf0"}', "not UTF-8 at byte 11"),
        (b'{"title": "a", "title": "b"}', "duplicate key 'title'"),
        (b'{"title": NaN}', "NaN"),
        (b'{"title": "a"', "not strict JSON"),
        (b"", "not strict JSON"),
        (b"[" * 100_000, "nested deeper"),
    ],
)
def test_what_is_not_strict_json_in_utf8_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(BadDocumentError, match=fault):
        parse_document_bytes(data)


def test_half_of_a_surrogate_pair_becomes_a_replacement_character_with_a_note() -> None:
    text = r'{"title": "cut \ud83d", "description": "whole \ud83d\ude00, literal \\ud83d, \uDE00!"}'
    found = parse_document_bytes(text.encode())
    assert found.title == "cut \ufffd"
    assert found.description == "whole 😀, literal \\ud83d, \ufffd!"
    assert found.notes == ("2 lone surrogates in the document were replaced by U+FFFD.",)


def test_half_of_a_surrogate_pair_from_python_is_treated_alike() -> None:
    found = parse_document({"title": "cut \ud83d", "tags": ["\udc00"]})
    assert (found.title, found.tags) == ("cut \ufffd", ("\ufffd",))
    assert "2 lone surrogates" in found.notes[0]


def test_control_characters_pass_unharmed() -> None:
    assert parse_document_bytes(rb'{"title": "a\u0000b\u001b[31m"}').title == "a\0b\x1b[31m"


def test_a_file_is_read_and_its_name_stands_in_the_error(tmp_path: Path) -> None:
    good = tmp_path / "doc.json"
    good.write_text(json.dumps(FULL), encoding="utf-8")
    assert read_document(good) == parse_document(FULL)
    bad = tmp_path / "bad.json"
    bad.write_text('{"titel": "a"}', encoding="utf-8")
    with pytest.raises(BadDocumentError, match="did you mean title") as caught:
        read_document(bad)
    assert caught.value.where == "bad.json"


def test_what_is_no_regular_file_is_refused_and_never_blocks(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for path in (tmp_path / "missing.json", tmp_path, pipe):
        with pytest.raises(BadDocumentError, match="no regular file"):
            read_document(path)


def test_a_file_beyond_the_limit_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_module, "MAX_DOCUMENT_BYTES", 10)
    path = tmp_path / "doc.json"
    path.write_text('{"title": "long enough"}', encoding="utf-8")
    with pytest.raises(BadDocumentError, match="24 bytes, the limit is 10"):
        read_document(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01", "2024-05-01T00:00:00+00:00"),
        ("20240501", "2024-05-01T00:00:00+00:00"),
        ("2024-05-01T12:00:00", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00+00:00"),
        ("2024-05-01T12:00:00+03:00", "2024-05-01T09:00:00+00:00"),
    ],
)
def test_a_time_without_an_offset_is_utc(text: str, expected: str) -> None:
    found = parse_time(text)
    assert found is not None
    assert found.isoformat() == expected


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01T00:00:00+23:59", "2024-13-01"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None
