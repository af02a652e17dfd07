"""A pass that decodes only what somebody looks at gives the full pass's pictures, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from filmcan.media import video_pass
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.media.packet_scan import scan_packets
from filmcan.media.source_file import find_source
from filmcan.media.timeline import Sampling
from filmcan.testing.made_media import ClipVideo, cut_file, damage_packets, make_clip, make_media
from filmcan.testing.media_reading import (
    TEST_LIMITS,
    MediaReading,
    open_pass,
    read_media,
    read_numbers,
)

SPARSE = Sampling("uniform_v1", rate_hz=1.0, max_samples=400)
REQUESTS = {
    "eyes": FrameRequest(FrameView("rgb")),
    "mover": FrameRequest(FrameView("gray", max_width=48), with_previous=True),
    "rare": FrameRequest(FrameView("gray"), every=2),
}
B_FRAMES = {"bf": "3", "g": "12", "sc_threshold": "0"}
VP9 = {"g": "12", "deadline": "realtime", "cpu-used": "8"}


def read_both(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    requests: Mapping[str, FrameRequest] = REQUESTS,
    sampling: Sampling = SPARSE,
) -> tuple[MediaReading, MediaReading]:
    """Read a file as it is done and with everything decoded; hold the pictures to be the same."""
    ours = read_media(path, requests, sampling=sampling)
    with monkeypatch.context() as patch:
        patch.setattr(video_pass, "plan_decoding", lambda *_: None)
        full = read_media(path, requests, sampling=sampling)
    for name in requests:
        got, wanted = ours.frames[name], full.frames[name]
        assert got is not None
        assert wanted is not None
        assert [item.index for item in got] == [item.index for item in wanted], name
        for mine, theirs in zip(got, wanted, strict=True):
            assert mine.time_sec == theirs.time_sec
            assert mine.previous_time_sec == theirs.previous_time_sec
            np.testing.assert_array_equal(mine.image, theirs.image)
            np.testing.assert_array_equal(mine.previous_image, theirs.previous_image)
    assert ours.summary.last_frame_sec == full.summary.last_frame_sec
    assert ours.summary.zero_sec == full.summary.zero_sec
    assert ours.summary.is_complete
    return ours, full


def make(path: Path, **settings: object) -> Path:
    return make_clip(path, **{"frames": 150, "options": B_FRAMES, **settings})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("h264.mp4", {}),
        ("h264.mkv", {}),
        ("h264.ts", {}),
        ("h264.avi", {"options": {**B_FRAMES, "bf": "0"}}),
        ("uneven.mp4", {"times_ms": [40 * n + (n * 7) % 23 for n in range(150)]}),
        ("closed.mp4", {"codec": "libx265", "options": {
            "x265-params": "keyint=12:min-keyint=12:scenecut=0:open-gop=0:bframes=3:log-level=none"
        }}),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": VP9}),
        ("mjpeg.mov", {"codec": "mjpeg", "pixel_format": "yuvj420p", "options": {}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_skipping_gives_the_same_pictures_and_decodes_far_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, object]
) -> None:
    ours, full = read_both(make(tmp_path / name, **settings), monkeypatch)
    assert full.summary.decoded_frames == full.summary.frame_count == 150
    decoded = ours.summary.decoded_frames
    assert decoded is not None
    assert 11 <= decoded < 75
    assert (ours.summary.frame_count, ours.summary.failed_frames) == (150, 0)
    assert ours.summary.notes == full.summary.notes
    samples = ours.frames["eyes"]
    assert samples is not None
    assert read_numbers(samples) == [item.index for item in samples]


def test_skipping_at_any_rate_and_for_any_request_gives_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "clip.mp4", options={**B_FRAMES, "g": "30"})
    for rate in (0.01, 0.3, 0.7, 1.3, 3.0):
        sampling = replace(SPARSE, rate_hz=rate)
        read_both(path, monkeypatch, sampling=sampling)
        for request in (FrameRequest(FrameView("gray"), every=3), REQUESTS["mover"]):
            read_both(path, monkeypatch, sampling=sampling, requests={"one": request})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("fields.mp4", {"options": {**B_FRAMES, "flags": "+ildct+ilme", "x264-params": "tff=1"}}),
        ("vp8.webm", {"codec": "libvpx", "options": {
            "auto-alt-ref": "1", "lag-in-frames": "16", "g": "12", "b": "200k", "deadline": "good",
        }}),
        ("mpeg4.mp4", {"codec": "mpeg4", "options": {"g": "12", "bf": "2"}}),
        ("raw.h264", {}),
        ("slotted.avi", {}),
        ("dense.mp4", {
            "options": {**B_FRAMES, "g": "150"}, "times_ms": [200 * n for n in range(150)],
        }),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_where_packets_are_not_known_to_be_frames_everything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, object]
) -> None:
    ours, full = read_both(make(tmp_path / name, **settings), monkeypatch)
    assert ours.summary == full.summary


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("open.mp4", {"options": {**B_FRAMES, "x264-params": "open-gop=1"}}),
        ("open.ts", {"options": {**B_FRAMES, "x264-params": "open-gop=1"}}),
        ("refresh.ts", {"options": {**B_FRAMES, "bf": "0", "x264-params": "intra-refresh=1"}}),
        ("open.mkv", {"codec": "libx265", "options": {
            "x265-params": "keyint=12:min-keyint=12:scenecut=0:open-gop=1:bframes=3:log-level=none"
        }}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_keyframe_that_is_no_clean_start_is_not_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, object]
) -> None:
    sampling = replace(SPARSE, rate_hz=0.1)
    path = make(tmp_path / name, **settings)
    found = scan_packets(find_source(path), 0, TEST_LIMITS, lambda: False)
    assert len(found.keyframes) > len(found.clean_starts) > 0
    ours, _ = read_both(path, monkeypatch, sampling=sampling, requests={"a": REQUESTS["mover"]})
    assert ours.summary.frame_count == 150


def test_c6_damage_on_the_way_to_a_wanted_frame_is_met_as_in_a_full_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(tmp_path / "whole.mp4", size=(320, 240), options={**B_FRAMES, "bf": "0"})
    for numbers in ([0], [26], [60, 61], [86], [-1]):
        path = damage_packets(whole, tmp_path / f"damaged{numbers[0]}.mp4", numbers)
        ours, full = read_both(path, monkeypatch)
        assert ours.summary == full.summary
        assert full.summary.failed_frames or "damage" in "".join(full.summary.notes)


def test_c6_damage_that_nobody_looks_at_stays_unseen_and_uncounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make(tmp_path / "whole.mp4", size=(320, 240), options={**B_FRAMES, "bf": "0"})
    path = damage_packets(whole, tmp_path / "damaged.mp4", [36, 37, 38])
    sampling = replace(SPARSE, rate_hz=0.1)
    ours = read_media(path, REQUESTS, sampling=sampling)
    assert ours.summary.failed_frames == 0
    assert ours.summary.frame_count == 150
    samples = ours.frames["eyes"]
    assert samples is not None
    assert [item.index for item in samples] == [0, 149]
    assert all(item.image is not None for item in samples)


def test_c6_a_file_cut_short_is_decoded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = ClipVideo(frames=150, size=(320, 240), options=B_FRAMES)
    whole = make_media(tmp_path / "whole.mp4", video, options={"movflags": "+faststart"})
    ours, full = read_both(cut_file(whole, tmp_path / "cut.mp4", 0.7), monkeypatch)
    assert ours.summary == full.summary


def test_a_component_that_has_enough_ends_a_skipping_pass(tmp_path: Path) -> None:
    path = make(tmp_path / "clip.mp4")
    media = open_pass(path, {"eyes": REQUESTS["eyes"]}, sampling=SPARSE, queue_size=1)
    media.start()
    stream = media.frames("eyes")
    assert stream is not None
    assert next(iter(stream)).index == 0
    media.release("eyes")
    summary = media.finish()
    assert not summary.is_complete
    assert summary.decoded_frames is not None
    assert summary.decoded_frames < 40


@pytest.mark.parametrize("name", ["bikes.mp4", "bottles.mp4", "cockatoo.mp4", "nasa_13013.mp4",
                                  "rotated_90_phone_dog.mp4", "syn_vfr_carphone.mp4"])  # fmt: skip
@pytest.mark.parametrize("rate_hz", [0.25, 2.0])
def test_corpus_clips_are_the_same_with_skipping(
    media_corpus: Path, monkeypatch: pytest.MonkeyPatch, name: str, rate_hz: float
) -> None:
    sampling = replace(SPARSE, rate_hz=rate_hz)
    ours, full = read_both(media_corpus / "video" / name, monkeypatch, sampling=sampling)
    assert ours.summary.decoded_frames != full.summary.decoded_frames
    assert ours.summary.frame_count == full.summary.frame_count
