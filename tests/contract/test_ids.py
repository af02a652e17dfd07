"""C2.1: an id is one safe path segment, or it is refused; it is never changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmcan.contract.ids import IdKind, build_run_id, find_id_fault, fold_id, parse_id
from filmcan.errors import InvalidIdError


@pytest.mark.parametrize(
    "value",
    [
        "youtube",
        "a",
        "A" * 128,
        "a.b-c_d",
        "20260131T120000Z-ab12cd34",
        "-kQ7vT2mPz0",
        "a..b",
        "com10",
    ],
)
def test_c2_a_plain_segment_is_returned_unchanged(value: str) -> None:
    assert parse_id("run_id", value) == value


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", "1 to 128"),
        ("a" * 129, "1 to 128"),
        (".hidden", "start with a dot"),
        ("..", "start with a dot"),
        ("a/b", "only the characters"),
        ("a\\b", "only the characters"),
        ("a b", "only the characters"),
        ("ü", "only the characters"),
        ("a\n", "only the characters"),
        ("a\0", "only the characters"),
        ("\uff11", "only the characters"),
        ("a.", "end with a dot"),
        ("_a", "start with _"),
        ("_tmp_a", "_tmp_"),
        ("CON", "device name"),
        ("nul.txt", "device name"),
        ("Lpt1.tar.gz", "device name"),
        ("manifest.json", "manifest.json"),
        ("Manifest.JSON", "must not be"),
    ],
)
def test_c2_a_bad_segment_is_refused_with_its_rule(value: str, rule: str) -> None:
    with pytest.raises(InvalidIdError, match=rule) as refusal:
        parse_id("platform_id", value)
    assert "platform_id" in str(refusal.value)


@pytest.mark.parametrize("value", ["_kQ7vT2mPz0", "-kQ7vT2mPz0", "__x", "_"])
def test_c2_video_ids_may_start_with_underscore_or_dash(value: str) -> None:
    assert parse_id("video_id", value) == value


@pytest.mark.parametrize("kind", ["platform_id", "run_id", "component", "video_id"])
def test_c2_no_id_starts_like_a_temporary(kind: IdKind) -> None:
    assert find_id_fault(kind, "_tmp_x") is not None


@pytest.mark.parametrize("value", [None, 7, b"a", ["a"]])
def test_an_id_must_be_text(value: object) -> None:
    with pytest.raises(InvalidIdError, match="must be a string"):
        parse_id("video_id", value)


@given(st.text(max_size=140))
def test_an_accepted_id_is_one_segment_of_any_file_system(value: str) -> None:
    if find_id_fault("video_id", value) is None:
        assert value == value.strip()
        assert not set(value) & set('/\\:*?"<>|\0')
        assert value not in (".", "..")
        assert value.isascii()


def test_c2_run_ids_sort_by_start_in_any_zone() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    later = (noon + timedelta(seconds=1)).astimezone(timezone(timedelta(hours=-11)))
    assert build_run_id(noon, "zzzzzzzz") == "20260131T120000Z-zzzzzzzz"
    assert build_run_id(noon, "zzzzzzzz") < build_run_id(later, "00000000")


def test_c2_ids_that_differ_only_in_case_share_a_folder_on_some_disks() -> None:
    assert fold_id("Video.A") == fold_id("vIDEO.a")
    assert fold_id("video-a") != fold_id("video_a")
