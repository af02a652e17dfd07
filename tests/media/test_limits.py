"""Threats B7: a source beyond a limit is refused, naming limit, value and setting."""

from __future__ import annotations

import resource
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filmcan.errors import BadMediaError
from filmcan.media.limits import Limits, exceeds_duration
from filmcan.media.probe import probe_source
from filmcan.testing.made_media import (
    ClipSound,
    ClipVideo,
    build_tone,
    make_clip,
    make_media,
    make_picture,
    make_sound,
)
from filmcan.testing.media_reading import ALL_FRAMES, TEST_LIMITS, read_media


def assert_refused(path: Path, limits: Limits, setting: str, allowed: float) -> None:
    with pytest.raises(BadMediaError) as refused:
        probe_source(path, limits)
    error = refused.value
    assert error.code == "limit_exceeded"
    assert f"limits.{setting} allows {allowed}" in error.message
    assert f"limits.{setting}" in error.hint
    assert error.where == path.name


def test_b7_a_frame_larger_than_allowed_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=3, size=(64, 48))
    limits = replace(TEST_LIMITS, max_pixels=64 * 48 - 1)
    assert_refused(path, limits, "max_pixels", 64 * 48 - 1)
    assert probe_source(path, replace(TEST_LIMITS, max_pixels=64 * 48)).video is not None


@pytest.mark.parametrize("name", ["p.png", "p.jpg"])
def test_b7_a_picture_larger_than_allowed_is_refused(tmp_path: Path, name: str) -> None:
    path = make_picture(tmp_path / name, np.zeros((50, 50, 3), np.uint8))
    assert_refused(path, replace(TEST_LIMITS, max_pixels=2499), "max_pixels", 2499)
    assert probe_source(path, replace(TEST_LIMITS, max_pixels=2500)).is_still_picture


def test_b7_a_picture_that_only_claims_to_be_huge_costs_no_memory(tmp_path: Path) -> None:
    path = make_picture(tmp_path / "bomb.png", np.zeros((8, 8, 3), np.uint8))
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 100_000, 20_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_refused(path, TEST_LIMITS, "max_pixels", TEST_LIMITS.max_pixels)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


def test_b7_a_stream_that_grows_beyond_the_limit_part_way_is_refused(tmp_path: Path) -> None:
    """Two MPEG-TS files in a row: the second one's frames are larger than the first's."""
    small = make_clip(tmp_path / "a.ts", frames=30, size=(64, 48))
    large = make_clip(tmp_path / "b.ts", frames=30, size=(320, 240))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    limits = replace(TEST_LIMITS, max_pixels=64 * 48)
    with pytest.raises(BadMediaError, match=r"320 x 240 .* limits\.max_pixels"):
        read_media(both, ALL_FRAMES, limits=limits)


def test_b7_too_many_streams_are_refused(tmp_path: Path) -> None:
    tone = build_tone(0.1, rate_hz=8000)
    sounds = [ClipSound(tone, rate_hz=8000, codec="pcm_s16le") for _ in range(6)]
    path = make_media(tmp_path / "many.mkv", *sounds)
    assert_refused(path, replace(TEST_LIMITS, max_streams=5), "max_streams", 5)
    assert probe_source(path, replace(TEST_LIMITS, max_streams=6)).audio is not None


def test_b7_too_much_metadata_is_refused(tmp_path: Path) -> None:
    path = make_media(
        tmp_path / "clip.mkv", ClipVideo(frames=3), metadata={"comment": "x" * 20_000}
    )
    limits = replace(TEST_LIMITS, max_metadata_chars=20_000)
    assert_refused(path, limits, "max_metadata_chars", 20_000)
    assert probe_source(path, TEST_LIMITS).video is not None


def test_b7_more_frames_than_the_size_allows_are_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "clip.mp4", frames=60)
    limits = replace(TEST_LIMITS, max_frames_per_mib=59)
    with pytest.raises(BadMediaError, match=r"hold 60 frames or more, limits\.max_frames_per_mib"):
        read_media(path, ALL_FRAMES, limits=limits)
    reading = read_media(path, ALL_FRAMES, limits=replace(limits, max_frames_per_mib=60))
    assert reading.summary.decoded_frames == 60


@pytest.mark.parametrize(
    ("size_bytes", "frames"),
    [(1, 10), (1024 * 1024, 10), (1024 * 1024 + 1, 20), (5 * 1024 * 1024, 50)],
)
def test_each_started_mib_allows_its_share_of_frames(size_bytes: int, frames: int) -> None:
    assert replace(TEST_LIMITS, max_frames_per_mib=10).max_frames(size_bytes) == frames


def test_c6_a_long_source_is_no_refusal_but_is_told(tmp_path: Path) -> None:
    path = make_sound(tmp_path / "two.wav", build_tone(2.0), codec="pcm_s16le")
    probe = probe_source(path, replace(TEST_LIMITS, max_duration_sec=1.0))
    assert exceeds_duration(probe, replace(TEST_LIMITS, max_duration_sec=1.99))
    assert not exceeds_duration(probe, replace(TEST_LIMITS, max_duration_sec=2.0))
    assert not exceeds_duration(replace(probe, duration_sec=None), TEST_LIMITS)
